//! One step in words: what it does to this device, and what takes it back.

use crate::words::plain;
use migos_inventory::Bastion;
use migos_payload::device_variables;
use migos_payload::size::ByteCount;
use migos_playbooks::plan::{Boot, DevicePlan, FirmwareKind, Handover, Plan, Proof, Update};
use migos_playbooks::policy::ReleaseRule;
use migos_playbooks::step::{Action, OwnCommand, Reversal, Step};

/// One step in words.
#[derive(PartialEq, Eq)]
pub(crate) struct StepWords {
    pub(crate) mark: &'static str,
    pub(crate) what: String,
    /// The part of it that may be another from one device to the next, without paths.
    pub(super) brief: String,
    pub(crate) undo: String,
    /// Lines that are written to files.
    pub(crate) added: Vec<String>,
}

/// What this step does to this device.
pub(super) fn words(plan: &Plan, device: &DevicePlan, step: &Step) -> StepWords {
    let title = plain(&step.title);
    StepWords {
        mark: mark(step),
        what: match own(step).or_else(|| detail(plan, device, step.action)) {
            Some(detail) => format!("{title}: {detail}"),
            None => title,
        },
        brief: brief(plan, device, step.action),
        undo: undo(step),
        added: added(plan, device, step.action),
    }
}

/// The command of a step of the user's own.
fn own(step: &Step) -> Option<String> {
    let own = step.run.as_ref()?;
    Some(format!("{}; for {} at most", one_line(&own.run), own.limit))
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
        Action::SaveData => device.data.as_ref().map(|data| {
            let mut folders: Vec<String> = data.folders.iter().map(|it| plain(&it.path)).collect();
            folders.extend(data.absent.iter().map(|path| format!("{} if it has it", plain(path))));
            let left_out = match data.exclude.is_empty() {
                true => String::new(),
                false => format!(", without {}", plain(&data.exclude.join(", "))),
            };
            format!(
                "{}{left_out}: up to {}, to `data` in the run's folder, where it stays",
                folders.join(", "),
                data.size()
            )
        }),
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
        Action::WriteJob => resting(device),
        Action::Release => Some(format!(
            "it does so once it has verified the image and reached {}; Raspbian returns by itself if it has not within {}",
            plan.api, plan.dead_man.commit
        )),
        Action::Dismiss => bastion(device).map(|bastion| plain(&bastion.host)),
        Action::Preregister | Action::Register => {
            let host = plan.api.strip_prefix("https://").unwrap_or(&plan.api);
            Some(format!("fleet {} at {host}{}", device.fleet, identity(device)))
        }
        Action::AwaitFlash => image.map(|image| {
            let (os, kind, size) = (&image.os_version, &image.device_type, image.raw_size);
            format!("{} for {}, {size} unpacked", plain(os), plain(kind))
        }),
        Action::AwaitBalena => Some(format!(
            "in fleet {}, {}; late after {}, lost after {}",
            device.fleet,
            well(plan),
            plan.arrival.late,
            plan.arrival.lost
        )),
        Action::Settle => {
            let to = device.identity.move_to.as_ref()?;
            let pin = device.identity.pin.as_ref();
            let pin = pin.map(|pin| format!(", pinned to {}", plain(&pin.commit)));
            Some(format!("fleet {}{}", to.slug, pin.unwrap_or_default()))
        }
        Action::Check
        | Action::Run
        | Action::UpdateReboot
        | Action::UpdateSeen
        | Action::ProveSeen
        | Action::ProveReturn
        | Action::ProveGone
        | Action::Configure
        | Action::Commit
        | Action::AwaitCommit => None,
    }
}

/// The secrets that rest on the boot partition until the card is written.
fn resting(device: &DevicePlan) -> Option<String> {
    match (device.handover == Handover::Unattended, device.network.wifi) {
        (true, true) => Some(
            "with its config.json, its key for balena and its Wi-Fi passphrases, which rest on the card".to_owned(),
        ),
        (true, false) => {
            Some("with its config.json and key for balena, which rest on the card".to_owned())
        }
        (false, true) => Some("with its Wi-Fi passphrases, which rest on the card".to_owned()),
        (false, false) => None,
    }
}

fn brief(plan: &Plan, device: &DevicePlan, action: Action) -> String {
    match action {
        Action::SendPayload => plan.payloads.get(&device.payload).map_or_else(String::new, |it| {
            format!("MIGOS {} ({})", ByteCount(it.size()), device.payload.short())
        }),
        Action::SaveData => device
            .data
            .as_ref()
            .map_or_else(String::new, |data| format!("data of up to {}", data.size())),
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

/// What a device is on balena besides its fleet, to be added to a sentence.
fn identity(device: &DevicePlan) -> String {
    let identity = &device.identity;
    let number = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let pin = identity.pin.as_ref().filter(|_| identity.move_to.is_none());
    let parts = [
        identity.name.as_ref().map(|name| format!("as {}", plain(name))),
        number(identity.tags.len(), "tag"),
        number(identity.environment.len() + identity.config.len(), "variable"),
        pin.map(|pin| format!("pinned to {}", plain(&pin.commit))),
    ];
    parts.into_iter().flatten().map(|part| format!(", {part}")).collect()
}

/// What a device must show to be well.
fn well(plan: &Plan) -> String {
    let what = match plan.arrival.release {
        ReleaseRule::Required => "on the image's balenaOS and the fleet's release",
        ReleaseRule::Ignored => "on the image's balenaOS",
    };
    match plan.arrival.stable {
        stable if stable.is_zero() => what.to_owned(),
        stable => format!("{what} for {stable}"),
    }
}

fn undo(step: &Step) -> String {
    match &step.run {
        Some(OwnCommand { undo: Some(undo), .. }) => one_line(undo),
        Some(_) | None => built_in_undo(step).to_owned(),
    }
}

/// A command on one line.
fn one_line(command: &str) -> String {
    plain(&command.trim().lines().map(str::trim).collect::<Vec<_>>().join("; "))
}

pub(crate) fn built_in_undo(step: &Step) -> &'static str {
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
        | Action::Run
        | Action::UpdateFirmware
        | Action::UpdateSeen
        | Action::SaveData
        | Action::ProveSeen
        | Action::ProveGone
        | Action::Release
        | Action::Configure
        | Action::Commit
        | Action::AwaitCommit
        | Action::AwaitFlash
        | Action::Dismiss
        | Action::AwaitBalena
        | Action::Settle => "",
    }
}
