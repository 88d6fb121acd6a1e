//! `status INVENTORY`: the whole fleet, over all runs.

use crate::args::{self, Format, Global};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::LoadedInventory;
use crate::printer::Printer;
use crate::wire;
use migos_engine::ledger::Ledger;
use migos_engine::port::{BalenaApi, BalenaError};
use migos_inventory::FleetSlug;
use migos_playbooks::balena::Sighting;
use migos_report::{campaign, campaign_json, campaign_text};
use std::collections::BTreeSet;
use std::path::Path;

/// True if this names an inventory, and not a run: runs have no dot, slash or comma in their names.
pub(super) fn is_inventory(name: &str) -> bool {
    name == "-" || name.contains(['.', '/', ',']) || Path::new(name).is_file()
}

pub(super) async fn run(
    inventory: &args::Inventory,
    format: Format,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let inventory = LoadedInventory::read(inventory, &global.runs, printer)?;
    let ledger = Ledger::of(&global.runs).read().or_fail(Kind::NotStarted)?;
    let seen = look(&inventory).await?;
    let (seen, away) = match &seen {
        Ok(seen) => (Some(seen.as_slice()), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let standings = campaign(&inventory.fleet, &inventory.selection, &ledger, seen);
    let text = match format {
        Format::Table => {
            let style = printer.out_style();
            campaign_text(&inventory.name, &standings, away.as_deref(), style)
        }
        Format::Json => {
            let json = campaign_json(&inventory.name, &standings, away.as_deref());
            serde_json::to_string_pretty(&json).or_fail(Kind::Internal)? + "\n"
        }
    };
    printer.out(&text);
    Ok(0)
}

/// What balena sees of the fleets, by one question; or why it could not be asked.
async fn look(inventory: &LoadedInventory) -> Result<Result<Vec<Sighting>, BalenaError>, Failure> {
    let settings = &inventory.fleet.settings;
    let balena = wire::balena(
        &settings.api,
        &inventory.base,
        settings.token.as_ref(),
        settings.ca.as_deref(),
    )?;
    let selected = inventory.selection.iter().filter_map(|id| inventory.fleet.devices.get(id));
    let fleets =
        selected.flat_map(|device| [device.balena_fleet.clone(), device.on_balena.move_to.clone()]);
    let slugs: BTreeSet<FleetSlug> = fleets.flatten().collect();
    let slugs: Vec<FleetSlug> = slugs.into_iter().collect();
    Ok(balena.sightings(&slugs).await)
}
