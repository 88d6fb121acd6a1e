//! What is known of the devices of one class.

use super::Roster;
use migos_inventory::DeviceId;
use migos_playbooks::estimate::Estimate;
use migos_playbooks::plan::Class;
use std::collections::BTreeSet;

/// The devices of one class.
#[derive(Debug)]
pub(in crate::rollout) struct ClassRoll {
    pub(in crate::rollout) class: Class,
    pub(super) members: Vec<usize>,
    pub(in crate::rollout) is_open: bool,
    pub(super) in_flight: u32,
    /// Those on which one-shot boot was proven in this run.
    pub(super) proven: u32,
    /// Those that may still start.
    pub(super) startable: u32,
    /// Those whose failure is the class's, and not forgiven.
    pub(in crate::rollout) failed: BTreeSet<usize>,
    pub(in crate::rollout) migrated: BTreeSet<usize>,
    /// What its slowest device has taken.
    pub(super) slowest: Option<Estimate>,
}

impl ClassRoll {
    pub(super) fn new(class: &Class) -> ClassRoll {
        ClassRoll {
            class: class.clone(),
            members: Vec::new(),
            is_open: false,
            in_flight: 0,
            proven: 0,
            startable: 0,
            failed: BTreeSet::new(),
            migrated: BTreeSet::new(),
            slowest: None,
        }
    }

    /// One of it has taken so long.
    pub(super) fn add(&mut self, took: Estimate) {
        let slowest = self.slowest.unwrap_or(took);
        self.slowest = Some(Estimate {
            to_commit: slowest.to_commit.max(took.to_commit),
            to_well: slowest.to_well.max(took.to_well),
            ..slowest
        });
    }

    /// Until one device of a class has stayed well for long enough, no two of it are risked at once.
    pub(super) fn has_room(&self) -> bool {
        self.is_open || (self.in_flight == 0 && self.migrated.is_empty())
    }
}

impl Roster {
    fn class_of(&self, device: &DeviceId) -> Option<&ClassRoll> {
        self.classes.get(self.seat_of(device)?.class)
    }

    /// True if one-shot boot was proven on some device of its class.
    pub(in crate::rollout) fn is_proven(&self, device: &DeviceId) -> bool {
        self.class_of(device).is_some_and(|class| class.proven > 0)
    }

    /// What the slowest device of its class has taken in this run.
    pub(in crate::rollout) fn slowest(&self, device: &DeviceId) -> Option<Estimate> {
        self.class_of(device)?.slowest
    }

    /// The classes to be opened or set aside, perhaps.
    pub(in crate::rollout) fn to_judge(&self) -> impl Iterator<Item = &ClassRoll> {
        self.to_judge.iter().filter_map(|number| self.classes.get(*number))
    }

    /// True if the class is to be set aside.
    pub(in crate::rollout) fn is_bad(&self, class: &ClassRoll) -> bool {
        class.failed.len() >= self.most_failures
    }

    /// The devices of the class that may still start.
    pub(in crate::rollout) fn startable(&self, class: &ClassRoll) -> Vec<DeviceId> {
        let may_start = |number: &usize| {
            self.seats.get(*number).is_some_and(|seat| seat.standing.may_still_start())
        };
        self.names(class.members.iter().copied().filter(may_start))
    }

    /// Keeps in mind whether there is something to be judged of a class.
    pub(super) fn watch_class(&mut self, number: usize) {
        let Some(class) = self.classes.get(number) else { return };
        let may_open = !class.is_open && !class.migrated.is_empty();
        match class.startable > 0 && (may_open || self.is_bad(class)) {
            true => self.to_judge.insert(number),
            false => self.to_judge.remove(&number),
        };
    }
}
