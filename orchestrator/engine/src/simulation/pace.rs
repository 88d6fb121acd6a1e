//! How long things take in a simulated fleet.

use migos_playbooks::estimate::Estimate;
use migos_playbooks::plan::{CheckedPlan, DevicePlan};
use migos_playbooks::step::{Action, Step};
use std::time::Duration;

/// How long things take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// As on a bench: some six minutes to the point of no return, some seven from there to balena.
    #[default]
    Bench,
    /// As the plan estimates it for each device.
    Planned,
}

/// balenaOS's first start, until it answers balena.
const FIRST_START: Duration = Duration::from_secs(3 * 60);

/// What each action takes on a bench, in seconds.
fn on_bench(action: Action) -> Duration {
    Duration::from_secs(match action {
        Action::UpdateFirmware => 300,
        Action::SendImage | Action::SaveData => 180,
        Action::AwaitFlash => 240,
        Action::AwaitCommit => 120,
        Action::UpdateReboot | Action::ProveArm | Action::ProveReturn | Action::AwaitMigos => 60,
        Action::Backup | Action::SendPayload => 20,
        Action::Arm | Action::Reboot => 10,
        Action::AwaitBalena => 0,
        _ => 3,
    })
}

impl Pace {
    /// What this step takes on this device.
    pub(super) fn of(self, plan: &CheckedPlan, device: &DevicePlan, step: &Step) -> Duration {
        let bench = on_bench(step.action);
        match self {
            Pace::Bench => bench,
            Pace::Planned => {
                let phase = Phase::of(step.action);
                match phase.estimated(device) {
                    Some(estimated) => scaled(bench, estimated, phase.on_bench(plan, device)),
                    None => bench,
                }
            }
        }
    }

    /// From the end of its flash until it answers balena.
    pub(super) fn first_start(self, plan: &CheckedPlan, device: &DevicePlan) -> Duration {
        match self {
            Pace::Bench => FIRST_START,
            // A policy that calls a device late before that knows better.
            Pace::Planned => {
                Phase::Arrival.estimated(device).unwrap_or(FIRST_START).min(plan.arrival.late.0)
            }
        }
    }
}

/// A part of a device's way that is estimated as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// An update of the firmware, the proof of one-shot boot, data that is fetched: as on a bench.
    Extra,
    /// While Raspbian runs.
    Staging,
    /// From the reboot into MIGOS until it may commit.
    Boot,
    /// While the card is written.
    Flash,
    /// From there until balena sees it.
    Arrival,
}

impl Phase {
    fn of(action: Action) -> Phase {
        match action {
            Action::UpdateFirmware
            | Action::UpdateReboot
            | Action::UpdateSeen
            | Action::SaveData
            | Action::Run
            | Action::ProveWrite
            | Action::ProveArm
            | Action::ProveSeen
            | Action::ProveReturn
            | Action::ProveGone => Phase::Extra,
            Action::Arm | Action::Reboot | Action::AwaitCommit => Phase::Boot,
            action if action < Action::Arm => Phase::Staging,
            action if action < Action::Commit => Phase::Boot,
            Action::Commit | Action::AwaitFlash => Phase::Flash,
            _ => Phase::Arrival,
        }
    }

    /// `None` if the plan has no estimate for it.
    fn estimated(self, device: &DevicePlan) -> Option<Duration> {
        let Estimate { to_reboot, to_commit, to_well, flash, measured: _ } = device.estimate;
        Some(match self {
            Phase::Extra => return None,
            Phase::Staging => to_reboot.0,
            Phase::Boot => to_commit.0.saturating_sub(to_reboot.0),
            Phase::Flash => flash.0,
            Phase::Arrival => to_well.0.saturating_sub(flash.0),
        })
    }

    /// What its steps take on a bench.
    fn on_bench(self, plan: &CheckedPlan, device: &DevicePlan) -> Duration {
        let taken = plan.steps.iter().filter(|step| device.takes(step)).map(|step| step.action);
        taken.filter(|action| Phase::of(*action) == self).map(on_bench).sum()
    }
}

/// The part of `whole` that `part` is of `sum`, to the millisecond.
fn scaled(part: Duration, whole: Duration, sum: Duration) -> Duration {
    let scaled = part.as_millis() * whole.as_millis() / sum.as_millis().max(1);
    Duration::from_millis(u64::try_from(scaled).unwrap_or(u64::MAX))
}
