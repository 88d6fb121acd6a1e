//! The state of a device and its legal transitions.

use crate::event::{Cause, DeviceEvent, StepRef};
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
    pub event: DeviceEvent,
}

impl DeviceState {
    /// The state after an event.
    ///
    /// # Errors
    /// [`IllegalTransition`]: the journal, or the program, is wrong.
    pub fn next(&self, event: &DeviceEvent) -> Result<DeviceState, IllegalTransition> {
        use DeviceEvent as E;
        use DeviceState as S;
        let illegal = || IllegalTransition { state: self.clone(), event: event.clone() };
        let next = match (self, event) {
            (state, E::Noted { .. }) => state.clone(),
            (S::Running { .. }, E::Contradicted { .. }) => self.clone(),

            (S::Pending, E::StepStarted { step }) if step.n == 0 => started(*step),
            // The same step again is a resumed controller's.
            (S::Running { step: at, done: false }, E::StepStarted { step }) if step == at => {
                started(*step)
            }
            (S::Running { step: at, done: true }, E::StepStarted { step })
                if follows(*at, *step) && !needs_commit_permit(*step) =>
            {
                started(*step)
            }
            (S::Running { step: at, done: true }, E::StepSkipped { step })
                if follows(*at, *step) && is_proof(*step) =>
            {
                S::Running { step: *step, done: true }
            }
            (S::Running { step: at, done: true }, E::CommitAsked) if comes_before_commit(*at) => {
                S::InMigos
            }
            (S::InMigos, E::CommitAsked) => S::InMigos,
            (S::InMigos, E::StepStarted { step }) if needs_commit_permit(*step) => started(*step),
            (S::Arriving | S::Late, E::StepStarted { step })
                if step.action == Action::AwaitBalena =>
            {
                self.clone()
            }

            (S::Running { step: at, done: false }, E::StepRetried { step, .. }) if step == at => {
                self.clone()
            }
            (S::Running { step: at, done: false }, E::StepDone { step, .. }) if step == at => {
                S::Running { step: *step, done: true }
            }
            (S::Running { step: at, done: false }, E::StepFailed { step, cause })
                if step == at && step.action <= Action::Commit =>
            {
                S::Undoing { step: None, then: Then::Fail(cause.clone()) }
            }
            (S::Running { step, .. }, E::Recalled) if step.action < Action::Commit => {
                S::Undoing { step: None, then: Then::Wait }
            }
            (S::Pending | S::InMigos, E::Recalled) => S::Undoing { step: None, then: Then::Wait },
            (S::Running { step, .. }, E::UndoOrdered) if step.action < Action::Commit => {
                S::Undoing { step: None, then: Then::Rest }
            }
            (
                S::Pending
                | S::InMigos
                | S::Undoing { .. }
                | S::Failed(_)
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

            (S::Running { step, .. }, E::Stuck { message }) if step.action >= Action::Commit => {
                S::Stuck(message.clone())
            }
            (S::Running { step, .. }, E::Lost { message }) if step.action >= Action::Commit => {
                S::Lost(message.clone())
            }
            (S::Arriving, E::Late) => S::Late,
            (S::Arriving | S::Late, E::Lost { message }) => S::Lost(message.clone()),
            (S::Arriving | S::Late, E::Stuck { message }) => S::Stuck(message.clone()),
            (S::Arriving | S::Late | S::Lost(_), E::Migrated { .. }) => S::Migrated,
            _ => return Err(illegal()),
        };
        Ok(next)
    }

    /// True if nothing more happens to the device in this run.
    pub fn is_terminal(&self) -> bool {
        match self {
            DeviceState::Migrated
            | DeviceState::Failed(_)
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
            DeviceState::Running { step, .. } => step.action >= Action::Commit,
            DeviceState::Arriving
            | DeviceState::Late
            | DeviceState::Migrated
            | DeviceState::Lost(_) => true,
            DeviceState::Pending
            | DeviceState::InMigos
            | DeviceState::Undoing { .. }
            | DeviceState::Failed(_)
            | DeviceState::Undone
            | DeviceState::Stuck(_) => false,
        }
    }
}

fn started(step: StepRef) -> DeviceState {
    match step.action {
        Action::AwaitBalena => DeviceState::Arriving,
        _ => DeviceState::Running { step, done: false },
    }
}

/// Steps that a device does not take are left out, but none comes back.
fn follows(at: StepRef, next: StepRef) -> bool {
    next.n > at.n && next.action > at.action
}

fn is_proof(step: StepRef) -> bool {
    step.action >= Action::ProveWrite && step.action <= Action::ProveGone
}

fn needs_commit_permit(step: StepRef) -> bool {
    step.action.reversal() == Reversal::PointOfNoReturn
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

    fn run(events: &[DeviceEvent]) -> Result<DeviceState, IllegalTransition> {
        events.iter().try_fold(DeviceState::Pending, |state, event| state.next(event))
    }

    fn n(action: Action) -> usize {
        ACTIONS.iter().position(|(other, _)| *other == action).unwrap()
    }

    /// Everything that a device without proof does before this action.
    fn upto(action: Action) -> Vec<DeviceEvent> {
        let mut events = Vec::new();
        let taken = |when: &When| matches!(when, When::Always | When::OneShot);
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
        assert!(run(&[&events[..], &[DeviceEvent::Recalled]].concat()).is_err());
        events.push(DeviceEvent::StepStarted { step: step(n(Action::AwaitFlash)) });
        let failed = DeviceEvent::StepFailed { step: step(n(Action::AwaitFlash)), cause: cause() };
        assert!(run(&[&events[..], &[failed]].concat()).is_err());
        let lost = DeviceEvent::Lost { message: "silent".into() };
        assert_eq!(run(&[&events[..], &[lost]].concat()), Ok(DeviceState::Lost("silent".into())));
    }

    #[test]
    fn a_recalled_device_is_pending_again_and_nothing_ends_twice() {
        let mut events = upto(Action::Commit);
        events.extend([DeviceEvent::CommitAsked, DeviceEvent::Recalled, DeviceEvent::WentBack]);
        assert_eq!(run(&events), Ok(DeviceState::Pending));
        for state in [DeviceState::Migrated, DeviceState::Stuck(String::new())] {
            assert!(state.next(&DeviceEvent::StepStarted { step: step(0) }).is_err());
            assert!(state.next(&DeviceEvent::Late).is_err());
        }
    }
}
