//! States and causes of devices in words.

use crate::words::{Tone, counts, plain};
use migos_events::{CauseKind, DeviceState, History, Progress, StepRef, Tally};
use migos_inventory::DeviceId;
use migos_playbooks::plan::Plan;
use migos_playbooks::step::{Reversal, Step};
use std::time::Duration;

/// What has happened to a device so far.
pub(crate) fn progress(history: &History, device: &DeviceId) -> Progress {
    history.devices.get(device).cloned().unwrap_or_default()
}

/// One word for a state, the same in tables, lines and JSON.
pub(crate) fn word(state: &DeviceState) -> &'static str {
    match state {
        DeviceState::Pending => "pending",
        DeviceState::Running { .. } => "running",
        DeviceState::InMigos => "in-migos",
        DeviceState::Undoing { .. } => "undoing",
        DeviceState::Arriving => "arriving",
        DeviceState::Late => "late",
        DeviceState::Migrated => "migrated",
        DeviceState::Failed(cause) => match cause.kind {
            CauseKind::Step => "failed",
            CauseKind::Unreachable => "unreachable",
            CauseKind::Refused => "refused",
            CauseKind::Away => "away",
        },
        DeviceState::SetAside(_) => "set-aside",
        DeviceState::Undone => "undone",
        DeviceState::Stuck(_) => "stuck",
        DeviceState::Lost(_) => "lost",
    }
}

/// All words by which people choose devices by their state.
pub const STATES: [&str; 15] = [
    "not-started",
    "running",
    "in-migos",
    "undoing",
    "arriving",
    "late",
    "migrated",
    "failed",
    "unreachable",
    "refused",
    "away",
    "set-aside",
    "undone",
    "stuck",
    "lost",
];

/// The word of [`STATES`] for a device's state; `None`: nothing has happened to it in the run.
pub fn state_word(state: Option<&DeviceState>) -> &'static str {
    match state {
        None | Some(DeviceState::Pending) => "not-started",
        Some(state) => word(state),
    }
}

/// A state as people read it in a list: with the step that is being done.
pub(crate) fn label(plan: &Plan, device: &DeviceId, state: &DeviceState) -> String {
    match state {
        DeviceState::Pending => "not started".into(),
        DeviceState::Running { step, .. } => step_name(plan, device, *step),
        DeviceState::InMigos => "in MIGOS".into(),
        DeviceState::Undoing { step: Some(step), .. } => {
            format!("undoing {}", step_name(plan, device, *step))
        }
        DeviceState::Arriving => "arriving at balena".into(),
        DeviceState::SetAside(_) => "class set aside".into(),
        DeviceState::Undoing { step: None, .. }
        | DeviceState::Late
        | DeviceState::Migrated
        | DeviceState::Failed(_)
        | DeviceState::Undone
        | DeviceState::Stuck(_)
        | DeviceState::Lost(_) => word(state).into(),
    }
}

/// The place of a state in a list: those that need a person first, those that wait last.
pub(crate) fn rank(state: &DeviceState) -> usize {
    match state {
        DeviceState::Lost(_) => 0,
        DeviceState::Stuck(_) => 1,
        DeviceState::Failed(cause) => match cause.kind {
            CauseKind::Step => 2,
            CauseKind::Unreachable => 3,
            CauseKind::Refused => 4,
            CauseKind::Away => 5,
        },
        DeviceState::SetAside(_) => 6,
        DeviceState::Late => 7,
        DeviceState::Undoing { .. } => 8,
        DeviceState::Running { step, .. } => 10 + step.n,
        DeviceState::InMigos => 100,
        DeviceState::Arriving => 101,
        DeviceState::Migrated => 102,
        DeviceState::Undone => 103,
        DeviceState::Pending => 104,
    }
}

