//! Windows: when a device may start, and when it may cross the point of no return.

use super::Turn;
use jiff::Timestamp;
use migos_events::{DeviceState, Event};
use migos_inventory::DeviceId;
use migos_playbooks::estimate::{Estimate, with_margin};
use migos_playbooks::span::Span;
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

    fn fits(&self, device: &DeviceId, needed: impl Fn(&Estimate) -> Duration) -> bool {
        let plan = self.rollout.plan.devices.get(device);
        let Some(window) = plan.and_then(|plan| plan.window.as_ref()) else { return true };
        window.fits(self.now.wall, with_margin(needed(&self.prediction(device))))
    }

    /// What the slowest device of its class has taken in this run, else the plan's estimate.
    fn prediction(&self, device: &DeviceId) -> Estimate {
        let planned = self.rollout.plan.devices.get(device).map(|plan| plan.estimate);
        let class = self.class_of(device).and_then(|class| self.rollout.classes.get(class));
        let measured = class.into_iter().flatten().filter_map(|id| {
            let progress = self.rollout.history.devices.get(id)?;
            let (started, crossed) = (progress.started, progress.crossed?);
            (progress.state == DeviceState::Migrated).then(|| Estimate {
                to_commit: Span(crossed.saturating_sub(started)),
                to_well: Span(progress.since.saturating_sub(crossed)),
            })
        });
        let slowest = measured.reduce(|one, other| Estimate {
            to_commit: one.to_commit.max(other.to_commit),
            to_well: one.to_well.max(other.to_well),
        });
        slowest.or(planned).unwrap_or_default()
    }

    /// Says that nothing can start before a window opens.
    pub(super) fn tell_of_windows(&mut self, waiting: &[&DeviceId]) -> bool {
        let opens = waiting.iter().map(|id| self.may_start_at(id)).collect::<Option<Vec<_>>>();
        let Some(opens) = opens.and_then(|opens| opens.into_iter().min()) else { return false };
        if self.rollout.history.window_opens == Some(opens) {
            return false;
        }
        self.say(Event::WindowClosed { opens })
    }

    /// When its window next has room for it; `None` if that is not what it waits for.
    fn may_start_at(&self, device: &DeviceId) -> Option<Timestamp> {
        let window = self.rollout.plan.devices.get(device)?.window.as_ref()?;
        let needed = with_margin(self.prediction(device).whole());
        window.fits_next(self.now.wall, needed).filter(|at| *at > self.now.wall)
    }
}
