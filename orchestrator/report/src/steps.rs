//! What happens to devices of one kind, step by step, each with what takes it back.

use crate::Style;
use crate::words::{Tone, many, paint, plain, wrapped};
use migos_inventory::{DeviceId, fold};
use migos_payload::size::ByteCount;
use migos_playbooks::plan::{DevicePlan, Plan};
use migos_playbooks::step::{Action, Reversal, Step};

/// The steps of every kind of device: the first kind in full, the others as differences to it.
pub(crate) fn text(plan: &Plan, style: Style) -> String {
    let kinds = kinds(plan);
    let Some(first) = kinds.first() else { return String::new() };
    let mut text = String::new();
    for (index, kind) in kinds.iter().enumerate() {
        let names = fold(kind.devices.iter().copied());
        let devices = many(kind.devices.len(), "device");
        let title =
            format!("What happens to {names} ({devices}, {})", plain(&kind.plan.class.to_string()));
        text += &format!("\n{}", paint(style, Tone::Plain, &title));
        text += &if index == 0 {
            in_full(plan, kind, style)
        } else {
            differences(plan, first, kind, style)
        };
    }
    text
}

/// Devices to which exactly the same happens.
struct Kind<'a> {
    devices: Vec<&'a DeviceId>,
    /// The plan of the first of them.
    plan: &'a DevicePlan,
}

/// The kinds in the order in which their first devices start.
fn kinds(plan: &Plan) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    let ordered = plan.stages.iter().flat_map(|stage| &stage.devices);
    for (id, device) in ordered.filter_map(|id| plan.devices.get_key_value(id)) {
        match kinds.iter_mut().find(|kind| alike(kind.plan, device)) {
            Some(kind) => kind.devices.push(id),
            None => kinds.push(Kind { devices: vec![id], plan: device }),
        }
    }
    kinds.iter_mut().for_each(|kind| kind.devices.sort());
    kinds
}

fn alike(one: &DevicePlan, other: &DevicePlan) -> bool {
    let shown = |plan: &DevicePlan| (plan.payload, plan.image);
    shown(one) == shown(other)
        && one.class == other.class
        && one.boot_path == other.boot_path
        && one.tryboot_txt == other.tryboot_txt
        && one.cmdline == other.cmdline
        && one.fleet == other.fleet
}

/// One step in words.
#[derive(PartialEq, Eq)]
struct StepWords {
    mark: &'static str,
    what: String,
    undo: &'static str,
    /// Lines that are written to files.
    added: Vec<String>,
}

fn in_full(plan: &Plan, kind: &Kind<'_>, style: Style) -> String {
    let mut text =
        "\n  · changes nothing   + can be undone   ! leaves Raspbian for a while   ‼ for good\n"
            .to_owned();
    let steps: Vec<_> = plan.steps.iter().map(|step| words(plan, kind.plan, step)).collect();
    for (n, (step, words)) in plan.steps.iter().zip(&steps).enumerate() {
        if step.reversal == Reversal::PointOfNoReturn {
            let rule = "───────────── point of no return ─────────────";
            text += &format!("  {}\n", paint(style, Tone::Bad, rule));
            text += "       no way back but a new card: Raspbian and all data on the card are lost from here on\n";
        }
        text += &lines(plan, n, step, words, style);
        text += &words.added.iter().map(|line| format!("         +{line}\n")).collect::<String>();
    }
    text
}

fn differences(plan: &Plan, first: &Kind<'_>, kind: &Kind<'_>, style: Style) -> String {
    let mut text = String::new();
    for (n, step) in plan.steps.iter().enumerate() {
        let (theirs, ours) = (words(plan, first.plan, step), words(plan, kind.plan, step));
        if theirs == ours {
            continue;
        }
        text += &lines(plan, n, step, &ours, style);
        text += &line_differences(&theirs.added, &ours.added);
    }
    match text.is_empty() {
        true => ": as above\n".to_owned(),
        false => format!(": as above, except\n{text}"),
    }
}

