//! What balena tells of the fleet, and what its silence means.

use super::{Seen, Sight, Turn, Well};
use migos_events::{DeviceEvent, DeviceState, Event};
use migos_inventory::DeviceId;
use migos_playbooks::policy::Require;
use std::collections::{BTreeMap, BTreeSet};

impl Turn<'_> {
    /// Says nothing about any device: neither late nor lost is anyone while balena does not answer.
    pub(super) fn balena_away(&mut self, message: String) {
        self.rollout.unwell = Some(format!("balena is away: {message}"));
        self.rollout.well_since.clear();
        self.rollout.arriving_since.clear();
        if !self.rollout.history.balena_away {
            self.say(Event::BalenaAway { message });
        }
    }

    pub(super) fn seen(&mut self, seen: Vec<Seen>) {
        if self.rollout.history.balena_away {
            self.say(Event::BalenaBack);
        }
        self.rollout.seen_at = Some(self.now.run);
        self.rollout.look_first = false;
        self.rollout.unwell = None;
        let mut others = BTreeMap::new();
        // Whom balena does not name any more it does not see.
        let mut unseen: BTreeSet<DeviceId> = self.migrated().cloned().collect();
        for Seen { device, uuid, sight } in seen {
            // Not for a device that has not asked to be awaited: the state machine refuses that.
            let is_new = *self.rollout.state(&device) != DeviceState::Migrated;
            match &sight {
                Sight::Well { os_version, .. } if is_new && self.is_stable(&device) => {
                    let os_version = os_version.clone();
                    self.say_of(&device, DeviceEvent::Migrated { uuid, os_version });
                }
                Sight::Well { .. } => {}
                Sight::Unwell(_) | Sight::Silent => {
                    self.rollout.arriving_since.remove(&device);
                }
            }
            unseen.remove(&device);
            if *self.rollout.state(&device) == DeviceState::Migrated {
                self.watch(device, &sight);
            } else if let Sight::Unwell(why) = sight {
                others.insert(device, why);
            }
        }
        for device in unseen {
            self.watch(device, &Sight::Silent);
        }
        self.judge_arrivals(&others);
    }

    /// True once an arriving device has been well for as long as the policy asks for.
    fn is_stable(&mut self, device: &DeviceId) -> bool {
        let now = self.now.run;
        if !matches!(self.rollout.state(device), DeviceState::Arriving | DeviceState::Late) {
            // The state machine says whether it may have arrived at all.
            return true;
        }
        let since = *self.rollout.arriving_since.entry(device.clone()).or_insert(now);
        now.saturating_sub(since) >= self.rollout.plan.arrival.stable.0
    }

    fn migrated(&self) -> impl Iterator<Item = &DeviceId> {
        let devices = self.rollout.history.devices.iter();
        devices.filter(|(_, it)| it.state == DeviceState::Migrated).map(|(id, _)| id)
    }

    /// Takes down how a migrated device is.
    fn watch(&mut self, device: DeviceId, sight: &Sight) {
        let now = self.now.run;
        let stage = self.rollout.plan.stages.get(self.rollout.history.stage);
        let needs_vpn = stage.is_some_and(|stage| stage.gate.require == Require::Vpn);
        let rollout = &mut *self.rollout;
        match sight {
            Sight::Well { vpn, .. } => {
                if needs_vpn && !vpn {
                    rollout.unwell = Some(format!("{device} has no VPN"));
                }
                rollout.unwell_since.remove(&device);
                rollout.well_since.entry(device).or_insert(Well { since: now, vpn: *vpn }).vpn =
                    *vpn;
            }
            Sight::Unwell(_) | Sight::Silent => {
                rollout.unwell = Some(format!("{device} is not well"));
                rollout.well_since.remove(&device);
                rollout.unwell_since.entry(device).or_insert(now);
            }
        }
    }

    /// Late, lost and in need of hands are said only when balena has just answered.
    fn judge_arrivals(&mut self, unwell: &BTreeMap<DeviceId, String>) {
        let arrival = self.rollout.plan.arrival;
        let (late, lost) = (arrival.late.0, arrival.lost.0);
        let waiting: Vec<_> = self
            .rollout
            .history
            .devices
            .iter()
            .map(|(device, progress)| {
                let since = self.now.run.saturating_sub(progress.since);
                (device.clone(), progress.state.clone(), since)
            })
            .collect();
        for (device, state, since) in waiting {
            let what = match (state, unwell.get(&device)) {
                _ if self.rollout.arriving_since.contains_key(&device) => continue,
                (DeviceState::Arriving, _) if since >= late => DeviceEvent::Late,
                (DeviceState::Late, why) if since >= lost.saturating_sub(late) => match why {
                    // A device that answers is not lost.
                    Some(why) => DeviceEvent::Stuck { message: why.clone() },
                    None => DeviceEvent::Lost {
                        message: "balena has not seen it since it was flashed".to_owned(),
                    },
                },
                _ => continue,
            };
            self.say_of(&device, what);
        }
    }
}
