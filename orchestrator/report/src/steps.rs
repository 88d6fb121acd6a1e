//! What happens to devices of one kind, step by step, each with what takes it back.

mod words;

use crate::Style;
use crate::grid::columns;
use crate::words::{Tone, many, paint, paragraph, plain, short, wrapped};
use migos_inventory::DeviceId;
use migos_playbooks::plan::{Boot, Class, DevicePlan, Plan};
use migos_playbooks::policy::Prove;
use migos_playbooks::step::{Action, Reversal, Step, When};
use std::collections::BTreeSet;
pub(crate) use words::built_in_undo;
use words::{StepWords, words};

/// Columns that the names of a kind's devices may take.
const NAMES: usize = 60;

const LEGEND: &str =
    "· changes nothing   + can be undone   ! reboots, or keeps Raspbian from booting   ‼ for good";

/// The steps of every kind of device: where a kind takes the same steps as one before, only what differs.
pub(crate) fn text(plan: &Plan, style: Style) -> String {
    let kinds = kinds(plan);
    let mut text = String::new();
    let mut told: Vec<&Kind<'_>> = Vec::new();
    for kind in &kinds {
        if told.iter().any(|before| before.takes_the_same_as(kind)) {
            continue;
        }
        let names = short(kind.devices.iter().copied(), NAMES);
        let devices = many(kind.devices.len(), "device");
        let who = kind.class().map_or_else(|| kind.boards(), |class| plain(&class.to_string()));
        let title = format!("What happens to {names} ({devices}: {who})");
        let title = paragraph(style, 0, &title);
        text += &format!("\n{}\n", paint(style, Tone::Plain, title.trim_end()));
        if told.is_empty() {
            text += &paragraph(style, 2, LEGEND);
        }
        text += &match told.iter().find(|before| kind.takes_all_of(before)) {
            Some(before) => besides(plan, before, kind, style),
            None => in_full(plan, kind, style),
        };
        let alike = kinds.iter().filter(|other| !std::ptr::eq(*other, kind));
        text += &others(kind, alike.filter(|other| kind.takes_the_same_as(other)).collect(), style);
        told.push(kind);
    }
    text
}

/// A kind that takes all steps of one that is told, and more: those, and what is different in the others.
fn besides(plan: &Plan, before: &Kind<'_>, kind: &Kind<'_>, style: Style) -> String {
    let names = short(before.devices.iter().copied(), NAMES);
    let mut text = note(style, &format!("the same as to {names}, and besides"));
    for (n, (step, words)) in kind.steps.iter().enumerate() {
        if before.words_of(step).is_none() {
            text += &lines(plan, n, step, words, style);
            text += &written(words, style);
        }
    }
    let differences = differences(before, kind);
    if !differences.is_empty() {
        text += &note(style, &format!("in the other steps: {differences}"));
    }
    text
}

/// The kinds that take the same steps as this one, each in a row with what is different.
fn others(first: &Kind<'_>, kinds: Vec<&Kind<'_>>, style: Style) -> String {
    if kinds.is_empty() {
        return String::new();
    }
    let row = |kind: &&Kind<'_>| {
        let names = short(kind.devices.iter().copied(), NAMES / 2);
        let number = format!("{:>4}", kind.devices.len());
        vec![number, names, kind.boards(), differences(first, kind)]
    };
    format!(
        "     The same happens to these, except\n{}",
        columns(style, kinds.iter().map(row).collect())
    )
}

/// Devices to which exactly the same happens.
pub(crate) struct Kind<'a> {
    pub(crate) devices: Vec<&'a DeviceId>,
    /// The plan of the first of them.
    plan: &'a DevicePlan,
    /// The plans of all of them.
    plans: Vec<&'a DevicePlan>,
    /// The steps that they take; people count them from 1.
    pub(crate) steps: Vec<(&'a Step, StepWords)>,
}

