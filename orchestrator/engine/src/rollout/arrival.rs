//! What balena tells of the fleet, and what its silence means.

use super::{Seen, Sight, Turn};
use migos_events::{DeviceEvent, DeviceState, Event};
use std::collections::BTreeMap;

impl Turn<'_> {
    /// Says nothing about any device: neither late nor lost is anyone while balena does not answer.
    pub(super) fn balena_away(&mut self, message: String) {
        self.rollout.unwell = Some(format!("balena is away: {message}"));
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
        for Seen { device, uuid, sight } in seen {
            match sight {
                // Not for a device that has not asked to be awaited: the state machine refuses that.
                Sight::Well { os_version } => {
                    self.say_of(&device, DeviceEvent::Migrated { uuid, os_version });
                }
                Sight::Unwell(_) | Sight::Silent
                    if self.rollout.state(&device) == DeviceState::Migrated =>
                {
                    self.rollout.unwell = Some(format!("{device} is not well"));
                }
                Sight::Unwell(why) => _ = others.insert(device, why),
                Sight::Silent => {}
            }
        }
        self.judge_arrivals(&others);
    }

    /// Late, lost and in need of hands are said only when balena has just answered.
    fn judge_arrivals(&mut self, unwell: &BTreeMap<migos_inventory::DeviceId, String>) {
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
