//! `assess`: how a fleet stands on day one, when there is nothing yet but logins.

use super::probe;
use crate::args::{Assess, Format, Global};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory};
use crate::printer::Printer;
use crate::wire;
use migos_engine::ledger::Ledger;
use migos_engine::port::Clock;
use migos_engine::run::write_whole;
use migos_engine::simulation::predict;
use migos_events::LedgerState;
use migos_inventory::DeviceId;
use migos_payload::manifest::Restart;
use migos_payload::size::ByteCount;
use migos_payload_builder::Recipe;
use migos_playbooks::assess::{Look, Offer, assess};
use migos_playbooks::estimate::Experience;
use migos_playbooks::playbook::Playbook;
use migos_report::{Around, assess_html, assess_json, assess_next, assess_text};
use std::collections::BTreeSet;

pub(super) async fn run(args: &Assess, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let inventory = LoadedInventory::read(&args.inventory, &global.runs, printer)?;
    let policy = input::policy(&inventory, args.policy.as_deref())?;
    let facts = match &args.facts {
        Some(path) => input::facts(path)?,
        None => probe::facts(&inventory, args.parallel, global, printer).await?,
    };
    let ledger = Ledger::of(&global.runs).read().or_fail(Kind::NotStarted)?;
    let is_migrated = |state| matches!(state, LedgerState::Migrated);
    let migrated = ledger.values().filter(|entry| is_migrated(entry.state));
    let migrated: BTreeSet<DeviceId> = migrated.map(|entry| entry.device.clone()).collect();
    let measured = ledger.into_values().filter_map(|entry| entry.measured);
    let assessment = assess(&Look {
        fleet: &inventory.fleet,
        selection: &inventory.selection,
        facts: &facts.devices,
        facts_read: facts.read,
        offers: &offers()?,
        experience: &Experience::of(measured),
        migrated: &migrated,
        playbook: &Playbook::migrate().or_fail(Kind::Internal)?,
        policy: &policy,
    })
    .or_fail(Kind::Internal)?;

    let now = wire::SystemClock.now();
    let prediction = predict(&assessment.forecast, now).map_err(|error| error.to_string());
    let hint = assess_next(&assessment, &inventory.name);
    let prediction = prediction.as_ref().map_err(String::as_str);
    let around = Around { now, prediction, source: &inventory.name, hint: &hint };
    if let Some(path) = &args.html {
        let page = assess_html(&assessment, &around);
        write_whole(path, page.as_bytes(), 0o644).or_fail(Kind::Internal)?;
    }
    match args.format {
        Format::Table => printer.out(&assess_text(&assessment, printer.out_style(), &around)),
        Format::Json => {
            let json = assess_json(&assessment, &around);
            printer.out(&(serde_json::to_string_pretty(&json).or_fail(Kind::Internal)? + "\n"));
        }
    }
    Ok(0)
}

/// What can be built for the field: `migrate` refuses payloads whose kernel cannot restart the board by itself.
fn offers() -> Result<Vec<Offer>, Failure> {
    let recipes = Recipe::builtin().or_fail(Kind::Internal)?.into_iter();
    let offer = |recipe: Recipe| Offer {
        architecture: recipe.architecture,
        kernels: recipe.kernels.into_iter().flat_map(|kernel| kernel.names).collect(),
        overlays: recipe.overlays.into_iter().flat_map(|it| it.files.into_keys()).collect(),
        limit: ByteCount(recipe.limit),
        boards: recipe.boards,
        recipe: recipe.name,
    };
    Ok(recipes.filter(|recipe| recipe.restart == Restart::Builtin).map(offer).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_offered_is_for_the_field() {
        let offers = offers().unwrap();
        let names: Vec<&str> = offers.iter().map(|offer| offer.recipe.as_str()).collect();
        assert_eq!(names, ["raspios-arm64", "raspios-armhf"]);
        assert!(offers.iter().all(|offer| offer.overlays.contains("w5500.dtbo")));
    }
}
