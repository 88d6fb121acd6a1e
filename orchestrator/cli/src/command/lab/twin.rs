//! `lab twin`: a simulated fleet with the facts of a real one, to rehearse a rollout on.

use super::{faults, keep, migrate_all};
use crate::args::{self, Global};
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, LoadedInventory};
use crate::printer::Printer;
use crate::signals::Signals;
use crate::wire;
use migos_engine::port::Clock;
use migos_inventory::{Device, DeviceId, Handover, WindowChoice};
use migos_lab::{Lab, Pace, Presence, TwinDevice, TwinOptions};
use migos_playbooks::facts::{self, Facts, FactsFile, Probed};
use migos_report::plain;

/// So many devices are named one by one.
const NAMED: usize = 5;

/// Starts the twin of a fleet, and keeps it running until Ctrl-C or migrates it.
pub(in super::super) async fn twin(
    args: &args::Twin,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let mut signals = Signals::watch();
    let lab = start(args, global, printer).await?;
    warn_of_dead(&lab, printer);
    match args.run {
        true => {
            drop(signals);
            migrate_all(lab, global, printer).await
        }
        false => keep(lab, &mut signals, global, printer).await,
    }
}

async fn start(args: &args::Twin, global: &Global, printer: Printer) -> Result<Lab, Failure> {
    let saved = input::facts(&args.facts)?;
    if saved.devices.is_empty() {
        let what = format!("{} has the facts of no device", args.facts.display());
        return Err(Failure::new(Kind::Input, what)
            .hint("probe devices that are not held: migos-fleet probe INVENTORY -o FILE"));
    }
    let inventory = match &args.inventory {
        None => None,
        Some(path) => {
            let named =
                args::Inventory { inventory: vec![path.clone()], limit: None, ssh_config: None };
            Some(LoadedInventory::read(&named, &global.runs, printer)?)
        }
    };
    let policy = input::policy_text(inventory.as_ref(), args.policy.as_deref())?;
    let mut twins = Vec::new();
    let mut left_out = Vec::new();
    for (id, probed) in &saved.devices {
        let presence = presence(probed, &saved);
        let name = id.as_str().to_owned();
        let device = inventory.as_ref().map(|inventory| inventory.fleet.devices.get(id));
        let (groups, settings) = match device {
            None => (Vec::new(), vec![setting("data", "none")]),
            Some(Some(device)) => {
                let groups = device.groups.iter().map(|group| group.as_str().to_owned());
                (groups.collect(), settings(device)?)
            }
            Some(None) => {
                left_out.push(id);
                continue;
            }
        };
        twins.push(TwinDevice { name, presence, groups, settings });
    }
    if let Some(inventory) = &inventory {
        tell_left_out(&left_out, &inventory.name, printer);
        if twins.is_empty() {
            let what = format!("no device of {} is in {}", inventory.name, args.facts.display());
            return Err(Failure::new(Kind::Input, what)
                .hint("give the inventory that the facts were read with"));
        }
    }
    let options = TwinOptions {
        twins,
        policy,
        seed: args.place.seed,
        faults: faults(&args.place)?,
        pace: Pace::lab(),
        dir: args.place.dir.clone(),
        api_port: 0,
    };
    Lab::twin(options).await.map_err(|error| Failure::of(Kind::NotStarted, &error))
}

/// What the twin of a device is like.
fn presence(probed: &Probed, saved: &FactsFile) -> Presence {
    match probed {
        Probed::Facts(facts) => Presence::Answers(facts::write(&now(facts, saved))),
        Probed::Unreachable(_) => Presence::Silent,
        // The words are those of the errors of the transport, and of the probe.
        Probed::Unusable { reason, .. } => match reason.split(':').next() {
            Some("host key refused") => Presence::OtherHostKey,
            Some("cannot become root") => Presence::SudoAsks,
            Some("its facts are not understood") => Presence::NoPi,
            _ => Presence::RefusesLogin,
        },
    }
}

/// The facts with the device's clock at this moment: it goes wrong by as much as it did.
fn now(facts: &Facts, saved: &FactsFile) -> Facts {
    let mut facts = facts.clone();
    if let Some(clock) = &mut facts.clock {
        let passed = wire::SystemClock.now().as_second() - saved.read.as_second();
        clock.seconds = clock.seconds.saturating_add(passed);
    }
    facts
}

/// What decides when and whether a device is migrated.
fn settings(device: &Device) -> Result<Vec<(String, String)>, Failure> {
    let mut settings = Vec::new();
    if let Some(site) = &device.site {
        settings.push(setting("site", &quoted(site.as_str())?));
    }
    if let Some(hold) = &device.hold {
        settings.push(setting("hold", &quoted(&hold.0)?));
    }
    // A twin has none of the files, so there is nothing to keep.
    if device.data.is_some() {
        settings.push(setting("data", "none"));
    }
    if let Some(device_type) = &device.device_type {
        settings.push(setting("device_type", &quoted(device_type)?));
    }
    // Nobody here can be called home.
    if device.handover == Handover::Unattended {
        settings.push(setting("handover", "unattended"));
    }
    match &device.window {
        None => {}
        Some(WindowChoice::None) => settings.push(setting("window", "none")),
        Some(WindowChoice::Hours(hours)) => {
            settings
                .push(setting("window", &serde_json::to_string(hours).or_fail(Kind::Internal)?));
        }
    }
    Ok(settings)
}

fn setting(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// A text in YAML; every text of JSON is one.
fn quoted(text: &str) -> Result<String, Failure> {
    serde_json::to_string(text).or_fail(Kind::Internal)
}

fn tell_left_out(left_out: &[&DeviceId], inventory: &str, printer: Printer) {
    if !left_out.is_empty() {
        printer.say(&format!(
            "left out, since {inventory} does not name them: {}",
            some(left_out.iter().map(|id| id.to_string()))
        ));
    }
}

/// Names what would look as if it did not answer.
fn warn_of_dead(lab: &Lab, printer: Printer) {
    let dead = lab.dead();
    if !dead.is_empty() {
        printer.say(&format!(
            "warning: by the lab's model of the firmware these do not boot, and stay dark here: {}",
            some(dead.iter().map(|(name, reason)| format!("{name} ({})", plain(reason))))
        ));
    }
}

fn some(names: impl ExactSizeIterator<Item = String>) -> String {
    let count = names.len();
    let mut text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if count > NAMED {
        text += &format!(" and {} more", count - NAMED);
    }
    text
}
