//! How a run ends, and the exit code that tells it.

use crate::tally::Tally;
use serde::{Deserialize, Serialize};

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every stage was gone through.
    Finished,
    /// A gate waits for a person.
    Paused,
    /// A budget was exceeded, or a person stopped the run.
    Stopped,
    /// A person interrupted the controller.
    Interrupted,
    /// A person ordered devices back, and they are what they were.
    TakenBack,
}

/// The exit code of a run; it depends on nothing but the final tally and the outcome.
pub fn exit_code(outcome: Outcome, tally: &Tally) -> u8 {
    if tally.needs_hands() {
        return 8;
    }
    match outcome {
        Outcome::TakenBack => 0,
        Outcome::Finished if tally.not_migrated() == 0 => 0,
        Outcome::Finished => 6,
        Outcome::Paused => 5,
        Outcome::Stopped => 7,
        Outcome::Interrupted => 130,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_code_and_hands_come_first() {
        let whole = Tally { migrated: 3, ..Tally::default() };
        let some = Tally { failed: 1, ..whole };
        let aside = Tally { unreachable_at_plan: 1, ..whole };
        let lost = Tally { lost: 1, ..whole };
        let codes = |tally: &Tally| {
            [Outcome::Finished, Outcome::Paused, Outcome::Stopped, Outcome::Interrupted]
                .map(|outcome| exit_code(outcome, tally))
        };
        assert_eq!(codes(&whole), [0, 5, 7, 130]);
        assert_eq!(codes(&some), [6, 5, 7, 130]);
        assert_eq!(codes(&aside), [6, 5, 7, 130]);
        assert_eq!(codes(&lost), [8; 4]);
    }
}
