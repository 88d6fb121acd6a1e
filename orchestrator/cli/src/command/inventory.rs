//! `inventory`: shows the fleet; no network.

use crate::args::{self, Format, Global};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::LoadedInventory;
use crate::printer::Printer;
use migos_report::inventory_table;
use std::collections::BTreeMap;

pub(super) fn run(
    args: &args::Inventory,
    format: Format,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let inventory = LoadedInventory::read(args, &global.runs)?;
    let text = match format {
        Format::Table => {
            inventory_table(&inventory.fleet, &inventory.selection, printer.out_style())
        }
        Format::Json => {
            let devices = &inventory.fleet.devices;
            let selected: BTreeMap<_, _> =
                inventory.selection.iter().filter_map(|id| Some((id, devices.get(id)?))).collect();
            serde_json::to_string_pretty(&selected).or_fail(Kind::Internal)? + "\n"
        }
    };
    printer.out(&text);
    Ok(0)
}
