//! What a simulated device's task does with a permit.

use super::body::Body;
use super::circumstances::Period;
use super::pace::Pace;
use crate::executor::{LEFT_DARK, UndoPatience, waits_to_take_back};
use crate::rollout::Said;
use migos_events::{Cause, CauseKind, DeviceState, Learned, Progress, StepRef, Then};
use migos_playbooks::plan::{CheckedPlan, DevicePlan};
use migos_playbooks::span::Span;
use migos_playbooks::step::{Action, Step};
use std::time::Duration;

/// How a device fails that is not there.
const SILENT: &str = "connect timeout after 15 s";

/// A simulated device's task.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) work: Work,
    /// True once the permit to cross the point of no return was given.
    pub(super) permitted: bool,
    /// Changes whenever it is about something else than before: what was to happen does not any more.
    pub(super) turn: u64,
}

/// What a task is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// It asks for this step, or will.
    Forwards(usize),
    /// It performs this step.
    Performing(usize),
    /// It takes these steps back, the last one first.
    Back(Vec<StepRef>),
    /// It takes back the last of them, since this moment.
    TakingBack(Vec<StepRef>, Duration),
}

/// What a task does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Ask(usize),
    AskUndo,
    Retried(usize, String),
    Done(usize),
    /// It fails, and takes back what it has done.
    Fails(Said),
    UndoDone,
    Notes(String),
    /// It says this as its last word.
    Ends(Option<Said>),
}

/// A task's way after a permit: what it does, each after so long from now.
pub(super) type Way = Vec<(Duration, Next)>;

/// What a launched task is about.
pub(super) fn taken_up(plan: &CheckedPlan, progress: &Progress) -> Work {
    match &progress.state {
        DeviceState::Running { step, done, .. } => Work::Forwards(step.n + usize::from(*done)),
        DeviceState::InMigos => Work::Forwards(plan.commit_step()),
        DeviceState::Migrated => Work::Forwards(plan.settle_step()),
        DeviceState::Undoing { then, .. } => Work::Back(to_be_taken_back(progress, then)),
        _ => Work::Forwards(0),
    }
}

/// At a recall only what holds the device.
pub(super) fn to_be_taken_back(progress: &Progress, then: &Then) -> Vec<StepRef> {
    let is_meant = |step: &StepRef| *then != Then::Wait || step.action.holds_the_device();
    progress.touched.iter().copied().filter(is_meant).collect()
}

/// A step that has just been permitted.
pub(super) struct Permitted<'a> {
    pub(super) plan: &'a CheckedPlan,
    pub(super) device: &'a DevicePlan,
    pub(super) n: usize,
    pub(super) step: &'a Step,
    pub(super) past_return: bool,
    pub(super) now: Duration,
    pub(super) pace: Pace,
}

