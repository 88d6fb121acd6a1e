//! What is left to do for a device that has arrived.
//!
//! Whatever comes of it, the device is migrated: it is tried once by each controller, and what is not done is told.

use super::Turn;
use migos_events::{DeviceState, Progress};
use migos_inventory::DeviceId;

impl Turn<'_> {
    /// Begins with the first arrived device that the limits allow.
    pub(super) fn settle_one(&mut self) -> bool {
        let plan = self.rollout.plan.clone();
        let step = plan.settle_step();
        let is_due = |id: &DeviceId, progress: &Progress| {
            progress.state == DeviceState::Migrated
                && !progress.settled
                && !self.rollout.tasks.contains(id)
                && !self.rollout.settling.contains(id)
                && plan.next_step(id, step) == Some(step)
        };
        let due = self.rollout.history.devices.iter().filter(|(id, it)| is_due(id, it));
        let due: Vec<DeviceId> = due.map(|(id, _)| id.clone()).collect();
        let Some(id) = due.into_iter().find(|id| self.may_fly(id)) else { return false };
        self.rollout.settling.insert(id.clone());
        let progress = self.rollout.history.devices.get(&id).cloned().unwrap_or_default();
        self.launch(id, progress);
        true
    }
}
