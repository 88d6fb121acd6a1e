//! What is left to do for a device that has arrived.
//!
//! Whatever comes of it, the device is migrated: it is tried once by each controller, and what is not done is told.

use super::Turn;

impl Turn<'_> {
    /// Begins with the first arrived device that the limits allow.
    pub(super) fn settle_one(&mut self) -> bool {
        let Some(id) = self.rollout.roster.first_to_settle().cloned() else { return false };
        self.rollout.roster.set_tried(&id);
        let progress = self.rollout.history.devices.get(&id).cloned().unwrap_or_default();
        self.launch(id, progress);
        true
    }
}
