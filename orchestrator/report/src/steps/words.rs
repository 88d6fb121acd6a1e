//! One step in words: what it does to this device, and what takes it back.

use crate::words::plain;
use migos_inventory::Bastion;
use migos_payload::device_variables;
use migos_payload::size::ByteCount;
use migos_playbooks::plan::{Boot, DevicePlan, FirmwareKind, Handover, Plan, Proof, Update};
use migos_playbooks::step::{Action, Reversal, Step};

/// One step in words.
#[derive(PartialEq, Eq)]
pub(crate) struct StepWords {
    pub(crate) mark: &'static str,
    pub(crate) what: String,
    /// The part of it that may be another from one device to the next, without paths.
    pub(super) brief: String,
    pub(crate) undo: &'static str,
    /// Lines that are written to files.
    pub(crate) added: Vec<String>,
}

/// What this step does to this device.
pub(super) fn words(plan: &Plan, device: &DevicePlan, step: &Step) -> StepWords {
    let title = plain(&step.title);
    StepWords {
        mark: mark(step),
        what: match detail(plan, device, step.action) {
            Some(detail) => format!("{title}: {detail}"),
            None => title,
        },
        brief: brief(plan, device, step.action),
        undo: undo(step),
        added: added(plan, device, step.action),
    }
}

fn detail(plan: &Plan, device: &DevicePlan, action: Action) -> Option<String> {
    let payload = plan.payloads.get(&device.payload);
    let image = plan.images.get(&device.image);
    let boot = plain(&device.boot_path);
    match action {
        Action::Lock => Some("other controllers are turned away".to_owned()),
        Action::UpdateFirmware => update(device).map(|update| {
            let whose = match update.of {
                FirmwareKind::Card => "raspberrypi-bootloader and raspberrypi-kernel",
                FirmwareKind::Eeprom => {
                    "rpi-eeprom, raspberrypi-bootloader and raspberrypi-kernel; rpi-eeprom-update -a"
                }
            };
            format!("the packages {whose}, from the archives that it knows")
        }),
        Action::Backup => Some(format!("all of {boot}")),
        Action::ProveWrite => Some(format!(
            "{boot}/tryboot.txt is config.txt with these lines added, {boot}/migos/probe.txt the kernel command line with one more word"
        )),
        Action::ProveArm => Some("boot files stay as they are".to_owned()),
        Action::SendPayload => payload.map(|payload| {
            let (size, digest) = (ByteCount(payload.size()), device.payload.short());
            format!("{size} to {boot} (sha256 {digest})")
        }),
        Action::SendImage => match &device.streamed {
            streamed if device.mirror.is_some() => Some(fetched(device, streamed.as_deref())),
            Some(reason) => Some(format!(
                "not yet: it is sent while the card is written, past the point of no return; {}",
                plain(reason)
            )),
            None => image.map(|image| format!("{} ({})", image.size, image.sha256.short())),
        },
        Action::WriteTryboot => Some(format!("{boot}/tryboot.txt")),
        Action::RewriteConfig => Some(format!("{boot}/config.txt, its whole text meanwhile")),
        Action::Arm => Some(returns(plan, device)),
        Action::Reboot => {
            Some(format!("MIGOS puts config.txt back first; {}", returns(plan, device)))
        }
        Action::AwaitMigos => Some(format!(
            "without a commit Raspbian returns after {}",
            plan.dead_man.commit
        )),
        Action::Admit => bastion(device).map(|bastion| {
            let (user, host, port) = (plain(&bastion.user), plain(&bastion.host), bastion.port);
            format!("{user}@{host}, port {port}; a key of its own may offer one port there, for a day")
        }),
        Action::WriteJob if device.handover == Handover::Unattended => {
            Some("with its config.json and key for balena, which rest on the card".to_owned())
        }
        Action::Release => Some(format!(
            "it does so once it has verified the image and reached {}; Raspbian returns by itself if it has not within {}",
            plan.api, plan.dead_man.commit
        )),
        Action::Dismiss => bastion(device).map(|bastion| plain(&bastion.host)),
        Action::Preregister | Action::Register => {
            let host = plan.api.strip_prefix("https://").unwrap_or(&plan.api);
            Some(format!("fleet {} at {host}", device.fleet))
        }
        Action::AwaitFlash => image.map(|image| {
            let (os, kind, size) = (&image.os_version, &image.device_type, image.raw_size);
            format!("{} for {}, {size} unpacked", plain(os), plain(kind))
        }),
        Action::AwaitBalena => Some(format!(
            "in fleet {}; late after {}, lost after {}",
            device.fleet, plan.arrival.late, plan.arrival.lost
        )),
        Action::Check
        | Action::UpdateReboot
        | Action::UpdateSeen
        | Action::ProveSeen
        | Action::ProveReturn
        | Action::ProveGone
        | Action::WriteJob
        | Action::Configure
        | Action::Commit
        | Action::AwaitCommit => None,
    }
}

