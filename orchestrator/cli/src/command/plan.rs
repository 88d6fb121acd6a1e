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
use migos_inventory::{Device, DeviceId, FleetSlug};
use migos_playbooks::balena::{DeviceUuid, FleetView, Heartbeat, MigratedBefore, Sighting};
use migos_playbooks::estimate::Experience;
use migos_playbooks::plan::{CheckedPlan, SetAside};
use migos_playbooks::planner::{Situation, plan, verdicts};
use migos_playbooks::policy::Strategy;
use migos_playbooks::requirement::Verdict;
use migos_report::{Around, checks_text, plan_html, plan_text};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use tokio::task::spawn_blocking;

/// What is wanted of a plan.
pub(super) struct Wanted<'a> {
    pub(super) output: Option<&'a Path>,
    pub(super) html: Option<&'a Path>,
    pub(super) detail: Option<&'a str>,
    pub(super) strict: bool,
    pub(super) format: Format,
}

/// What the checks say of one device.
type Verdicts = Vec<(&'static str, Verdict)>;

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
    let (prepared, verdicts) = prepare(args, wanted.detail, global, printer).await?;
    let plan = &prepared.plan;
    // A plan of thousands is saved while it is carried out on a virtual clock.
    let saving = wanted.output.map(|path| {
        let (plan, path) = (plan.clone(), path.to_owned());
        spawn_blocking(move || save(&plan, &path))
    });
    let saved = wanted.output.map(|path| format!(" --plan {}", path.display())).unwrap_or_default();
    let source = &prepared.sources.inventory;
    let hint = format!("Run it with: migos-fleet migrate {source}{saved}");
    if let Some(path) = wanted.html {
        let page = around(plan, source, &hint, |around| plan_html(plan, around));
        write_whole(path, page.as_bytes(), 0o644).or_fail(Kind::Internal)?;
    }
    let style = printer.out_style();
    let text = match (wanted.format, wanted.detail.map(DeviceId::new)) {
        (Format::Table, Some(Ok(device))) => {
            let alone = plan.alone(&device);
            let checks = checks_text(&device, verdicts.as_deref(), style);
            let text = around(plan, source, &hint, |around| plan_text(&alone, style, around));
            format!("{checks}\n{text}")
        }
        (Format::Table, _) => around(plan, source, &hint, |around| plan_text(plan, style, around)),
        (Format::Json, _) => plan.to_json().or_fail(Kind::Internal)?,
    };
    if let Some(saving) = saving {
        saving.await.or_fail(Kind::Internal)??;
    }
    printer.out(&text);
    Ok(if wanted.strict { exit_code(plan) } else { 0 })
}

fn save(plan: &CheckedPlan, path: &Path) -> Result<(), Failure> {
    let text = plan.to_json().or_fail(Kind::Internal)?;
    write_whole(path, text.as_bytes(), 0o644).or_fail(Kind::Internal)
}

/// Prints a plan with how long it takes, begun now.
pub(super) fn print(plan: &CheckedPlan, source: &str, hint: &str, printer: Printer) {
    let style = printer.out_style();
    printer.out(&around(plan, source, hint, |around| plan_text(plan, style, around)));
}

/// Renders with what is said around a plan.
fn around(
    plan: &CheckedPlan,
    source: &str,
    hint: &str,
    render: impl FnOnce(&Around<'_>) -> String,
) -> String {
    let now = wire::SystemClock.now();
    let prediction = predict(plan, now).map_err(|error| error.to_string());
    let prediction = prediction.as_ref().map_err(String::as_str);
    render(&Around { now, prediction, source, hint })
}

/// 6 if a device of the selection cannot be migrated, else 0.
pub(super) fn exit_code(plan: &CheckedPlan) -> u8 {
    let left = |why: &SetAside| matches!(why, SetAside::Refused(_) | SetAside::Unreachable(_));
    if plan.set_aside.values().any(left) { 6 } else { 0 }
}

/// Reads, probes, asks balena, and plans.
pub(super) async fn prepare(
    args: &Planning,
    detail: Option<&str>,
    global: &Global,
    printer: Printer,
) -> Result<(Prepared, Option<Verdicts>), Failure> {
    // Both take a while where a fleet is large.
    let saved = args.facts.clone().map(|path| spawn_blocking(move || input::facts(&path)));
    let inventory = LoadedInventory::read(&args.inventory, &global.runs, printer)?;
    let detail = detail.map(|name| named(name, &inventory)).transpose()?;
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
    policy.allow.extend(args.allow.iter().copied());
    let playbook = input::playbook(&inventory, args.playbook.as_deref())?;
    let Gathered { stock, sources, images } = Gathered::of(&inventory, args.payload.as_deref())?;
    let settings = &inventory.fleet.settings;
    let balena = wire::balena(
        &settings.api,
        &inventory.base,
        settings.token.as_ref(),
        settings.ca.as_deref(),
    )?;
    let selected = inventory.selection.iter().filter_map(|id| inventory.fleet.devices.get(id));
    let view = look_at_balena(&balena, selected.collect(), global).await?;

    let facts = match saved {
        Some(reading) => reading.await.or_fail(Kind::Internal)??,
        None => {
            let parallel = args.parallel.unwrap_or(probe::PARALLEL);
            probe::facts(&inventory, parallel, global, printer).await?
        }
    };
    let situation = Situation {
        fleet: &inventory.fleet,
        selection: &inventory.selection,
        facts: &facts.devices,
        facts_read: facts.read,
        experience: &experience(global)?,
        payloads: &stock.manifests(),
        images: &images,
        keyfiles: &stock.keyfile_digests(),
        balena: &view,
        playbook: &playbook,
        policy: &policy,
    };
    let verdicts = detail.and_then(|device| verdicts(&situation, device));
    let plan = plan(&situation).or_fail(Kind::Internal)?;
    let plan = plan.check().or_fail(Kind::Internal)?;
    Ok((Prepared { plan, sources, stock, balena }, verdicts))
}

/// A device of the selection.
fn named<'a>(name: &str, inventory: &'a LoadedInventory) -> Result<&'a DeviceId, Failure> {
    let found = inventory.selection.iter().find(|id| id.as_str() == name);
    found.ok_or_else(|| {
        Failure::new(Kind::Usage, format!("no device of the selection is called {name}"))
            .hint("see their names with: migos-fleet inventory INVENTORY")
    })
}

