//! `plan`: the dry run. Also what `migrate` does before it asks.

use super::probe;
use super::stock::{Gathered, Stock};
use crate::args::{BootStrategy, Format, Global, Planning};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory, Sources};
use crate::printer::Printer;
use crate::wire;
use migos_balena::Balena;
use migos_engine::ledger::Ledger;
use migos_engine::port::{BalenaApi, BalenaError, Clock};
use migos_engine::run::write_whole;
use migos_engine::simulation::predict;
use migos_inventory::FleetSlug;
use migos_playbooks::balena::{FleetView, Heartbeat, MigratedBefore};
use migos_playbooks::plan::{CheckedPlan, SetAside};
use migos_playbooks::planner::{Situation, plan};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::{Allow, Strategy};
use migos_report::plan_text;
use std::collections::BTreeSet;
use std::path::Path;

/// Devices probed at a time, unless the command line says otherwise.
const PROBES: u32 = 64;

/// What is wanted of a plan.
pub(super) struct Wanted<'a> {
    pub(super) output: Option<&'a Path>,
    pub(super) strict: bool,
    pub(super) format: Format,
}

/// A plan with all that is needed to carry it out.
pub(super) struct Prepared {
    pub(super) plan: CheckedPlan,
    pub(super) sources: Sources,
    pub(super) stock: Stock,
    pub(super) balena: Balena,
}

pub(super) async fn run(
    args: &Planning,
    wanted: &Wanted<'_>,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let prepared = prepare(args, global, printer).await?;
    let plan = &prepared.plan;
    let saved = match wanted.output {
        Some(path) => {
            let text = plan.to_json().or_fail(Kind::Internal)?;
            write_whole(path, text.as_bytes(), 0o644).or_fail(Kind::Internal)?;
            format!(" --plan {}", path.display())
        }
        None => String::new(),
    };
    match wanted.format {
        Format::Table => {
            let source = &prepared.sources.inventory;
            let hint = format!("Run it with: migos-fleet migrate {source}{saved}");
            print(plan, source, &hint, printer);
        }
        Format::Json => printer.out(&plan.to_json().or_fail(Kind::Internal)?),
    }
    Ok(if wanted.strict { exit_code(plan) } else { 0 })
}

/// Prints a plan with how long it takes, begun now.
pub(super) fn print(plan: &CheckedPlan, source: &str, hint: &str, printer: Printer) {
    let prediction = predict(plan, wire::SystemClock.now()).map_err(|error| error.to_string());
    let prediction = prediction.as_ref().map_err(String::as_str);
    printer.out(&plan_text(plan, printer.out_style(), Some(prediction), None, source, hint));
}

/// 6 if a device of the selection cannot be migrated, else 0.
pub(super) fn exit_code(plan: &CheckedPlan) -> u8 {
    let left = |why: &SetAside| matches!(why, SetAside::Refused(_) | SetAside::Unreachable(_));
    if plan.set_aside.values().any(left) { 6 } else { 0 }
}

/// Reads, probes, asks balena, and plans.
pub(super) async fn prepare(
    args: &Planning,
    global: &Global,
    printer: Printer,
) -> Result<Prepared, Failure> {
    let inventory = LoadedInventory::read(&args.inventory, &global.runs)?;
    let mut policy = input::policy(&inventory, args.policy.as_deref())?;
    if let Some(parallel) = args.parallel {
        policy = policy.with_parallel(parallel);
    }
    policy.budget.failed = args.max_failures.or(policy.budget.failed);
    if let Some(strategy) = args.boot_strategy {
        policy.strategy = match strategy {
            BootStrategy::OneShot => Strategy::OneShot,
            BootStrategy::Rewrite => Strategy::Rewrite,
            BootStrategy::Auto => Strategy::Auto,
        };
    }
    policy.allow.extend(args.allow.iter().map(|allow| match allow {
        crate::args::Allow::UnguardedKernel => Allow::UnguardedKernel,
    }));
    let Gathered { stock, sources, images } = Gathered::of(&inventory, args.payload.as_deref())?;
    let settings = &inventory.fleet.settings;
    let balena = wire::balena(&settings.api, &inventory.base, settings.token.as_ref())?;
    let selected = inventory.selection.iter().filter_map(|id| inventory.fleet.devices.get(id));
    let slugs: BTreeSet<FleetSlug> =
        selected.filter_map(|device| device.balena_fleet.clone()).collect();
    let view = look_at_balena(&balena, &slugs, global).await?;

    let facts = match &args.facts {
        Some(path) => input::facts(path)?,
        None => {
            let parallel = args.parallel.unwrap_or(PROBES);
            probe::facts(&inventory, parallel, global, printer).await?
        }
    };
    let situation = Situation {
        fleet: &inventory.fleet,
        selection: &inventory.selection,
        facts: &facts,
        payloads: &stock.manifests(),
        images: &images,
        balena: &view,
        playbook: &Playbook::migrate().or_fail(Kind::Internal)?,
        policy: &policy,
    };
    let plan = plan(&situation).or_fail(Kind::Internal)?;
    Ok(Prepared { plan: plan.check().or_fail(Kind::Internal)?, sources, stock, balena })
}

/// The fleets, and what became of devices that earlier runs migrated.
async fn look_at_balena(
    balena: &Balena,
    slugs: &BTreeSet<FleetSlug>,
    global: &Global,
) -> Result<FleetView, Failure> {
    balena.whoami().await.map_err(|error| unusable(&error))?;
    let mut view = FleetView::default();
    for slug in slugs {
        if let Some(fleet) = balena.fleet(slug).await.map_err(|error| unusable(&error))? {
            view.fleets.insert(slug.clone(), fleet);
        }
    }
    let ledger = Ledger::of(&global.runs).read().or_fail(Kind::NotStarted)?;
    if ledger.is_empty() || view.fleets.is_empty() {
        return Ok(view);
    }
    let known: Vec<FleetSlug> = view.fleets.keys().cloned().collect();
    let sightings = balena.sightings(&known).await.map_err(|error| unusable(&error))?;
    // Whoever never came to the point of no return is an ordinary device.
    for (serial, entry) in ledger.into_iter().filter(|(_, entry)| entry.crossed) {
        let seen = sightings
            .iter()
            .find(|seen| seen.uuid == entry.uuid && seen.heartbeat != Heartbeat::Unknown);
        let before = MigratedBefore {
            device: entry.device,
            uuid: entry.uuid,
            os_version: seen.and_then(|seen| seen.os_version.clone()),
        };
        view.migrated.insert(serial, before);
    }
    Ok(view)
}

fn unusable(error: &BalenaError) -> Failure {
    match error {
        BalenaError::Token(_) => Failure::of(Kind::Input, error)
            .hint("give a named user API key of balena under `balena: { token: … }`"),
        _ => Failure::of(Kind::NotStarted, error).hint("try again when the service is back"),
    }
}
