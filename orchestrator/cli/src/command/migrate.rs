//! `migrate`: the job.

use super::plan::{Prepared, exit_code, prepare};
use super::rollout::{Ready, carry_out};
use super::stock::Gathered;
use crate::args::{Global, Migrate};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory};
use crate::printer::Printer;
use crate::{prompt, wire};
use migos_engine::run::RunDir;
use migos_report::plan_text;
use std::path::Path;

pub(super) async fn run(args: &Migrate, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let prepared = match &args.plan {
        Some(path) => saved(args, path)?,
        None => prepare(&args.planning, global, printer).await?,
    };
    let source = &prepared.sources.inventory;
    let hint = if args.dry_run {
        format!("Run it with: migos-fleet migrate {source}")
    } else {
        String::new()
    };
    printer.out(&plan_text(&prepared.plan, printer.out_style(), None, source, &hint));
    if args.dry_run {
        return Ok(0);
    }
    if prepared.plan.devices.is_empty() {
        printer.say("nothing to do: no device of the selection is to be migrated");
        return Ok(exit_code(&prepared.plan));
    }
    if !args.yes {
        prompt::confirm(&prepared.plan)?;
    }
    let Prepared { plan, sources, stock, balena } = prepared;
    let run = RunDir::create(&global.runs, &plan).or_fail(Kind::Internal)?;
    let lock = run.lock().or_fail(Kind::NotStarted)?;
    sources.save(&run)?;
    carry_out(
        Ready { run, lock, plan, sources, stock, balena, take_back: Vec::new() },
        global,
        printer,
    )
    .await
}

/// A saved plan, with payloads and images found again by the inventory and compared by digest.
fn saved(args: &Migrate, path: &Path) -> Result<Prepared, Failure> {
    let plan = input::plan(path)?;
    let inventory = LoadedInventory::read(&args.planning.inventory)?;
    let Gathered { stock, sources, .. } =
        Gathered::of(&inventory, args.planning.payload.as_deref())?;
    stock.has_all(&plan)?;
    let token = inventory.fleet.settings.token.as_ref();
    let balena = wire::balena(&plan.api, &inventory.base, token)?;
    Ok(Prepared { plan, sources, stock, balena })
}