impl Kind<'_> {
    /// The class, if all of them are of one.
    fn class(&self) -> Option<&Class> {
        let class = &self.plan.class;
        self.plans.iter().all(|plan| plan.class == *class).then_some(class)
    }

    /// What a person must know before this step, if it is the point of no return.
    pub(crate) fn no_return(&self, step: &Step) -> Option<&'static str> {
        (step.reversal == Reversal::PointOfNoReturn).then_some(match step.action {
            Action::Release => {
                "from here on nobody can call it back: it commits by itself, or goes back to Raspbian by itself"
            }
            _ => "no way back but a new card: Raspbian and all data on the card are lost from here on",
        })
    }

    /// Their boards and systems.
    pub(crate) fn boards(&self) -> String {
        let all = |part: fn(&Class) -> &str| {
            let parts = self.plans.iter().map(|plan| plain(part(&plan.class)));
            parts.collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>()
        };
        let boards = all(|class| &class.board).join(", ");
        // Of each system its versions once.
        let mut systems: Vec<(String, Vec<String>)> = Vec::new();
        for system in all(|class| &class.os) {
            let (name, version) = system.split_once(' ').unwrap_or((&system, ""));
            match systems.last_mut() {
                Some((last, versions)) if last == name => versions.push(version.to_owned()),
                _ => systems.push((name.to_owned(), vec![version.to_owned()])),
            }
        }
        let systems: Vec<String> = systems
            .into_iter()
            .map(|(name, versions)| format!("{name} {}", versions.join(", ")))
            .collect();
        format!("Pi {boards}; {}", systems.join("; "))
    }

    fn takes_the_same_as(&self, other: &Kind<'_>) -> bool {
        self.steps.len() == other.steps.len() && self.takes_all_of(other)
    }

    fn takes_all_of(&self, other: &Kind<'_>) -> bool {
        other.steps.iter().all(|(step, _)| self.words_of(step).is_some())
            && self.dangers() == other.dangers()
    }

    /// What this step does to them; `None` if they do not take it.
    fn words_of(&self, step: &Step) -> Option<&StepWords> {
        self.steps.iter().find(|(own, _)| own.id == step.id).map(|(_, words)| words)
    }

    /// What a person has to weigh before these devices are touched.
    fn dangers(&self) -> (Option<&str>, Option<&str>) {
        let update = words::update(self.plan).map(|update| update.reason.as_str());
        (warning(self.plan), update)
    }

    fn is_like(&self, device: &DevicePlan, steps: &[(&Step, StepWords)]) -> bool {
        self.plan.boot_read_only == device.boot_read_only
            && warning(self.plan) == warning(device)
            && self.plan.handover.is_ordered() == device.handover.is_ordered()
            && self.steps == steps
    }
}

