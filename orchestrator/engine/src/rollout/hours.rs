//! Windows: when a device may start, and when it may cross the point of no return.

use super::Turn;
use jiff::Timestamp;
use migos_events::{Event, Outcome};
use migos_inventory::DeviceId;
use migos_playbooks::estimate::{Estimate, with_margin};
use std::time::Duration;

impl Turn<'_> {
    /// True if all of its migration is likely to fit into its window.
    pub(super) fn may_start_now(&self, device: &DeviceId) -> bool {
        self.fits(device, |estimate| estimate.whole())
    }

    /// True if the way from the point of no return to balena is likely to fit into its window.
    pub(super) fn may_cross_now(&self, device: &DeviceId) -> bool {
        self.fits(device, |estimate| estimate.to_well.0)
    }

    /// In words, for people.
    pub(super) fn why_it_may_not_cross(&self, device: &DeviceId) -> String {
        let needed = with_margin(self.prediction(device).to_well.0).as_secs().div_ceil(60);
        format!("its window closes within the {needed} minutes that it needs from here")
    }

    fn fits(&self, device: &DeviceId, needed: impl Fn(&Estimate) -> Duration) -> bool {
        let plan = self.rollout.plan.devices.get(device);
        let Some(window) = plan.and_then(|plan| plan.window.as_ref()) else { return true };
        window.fits(self.now.wall, with_margin(needed(&self.prediction(device))))
    }

    /// What the slowest device of its class has taken in this run, else the plan's estimate.
    fn prediction(&self, device: &DeviceId) -> Estimate {
        let planned = self.rollout.plan.devices.get(device).map(|plan| plan.estimate);
        let class = self.class_of(device).and_then(|class| self.rollout.classes.get(class));
        let measured = class
            .into_iter()
            .flatten()
            .filter_map(|id| self.rollout.history.devices.get(id)?.took());
        let slowest = measured.reduce(|one, other| Estimate {
            to_commit: one.to_commit.max(other.to_commit),
            to_well: one.to_well.max(other.to_well),
            ..one
        });
        slowest.or(planned).unwrap_or_default()
    }

    /// Says that nothing can start before a window opens; a person is called if none ever opens for long enough.
    pub(super) fn tell_of_windows(&mut self, waiting: &[&DeviceId]) -> bool {
        let starts: Vec<Start> = waiting.iter().map(|id| self.start_of(id)).collect();
        if starts.is_empty() || starts.contains(&Start::Now) {
            return false;
        }
        let opens = starts.iter().filter_map(|start| match start {
            Start::At(opens) => Some(*opens),
            Start::Now | Start::Never => None,
        });
        let Some(opens) = opens.min() else {
            let devices = migos_inventory::fold(waiting.iter().copied());
            let reason =
                format!("the windows of {devices} are too short for what their class takes");
            self.close(Outcome::Paused, Event::Paused { reason, gate: None });
            return true;
        };
        if self.rollout.history.window_opens == Some(opens) {
            return false;
        }
        self.say(Event::WindowClosed { opens })
    }

    /// When the device's window next has room for it.
    fn start_of(&self, device: &DeviceId) -> Start {
        let plan = self.rollout.plan.devices.get(device);
        let Some(window) = plan.and_then(|plan| plan.window.as_ref()) else { return Start::Now };
        let needed = with_margin(self.prediction(device).whole());
        match window.fits_next(self.now.wall, needed) {
            Some(opens) if opens > self.now.wall => Start::At(opens),
            Some(_) => Start::Now,
            None => Start::Never,
        }
    }
}

/// When a window lets a device start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// It is open, or there is none.
    Now,
    At(Timestamp),
    /// It is too short.
    Never,
}
