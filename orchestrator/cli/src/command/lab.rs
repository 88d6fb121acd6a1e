//! `lab`: a simulated fleet. What is run against it is what is run against a real one.

mod twin;

pub(super) use twin::twin;

use super::migrate;
use crate::args::{self, Global, Inventory, Migrate, Planning};
use crate::failure::{Failure, Kind};
use crate::printer::Printer;
use crate::signals::Signals;
use migos_lab::{Faults, Lab, LabOptions, Pace, mixed_networks, parse_faults};
use std::collections::BTreeMap;

/// Starts a fleet and keeps it running until Ctrl-C.
pub(super) async fn up(args: &args::Lab, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let mut signals = Signals::watch();
    let lab = start(args).await?;
    keep(lab, &mut signals, global, printer).await
}

/// Keeps a lab running until Ctrl-C.
async fn keep(
    lab: Lab,
    signals: &mut Signals,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let inventory = lab.inventory();
    let runs = match global.runs.to_str() {
        Some("runs") | None => String::new(),
        Some(other) => format!(" --runs {other}"),
    };
    printer.say(&format!(
        "{} virtual Pis and a balena API at {} are running; Ctrl-C ends them.\n\
         In a second terminal, in this folder:\n  \
           migos-fleet{runs} plan {inventory}\n  \
           migos-fleet{runs} migrate {inventory}\n  \
           migos-fleet{runs} status",
        lab.devices().count(),
        lab.api().url(),
        inventory = inventory.display(),
    ));
    signals.next().await;
    lab.stop().await;
    Ok(0)
}

/// Starts a fleet and migrates it.
pub(super) async fn run(
    args: &args::Lab,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    migrate_all(start(args).await?, global, printer).await
}

/// Migrates all devices of a lab, and ends it.
async fn migrate_all(lab: Lab, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let migrate = Migrate {
        planning: Planning {
            inventory: Inventory {
                inventory: vec![lab.inventory()],
                limit: None,
                ssh_config: None,
            },
            policy: None,
            playbook: None,
            payload: None,
            facts: None,
            boot_strategy: None,
            allow: Vec::new(),
            parallel: None,
            max_failures: None,
        },
        plan: None,
        dry_run: false,
        yes: true,
        until: None,
        change: None,
        approved_by: None,
    };
    let code = migrate::run(&migrate, global, printer).await;
    lab.stop().await;
    code
}

async fn start(args: &args::Lab) -> Result<Lab, Failure> {
    let networks = match args.networks {
        true => mixed_networks(args.devices, args.place.seed),
        false => BTreeMap::new(),
    };
    let options = LabOptions {
        devices: args.devices,
        seed: args.place.seed,
        networks,
        faults: faults(&args.place)?,
        pace: Pace::lab(),
        dir: args.place.dir.clone(),
        api_port: 0,
    };
    Lab::start(options).await.map_err(|error| Failure::of(Kind::NotStarted, &error))
}

/// What is to go wrong.
fn faults(args: &args::Place) -> Result<Faults, Failure> {
    let Some(path) = &args.faults else { return Ok(Faults::new()) };
    let failed = |error: &dyn std::error::Error| {
        let what = format!("the faults in {} cannot be used", path.display());
        Failure::at(Kind::Input, what, error)
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    parse_faults(&text).map_err(|error| failed(&error))
}