/// Lines that one text has and the other has not; all lines if only their order differs.
fn line_differences(theirs: &[String], ours: &[String]) -> String {
    let more = ours.iter().filter(|line| !theirs.contains(line));
    let less = theirs.iter().filter(|line| !ours.contains(line));
    let more = more.map(|line| format!("         +{line}\n"));
    let less = less.map(|line| format!("         without {line}\n"));
    let text: String = more.chain(less).collect();
    if text.is_empty() && theirs != ours {
        return ours.iter().map(|line| format!("         +{line}\n")).collect();
    }
    text
}

/// The columns that the longest of the undo words takes, with what introduces it.
const UNDO: usize = 28;

/// Number, mark and name of a step, what it does, and on the first line what takes it back.
fn lines(plan: &Plan, n: usize, step: &Step, words: &StepWords, style: Style) -> String {
    let widest = plan.steps.iter().map(|step| step.id.0.chars().count()).max().unwrap_or(0);
    let head = format!("  {:>2}  {} {:<widest$}  ", n + 1, words.mark, step.id.0);
    let indent = head.chars().count();
    let room = usize::from(style.width).saturating_sub(indent + UNDO).clamp(30, 80);
    let mut text = String::new();
    for (index, what) in wrapped(&words.what, room).into_iter().enumerate() {
        text += &match (index, words.undo) {
            (0, "") => format!("{head}{what}\n"),
            (0, undo) => format!("{head}{what:<room$}  undo: {undo}\n"),
            _ => format!("{:indent$}{what}\n", ""),
        };
    }
    text
}

fn words(plan: &Plan, device: &DevicePlan, step: &Step) -> StepWords {
    let payload = plan.payloads.get(&device.payload);
    let image = plan.images.get(&device.image);
    let mut added = Vec::new();
    let detail = match step.action {
        Action::SendPayload => payload.map(|payload| {
            let (size, digest) = (ByteCount(payload.size()), device.payload.short());
            format!("{size} to {}, MIGOS {} (sha256 {digest})", device.boot_path, payload.version)
        }),
        Action::SendImage => {
            image.map(|image| format!("{} (sha256 {})", image.size, image.sha256.short()))
        }
        Action::WriteJob => {
            added.push(format!("kernel command line: {}", plain(&device.cmdline)));
            None
        }
        Action::WriteTryboot => {
            added.extend(device.tryboot_txt.lines().map(plain));
            Some(format!("{}/tryboot.txt", device.boot_path))
        }
        Action::Arm => Some(format!(
            "Raspbian returns by itself if nobody speaks to MIGOS within {}",
            plan.dead_man.contact
        )),
        Action::AwaitMigos => Some(format!(
            "Raspbian returns by itself without a commit within {}",
            plan.dead_man.commit
        )),
        Action::Register => Some(format!("fleet {} at {}", device.fleet, plan.api)),
        Action::AwaitFlash => image.map(|image| {
            let (os, kind, size) = (&image.os_version, &image.device_type, image.raw_size);
            format!("{} for {}, {size} unpacked", plain(os), plain(kind))
        }),
        Action::AwaitBalena => Some(format!(
            "in fleet {}; late after {}, lost after {}",
            device.fleet, plan.arrival.late, plan.arrival.lost
        )),
        Action::Check | Action::Configure | Action::Commit => None,
    };
    let title = plain(&step.title);
    StepWords {
        mark: mark(step),
        what: detail.map_or(title.clone(), |detail| format!("{title}: {detail}")),
        undo: undo(step),
        added,
    }
}

fn mark(step: &Step) -> &'static str {
    match (step.action, step.reversal) {
        (_, Reversal::PointOfNoReturn) | (Action::AwaitFlash, _) => "‼",
        (action, _) if action.leaves_raspbian() => "!",
        (_, Reversal::Undo) => "+",
        (_, Reversal::Nothing) => "·",
    }
}

fn undo(step: &Step) -> &'static str {
    if step.reversal != Reversal::Undo {
        return "";
    }
    match step.action {
        Action::SendPayload | Action::SendImage | Action::WriteJob | Action::WriteTryboot => {
            "delete"
        }
        Action::Arm => "falls back by itself",
        Action::AwaitMigos => "reboot",
        Action::Register => "delete the record",
        // These have no undo of their own.
        Action::Check
        | Action::Configure
        | Action::Commit
        | Action::AwaitFlash
        | Action::AwaitBalena => "",
    }
}