/// How good a state is.
pub(crate) fn tone(state: &DeviceState) -> Tone {
    match state {
        DeviceState::Migrated | DeviceState::Undone => Tone::Good,
        DeviceState::Failed(_) | DeviceState::Stuck(_) | DeviceState::Lost(_) => Tone::Bad,
        DeviceState::Late | DeviceState::Undoing { .. } | DeviceState::SetAside(_) => Tone::Wait,
        DeviceState::Pending
        | DeviceState::Running { .. }
        | DeviceState::InMigos
        | DeviceState::Arriving => Tone::Plain,
    }
}

/// The number by which people know the step of this index: its place among those that the device takes,
/// from 1.
pub(crate) fn number(plan: &Plan, device: &DeviceId, n: usize) -> usize {
    let device = plan.devices.get(device);
    let taken = |step: &&Step| device.is_none_or(|device| device.takes(step));
    plan.steps.iter().take(n).filter(taken).count() + 1
}

/// `step 3 send-image`: the number by which people know it, and the name in the playbook.
pub(crate) fn step_name(plan: &Plan, device: &DeviceId, step: StepRef) -> String {
    let number = number(plan, device, step.n);
    match plan.steps.get(step.n) {
        Some(Step { id, .. }) => format!("step {number} {id}"),
        None => format!("step {number}"),
    }
}

/// Why a device ended badly, and what became of what had been done to it.
pub(crate) fn cause(plan: &Plan, device: &DeviceId, progress: &Progress) -> Option<String> {
    match &progress.state {
        DeviceState::Failed(cause) => {
            let last = progress.last_step?;
            let undone = plan.steps.iter().take(last.n + 1).any(|s| s.reversal == Reversal::Undo);
            let after = if undone { "undone" } else { "nothing was changed" };
            Some(format!("{}: {} ({after})", step_name(plan, device, last), plain(&cause.message)))
        }
        DeviceState::Stuck(message)
        | DeviceState::Lost(message)
        | DeviceState::SetAside(message) => Some(plain(message)),
        DeviceState::Pending
        | DeviceState::Running { .. }
        | DeviceState::InMigos
        | DeviceState::Undoing { .. }
        | DeviceState::Arriving
        | DeviceState::Late
        | DeviceState::Migrated
        | DeviceState::Undone => None,
    }
}

/// How long a device took, or has been at it by this moment of the run; `None` before its start.
pub(crate) fn own_time(progress: &Progress, now: Duration) -> Option<Duration> {
    match &progress.state {
        DeviceState::Pending => None,
        state if state.is_terminal() => Some(progress.since.saturating_sub(progress.started)),
        _ => Some(now.saturating_sub(progress.started)),
    }
}

/// How many devices have ended.
pub(crate) fn ended(tally: &Tally) -> u32 {
    let Tally { migrated, failed, away, unreachable, refused, undone, stuck, lost, .. } = *tally;
    let all = [migrated, failed, away, unreachable, refused, undone, stuck, lost, tally.set_aside];
    all.into_iter().sum()
}

/// A tally of devices that are to be migrated, in words: `4 migrated, 1 failed (undone), 91 not started`.
pub(crate) fn tally_words(tally: &Tally) -> String {
    counts([
        (tally.migrated, "migrated"),
        (tally.lost, "lost"),
        (tally.stuck, "stuck"),
        (tally.failed, "failed (undone)"),
        (tally.unreachable, "unreachable (undone)"),
        (tally.refused, "refused"),
        (tally.away, "away"),
        (tally.set_aside, "of a class set aside"),
        (tally.undone, "undone"),
        (tally.in_flight, "under way"),
        (tally.pending, "not started"),
    ])
}

/// The board of a device, e.g. `3B+`.
pub(crate) fn board(plan: &Plan, device: &DeviceId) -> String {
    plan.devices.get(device).map(|plan| plain(&plan.class.board)).unwrap_or_default()
}

/// The site of a device, or nothing.
pub(crate) fn site(plan: &Plan, device: &DeviceId) -> String {
    let site = plan.devices.get(device).and_then(|plan| plan.site.as_ref());
    site.map(ToString::to_string).unwrap_or_default()
}
