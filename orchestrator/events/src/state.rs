//! The state of a device and its legal transitions.

use crate::event::{Cause, CauseKind, DeviceEvent, StepRef};
use crate::tally::Counted;
use migos_playbooks::step::{Action, Reversal};
use serde::{Deserialize, Serialize};

/// Where a device is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceState {
    /// Nothing is being done to it.
    Pending,
    /// A step has been permitted.
    Running {
        /// The step.
        step: StepRef,
        /// True once it has been performed.
        done: bool,
        /// True once the permit to cross the point of no return was given.
        permitted: bool,
    },
    /// In MIGOS, waiting for the permit to cross the point of no return.
    InMigos,
    /// Steps are being taken back.
    Undoing {
        /// The step being taken back; `None` before the first and between two.
        step: Option<StepRef>,
        /// What comes after.
        then: Then,
    },
    /// Rebooted into balenaOS, not seen yet.
    Arriving,
    /// Not seen in time.
    Late,
    /// On balena and well.
    Migrated,
    /// Failed; everything was taken back.
    Failed(Cause),
    /// Not started, since others of its class have failed.
    SetAside(String),
    /// By a person's order it is again what it was.
    Undone,
    /// Needs hands.
    Stuck(String),
    /// Silent past the point of no return.
    Lost(String),
}

/// What comes after steps have been taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// It was recalled: it waits.
    Wait,
    /// It has failed.
    Fail(Cause),
    /// A person ordered it: it is done with.
    Rest,
}

/// An event that cannot happen in a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to a device that is {state:?}")]
pub struct IllegalTransition {
    /// The state.
    pub state: DeviceState,
    /// The event.
    pub event: Box<DeviceEvent>,
}

