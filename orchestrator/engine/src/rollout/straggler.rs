//! Stragglers: devices that were away when their turn came, before anything was written, are tried again.

use super::{Rollout, Turn};
use migos_events::{Event, Progress};
use migos_inventory::DeviceId;
use std::time::Duration;

impl Turn<'_> {
    /// Devices that were away and are still waited for.
    pub(super) fn stragglers(&self) -> impl Iterator<Item = &DeviceId> {
        stragglers(self.rollout, self.now.run).map(|(id, _)| id)
    }

    /// Those of them that are to be tried now.
    pub(super) fn stragglers_that_are_due(&self) -> impl Iterator<Item = &DeviceId> {
        let retry = self.rollout.plan.stragglers.retry.0;
        let now = self.now.run;
        let is_due = move |progress: &Progress| now.saturating_sub(progress.since) >= retry;
        stragglers(self.rollout, now)
            .filter(move |(_, progress)| is_due(progress))
            .map(|(id, _)| id)
    }

    /// Says, once, that only they are waited for.
    pub(super) fn tell_of_stragglers(&mut self) -> bool {
        if self.rollout.history.stragglers_until.is_some() {
            return false;
        }
        let wait = self.rollout.plan.stragglers.wait.0;
        let awaited: Vec<(DeviceId, Duration)> = stragglers(self.rollout, self.now.run)
            .filter_map(|(id, progress)| Some((id.clone(), progress.away_since? + wait)))
            .collect();
        let Some(until) = awaited.iter().map(|(_, until)| *until).max() else { return false };
        let devices = awaited.into_iter().map(|(id, _)| id).collect();
        self.say(Event::StragglersAwaited { devices, until })
    }
}

fn stragglers(rollout: &Rollout, now: Duration) -> impl Iterator<Item = (&DeviceId, &Progress)> {
    let wait = rollout.plan.stragglers.wait.0;
    rollout.history.devices.iter().filter(move |(_, progress)| {
        let since = progress.away_since.unwrap_or(progress.since);
        progress.state.is_away() && now < since.saturating_add(wait)
    })
}