impl Permitted<'_> {
    /// What comes of performing it.
    pub(super) fn perform(&self, body: &Body) -> Way {
        let action = self.step.action;
        let takes = self.pace.of(self.plan, self.device, self.step);
        if action == Action::AwaitBalena {
            return vec![(Duration::ZERO, Next::Ends(None))];
        }
        if action == Action::AwaitFlash && body.behaviour.contradicts > 0 {
            let said = Said::Contradicted("Raspbian answers, though it was told to commit".into());
            return vec![(takes, Next::Ends(Some(said)))];
        }
        if action == Action::Settle {
            let said = failure(body, action).map(|cause| Said::Unsettled(self.n, cause.message));
            let next = said.map_or(Next::Done(self.n), |said| Next::Ends(Some(said)));
            return vec![(takes, next)];
        }
        if let Some(cause) = failure(body, action) {
            return vec![(takes / 2, self.failed(cause))];
        }
        match action {
            Action::AwaitFlash => self.await_flash(body),
            Action::AwaitCommit => {
                let crosses = body.crossed.unwrap_or(self.now);
                self.over_the_network(body, crosses.saturating_sub(self.now))
            }
            _ => self.over_the_network(body, takes),
        }
    }

    /// MIGOS writes the card whether it is seen or not; silent for long enough, it is left to balena.
    fn await_flash(&self, body: &Body) -> Way {
        let patience = self.plan.arrival.late.0;
        if body.behaviour.silent_in_flash {
            return vec![(patience, Next::Done(self.n))];
        }
        let end = body.crossed.unwrap_or(self.now).saturating_add(body.flash).max(self.now);
        let seen = match body.dark_within(end, end) {
            Some(dark) => dark.to.min(dark.from.max(self.now).saturating_add(patience)).max(end),
            None => end,
        };
        vec![(seen - self.now, Next::Done(self.n))]
    }

    /// A step needs its device's network from its begin to its end, and is tried again for a while without.
    fn over_the_network(&self, body: &Body, takes: Duration) -> Way {
        let end = self.now + takes;
        let Some(dark) = body.dark_within(self.now, end) else {
            return vec![(takes, Next::Done(self.n))];
        };
        let gone = dark.from.max(self.now);
        let given_up = gone + self.patience();
        let retried = (gone - self.now, Next::Retried(self.n, "connection lost".into()));
        if dark.to <= given_up {
            return vec![retried, (dark.to - self.now + takes, Next::Done(self.n))];
        }
        let kind = match self.step.action {
            Action::Check => CauseKind::Away,
            _ => CauseKind::Unreachable,
        };
        let cause = Cause { kind, message: SILENT.into() };
        vec![retried, (given_up - self.now, self.failed(cause))]
    }

    /// How long all tries of the step take, for somebody who is not there.
    fn patience(&self) -> Duration {
        const CONNECT: Duration = Duration::from_secs(15);
        let retry = self.step.retry;
        let pauses = (1..retry.times).map(|n| retry.pause.0 * 2_u32.saturating_pow(n - 1));
        (CONNECT * retry.times + pauses.sum::<Duration>()).min(self.step.limit.0)
    }

    fn failed(&self, cause: Cause) -> Next {
        let action = self.step.action;
        let Cause { kind, message } = &cause;
        let by_itself = self.past_return && action != Action::Commit;
        if !by_itself {
            return Next::Fails(Said::Failed(self.n, cause));
        }
        match action {
            Action::Release | Action::Arm | Action::RewriteConfig | Action::Reboot => {}
            Action::AwaitCommit if *kind == CauseKind::Step => {}
            Action::AwaitCommit => return Next::Ends(Some(Said::Lost(message.clone()))),
            _ => return Next::Ends(Some(Said::Stuck(message.clone()))),
        }
        Next::Fails(Said::CameBack(self.n, cause))
    }
}

/// Why this action fails this time.
fn failure(body: &Body, action: Action) -> Option<Cause> {
    let mut fails = body.behaviour.fails.iter().filter(|it| it.times != Some(0));
    let failing = fails.find(|it| it.at == action)?;
    Some(Cause { kind: failing.kind, message: failing.message.clone() })
}

/// A step that is to be taken back.
pub(super) struct TakenBack<'a> {
    pub(super) plan: &'a CheckedPlan,
    pub(super) step: StepRef,
    pub(super) begun: Duration,
    pub(super) now: Duration,
    /// True if a person ordered it.
    pub(super) ordered: bool,
    /// True once the run closes.
    pub(super) closing: bool,
}

impl TakenBack<'_> {
    /// What comes of it.
    pub(super) fn perform(&self, body: &Body) -> Way {
        let TakenBack { plan, step, begun, now, ordered, closing } = *self;
        let stuck = |why: &str| {
            let name = plan.steps.get(step.n).map_or("", |step| step.id.0.as_str());
            let message = format!("{name} could not be taken back: {why}");
            Next::Ends(Some(Said::Stuck(message)))
        };
        let reboots = step.action.reboots();
        let takes = Duration::from_secs(if reboots { 60 } else { 3 });
        if body.behaviour.undo_fails {
            return vec![(takes, stuck("the card is read-only"))];
        }
        let Some(Period { from, to }) = body.dark_within(now, now + takes) else {
            return vec![(takes, Next::UndoDone)];
        };
        let UndoPatience { least, most } = UndoPatience::of(step.action, plan);
        let gone = from.max(begun);
        let end = gone + if closing { least } else { most };
        let mut way = Vec::new();
        if !closing && end.min(to) > gone + least && now <= gone + least {
            let told = waits_to_take_back(SILENT, Span(most));
            way.push((gone + least - now, Next::Notes(told)));
        }
        let given_up = end.saturating_sub(now);
        if to <= end {
            way.push((to - now + takes, Next::UndoDone));
        } else if closing && !ordered && !reboots {
            way.push((given_up, Next::Notes(LEFT_DARK.to_owned())));
            way.push((given_up, Next::Ends(None)));
        } else {
            way.push((given_up, stuck(SILENT)));
        }
        way
    }
}

/// What a step finds out.
pub(super) fn learned(action: Action) -> Learned {
    match action {
        Action::Register | Action::Preregister => {
            Learned { balena_id: Some(1), ..Learned::default() }
        }
        _ => Learned::default(),
    }
}