impl DeviceState {
    /// The state after an event.
    ///
    /// # Errors
    /// [`IllegalTransition`]: the journal, or the program, is wrong.
    pub fn next(&self, event: &DeviceEvent) -> Result<DeviceState, IllegalTransition> {
        use DeviceEvent as E;
        use DeviceState as S;
        let illegal = || IllegalTransition { state: self.clone(), event: Box::new(event.clone()) };
        let next = match (self, event) {
            (state, E::Noted { .. }) => state.clone(),
            (S::Running { .. }, E::Contradicted { .. }) => self.clone(),

            (S::Pending, E::StepStarted { step }) if step.n == 0 => started(*step, false),
            // It was away when its turn came, and nothing was written: it is tried again.
            (state, E::StepStarted { step }) if step.n == 0 && state.is_away() => {
                started(*step, false)
            }
            (S::Pending, E::SetAside { reason }) => S::SetAside(reason.clone()),
            (state, E::SetAside { reason }) if state.is_away() => S::SetAside(reason.clone()),
            (S::SetAside(_), E::Readmitted) => S::Pending,
            // The same step again is a resumed controller's.
            (S::Running { step: at, done: false, permitted }, E::StepStarted { step })
                if step == at =>
            {
                started(*step, *permitted)
            }
            (S::Running { step: at, done: true, permitted }, E::StepStarted { step })
                if follows(*at, *step) && may_follow(*step, *permitted) =>
            {
                started(*step, *permitted)
            }
            (S::Running { step: at, done: true, permitted }, E::StepSkipped { step })
                if follows(*at, *step) && is_proof(*step) =>
            {
                S::Running { step: *step, done: true, permitted: *permitted }
            }
            (S::Running { step: at, done: true, permitted: false }, E::CommitAsked)
                if comes_before_commit(*at) =>
            {
                S::InMigos
            }
            (S::InMigos, E::CommitAsked) => S::InMigos,
            (S::InMigos, E::StepStarted { step }) if step.action == Action::Commit => {
                started(*step, true)
            }
            (S::Arriving | S::Late, E::StepStarted { step })
                if step.action == Action::AwaitBalena =>
            {
                self.clone()
            }

            // Whatever comes of it, the device has arrived.
            (
                S::Migrated,
                E::StepStarted { step }
                | E::StepRetried { step, .. }
                | E::StepDone { step, .. }
                | E::Unsettled { step, .. },
            ) if step.action == Action::Settle => S::Migrated,

            (S::Running { step: at, done: false, .. }, E::StepRetried { step, .. })
                if step == at =>
            {
                self.clone()
            }
            (S::Running { step: at, done: false, permitted }, E::StepDone { step, .. })
                if step == at =>
            {
                S::Running { step: *step, done: true, permitted: *permitted }
            }
            // Whether an order to commit was heard, its undo finds out.
            (S::Running { step: at, done: false, permitted }, E::StepFailed { step, cause })
                if step == at && (!permitted || step.action == Action::Commit) =>
            {
                S::Undoing { step: None, then: Then::Fail(cause.clone()) }
            }
            (
                S::Running { step: at, done: false, permitted: true },
                E::CameBack { step, cause },
            ) if step == at && may_come_back(*step) => {
                S::Undoing { step: None, then: Then::Fail(cause.clone()) }
            }
            (S::Running { permitted: false, .. }, E::Recalled { .. }) => {
                S::Undoing { step: None, then: Then::Wait }
            }
            (S::Pending | S::InMigos, E::Recalled { .. }) => {
                S::Undoing { step: None, then: Then::Wait }
            }
            (S::Running { permitted: false, .. }, E::UndoOrdered) => {
                S::Undoing { step: None, then: Then::Rest }
            }
            (
                S::Pending
                | S::InMigos
                | S::Undoing { .. }
                | S::Failed(_)
                | S::SetAside(_)
                | S::Undone
                | S::Stuck(_),
                E::UndoOrdered,
            ) => S::Undoing { step: None, then: Then::Rest },

            (S::Undoing { then, .. }, E::UndoStarted { step }) => {
                S::Undoing { step: Some(*step), then: then.clone() }
            }
            (S::Undoing { step: Some(at), then }, E::UndoDone { step }) if step == at => {
                S::Undoing { step: None, then: then.clone() }
            }
            (S::Undoing { step: None, then: Then::Wait }, E::WentBack) => S::Pending,
            (S::Undoing { step: None, then: Then::Rest }, E::Undone) => S::Undone,
            (S::Undoing { step: None, then: Then::Fail(why) }, E::Failed { cause })
                if why == cause =>
            {
                S::Failed(cause.clone())
            }
            (S::Undoing { .. }, E::Stuck { message }) => S::Stuck(message.clone()),

            (S::Running { permitted: true, .. }, E::Stuck { message }) => S::Stuck(message.clone()),
            (S::Running { permitted: true, .. }, E::Lost { message }) => S::Lost(message.clone()),
            (S::Arriving, E::Late) => S::Late,
            (S::Arriving | S::Late, E::Lost { message }) => S::Lost(message.clone()),
            (S::Arriving | S::Late, E::Stuck { message }) => S::Stuck(message.clone()),
            (S::Arriving | S::Late | S::Lost(_), E::Migrated { .. }) => S::Migrated,
            _ => return Err(illegal()),
        };
        Ok(next)
    }

    /// True if it was not reached when its turn came, and nothing was written.
    pub fn is_away(&self) -> bool {
        matches!(self, DeviceState::Failed(cause) if cause.kind == CauseKind::Away)
    }

    /// True if it has ended other than it should: its gate counts it.
    pub fn ended_badly(&self) -> bool {
        Counted::of(self).ended_badly()
    }

    /// True if nothing more happens to the device in this run.
    pub fn is_terminal(&self) -> bool {
        match self {
            DeviceState::Migrated
            | DeviceState::Failed(_)
            | DeviceState::SetAside(_)
            | DeviceState::Undone
            | DeviceState::Stuck(_)
            | DeviceState::Lost(_) => true,
            DeviceState::Pending
            | DeviceState::Running { .. }
            | DeviceState::InMigos
            | DeviceState::Undoing { .. }
            | DeviceState::Arriving
            | DeviceState::Late => false,
        }
    }

