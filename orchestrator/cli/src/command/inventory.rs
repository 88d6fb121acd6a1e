//! `inventory`: shows the fleet, explains a device, or checks for what is likely not meant; no network.

use crate::args::{Format, Global, Show};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory};
use crate::printer::Printer;
use migos_inventory::{DeviceId, PolicyChoice, nearest};
use migos_report::{explanation, findings_text, folded_inventory_table, inventory_table};
use serde_json::json;
use std::collections::BTreeMap;

/// With `--strict`, if anything was found.
const FOUND: u8 = 6;

pub(super) fn run(args: &Show, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let inventory = match args.check {
        true => LoadedInventory::read_quietly(&args.inventory, &global.runs, printer)?,
        false => LoadedInventory::read(&args.inventory, &global.runs, printer)?,
    };
    // A policy that stands in the inventory is a part of it; a file has `policy check`.
    if let Some(PolicyChoice::Inline(_)) = inventory.fleet.settings.policy {
        input::policy(&inventory, None)?;
    }
    match &args.explain {
        _ if args.check => return check(args, &inventory, printer),
        _ if args.ansible => list_ansible(&inventory, printer)?,
        Some(device) => explain(args, device, &inventory, printer)?,
        None => show(args, &inventory, printer)?,
    }
    Ok(0)
}

fn show(args: &Show, inventory: &LoadedInventory, printer: Printer) -> Result<(), Failure> {
    let (fleet, selection) = (&inventory.fleet, inventory.selection.as_slice());
    let style = printer.out_style();
    printer.out(&match args.format {
        Format::Table if args.fold => folded_inventory_table(fleet, selection, style),
        Format::Table => inventory_table(fleet, selection, style),
        Format::Json => {
            let selected: BTreeMap<_, _> =
                selection.iter().filter_map(|id| Some((id, fleet.devices.get(id)?))).collect();
            serde_json::to_string_pretty(&selected).or_fail(Kind::Internal)? + "\n"
        }
    });
    Ok(())
}

fn list_ansible(inventory: &LoadedInventory, printer: Printer) -> Result<(), Failure> {
    let Some(resolved) = inventory.resolved() else {
        return Err(Failure::new(Kind::Usage, "none of the inventories is Ansible's")
            .hint("see the fleet without --ansible"));
    };
    let text = serde_json::to_string_pretty(&resolved.listing()).or_fail(Kind::Internal)?;
    printer.out(&(text + "\n"));
    Ok(())
}

fn explain(
    args: &Show,
    name: &str,
    inventory: &LoadedInventory,
    printer: Printer,
) -> Result<(), Failure> {
    let id = DeviceId::new(name).ok().filter(|id| inventory.fleet.devices.contains_key(id));
    let Some(id) = id else {
        let failure = Failure::new(Kind::Usage, format!("no device is called {name:?}"));
        return Err(match nearest(name, inventory.fleet.order.iter().map(DeviceId::as_str)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("see their names with: migos-fleet inventory INVENTORY"),
        });
    };
    let told = inventory.explain(&id);
    printer.out(&match args.format {
        Format::Table => explanation(&id, &told, printer.out_style()),
        Format::Json => {
            let json = json!({ "device": id, "settings": told });
            serde_json::to_string_pretty(&json).or_fail(Kind::Internal)? + "\n"
        }
    });
    Ok(())
}

fn check(args: &Show, inventory: &LoadedInventory, printer: Printer) -> Result<u8, Failure> {
    let findings = inventory.check();
    printer.out(&match args.format {
        Format::Table => findings_text(&findings, &inventory.fleet),
        Format::Json => {
            serde_json::to_string_pretty(&json!({ "findings": findings }))
                .or_fail(Kind::Internal)?
                + "\n"
        }
    });
    Ok(if args.strict && !findings.is_empty() { FOUND } else { 0 })
}