fn brief(plan: &Plan, device: &DevicePlan, action: Action) -> String {
    match action {
        Action::SendPayload => plan.payloads.get(&device.payload).map_or_else(String::new, |it| {
            format!("MIGOS {} ({})", ByteCount(it.size()), device.payload.short())
        }),
        Action::SendImage if device.streamed.is_some() || device.mirror.is_some() => {
            detail(plan, device, action).unwrap_or_default()
        }
        Action::SendImage => String::new(),
        Action::AwaitFlash => plan
            .images
            .get(&device.image)
            .map_or_else(String::new, |it| format!("image {} {}", plain(&it.device_type), it.size)),
        // What these tell of is a path.
        Action::Backup | Action::ProveWrite | Action::WriteTryboot | Action::RewriteConfig => {
            String::new()
        }
        action => detail(plan, device, action).unwrap_or_default(),
    }
}

/// Where the image comes from, if it is not sent.
fn fetched(device: &DevicePlan, streamed: Option<&str>) -> String {
    let url = plain(device.mirror.as_deref().unwrap_or_default());
    match streamed {
        Some(reason) => format!(
            "not sent: MIGOS fetches it from {url} while the card is written, past the point of no return; {}",
            plain(reason)
        ),
        None => format!("not sent: MIGOS fetches it from {url} into memory, before the commit"),
    }
}

/// The update of the firmware, if there is one.
pub(super) fn update(device: &DevicePlan) -> Option<&Update> {
    match &device.boot {
        Boot::OneShot { update, .. } => update.as_ref(),
        Boot::Rewrite { .. } => None,
    }
}

/// When Raspbian returns by itself.
fn returns(plan: &Plan, device: &DevicePlan) -> String {
    let (unless, within) = match device.handover.is_ordered() {
        true => ("nobody speaks to MIGOS", plan.dead_man.contact),
        false => ("MIGOS has not committed", plan.dead_man.commit),
    };
    format!("Raspbian returns by itself if {unless} within {within}")
}

fn bastion(device: &DevicePlan) -> Option<&Bastion> {
    match &device.handover {
        Handover::CallHome { bastion, .. } => Some(bastion),
        Handover::Attended | Handover::Unattended => None,
    }
}

/// The lines that a step writes, exactly; of the proof's files only what is not in the originals, and variables only of
/// a device alone: they differ from one to the next, and are told together where there are many.
fn added(plan: &Plan, device: &DevicePlan, action: Action) -> Vec<String> {
    match (action, &device.boot) {
        (Action::ProveWrite, Boot::OneShot { proof: Some(proof), .. }) => {
            let mut lines = more_than_config(proof);
            lines.push("kernel command line: migos.probe= and a number of this run".to_owned());
            lines
        }
        (Action::WriteJob, _) => vec![format!("kernel command line: {}", plain(&device.cmdline))],
        (Action::WriteTryboot | Action::RewriteConfig, _) => {
            device.tryboot_txt.lines().map(plain).collect()
        }
        (Action::Register | Action::Preregister, _) if plan.devices.len() == 1 => {
            let variables = device.variables.iter();
            let line = |(name, value): (&String, &String)| {
                format!("variable {}={value}", name.trim_start_matches(device_variables::PREFIX))
            };
            variables.map(|variable| plain(&line(variable))).collect()
        }
        _ => Vec::new(),
    }
}

/// The lines that make the proof's `tryboot.txt` differ from `config.txt`: its last section.
fn more_than_config(proof: &Proof) -> Vec<String> {
    let lines: Vec<_> = proof.tryboot_txt.lines().collect();
    let begin = lines.iter().rposition(|line| line.trim() == "[all]").unwrap_or_default();
    lines.iter().skip(begin).map(|line| plain(line)).collect()
}

fn mark(step: &Step) -> &'static str {
    match (step.action, step.reversal) {
        (_, Reversal::PointOfNoReturn) | (Action::AwaitFlash, _) => "‼",
        (Action::RewriteConfig, _) | (_, Reversal::Stays) => "!",
        (action, _) if action.reboots() => "!",
        (_, Reversal::Undo) => "+",
        (_, Reversal::Nothing) => "·",
    }
}

fn undo(step: &Step) -> &'static str {
    match step.reversal {
        Reversal::Undo => {}
        Reversal::Stays => return "none, it stays",
        Reversal::Nothing | Reversal::PointOfNoReturn => return "",
    }
    match step.action {
        Action::Lock => "release",
        Action::Backup => "compare, then delete",
        Action::ProveWrite
        | Action::SendPayload
        | Action::SendImage
        | Action::WriteJob
        | Action::WriteTryboot => "delete",
        Action::UpdateReboot | Action::ProveArm | Action::ProveReturn => "wait for Raspbian",
        Action::Arm => "falls back by itself",
        Action::RewriteConfig => "restore the original",
        Action::Reboot | Action::AwaitMigos => "reboot",
        Action::Preregister | Action::Register => "delete the record",
        Action::Admit => "delete the key",
        // These have no undo of their own.
        Action::Check
        | Action::UpdateFirmware
        | Action::UpdateSeen
        | Action::ProveSeen
        | Action::ProveGone
        | Action::Release
        | Action::Configure
        | Action::Commit
        | Action::AwaitCommit
        | Action::AwaitFlash
        | Action::Dismiss
        | Action::AwaitBalena => "",
    }
}
