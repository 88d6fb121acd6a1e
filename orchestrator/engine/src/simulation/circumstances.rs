//! What befalls a simulated fleet.

use super::pace::Pace;
use crate::rollout::Order;
use migos_events::{CauseKind, CheckVerdict};
use migos_inventory::{DeviceId, SiteName};
use migos_playbooks::step::Action;
use std::collections::BTreeMap;
use std::time::Duration;

/// All that befalls a simulated fleet. Moments count from the start of the simulation.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// The devices that do not simply do as they are told.
    pub devices: BTreeMap<DeviceId, Behaviour>,
    /// Sites without a network.
    pub dark_sites: Vec<(SiteName, Period)>,
    /// When balena does not answer.
    pub balena_away: Vec<Period>,
    /// What the command of a stage answers, by the stage's index, time after time; then that it passes.
    pub checks: BTreeMap<usize, Vec<(CheckVerdict, String)>>,
    /// What is done to the controller.
    pub deeds: Vec<(Moment, Deed)>,
    /// How long everything takes.
    pub pace: Pace,
}

/// How a device behaves; by default it does all that it is told.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// The actions that fail.
    pub fails: Vec<Failing>,
    /// True if nothing can be taken back on it.
    pub undo_fails: bool,
    /// True if it says nothing any more while its card is written, and never comes to balena.
    pub silent_in_flash: bool,
    /// True if balena never sees it.
    pub never_arrives: bool,
    /// Comes to balena so much later.
    pub late: Duration,
    /// Comes to balena at this moment after all, whatever else holds.
    pub turns_up: Option<Duration>,
    /// True if it comes to balena with another OS version than it was given.
    pub arrives_as_another: bool,
    /// So many times Raspbian answers where it cannot, when its flash is awaited.
    pub contradicts: u32,
    /// True if its VPN never comes up.
    pub no_vpn: bool,
    /// When it has no network.
    pub away: Vec<Period>,
}

/// An action that fails.
#[derive(Debug, Clone)]
pub struct Failing {
    /// The action.
    pub at: Action,
    /// What sort of failure it is.
    pub kind: CauseKind,
    /// What is said.
    pub message: String,
    /// How often it fails before it succeeds; `None`: always.
    pub times: Option<u32>,
}

/// From a moment on, up to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment.
    pub from: Duration,
    /// The first moment after it.
    pub to: Duration,
}

/// When something is done to the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// At this moment.
    At(Duration),
    /// When the device gets the permit for this action.
    Begins(DeviceId, Action),
}

/// What is done to the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A person orders something.
    Order(Order),
    /// It is killed: what it has written is all that is left of it.
    Kill,
}

impl Period {
    /// From a moment on, for good.
    pub fn from(from: Duration) -> Period {
        Period { from, to: Duration::MAX }
    }

    pub(super) fn holds(&self, at: Duration) -> bool {
        self.from <= at && at < self.to
    }
}

/// The moment at which the first of these that touches this stretch of time begins and ends; those that overlap are
/// one.
pub(super) fn first_within(periods: &[Period], from: Duration, to: Duration) -> Option<Period> {
    let touches = |period: &&Period| period.from <= to && period.to > from;
    let first = periods.iter().filter(touches).min_by_key(|period| period.from)?;
    let mut whole = *first;
    while let Some(next) = periods.iter().find(|it| it.holds(whole.to)) {
        whole.to = next.to;
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(from: u64, to: u64) -> Period {
        Period { from: Duration::from_secs(from), to: Duration::from_secs(to) }
    }

    #[test]
    fn periods_that_follow_each_other_are_one() {
        let periods = [period(50, 60), period(10, 20), period(20, 30)];
        let within =
            |from, to| first_within(&periods, Duration::from_secs(from), Duration::from_secs(to));
        assert_eq!(within(0, 9), None);
        assert_eq!(within(0, 15), Some(period(10, 30)));
        assert_eq!(within(30, 49), None);
        assert_eq!(within(55, 70), Some(period(50, 60)));
    }
}
