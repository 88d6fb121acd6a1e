//! What balena tells of the fleet, and what its silence means.

use super::{Seen, Turn};
use migos_events::{DeviceEvent, DeviceState, Event};
use migos_inventory::DeviceId;
use migos_playbooks::policy::Require;

impl Turn<'_> {
    /// Says nothing about any device: neither late nor lost is anyone while balena does not answer.
    pub(super) fn balena_away(&mut self, message: String) {
        self.rollout.sights.lose(format!("balena is away: {message}"));
        if !self.rollout.history.balena_away {
            self.say(Event::BalenaAway { message });
        }
    }

    /// balena has told of all devices.
    pub(super) fn seen(&mut self, seen: Vec<Seen>) {
        let changes = self.rollout.sights.changes(seen, &self.rollout.roster);
        self.seen_otherwise(changes);
    }

    /// balena sees these otherwise than before, and all others as before.
    pub(super) fn seen_otherwise(&mut self, changes: Vec<Seen>) {
        if self.rollout.history.balena_away {
            self.say(Event::BalenaBack);
        }
        self.rollout.sights.open(self.now.run);
        self.rollout.look_first = false;
        for Seen { device, uuid, sight } in changes {
            let Some(number) = self.rollout.roster.number(&device) else { continue };
            let migrated = *self.rollout.state(&device) == DeviceState::Migrated;
            self.rollout.sights.tell(number, uuid, sight, migrated);
        }
        for number in self.rollout.sights.found() {
            self.welcome(number);
        }
        self.rollout.sights.watch(self.now.run);
        self.rollout.sights.unwell = self.who_is_not_well();
        self.judge_arrivals();
    }

    /// A device that is well is migrated, unless it has not asked to be awaited: the state machine refuses that.
    fn welcome(&mut self, number: usize) {
        let Some(device) = self.rollout.roster.name(number).cloned() else { return };
        let Some((uuid, os_version)) = self.rollout.sights.as_well(number) else { return };
        if self.is_stable(&device, number)
            && self.say_of(&device, DeviceEvent::Migrated { uuid, os_version })
        {
            self.rollout.sights.arrived(number);
        }
    }

    /// True once an arriving device has been well for as long as the policy asks for.
    fn is_stable(&mut self, device: &DeviceId, number: usize) -> bool {
        let now = self.now.run;
        if !matches!(self.rollout.state(device), DeviceState::Arriving | DeviceState::Late) {
            // The state machine says whether it may have arrived at all.
            return true;
        }
        let since = self.rollout.sights.arriving_since(number, now);
        now.saturating_sub(since) >= self.rollout.plan.arrival.stable.0
    }

    /// One of the migrated devices that do not show what the stage's gate requires.
    fn who_is_not_well(&self) -> Option<String> {
        let (roster, sights) = (&self.rollout.roster, &self.rollout.sights);
        let stage = self.rollout.plan.stages.get(self.rollout.history.stage);
        let needs_vpn = stage.is_some_and(|stage| stage.gate.require == Require::Vpn);
        let ill = sights.any_ill();
        let without = sights.any_without_vpn().filter(|number| needs_vpn && Some(*number) > ill);
        match without {
            Some(number) => Some(format!("{} has no VPN", roster.name(number)?)),
            None => Some(format!("{} is not well", roster.name(ill?)?)),
        }
    }

    /// Late, lost and in need of hands are said only when balena has just answered.
    fn judge_arrivals(&mut self) {
        let now = self.now.run;
        if now < self.rollout.sights.judge_at {
            return;
        }
        let arrival = self.rollout.plan.arrival;
        let (late, lost) = (arrival.late.0, arrival.lost.0.saturating_sub(arrival.late.0));
        // Whoever starts to arrive after this, or to be late, has so long at least.
        let mut judge_at = now.saturating_add(late.min(lost));
        for number in self.rollout.roster.arriving() {
            let Some(device) = self.rollout.roster.name(number).cloned() else { continue };
            let Some(progress) = self.rollout.history.devices.get(&device) else { continue };
            let is_late = match progress.state {
                DeviceState::Arriving => false,
                DeviceState::Late => true,
                _ => continue,
            };
            let due = progress.since.saturating_add(if is_late { lost } else { late });
            let sights = &self.rollout.sights;
            let what = match sights.ailment(number) {
                _ if now < due || sights.is_arriving(number) => None,
                _ if !is_late => Some(DeviceEvent::Late),
                // A device that answers is not lost.
                Some(why) => Some(DeviceEvent::Stuck { message: why.to_owned() }),
                None => Some(DeviceEvent::Lost {
                    message: "balena has not seen it since it was flashed".to_owned(),
                }),
            };
            if !what.is_some_and(|what| self.say_of(&device, what)) {
                judge_at = judge_at.min(due);
            }
        }
        self.rollout.sights.judge_at = judge_at;
    }
}