    /// True if the device may have crossed the point of no return: it can only be carried to its end.
    pub fn may_be_past_return(&self) -> bool {
        match self {
            DeviceState::Running { permitted, .. } => *permitted,
            DeviceState::Arriving
            | DeviceState::Late
            | DeviceState::Migrated
            | DeviceState::Lost(_) => true,
            DeviceState::Pending
            | DeviceState::InMigos
            | DeviceState::Undoing { .. }
            | DeviceState::Failed(_)
            | DeviceState::SetAside(_)
            | DeviceState::Undone
            | DeviceState::Stuck(_) => false,
        }
    }
}

fn started(step: StepRef, permitted: bool) -> DeviceState {
    let permitted = permitted || step.action.reversal() == Reversal::PointOfNoReturn;
    match step.action {
        Action::AwaitBalena => DeviceState::Arriving,
        _ => DeviceState::Running { step, done: false, permitted },
    }
}

/// Steps that a device does not take are left out, but none comes back.
fn follows(at: StepRef, next: StepRef) -> bool {
    // Commands of the user's own stand anywhere.
    let is_own = at.action == Action::Run || next.action == Action::Run;
    next.n > at.n && (is_own || next.action > at.action)
}

fn is_proof(step: StepRef) -> bool {
    step.action >= Action::ProveWrite && step.action <= Action::ProveGone
}

/// The order to commit is asked for in MIGOS, and there is one permit only: a device that has one takes no step that
/// belongs to those without, and the other way round.
fn may_follow(step: StepRef, permitted: bool) -> bool {
    match step.action {
        Action::Commit => false,
        Action::Release | Action::AwaitMigos | Action::Register | Action::Configure => !permitted,
        action if action > Action::Commit => permitted,
        _ => true,
    }
}

/// A device that commits by itself may have found something amiss, until it is known to have committed.
fn may_come_back(step: StepRef) -> bool {
    step.action >= Action::Release
        && step.action <= Action::AwaitCommit
        && step.action != Action::Commit
}