/// What earlier runs have measured.
fn experience(global: &Global) -> Result<Experience, Failure> {
    let ledger = Ledger::of(&global.runs).read().or_fail(Kind::NotStarted)?;
    Ok(Experience::of(ledger.into_values().filter_map(|entry| entry.measured)))
}

/// The fleets, and what became of devices that earlier runs migrated.
async fn look_at_balena(
    balena: &Balena,
    selected: Vec<&Device>,
    global: &Global,
) -> Result<FleetView, Failure> {
    balena.whoami().await.map_err(|error| unusable(&error))?;
    let mut view = FleetView::default();
    let fleets = selected
        .iter()
        .flat_map(|device| [device.balena_fleet.as_ref(), device.on_balena.move_to.as_ref()]);
    for slug in fleets.flatten().collect::<BTreeSet<&FleetSlug>>() {
        if let Some(fleet) = balena.fleet(slug).await.map_err(|error| unusable(&error))? {
            view.fleets.insert(slug.clone(), fleet);
        }
    }
    find_releases(balena, &selected, &mut view).await?;
    let ledger = Ledger::of(&global.runs).read().or_fail(Kind::NotStarted)?;
    if ledger.is_empty() || view.fleets.is_empty() {
        return Ok(view);
    }
    let known: Vec<FleetSlug> = view.fleets.keys().cloned().collect();
    let sightings = balena.sightings(&known).await.map_err(|error| unusable(&error))?;
    let seen = sightings.iter().filter(|seen| seen.heartbeat != Heartbeat::Unknown);
    let seen: BTreeMap<&DeviceUuid, &Sighting> =
        seen.map(|sighting| (&sighting.uuid, sighting)).collect();
    // Whoever never came to the point of no return is an ordinary device.
    for (serial, entry) in ledger.into_iter().filter(|(_, entry)| entry.crossed) {
        let seen = seen.get(&entry.uuid);
        let before = MigratedBefore {
            device: entry.device,
            uuid: entry.uuid,
            os_version: seen.and_then(|seen| seen.os_version.clone()),
        };
        view.migrated.insert(serial, before);
    }
    Ok(view)
}

/// Looks for the releases that devices shall be pinned to, in the fleets where they stay.
async fn find_releases(
    balena: &Balena,
    selected: &[&Device],
    view: &mut FleetView,
) -> Result<(), Failure> {
    let wanted = selected.iter().filter_map(|device| {
        let wanted = &device.on_balena;
        let fleet = wanted.move_to.as_ref().or(device.balena_fleet.as_ref())?;
        Some((fleet, wanted.release.as_ref()?))
    });
    for (slug, commit) in wanted.collect::<BTreeSet<_>>() {
        let Some(fleet) = view.fleets.get(slug) else { continue };
        let found = balena.release(fleet.id, commit).await.map_err(|error| unusable(&error))?;
        let of_fleet = view.releases.entry(slug.clone()).or_default();
        of_fleet.extend(found.map(|release| (commit.clone(), release)));
    }
    Ok(())
}

fn unusable(error: &BalenaError) -> Failure {
    match error {
        BalenaError::Token(_) => Failure::of(Kind::Input, error)
            .hint("give a named user API key of balena under `balena: { token: … }`"),
        _ => Failure::of(Kind::NotStarted, error)
            .hint("try again when it can be reached; nothing was begun"),
    }
}
