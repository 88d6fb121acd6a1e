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
        /// Why; `None` if the device was only recalled.
        cause: Option<Cause>,
    },
    /// Rebooted into balenaOS, not seen yet.
    Arriving,
    /// Not seen in time.
    Late,
    /// On balena and well.
    Migrated,
    /// Failed; everything was taken back.
    Failed(Cause),
    /// Needs hands.
    Stuck(String),
    /// Silent past the point of no return.
    Lost(String),
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

            (S::Pending, E::StepStarted { step }) if step.n == 0 => started(*step),
            // The same step again is a resumed controller's.
            (S::Running { step: at, done: false }, E::StepStarted { step }) if step == at => {
                started(*step)
            }
            (S::Running { step: at, done: true }, E::StepStarted { step })
                if step.n == at.n + 1 && !needs_commit_permit(*step) =>
            {
                started(*step)
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
                S::Undoing { step: None, cause: Some(cause.clone()) }
            }
            (S::Running { step, .. }, E::Recalled) if step.action < Action::Commit => {
                S::Undoing { step: None, cause: None }
            }
            (S::Pending | S::InMigos, E::Recalled) => S::Undoing { step: None, cause: None },

            (S::Undoing { cause, .. }, E::UndoStarted { step }) => {
                S::Undoing { step: Some(*step), cause: cause.clone() }
            }
            (S::Undoing { step: Some(at), cause }, E::UndoDone { step }) if step == at => {
                S::Undoing { step: None, cause: cause.clone() }
            }
            (S::Undoing { step: None, cause: None }, E::WentBack) => S::Pending,
            (S::Undoing { step: None, cause: Some(why) }, E::Failed { cause }) if why == cause => {
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
    use migos_playbooks::step::ACTIONS;

    fn step(n: usize) -> StepRef {
        StepRef { n, action: ACTIONS[n] }
    }

    fn cause() -> Cause {
        Cause { kind: CauseKind::Step, message: "no space left on device".into() }
    }

    fn run(events: &[DeviceEvent]) -> Result<DeviceState, IllegalTransition> {
        events.iter().try_fold(DeviceState::Pending, |state, event| state.next(event))
    }

    fn upto(n: usize) -> Vec<DeviceEvent> {
        let mut events = Vec::new();
        for step in (0..n).map(step) {
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
        let mut events = upto(11);
        events.push(DeviceEvent::StepStarted { step: step(11) });
        assert_eq!(run(&events), Ok(DeviceState::Arriving));
        let uuid = DeviceUuid("ab".repeat(16));
        events.push(DeviceEvent::Late);
        events.push(DeviceEvent::Migrated { uuid, os_version: "balenaOS 6.0.24".into() });
        assert_eq!(run(&events), Ok(DeviceState::Migrated));
    }

    #[test]
    fn the_point_of_no_return_needs_a_permit_that_was_asked_for() {
        let mut events = upto(9);
        events.push(DeviceEvent::StepStarted { step: step(9) });
        assert!(run(&events).is_err());
    }

    #[test]
    fn no_step_is_left_out_and_none_begins_before_the_last_has_ended() {
        assert!(run(&[DeviceEvent::StepStarted { step: step(1) }]).is_err());
        let started = |n| DeviceEvent::StepStarted { step: step(n) };
        assert!(run(&[started(0), started(1)]).is_err());
        assert!(run(&[started(0), started(0)]).is_ok(), "a resumed controller begins it again");
    }

    #[test]
    fn a_failure_is_taken_back_before_it_is_final() {
        let failed = DeviceEvent::StepFailed { step: step(2), cause: cause() };
        let mut events = upto(2);
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
    fn past_the_point_of_no_return_nothing_is_taken_back() {
        let mut events = upto(10);
        assert!(run(&[&events[..], &[DeviceEvent::Recalled]].concat()).is_err());
        events.push(DeviceEvent::StepStarted { step: step(10) });
        let failed = DeviceEvent::StepFailed { step: step(10), cause: cause() };
        assert!(run(&[&events[..], &[failed]].concat()).is_err());
        let lost = DeviceEvent::Lost { message: "silent".into() };
        assert_eq!(run(&[&events[..], &[lost]].concat()), Ok(DeviceState::Lost("silent".into())));
    }

    #[test]
    fn a_recalled_device_is_pending_again_and_nothing_ends_twice() {
        let mut events = upto(9);
        events.extend([DeviceEvent::CommitAsked, DeviceEvent::Recalled, DeviceEvent::WentBack]);
        assert_eq!(run(&events), Ok(DeviceState::Pending));
        for state in [DeviceState::Migrated, DeviceState::Stuck(String::new())] {
            assert!(state.next(&DeviceEvent::StepStarted { step: step(0) }).is_err());
            assert!(state.next(&DeviceEvent::Late).is_err());
        }
    }
}