fn comes_before_commit(step: StepRef) -> bool {
    step.action == Action::Configure
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::event::{CauseKind, Learned};
    use migos_playbooks::balena::DeviceUuid;
    use migos_playbooks::step::{ACTIONS, When};

    fn step(n: usize) -> StepRef {
        StepRef { n, action: ACTIONS[n].0 }
    }

    fn cause() -> Cause {
        Cause { kind: CauseKind::Step, message: "no space left on device".into() }
    }

    fn recalled() -> DeviceEvent {
        DeviceEvent::Recalled { reason: String::new() }
    }

    fn run(events: &[DeviceEvent]) -> Result<DeviceState, IllegalTransition> {
        events.iter().try_fold(DeviceState::Pending, |state, event| state.next(event))
    }

    fn n(action: Action) -> usize {
        ACTIONS.iter().position(|(other, _)| *other == action).unwrap()
    }

    /// Everything that a device without proof does before this action.
    fn upto(action: Action) -> Vec<DeviceEvent> {
        upto_as(action, When::Ordered)
    }

    /// The same, by the way in which the device gets its commit.
    fn upto_as(action: Action, handover: When) -> Vec<DeviceEvent> {
        let mut events = Vec::new();
        let taken = |when: &When| matches!(when, When::Always | When::OneShot) || *when == handover;
        let before = (0..n(action)).filter(|n| taken(&ACTIONS[*n].1));
        for step in before.map(step) {
            if step.action == Action::Commit {
                events.push(DeviceEvent::CommitAsked);
            }
            events.push(DeviceEvent::StepStarted { step });
            events.push(DeviceEvent::StepDone { step, learned: Learned::default() });
        }
        events
    }

    #[test]
    fn what_comes_after_the_arrival_never_undoes_it() {
        let settle = step(n(Action::Settle));
        let started = DeviceEvent::StepStarted { step: settle };
        let unsettled = DeviceEvent::Unsettled { step: settle, message: "401".into() };
        let done = DeviceEvent::StepDone { step: settle, learned: Learned::default() };
        for event in [&started, &unsettled, &done] {
            assert_eq!(DeviceState::Migrated.next(event), Ok(DeviceState::Migrated));
            assert!(DeviceState::Arriving.next(event).is_err());
        }
        let other = DeviceEvent::StepStarted { step: step(n(Action::AwaitFlash)) };
        assert!(DeviceState::Migrated.next(&other).is_err());
        let failed = DeviceEvent::StepFailed { step: settle, cause: cause() };
        assert!(DeviceState::Migrated.next(&failed).is_err());
    }

    #[test]
    fn a_whole_migration_is_legal() {
        let mut events = upto(Action::AwaitBalena);
        events.push(DeviceEvent::StepStarted { step: step(n(Action::AwaitBalena)) });
        assert_eq!(run(&events), Ok(DeviceState::Arriving));
        let uuid = DeviceUuid("ab".repeat(16));
        events.push(DeviceEvent::Late);
        events.push(DeviceEvent::Migrated { uuid, os_version: "balenaOS 6.0.24".into() });
        assert_eq!(run(&events), Ok(DeviceState::Migrated));
    }

    #[test]
    fn the_point_of_no_return_needs_a_permit_that_was_asked_for() {
        let mut events = upto(Action::Commit);
        events.push(DeviceEvent::StepStarted { step: step(n(Action::Commit)) });
        assert!(run(&events).is_err());
    }

    #[test]
    fn no_step_is_left_out_and_none_begins_before_the_last_has_ended() {
        assert!(
            run(&[DeviceEvent::StepStarted { step: step(1) }]).is_err(),
            "the check comes first"
        );
        let started = |n| DeviceEvent::StepStarted { step: step(n) };
        assert!(run(&[started(0), started(1)]).is_err());
        assert!(run(&[started(0), started(0)]).is_ok(), "a resumed controller begins it again");
    }

    #[test]
    fn a_failure_is_taken_back_before_it_is_final() {
        let failed = DeviceEvent::StepFailed { step: step(2), cause: cause() };
        let mut events = upto(Action::Backup);
        events.push(DeviceEvent::StepStarted { step: step(2) });
        events.push(failed);
        events.push(DeviceEvent::UndoStarted { step: step(2) });
        let early = [&events[..], &[DeviceEvent::Failed { cause: cause() }]].concat();
        assert!(run(&early).is_err(), "step 2 is still being taken back");
        events.push(DeviceEvent::UndoDone { step: step(2) });
        events.push(DeviceEvent::Failed { cause: cause() });
        assert_eq!(run(&events), Ok(DeviceState::Failed(cause())));
    }

    #[test]
    fn a_proof_may_be_skipped_and_nothing_else() {
        let mut events = upto(Action::ProveWrite);
        let skip = |action| DeviceEvent::StepSkipped { step: step(n(action)) };
        assert!(run(&[&events[..], &[skip(Action::SendPayload)]].concat()).is_err());
        events.push(skip(Action::ProveWrite));
        events.push(skip(Action::ProveGone));
        events.push(DeviceEvent::StepStarted { step: step(n(Action::SendPayload)) });
        assert!(run(&events).is_ok());
    }

    #[test]
    fn a_person_may_have_a_device_back_before_the_point_of_no_return() {
        let mut events = upto(Action::AwaitMigos);
        events.extend([DeviceEvent::UndoOrdered, DeviceEvent::Undone, DeviceEvent::UndoOrdered]);
        assert!(run(&events).is_ok(), "and again, weeks later");
        events.extend([DeviceEvent::Undone]);
        assert_eq!(run(&events), Ok(DeviceState::Undone));
        let past = [&upto(Action::AwaitFlash)[..], &[DeviceEvent::UndoOrdered]].concat();
        assert!(run(&past).is_err());
    }

    #[test]
    fn past_the_point_of_no_return_nothing_is_taken_back() {
        let mut events = upto(Action::AwaitFlash);
        assert!(run(&[&events[..], &[recalled()]].concat()).is_err());
        events.push(DeviceEvent::StepStarted { step: step(n(Action::AwaitFlash)) });
        let failed = DeviceEvent::StepFailed { step: step(n(Action::AwaitFlash)), cause: cause() };
        assert!(run(&[&events[..], &[failed]].concat()).is_err());
        let lost = DeviceEvent::Lost { message: "silent".into() };
        assert_eq!(run(&[&events[..], &[lost]].concat()), Ok(DeviceState::Lost("silent".into())));
    }

    #[test]
    fn a_recalled_device_is_pending_again_and_nothing_ends_twice() {
        let mut events = upto(Action::Commit);
        events.extend([DeviceEvent::CommitAsked, recalled(), DeviceEvent::WentBack]);
        assert_eq!(run(&events), Ok(DeviceState::Pending));
        for state in [DeviceState::Migrated, DeviceState::Stuck(String::new())] {
            assert!(state.next(&DeviceEvent::StepStarted { step: step(0) }).is_err());
            assert!(state.next(&DeviceEvent::Late).is_err());
        }
    }

    #[test]
    fn a_device_that_commits_by_itself_is_taken_back_only_after_it_came_back() {
        let at = step(n(Action::AwaitCommit));
        let mut events = upto_as(Action::AwaitCommit, When::Unattended);
        events.push(DeviceEvent::StepStarted { step: at });
        assert!(run(&events).unwrap().may_be_past_return());
        for never in [
            recalled(),
            DeviceEvent::UndoOrdered,
            DeviceEvent::StepFailed { step: at, cause: cause() },
            DeviceEvent::CommitAsked,
            DeviceEvent::UndoStarted { step: step(n(Action::Arm)) },
        ] {
            assert!(
                run(&[&events[..], std::slice::from_ref(&never)].concat()).is_err(),
                "{never:?}"
            );
        }
        events.push(DeviceEvent::CameBack { step: at, cause: cause() });
        events.push(DeviceEvent::Failed { cause: cause() });
        assert_eq!(run(&events), Ok(DeviceState::Failed(cause())));
    }

    #[test]
    fn nobody_comes_back_without_a_permit_or_once_it_is_known_to_have_committed() {
        for (handover, action) in [
            (When::Unattended, Action::WriteTryboot),
            (When::Unattended, Action::AwaitFlash),
            (When::Ordered, Action::AwaitMigos),
            (When::Ordered, Action::Commit),
            (When::Ordered, Action::AwaitFlash),
        ] {
            let at = step(n(action));
            let mut events = upto_as(action, handover);
            if action == Action::Commit {
                events.push(DeviceEvent::CommitAsked);
            }
            events.push(DeviceEvent::StepStarted { step: at });
            assert!(run(&events).is_ok(), "{action:?}");
            events.push(DeviceEvent::CameBack { step: at, cause: cause() });
            assert!(run(&events).is_err(), "{action:?}");
        }
    }

    #[test]
    fn one_device_never_gets_both_permits() {
        let mut events = upto_as(Action::AwaitCommit, When::Unattended);
        let configure = DeviceEvent::StepStarted { step: step(n(Action::Configure)) };
        assert!(run(&[&events[..], &[configure]].concat()).is_err());
        events = upto(Action::Arm);
        let watch = DeviceEvent::StepStarted { step: step(n(Action::AwaitCommit)) };
        assert!(run(&[&events[..], &[watch]].concat()).is_err());
    }
}
