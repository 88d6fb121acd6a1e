//! `migrate`: the job.

use super::plan::{self, Prepared, exit_code, prepare};
use super::probe;
use super::resume::{locked, stage_named};
use super::rollout::{Ready, carry_out};
use super::stock::Gathered;
use crate::args::{Global, Migrate};
use crate::capacity::Capacity;
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory};
use crate::printer::Printer;
use crate::{prompt, wire};
use migos_engine::port::Clock;
use migos_engine::rollout::Wishes;
use migos_engine::run::RunDir;
use migos_events::Change;
use std::path::Path;

pub(super) async fn run(args: &Migrate, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let prepared = match &args.plan {
        Some(path) => saved(args, path, global, printer).await?,
        None => prepare(&args.planning, None, global, printer).await?.0,
    };
    let source = &prepared.sources.inventory;
    let hint = if args.dry_run {
        format!("Run it with: migos-fleet migrate {source}")
    } else {
        String::new()
    };
    plan::print(&prepared.plan, source, &hint, printer);
    if args.dry_run {
        return Ok(0);
    }
    if prepared.plan.devices.is_empty() {
        printer.say("nothing to do: no device of the selection is to be migrated");
        return Ok(exit_code(&prepared.plan));
    }
    Capacity::here().check_plan(&prepared.plan, printer)?;
    let until = args.until.as_deref();
    let until = until.map(|stage| stage_named(&prepared.plan, stage)).transpose()?;
    // A value that cannot be read is told before anything begins.
    wire::provisions(&prepared.plan, &prepared.sources, None)?;
    if !args.yes {
        prompt::confirm(&prepared.plan)?;
    }
    let Prepared { plan, sources, stock, balena } = prepared;
    let run = RunDir::create(&global.runs, &plan).or_fail(Kind::Internal)?;
    let lock = locked(&run, false).await?;
    sources.save(&run)?;
    let approved_by = args.approved_by.clone();
    let change = args.change.clone().map(|id| Change { id, approved_by });
    let wishes = Wishes { until, forgive: None, change };
    carry_out(
        Ready { run, lock, plan, sources, stock, balena, take_back: Vec::new(), wishes },
        global,
        printer,
    )
    .await
}

/// A plan says nothing about what has happened to a fleet in so many days.
const GOOD_FOR_DAYS: i64 = 14;

/// A saved plan, with payloads and images found again by the inventory and compared by digest. Its devices are looked
/// at again; those that have changed since are set aside, each with the difference.
async fn saved(
    args: &Migrate,
    path: &Path,
    global: &Global,
    printer: Printer,
) -> Result<Prepared, Failure> {
    let plan = input::plan(path)?;
    let days = wire::SystemClock.now().duration_since(plan.facts_read).as_hours() / 24;
    if days >= GOOD_FOR_DAYS {
        let name = path.display();
        let what = format!("the plan {name} is {days} days old; one is good for {GOOD_FOR_DAYS}");
        return Err(Failure::new(Kind::NotStarted, what).hint("make it again with `plan -o`"));
    }
    let mut inventory = LoadedInventory::read(&args.planning.inventory, &global.runs, printer)?;
    let Gathered { stock, sources, .. } =
        Gathered::of(&inventory, args.planning.payload.as_deref())?;
    stock.has_all(&plan)?;
    inventory.selection.retain(|id| plan.devices.contains_key(id));
    let facts = probe::facts(&inventory, probe::PARALLEL, global, printer).await?;
    let plan = plan.into_inner().without_changed(&facts.devices).map_err(|error| {
        Failure::of(Kind::NotStarted, &error).hint("look why; then make it again with `plan -o`")
    })?;
    let plan = plan.check().or_fail(Kind::Internal)?;
    let token = inventory.fleet.settings.token.as_ref();
    let balena =
        wire::balena(&plan.api, &inventory.base, token, inventory.fleet.settings.ca.as_deref())?;
    Ok(Prepared { plan, sources, stock, balena })
}
