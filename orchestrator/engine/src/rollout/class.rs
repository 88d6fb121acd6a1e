//! Classes: the first device goes alone and has to stay well; too many failures set the rest aside.

use super::Turn;
use super::roster::ClassRoll;
use migos_events::{Event, Outcome};

impl Turn<'_> {
    /// Opens one class, or sets one aside; false if there is none to be judged.
    pub(super) fn judge_one_class(&mut self) -> bool {
        let judged = self.rollout.roster.to_judge().find_map(|class| self.judge_class(class));
        judged.is_some_and(|event| self.say(event))
    }

    fn judge_class(&self, roll: &ClassRoll) -> Option<Event> {
        let roster = &self.rollout.roster;
        let class = || roll.class.clone();
        if roster.is_bad(roll) {
            let failed = roster.names(roll.failed.iter().copied());
            let reason = format!("{} failed", migos_inventory::fold(&failed));
            let devices = roster.startable(roll);
            return Some(Event::ClassSetAside { class: class(), devices, reason });
        }
        let has_soaked = !roll.is_open && roll.migrated.iter().any(|it| self.has_soaked(*it));
        has_soaked.then(|| Event::ClassOpened { class: class() })
    }

    /// A person is called if the first of a class is not well for as long as a device may be on its way: that does not
    /// mend itself, and nothing else of the class would ever start.
    pub(super) fn tell_of_unwell_class(&mut self, stage: usize) -> bool {
        let patience = self.rollout.plan.arrival.lost.0;
        let (roster, sights) = (&self.rollout.roster, &self.rollout.sights);
        let is_unwell = |number: &usize| {
            let since = sights.unwell_since(*number);
            since.is_some_and(|since| self.now.run.saturating_sub(since) >= patience)
        };
        let unwell = roster.first_of_waiting_classes(stage).into_iter().find(is_unwell);
        let Some(device) = unwell.and_then(|number| roster.name(number)) else { return false };
        let reason = format!("{device}, the first of its class, is not well any more");
        self.close(Outcome::Paused, Event::Paused { reason, gate: None });
        true
    }

    /// Well for as long as the policy wants, and not only because a dead device looks alive for a while.
    fn has_soaked(&self, number: usize) -> bool {
        let Some(well) = self.rollout.sights.well_for(number) else { return false };
        let soak = self.rollout.plan.class.soak.0;
        let blind = self.rollout.plan.arrival.blind_time();
        let has_vpn = self.rollout.sights.has_vpn(number);
        well >= if has_vpn || soak.is_zero() { soak } else { soak.max(blind) }
    }
}
