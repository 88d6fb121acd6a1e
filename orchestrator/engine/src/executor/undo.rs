//! How long taking a step back is tried, and what becomes of a device that does not answer.

use crate::action::Failure;
use migos_playbooks::plan::CheckedPlan;
use migos_playbooks::span::Span;
use migos_playbooks::step::Action;
use std::time::{Duration, Instant};

/// What people are told of a device that the run leaves as it is.
pub(crate) const LEFT_DARK: &str =
    "does not answer; what was begun on it is taken back after a `resume`";

/// How often a device is looked for that has been dark for long.
pub(super) const DARK_PAUSE: Duration = Duration::from_secs(60);

/// What people are told of a device that stays dark.
pub(crate) fn waits_to_take_back(message: &str, most: Span) -> String {
    format!("{message}; what was begun on it is taken back when it answers, within {most}")
}

/// How long taking a step back is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UndoPatience {
    /// A device that is rebooted on the way, or any if the run closes. Longer than two reboots.
    pub(crate) least: Duration,
    /// One that does not answer. After a reboot it may be dead, and people are told soon; else it is behind a link
    /// that is down, and is waited for like any other straggler.
    pub(crate) most: Duration,
}

/// Why a step is not tried to be taken back any more.
#[derive(Debug)]
pub(super) enum GivenUp {
    /// It cannot be.
    Failed(Failure),
    /// The device does not answer.
    Dark(String),
    /// One try has taken so long.
    Hangs(Duration),
}

impl UndoPatience {
    /// The patience with this step.
    pub(crate) fn of(action: Action, plan: &CheckedPlan) -> UndoPatience {
        const REBOOTS: Duration = Duration::from_secs(15 * 60);
        if action.reboots() {
            let least = REBOOTS + plan.dead_man.commit.0;
            return UndoPatience { least, most: least };
        }
        UndoPatience { least: REBOOTS, most: REBOOTS.max(plan.stragglers.wait.0) }
    }
}

/// What is known of a step that is being taken back: how long it has been tried, and whether the device answers.
#[derive(Debug)]
pub(super) struct TakingBack {
    patience: UndoPatience,
    begun: Instant,
    /// Why the last try failed.
    dark: Option<String>,
    told: bool,
}

impl TakingBack {
    pub(super) fn begin(patience: UndoPatience, now: Instant) -> TakingBack {
        TakingBack { patience, begun: now, dark: None, told: false }
    }

    /// How long the next try may take. Errors: the device has been dark for too long.
    pub(super) fn limit(&self, now: Instant, closing: bool) -> Result<Duration, GivenUp> {
        let UndoPatience { least, most } = self.patience;
        let end = self.begun + if closing { least } else { most };
        let left = end.saturating_duration_since(now);
        match &self.dark {
            Some(message) if left.is_zero() => Err(GivenUp::Dark(message.clone())),
            _ => Ok(left.min(least)),
        }
    }

    /// A try failed; gives what people are to be told, once. Errors: it is of no use to try again.
    pub(super) fn failed(
        &mut self,
        failure: Failure,
        now: Instant,
    ) -> Result<Option<String>, GivenUp> {
        let Failure::Transient(message) = failure else { return Err(GivenUp::Failed(failure)) };
        let UndoPatience { least, most } = self.patience;
        let age = now.saturating_duration_since(self.begun);
        let news = !self.told && age >= least && age < most;
        self.told |= news;
        let tell = news.then(|| waits_to_take_back(&message, Span(most)));
        self.dark = Some(message);
        Ok(tell)
    }

    /// A try was cut off at its limit.
    pub(super) fn cut_off(self, limit: Duration) -> GivenUp {
        match self.dark {
            // By the end of the wait: nothing else is known than before.
            Some(message) if limit < self.patience.least => GivenUp::Dark(message),
            _ => GivenUp::Hangs(limit),
        }
    }

    /// Whether the device has been away for so long that it is looked for now and then only.
    pub(super) fn is_long(&self) -> bool {
        self.told
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const PATIENCE: UndoPatience = UndoPatience { least: MINUTE, most: Duration::from_secs(3600) };

    fn silent() -> Failure {
        Failure::Transient("connect timeout".into())
    }

    #[test]
    fn who_is_dark_for_long_is_waited_for_and_told_of_once() {
        let begun = Instant::now();
        let mut undo = TakingBack::begin(PATIENCE, begun);
        let mut told = 0;
        for minute in 0..60 {
            let now = begun + MINUTE * minute;
            assert_eq!(undo.limit(now, false).unwrap(), MINUTE);
            told += usize::from(undo.failed(silent(), now).unwrap().is_some());
            assert_eq!(undo.is_long(), minute > 0);
        }
        assert_eq!(told, 1);
        let given_up = undo.limit(begun + MINUTE * 60, false).unwrap_err();
        assert!(matches!(given_up, GivenUp::Dark(_)), "{given_up:?}");
    }

    #[test]
    fn when_the_run_closes_who_has_been_dark_for_long_is_left_at_once() {
        let begun = Instant::now();
        let mut undo = TakingBack::begin(PATIENCE, begun);
        undo.failed(silent(), begun + MINUTE * 20).unwrap();
        let given_up = undo.limit(begun + MINUTE * 20, true).unwrap_err();
        assert!(matches!(given_up, GivenUp::Dark(_)), "{given_up:?}");
    }

    #[test]
    fn when_the_run_closes_early_the_least_is_waited() {
        let begun = Instant::now();
        let mut undo = TakingBack::begin(PATIENCE, begun);
        assert_eq!(undo.limit(begun, true).unwrap(), MINUTE);
        assert_eq!(undo.failed(silent(), begun + MINUTE / 4).unwrap(), None);
        let limit = undo.limit(begun + MINUTE / 4, true).unwrap();
        assert_eq!(limit, MINUTE * 3 / 4);
        let given_up = undo.cut_off(limit);
        assert!(matches!(given_up, GivenUp::Dark(_)), "{given_up:?}");
    }

    #[test]
    fn a_try_that_hangs_is_not_tried_for_ever() {
        let undo = TakingBack::begin(PATIENCE, Instant::now());
        assert!(matches!(undo.cut_off(MINUTE), GivenUp::Hangs(MINUTE)));
    }

    #[test]
    fn a_failure_that_does_not_pass_is_not_tried_again() {
        let begun = Instant::now();
        let failure = Failure::Failed("the card is broken".into());
        let given_up = TakingBack::begin(PATIENCE, begun).failed(failure, begun).unwrap_err();
        assert!(matches!(given_up, GivenUp::Failed(_)), "{given_up:?}");
    }
}
