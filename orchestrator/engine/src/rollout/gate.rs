//! Gates and budgets: pure judgements over counts.

use migos_events::Tally;
use migos_playbooks::plan::Gate;
use migos_playbooks::policy::OnTrip;
use std::time::Duration;

/// How a soak is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soak {
    /// It has not begun.
    NotBegun,
    /// Everything migrated so far has been well for so long, and was so when balena last answered.
    Well(Duration),
    /// Something is not well, or cannot be seen.
    Unwell,
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The stage is over and was good.
    Pass,
    /// It is too early to tell.
    Wait,
    /// Too much has gone wrong: a person has to look.
    Pause(String),
    /// Too much has gone wrong, and the policy wants no more of it.
    Stop(String),
}

/// What a gate that has tripped makes of it.
pub(super) fn tripped(gate: &Gate, reason: String) -> Verdict {
    match gate.on_trip {
        OnTrip::Pause => Verdict::Pause(reason),
        OnTrip::Stop => Verdict::Stop(reason),
    }
}

/// Judges a stage by the counts of its devices, those left out that a person has forgiven.
pub fn judge(gate: &Gate, tally: &Tally, soak: Soak) -> Verdict {
    if let Some(reason) = tally.beyond_tolerance(&gate.tolerate) {
        return tripped(gate, reason);
    }
    if tally.open() > 0 {
        return Verdict::Wait;
    }
    match soak {
        _ if gate.soak.0.is_zero() || tally.migrated == 0 => Verdict::Pass,
        Soak::Well(since) if since >= gate.soak.0 => Verdict::Pass,
        Soak::Well(_) | Soak::NotBegun | Soak::Unwell => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migos_playbooks::plan::Tolerance;
    use migos_playbooks::span::Span;

    fn gate() -> Gate {
        let tolerate = Tolerance { failed: 1, ..Tolerance::default() };
        Gate { tolerate, soak: Span::seconds(30), ..Gate::default() }
    }

    #[test]
    fn it_trips_after_one_more_than_tolerated_even_while_others_run() {
        let tally = Tally { failed: 1, in_flight: 3, ..Tally::default() };
        assert_eq!(judge(&gate(), &tally, Soak::NotBegun), Verdict::Wait);
        let tally = Tally { failed: 2, in_flight: 3, ..Tally::default() };
        let verdict = judge(&gate(), &tally, Soak::NotBegun);
        assert_eq!(verdict, Verdict::Pause("2 failed, 1 tolerated".into()));
        let tally = Tally { lost: 1, ..Tally::default() };
        let verdict = judge(&gate(), &tally, Soak::NotBegun);
        assert_eq!(verdict, Verdict::Pause("1 lost, 0 tolerated".into()));
    }

    #[test]
    fn a_policy_may_want_to_stop_instead_of_to_pause() {
        let tally = Tally { refused: 1, ..Tally::default() };
        let gate = Gate { on_trip: OnTrip::Stop, ..gate() };
        let verdict = judge(&gate, &tally, Soak::NotBegun);
        assert_eq!(verdict, Verdict::Stop("1 refused, 0 tolerated".into()));
    }

    #[test]
    fn a_device_away_before_the_first_write_never_trips_it() {
        let tally = Tally { away: 9, migrated: 1, ..Tally::default() };
        assert_eq!(judge(&gate(), &tally, Soak::Well(Duration::from_secs(30))), Verdict::Pass);
    }

    #[test]
    fn it_passes_only_after_a_whole_soak() {
        let tally = Tally { migrated: 4, ..Tally::default() };
        for soak in [Soak::NotBegun, Soak::Unwell, Soak::Well(Duration::from_secs(29))] {
            assert_eq!(judge(&gate(), &tally, soak), Verdict::Wait);
        }
        assert_eq!(judge(&gate(), &tally, Soak::Well(Duration::from_secs(30))), Verdict::Pass);
    }
}
