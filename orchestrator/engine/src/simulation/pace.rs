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
        Action::SendImage => 180,
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
                let (before, after) = halves(plan, device);
                let Estimate { to_commit, to_well } = device.estimate;
                if is_before(step.action) {
                    scaled(bench, to_commit.0, before)
                } else {
                    scaled(bench, to_well.0, after + FIRST_START)
                }
            }
        }
    }

    /// From the end of its flash until it answers balena.
    pub(super) fn first_start(self, plan: &CheckedPlan, device: &DevicePlan) -> Duration {
        match self {
            Pace::Bench => FIRST_START,
            Pace::Planned => {
                let (_, after) = halves(plan, device);
                let estimated = scaled(FIRST_START, device.estimate.to_well.0, after + FIRST_START);
                // A policy that calls a device late before that knows better.
                estimated.min(plan.arrival.late.0)
            }
        }
    }
}

fn is_before(action: Action) -> bool {
    action < Action::Commit
}

/// What its steps take on a bench, up to the point of no return and from there on.
fn halves(plan: &CheckedPlan, device: &DevicePlan) -> (Duration, Duration) {
    let taken = plan.steps.iter().filter(|step| device.takes(step)).map(|step| step.action);
    let (before, after): (Vec<Action>, Vec<Action>) = taken.partition(|action| is_before(*action));
    let sum = |actions: Vec<Action>| actions.into_iter().map(on_bench).sum();
    (sum(before), sum(after))
}

/// The part of `whole` that `part` is of `sum`, to the millisecond.
fn scaled(part: Duration, whole: Duration, sum: Duration) -> Duration {
    let scaled = part.as_millis() * whole.as_millis() / sum.as_millis().max(1);
    Duration::from_millis(u64::try_from(scaled).unwrap_or(u64::MAX))
}
