//! Stragglers: devices that were away when their turn came, before anything was written, are tried again.

use super::Turn;
use migos_events::Event;

impl Turn<'_> {
    /// Those whose time has come are tried again, or are given up.
    pub(super) fn call_stragglers(&mut self) {
        let (retry, wait) =
            (self.rollout.plan.stragglers.retry.0, self.rollout.plan.stragglers.wait.0);
        self.rollout.roster.call_the_away(self.now.run, retry, wait);
    }

    /// Says, once, that only they are waited for.
    pub(super) fn tell_of_stragglers(&mut self, stage: usize) -> bool {
        let roster = &self.rollout.roster;
        if self.rollout.history.stragglers_until.is_some() || roster.has_waiting(stage) {
            return false;
        }
        let Some((devices, last)) = roster.away() else { return false };
        let until = last + self.rollout.plan.stragglers.wait.0;
        self.say(Event::StragglersAwaited { devices, until })
    }
}