/// The kinds in the order in which their first devices start.
pub(crate) fn kinds(plan: &Plan) -> Vec<Kind<'_>> {
    let mut kinds: Vec<Kind<'_>> = Vec::new();
    let ordered = plan.stages.iter().flat_map(|stage| &stage.devices);
    for (id, device) in ordered.filter_map(|id| plan.devices.get_key_value(id)) {
        let taken = plan.steps.iter().filter(|step| device.takes(step));
        let steps: Vec<_> = taken.map(|step| (step, words(plan, device, step))).collect();
        match kinds.iter_mut().find(|kind| kind.is_like(device, &steps)) {
            Some(kind) => {
                kind.devices.push(id);
                kind.plans.push(device);
            }
            None => {
                kinds.push(Kind { devices: vec![id], plan: device, plans: vec![device], steps })
            }
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
    let mut text = match kind.plan.boot_read_only {
        true => note(style, &read_only(kind)),
        false => String::new(),
    };
    let backed_up = kind.steps.iter().any(|(step, _)| step.action == Action::Backup);
    for (n, (step, words)) in kind.steps.iter().enumerate() {
        if kind.steps.iter().position(|(step, _)| step.when == When::Proof) == Some(n) {
            text += &note(style, &proof(plan, kind));
        }
        if step.reversal == Reversal::PointOfNoReturn {
            if backed_up {
                text += &note(
                    style,
                    "an undo goes back from here, the last step first; at its end the boot partition is compared with what it was",
                );
            }
            text += &rule(style, "point of no return");
            text += &note(style, kind.no_return(step).unwrap_or_default());
        }
        text += &danger(kind, step, style);
        text += &lines(plan, n, step, words, style);
        text += &written(words, style);
    }
    text
}

/// The lines that a step writes, as many beside each other as fit; one is broken only where it alone is too long.
fn written(words: &StepWords, style: Style) -> String {
    let room = usize::from(style.width).saturating_sub(WRITTEN + 2).max(30);
    let mut rows: Vec<String> = Vec::new();
    for line in words.added.iter().map(|line| format!("+{line}")) {
        match rows.last_mut() {
            Some(row) if row.chars().count() + 2 + line.chars().count() <= room => {
                *row += &format!("  {line}");
            }
            _ => rows.push(line),
        }
    }
    rows.iter().map(|row| paragraph(style, WRITTEN, row)).collect()
}

/// How far from the left stands what is written.
const WRITTEN: usize = 9;

/// What is different in the steps of two kinds, in words.
fn differences(first: &Kind<'_>, kind: &Kind<'_>) -> String {
    let mut words: Vec<String> = Vec::new();
    let is_new = |before: &str, now: &str| (before != now).then(|| now.to_owned());
    words.extend(is_new(&first.plan.boot_path, &plain(&kind.plan.boot_path)));
    match (first.plan.boot_read_only, kind.plan.boot_read_only) {
        (false, true) => words.push(read_only(kind)),
        (true, false) => words.push("mounted read-write".to_owned()),
        (true, true) | (false, false) => {}
    }
    for (step, ours) in &kind.steps {
        let Some(theirs) = first.words_of(step) else { continue };
        words.extend(is_new(&theirs.brief, &ours.brief));
        if step.action == Action::WriteJob {
            words.extend(word_differences(&theirs.added, &ours.added));
        } else {
            words.extend(line_differences(&theirs.added, &ours.added));
        }
    }
    words.join("  ")
}

fn note(style: Style, text: &str) -> String {
    paragraph(style, 7, text)
}

/// A rule that nobody can miss.
fn rule(style: Style, text: &str) -> String {
    format!("  {}\n", paint(style, Tone::Bad, &format!("───────────── {text} ─────────────")))
}

fn read_only(kind: &Kind<'_>) -> String {
    let path = plain(&kind.plan.boot_path);
    format!("{path} is mounted read-only: remounted only while writing")
}

/// What the proof costs, and whom.
fn proof(plan: &Plan, kind: &Kind<'_>) -> String {
    let reboots = |step: &Step| step.when == When::Proof && step.action.reboots();
    let reboots = kind.steps.iter().filter(|(step, _)| reboots(step)).count();
    let reboots = many(reboots, "proof reboot");
    match plan.prove {
        Prove::PerClass => {
            format!("{reboots} on the first of its class; the others skip the proof")
        }
        // Without proofs only what was updated is proven.
        Prove::PerDevice | Prove::Never => format!("{reboots} on each of these devices"),
    }
}

/// What stands above the steps that update the firmware and replace `config.txt`; nothing above the others.
fn danger(kind: &Kind<'_>, step: &Step, style: Style) -> String {
    if let (Action::UpdateFirmware, Some(update)) = (step.action, words::update(kind.plan)) {
        return rule(style, "the vendor's update of the firmware: it has no undo")
            + &note(
                style,
                "a power cut while it is installed may need hands; the data on the card stay",
            )
            + &note(style, &format!("because {}", plain(&update.reason)));
    }
    match warning(kind.plan) {
        Some(reason) if step.action == Action::RewriteConfig => {
            rule(style, "config.txt is replaced until MIGOS has put Raspbian's back")
                + &note(
                    style,
                    "a power cut in that window needs hands: the device may come back as neither of them",
                )
                + &note(style, &format!("because {}", plain(reason)))
        }
        Some(_) | None => String::new(),
    }
}

/// Lines that one text has and the other has not; all lines if only their order differs.
fn line_differences(theirs: &[String], ours: &[String]) -> Option<String> {
    if theirs == ours {
        return None;
    }
    let more = ours.iter().filter(|line| !theirs.contains(line)).map(|line| format!("+{line}"));
    let less = theirs.iter().filter(|line| !ours.contains(line)).map(|line| format!("-{line}"));
    let lines: Vec<String> = more.chain(less).collect();
    Some(match lines.is_empty() {
        true => format!("in another order: {}", ours.join(" | ")),
        false => lines.join("  "),
    })
}

/// The same for the words of a line.
fn word_differences(theirs: &[String], ours: &[String]) -> Option<String> {
    let words = |lines: &[String]| -> Vec<String> {
        lines.iter().flat_map(|line| line.split(' ')).map(str::to_owned).collect()
    };
    line_differences(&words(theirs), &words(ours))
}

/// The columns that the longest of the undo words takes, with what introduces it.
const UNDO: usize = 28;

/// Number, mark and name of a step, what it does, and on the first line what takes it back.
fn lines(plan: &Plan, n: usize, step: &Step, words: &StepWords, style: Style) -> String {
    let widest = plan.steps.iter().map(|step| step.id.0.chars().count()).max().unwrap_or(0);
    let width = usize::from(style.width);
    if width < ROOMY {
        return narrow(n, step, words, style);
    }
    let head = format!("  {:>2}  {} {:<widest$}  ", n + 1, words.mark, step.id.0);
    let indent = head.chars().count();
    // Where nothing is taken back, that column is free.
    let (undo, most) = if words.undo.is_empty() { (0, usize::MAX) } else { (UNDO, 80) };
    let room = width.saturating_sub(indent + undo).clamp(30, most);
    let mut text = String::new();
    for (index, what) in wrapped(&words.what, room).into_iter().enumerate() {
        text += &match (index, words.undo.as_str()) {
            (0, "") => format!("{head}{what}\n"),
            (0, undo) => format!("{head}{what:<room$}  undo: {undo}\n"),
            _ => format!("{:indent$}{what}\n", ""),
        };
    }
    text
}

/// Fewer columns than this have no room for three beside each other.
const ROOMY: usize = 80;

/// The same, one below the other.
fn narrow(n: usize, step: &Step, words: &StepWords, style: Style) -> String {
    let title = format!("{:>2}  {} {}: {}", n + 1, words.mark, step.id.0, words.what);
    let undo = match words.undo.as_str() {
        "" => String::new(),
        undo => paragraph(style, 4, &format!("undo: {undo}")),
    };
    paragraph(style, 2, &title) + &undo
}
