//! What happens to devices of one kind, step by step, each with what takes it back.

mod words;

use crate::Style;
use crate::words::{Tone, many, paint, plain, wrapped};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::plan::{Boot, DevicePlan, Plan};
use migos_playbooks::policy::Prove;
use migos_playbooks::step::{Action, Reversal, Step, When};
use words::{StepWords, words};

const LEGEND: &str = "  · changes nothing   + can be undone   ! reboots, or keeps Raspbian from booting   ‼ for good\n";

/// The steps of every kind of device: where a kind takes the same steps as one before, only what differs.
pub(crate) fn text(plan: &Plan, style: Style) -> String {
    let kinds = kinds(plan);
    let mut text = String::new();
    for (index, kind) in kinds.iter().enumerate() {
        let names = fold(kind.devices.iter().copied());
        let devices = many(kind.devices.len(), "device");
        let title =
            format!("What happens to {names} ({devices}, {})", plain(&kind.plan.class.to_string()));
        text += &format!("\n{}", paint(style, Tone::Plain, &title));
        let before = kinds.iter().take(index).find(|before| before.takes_the_same_as(kind));
        text += &match before {
            None if index == 0 => format!("\n{LEGEND}{}", in_full(plan, kind, style)),
            None => format!("\n{}", in_full(plan, kind, style)),
            Some(before) => differences(plan, before, kind, style),
        };
    }
    text
}

/// Devices to which exactly the same happens.
struct Kind<'a> {
    devices: Vec<&'a DeviceId>,
    /// The plan of the first of them.
    plan: &'a DevicePlan,
    /// The steps that they take; people count them from 1.
    steps: Vec<(&'a Step, StepWords)>,
}

impl Kind<'_> {
    fn takes_the_same_as(&self, other: &Kind<'_>) -> bool {
        self.steps.len() == other.steps.len()
            && self.steps.iter().zip(&other.steps).all(|((one, _), (two, _))| one.id == two.id)
    }

    fn is_like(&self, device: &DevicePlan, steps: &[(&Step, StepWords)]) -> bool {
        self.plan.class == device.class
            && self.plan.boot_read_only == device.boot_read_only
            && warning(self.plan) == warning(device)
            && self.plan.handover.is_ordered() == device.handover.is_ordered()
            && self.steps == steps
    }
}

/// The kinds in the order in which their first devices start.
fn kinds(plan: &Plan) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    let ordered = plan.stages.iter().flat_map(|stage| &stage.devices);
    for (id, device) in ordered.filter_map(|id| plan.devices.get_key_value(id)) {
        let taken = plan.steps.iter().filter(|step| device.takes(step));
        let steps: Vec<_> = taken.map(|step| (step, words(plan, device, step))).collect();
        match kinds.iter_mut().find(|kind| kind.is_like(device, &steps)) {
            Some(kind) => kind.devices.push(id),
            None => kinds.push(Kind { devices: vec![id], plan: device, steps }),
        }
    }
    kinds.iter_mut().for_each(|kind| kind.devices.sort());
    kinds
}

/// Why the original `config.txt` is out of the way for a while, if it is.
fn warning(device: &DevicePlan) -> Option<&str> {
    match &device.boot {
        Boot::OneShot { .. } => None,
        Boot::Rewrite { reason } => Some(reason),
    }
}

fn in_full(plan: &Plan, kind: &Kind<'_>, style: Style) -> String {
    let mut text = read_only(kind);
    let backed_up = kind.steps.iter().any(|(step, _)| step.action == Action::Backup);
    for (n, (step, words)) in kind.steps.iter().enumerate() {
        if kind.steps.iter().position(|(step, _)| step.when == When::Proof) == Some(n) {
            text += &proof(plan, kind);
        }
        if step.reversal == Reversal::PointOfNoReturn {
            if backed_up {
                text += &note(
                    "an undo goes back from here, the last step first; at its end the boot partition is compared with what it was",
                );
            }
            text += &rule(style, "point of no return");
            text += &note(match step.action {
                Action::Release => {
                    "from here on nobody can call it back: it commits by itself, or goes back to Raspbian by itself"
                }
                _ => {
                    "no way back but a new card: Raspbian and all data on the card are lost from here on"
                }
            });
        }
        text += &danger(kind, step, style);
        text += &lines(plan, n, step, words, style);
        text += &words.added.iter().map(|line| format!("         +{line}\n")).collect::<String>();
    }
    text
}

fn differences(plan: &Plan, first: &Kind<'_>, kind: &Kind<'_>, style: Style) -> String {
    let mut text = read_only(kind);
    for (n, ((_, theirs), (step, ours))) in first.steps.iter().zip(&kind.steps).enumerate() {
        let danger = danger(kind, step, style);
        if theirs == ours && danger.is_empty() {
            continue;
        }
        text += &danger;
        text += &lines(plan, n, step, ours, style);
        text += &line_differences(&theirs.added, &ours.added);
    }
    let model = first.devices.first().map(ToString::to_string).unwrap_or_default();
    match text.is_empty() {
        true => format!(": as {model} above\n"),
        false => format!(": as {model} above, except\n{text}"),
    }
}

fn note(text: &str) -> String {
    format!("       {text}\n")
}

/// A rule that nobody can miss.
fn rule(style: Style, text: &str) -> String {
    format!("  {}\n", paint(style, Tone::Bad, &format!("───────────── {text} ─────────────")))
}

fn read_only(kind: &Kind<'_>) -> String {
    match kind.plan.boot_read_only {
        true => {
            let path = plain(&kind.plan.boot_path);
            note(&format!("{path} is mounted read-only: remounted only while writing"))
        }
        false => String::new(),
    }
}

/// What the proof costs, and whom.
fn proof(plan: &Plan, kind: &Kind<'_>) -> String {
    let reboots = |step: &Step| step.when == When::Proof && step.action.reboots();
    let reboots = kind.steps.iter().filter(|(step, _)| reboots(step)).count();
    let reboots = many(reboots, "proof reboot");
    match plan.prove {
        Prove::PerClass => {
            note(&format!("{reboots} on the first of its class; the others skip the proof"))
        }
        // Without proofs only what was updated is proven.
        Prove::PerDevice | Prove::Never => note(&format!("{reboots} on each of these devices")),
    }
}

/// What stands above the steps that update the firmware and replace `config.txt`; nothing above the others.
fn danger(kind: &Kind<'_>, step: &Step, style: Style) -> String {
    if let (Action::UpdateFirmware, Some(update)) = (step.action, words::update(kind.plan)) {
        return rule(style, "the vendor's update of the firmware: it has no undo")
            + &note("a power cut while it is installed may need hands; the data on the card stay")
            + &note(&format!("because {}", plain(&update.reason)));
    }
    match warning(kind.plan) {
        Some(reason) if step.action == Action::RewriteConfig => {
            rule(style, "config.txt is replaced until MIGOS has put Raspbian's back")
                + &note(
                    "a power cut in that window needs hands: the device may come back as neither of them",
                )
                + &note(&format!("because {}", plain(reason)))
        }
        Some(_) | None => String::new(),
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
