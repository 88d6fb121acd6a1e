//! The poller: asks balena about all devices of a run, again and again.

use crate::executor::World;
use crate::port::{BalenaApi, BalenaError, Entropy, Transport};
use crate::rollout::{Input, Seen, Sight};
use migos_inventory::{DeviceId, FleetSlug};
use migos_playbooks::balena::{DeviceUuid, Heartbeat, Sighting};
use migos_playbooks::plan::CheckedPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// So many devices are asked for by name, in one request, whatever the size of their fleets.
const FEW: usize = 300;

/// A balena that goes on not answering is asked less often, down to this many pauses at once.
const RAREST: u32 = 8;

/// Asks balena about all devices of the run, again and again.
pub(crate) async fn poll_balena<T: Transport, B: BalenaApi>(
    world: Arc<World<T, B>>,
    uuids: BTreeMap<DeviceUuid, DeviceId>,
    to: mpsc::Sender<Input>,
) {
    let mut question = Question::about(&world.plan, &uuids);
    let interval = world.plan.arrival.poll.0;
    let mut failures = 0;
    loop {
        let mut pause = interval;
        let input = match question.ask(&world.balena).await {
            Ok(sightings) => {
                failures = 0;
                question.learn(sightings.len());
                let mut seen = Vec::new();
                for sighting in sightings {
                    let Some(device) = uuids.get(&sighting.uuid) else { continue };
                    if sighting.heartbeat != Heartbeat::Unknown {
                        world.seen.add(&sighting.uuid);
                    }
                    let (device, uuid) = (device.clone(), sighting.uuid.clone());
                    seen.push(Seen { sight: sight(&world.plan, &device, sighting), device, uuid });
                }
                Input::Seen(seen)
            }
            Err(error) => {
                pause = backed_off(interval, failures, &*world.entropy);
                failures = failures.saturating_add(1);
                if let BalenaError::Away { retry_after: Some(seconds), .. } = error {
                    pause = pause.max(Duration::from_secs(seconds));
                }
                Input::BalenaAway(error.to_string())
            }
        };
        if to.send(input).await.is_err() {
            return;
        }
        sleep(pause).await;
    }
}

/// The pause after so many failures and one more: longer each time, and not the same for all controllers.
fn backed_off(interval: Duration, failures: u32, entropy: &dyn Entropy) -> Duration {
    let times = 2_u32.saturating_pow(failures.min(8)).min(RAREST);
    let mut random = [0; 1];
    entropy.fill(&mut random);
    interval * times + interval.mul_f64(f64::from(random[0]) / 1024.0)
}

/// By what balena is asked: the fleets, which takes one request, or the devices, which takes one for every few
/// hundred and is not answered with all the others of the fleets.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    fleets: Vec<FleetSlug>,
    devices: Vec<DeviceUuid>,
    by_device: bool,
}

impl Question {
    fn about(plan: &CheckedPlan, uuids: &BTreeMap<DeviceUuid, DeviceId>) -> Question {
        let devices = plan.devices.values();
        let fleets: BTreeSet<&FleetSlug> =
            devices.flat_map(|device| [&device.fleet, device.last_fleet()]).collect();
        Question {
            fleets: fleets.into_iter().cloned().collect(),
            devices: uuids.keys().cloned().collect(),
            by_device: uuids.len() <= FEW,
        }
    }

    async fn ask<B: BalenaApi>(&self, balena: &B) -> Result<Vec<Sighting>, BalenaError> {
        match self.by_device {
            true => balena.sightings_of(&self.devices).await,
            false => balena.sightings(&self.fleets).await,
        }
    }

    /// Fleets that are mostly others' are not asked for as a whole again.
    fn learn(&mut self, answered: usize) {
        self.by_device |= answered > self.devices.len().saturating_mul(2);
    }
}

/// How a device is, by what balena tells.
fn sight(plan: &CheckedPlan, device: &DeviceId, sighting: Sighting) -> Sight {
    let image = plan.devices.get(device).and_then(|device| plan.images.get(&device.image));
    let wanted = image.map(|image| image.os_version.as_str()).unwrap_or_default();
    let ailment = sighting.ailment(wanted, plan.arrival.release);
    match (sighting.heartbeat, ailment) {
        (Heartbeat::Online, Some(ailment)) => Sight::Unwell(ailment),
        (Heartbeat::Online, None) => {
            Sight::Well { os_version: sighting.os_version.unwrap_or_default(), vpn: sighting.vpn }
        }
        (Heartbeat::Unknown | Heartbeat::Timeout | Heartbeat::Offline, _) => Sight::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    struct Low;

    impl Entropy for Low {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }

    fn question(devices: usize) -> Question {
        let uuids = (0..devices).map(|n| (DeviceUuid(format!("{n:032x}")), sample::id(n)));
        Question::about(&sample::plan(4), &uuids.collect())
    }

    #[test]
    fn few_devices_are_asked_for_by_name_and_many_by_their_fleet() {
        assert!(question(FEW).by_device);
        let mut many = question(FEW + 1);
        many.learn(2 * (FEW + 1));
        assert!(!many.by_device, "most of the fleet is of this run");
        many.learn(2 * (FEW + 1) + 1);
        assert!(many.by_device);
        many.learn(FEW);
        assert!(many.by_device, "it is not forgotten");
    }

    #[test]
    fn a_balena_that_is_away_is_asked_less_and_less_often() {
        let second = Duration::from_secs(1);
        let pauses = [0, 1, 2, 3, 4, u32::MAX].map(|n| backed_off(second, n, &Low).as_secs());
        assert_eq!(pauses, [1, 2, 4, 8, 8, 8]);
    }
}
