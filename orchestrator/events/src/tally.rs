//! Counts of devices by how they ended.

use crate::event::CauseKind;
use crate::state::DeviceState;
use migos_playbooks::plan::Tolerance;
use migos_playbooks::policy::Budget;
use serde::{Deserialize, Serialize};

/// Counts of devices by how they ended, or that they have not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Not started, or gone back to wait.
    pub pending: u32,
    /// Between start and end.
    pub in_flight: u32,
    /// On balena and well.
    pub migrated: u32,
    /// A step failed; taken back.
    pub failed: u32,
    /// Not reached when their turn came; nothing was written.
    pub away: u32,
    /// The connection was lost for good after something was written.
    pub unreachable: u32,
    /// Not what the plan was made for any more.
    pub refused: u32,
    /// Not started, since others of their class have failed.
    #[serde(default)]
    pub set_aside: u32,
    /// Taken back by a person's order.
    pub undone: u32,
    /// Need hands.
    pub stuck: u32,
    /// Silent past the point of no return.
    pub lost: u32,
    /// Refused when the plan was made.
    pub refused_at_plan: u32,
    /// Not reached when the plan was made.
    pub unreachable_at_plan: u32,
}

impl Tally {
    /// Counts one device.
    pub fn count(&mut self, state: &DeviceState) {
        let number = match state {
            DeviceState::Pending => &mut self.pending,
            DeviceState::Running { .. }
            | DeviceState::InMigos
            | DeviceState::Undoing { .. }
            | DeviceState::Arriving
            | DeviceState::Late => &mut self.in_flight,
            DeviceState::Migrated => &mut self.migrated,
            DeviceState::Failed(cause) => match cause.kind {
                CauseKind::Away => &mut self.away,
                CauseKind::Unreachable => &mut self.unreachable,
                CauseKind::Refused => &mut self.refused,
                CauseKind::Step => &mut self.failed,
            },
            DeviceState::SetAside(_) => &mut self.set_aside,
            DeviceState::Undone => &mut self.undone,
            DeviceState::Stuck(_) => &mut self.stuck,
            DeviceState::Lost(_) => &mut self.lost,
        };
        *number = number.saturating_add(1);
    }

    /// Counts devices.
    pub fn of<'a>(states: impl IntoIterator<Item = &'a DeviceState>) -> Tally {
        let mut tally = Tally::default();
        states.into_iter().for_each(|state| tally.count(state));
        tally
    }

    /// What a gate does not tolerate any more, in words.
    pub fn beyond_tolerance(&self, tolerate: &Tolerance) -> Option<String> {
        let kinds = [
            (self.stuck, tolerate.stuck, "stuck"),
            (self.lost, tolerate.lost, "lost"),
            (self.failed, tolerate.failed, "failed"),
            (self.unreachable, tolerate.unreachable, "unreachable"),
            (self.refused, tolerate.refused, "refused"),
        ];
        let beyond = kinds.into_iter().find(|(found, tolerated, _)| found > tolerated);
        beyond.map(|(found, tolerated, kind)| format!("{found} {kind}, {tolerated} tolerated"))
    }

    /// What the budget of the whole run does not allow any more, in words.
    pub fn beyond_budget(&self, budget: &Budget) -> Option<String> {
        let kinds = [
            (self.stuck, Some(budget.stuck), "stuck"),
            (self.lost, Some(budget.lost), "lost"),
            (self.failed, budget.failed, "failed"),
        ];
        kinds.into_iter().find_map(|(found, allowed, kind)| {
            let allowed = allowed.filter(|allowed| found > *allowed)?;
            Some(format!("{found} {kind} in the whole run, {allowed} allowed"))
        })
    }

    /// True if a person has to go there, or may have to.
    pub fn needs_hands(&self) -> bool {
        self.stuck > 0 || self.lost > 0
    }

    /// Devices that are still to end.
    pub fn open(&self) -> u32 {
        self.pending.saturating_add(self.in_flight)
    }

    /// Devices that were to be migrated and are not.
    pub fn not_migrated(&self) -> u32 {
        [
            self.pending,
            self.in_flight,
            self.failed,
            self.away,
            self.unreachable,
            self.refused,
            self.set_aside,
            self.undone,
            self.stuck,
            self.lost,
            self.refused_at_plan,
            self.unreachable_at_plan,
        ]
        .into_iter()
        .fold(0, u32::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_counts_the_whole_run() {
        let budget = Budget { failed: Some(2), stuck: 0, lost: 0 };
        let tally = Tally { failed: 2, ..Tally::default() };
        assert_eq!(tally.beyond_budget(&budget), None);
        let tally = Tally { failed: 3, ..Tally::default() };
        let said = tally.beyond_budget(&budget);
        assert_eq!(said.as_deref(), Some("3 failed in the whole run, 2 allowed"));
    }
}
