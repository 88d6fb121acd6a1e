//! Classes: the first device goes alone and has to stay well; too many failures set the rest aside.

use super::{Turn, Well};
use migos_events::{CauseKind, DeviceState, Event, Outcome};
use migos_inventory::DeviceId;
use migos_playbooks::plan::Class;

impl Turn<'_> {
    /// Opens one class, or sets one aside; false if there is none to be judged.
    pub(super) fn judge_one_class(&mut self) -> bool {
        let devices = &self.rollout.history.devices;
        let failed: Vec<&DeviceId> = devices.keys().filter(|id| self.has_failed(id)).collect();
        let most = self.rollout.plan.class.failures as usize;
        let judged = self.rollout.classes.iter().find_map(|(class, members)| {
            let failed: Vec<&DeviceId> =
                failed.iter().copied().filter(|id| self.class_of(id) == Some(class)).collect();
            let is_bad = failed.len() >= most;
            if !is_bad && (self.is_open(class) || !members.iter().any(|id| self.has_soaked(id))) {
                return None;
            }
            let waiting = members.iter().filter(|id| self.may_still_start(id));
            let waiting: Vec<DeviceId> = waiting.cloned().collect();
            let class = class.clone();
            match is_bad {
                _ if waiting.is_empty() => None,
                true => {
                    let reason = format!("{} failed", migos_inventory::fold(failed));
                    Some(Event::ClassSetAside { class, devices: waiting, reason })
                }
                false => Some(Event::ClassOpened { class }),
            }
        });
        judged.is_some_and(|event| self.say(event))
    }

    /// Until one device of a class has stayed well for long enough, no two of it are risked at once.
    pub(super) fn class_has_room(&self, flying: &[&DeviceId], device: &DeviceId) -> bool {
        let Some(class) = self.class_of(device) else { return false };
        self.is_open(class)
            || !flying.iter().any(|other| self.class_of(other) == Some(class))
                && !self.rollout.class_has(device, |it| it.state == DeviceState::Migrated)
    }

    /// A person is called if the first of a class is not well for as long as a device may be on its way: that does not
    /// mend itself, and nothing else of the class would ever start.
    pub(super) fn tell_of_unwell_class(&mut self, waiting: &[&DeviceId]) -> bool {
        let patience = self.rollout.plan.arrival.lost.0;
        let unwell = self.rollout.unwell_since.iter().find(|(id, since)| {
            let class = self.class_of(id);
            self.now.run.saturating_sub(**since) >= patience
                && class.is_some_and(|class| !self.is_open(class))
                && waiting.iter().any(|other| self.class_of(other) == class)
        });
        let Some((device, _)) = unwell else { return false };
        let reason = format!("{device}, the first of its class, is not well any more");
        self.close(Outcome::Paused, Event::Paused { reason, gate: None });
        true
    }

    pub(super) fn class_of(&self, device: &DeviceId) -> Option<&Class> {
        self.rollout.plan.devices.get(device).map(|device| &device.class)
    }

    fn is_open(&self, class: &Class) -> bool {
        self.rollout.history.open_classes.contains(class)
    }

    fn may_still_start(&self, device: &DeviceId) -> bool {
        let state = self.rollout.state(device);
        !self.rollout.in_flight(device) && (*state == DeviceState::Pending || state.is_away())
    }

    /// What a device's link or a change of its files does is not its class's fault.
    fn has_failed(&self, device: &DeviceId) -> bool {
        let failed = match self.rollout.state(device) {
            DeviceState::Failed(cause) => cause.kind == CauseKind::Step,
            DeviceState::Stuck(_) | DeviceState::Lost(_) => true,
            _ => false,
        };
        failed && !self.rollout.history.forgiven.contains(device)
    }

    /// Well for as long as the policy wants, and not only because a dead device looks alive for a while.
    fn has_soaked(&self, device: &DeviceId) -> bool {
        let (Some(Well { since, vpn }), Some(seen)) =
            (self.rollout.well_since.get(device), self.rollout.seen_at)
        else {
            return false;
        };
        let soak = self.rollout.plan.class.soak.0;
        let blind = self.rollout.plan.arrival.blind_time();
        let needed = if *vpn || soak.is_zero() { soak } else { soak.max(blind) };
        seen.saturating_sub(*since) >= needed
    }
}
