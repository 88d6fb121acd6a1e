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

/// What a device is counted as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Counted {
    /// Not started, or gone back to wait.
    #[default]
    Pending,
    /// Between start and end.
    InFlight,
    /// On balena and well.
    Migrated,
    /// A step failed; taken back.
    Failed,
    /// Not reached when its turn came; nothing was written.
    Away,
    /// The connection was lost for good after something was written.
    Unreachable,
    /// Not what the plan was made for any more.
    Refused,
    /// Not started, since others of its class have failed.
    SetAside,
    /// Taken back by a person's order.
    Undone,
    /// Needs hands.
    Stuck,
    /// Silent past the point of no return.
    Lost,
}

impl Counted {
    /// What a device in this state is counted as.
    pub fn of(state: &DeviceState) -> Counted {
        match state {
            DeviceState::Pending => Counted::Pending,
            DeviceState::Running { .. }
            | DeviceState::InMigos
            | DeviceState::Undoing { .. }
            | DeviceState::Arriving
            | DeviceState::Late => Counted::InFlight,
            DeviceState::Migrated => Counted::Migrated,
            DeviceState::Failed(cause) => match cause.kind {
                CauseKind::Away => Counted::Away,
                CauseKind::Unreachable => Counted::Unreachable,
                CauseKind::Refused => Counted::Refused,
                CauseKind::Step => Counted::Failed,
            },
            DeviceState::SetAside(_) => Counted::SetAside,
            DeviceState::Undone => Counted::Undone,
            DeviceState::Stuck(_) => Counted::Stuck,
            DeviceState::Lost(_) => Counted::Lost,
        }
    }

    /// True if it has ended other than it should: its gate counts it.
    pub fn ended_badly(self) -> bool {
        match self {
            Counted::Failed
            | Counted::Away
            | Counted::Unreachable
            | Counted::Refused
            | Counted::Stuck
            | Counted::Lost => true,
            Counted::Pending
            | Counted::InFlight
            | Counted::Migrated
            | Counted::SetAside
            | Counted::Undone => false,
        }
    }
}

impl Tally {
    /// Counts one device.
    pub fn count(&mut self, state: &DeviceState) {
        self.add(Counted::of(state));
    }

    /// Counts one device more.
    pub fn add(&mut self, counted: Counted) {
        let number = self.number(counted);
        *number = number.saturating_add(1);
    }

    /// Counts one device less.
    pub fn remove(&mut self, counted: Counted) {
        let number = self.number(counted);
        *number = number.saturating_sub(1);
    }

    fn number(&mut self, counted: Counted) -> &mut u32 {
        match counted {
            Counted::Pending => &mut self.pending,
            Counted::InFlight => &mut self.in_flight,
            Counted::Migrated => &mut self.migrated,
            Counted::Failed => &mut self.failed,
            Counted::Away => &mut self.away,
            Counted::Unreachable => &mut self.unreachable,
            Counted::Refused => &mut self.refused,
            Counted::SetAside => &mut self.set_aside,
            Counted::Undone => &mut self.undone,
            Counted::Stuck => &mut self.stuck,
            Counted::Lost => &mut self.lost,
        }
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
