//! The simulated balena: what it sees of the devices, looked at only where it may have changed.

use super::body::Body;
use crate::rollout::{Seen, Sight};
use migos_inventory::DeviceId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What one controller was told of the devices.
pub(super) struct Sky {
    /// How each device was when it was looked at last; silent, if it never was.
    last: BTreeMap<DeviceId, Sight>,
    /// When each device is to be looked at again.
    agenda: BTreeSet<(Duration, DeviceId)>,
}

impl Sky {
    /// Nothing is known of these devices.
    pub(super) fn over<'a>(devices: impl Iterator<Item = &'a DeviceId>) -> Sky {
        let agenda = devices.map(|device| (Duration::ZERO, device.clone())).collect();
        Sky { last: BTreeMap::new(), agenda }
    }

    /// Something has been done to a device, by which balena may see it otherwise from now on.
    pub(super) fn changed(&mut self, device: &DeviceId) {
        self.agenda.insert((Duration::ZERO, device.clone()));
    }

    /// What is seen otherwise than at the last look.
    pub(super) fn look(
        &mut self,
        bodies: &BTreeMap<DeviceId, Body>,
        now: Duration,
        heartbeat: Duration,
    ) -> Vec<Seen> {
        let mut changed = BTreeSet::new();
        while self.agenda.first().is_some_and(|(at, _)| *at <= now) {
            changed.extend(self.agenda.pop_first().map(|(_, device)| device));
        }
        let mut seen = Vec::new();
        for device in changed {
            let Some(body) = bodies.get(&device) else { continue };
            if let Some(next) = body.next_change(now, heartbeat) {
                self.agenda.insert((next, device.clone()));
            }
            let sight = body.sight(now, heartbeat);
            if self.last.get(&device).unwrap_or(&Sight::Silent) != &sight {
                self.last.insert(device.clone(), sight.clone());
                seen.push(Seen { device, uuid: body.uuid.clone(), sight });
            }
        }
        seen
    }
}
