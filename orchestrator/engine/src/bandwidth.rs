//! Limits of what is sent at a time: by the run, to a site, to a device.

use migos_inventory::DeviceId;
use migos_playbooks::plan::Plan;
use migos_playbooks::policy::Unsited;
use migos_playbooks::rate::Rate;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// So much unused time may be made up for. A timer that is late by less costs nothing, and no burst is longer.
const LEEWAY: Duration = Duration::from_millis(100);

/// One limit, shared by all who fall under it.
///
/// Whoever wants to send is given the next free stretch of time; so turns are taken in order of asking, everybody who
/// has one packet at a time gets an equal share, and over time exactly the rate is reached and never exceeded.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// When the next stretch begins.
    next: Mutex<Instant>,
}

impl Bucket {
    fn new(rate: Rate) -> Arc<Bucket> {
        Arc::new(Bucket { rate, next: Mutex::new(Instant::now()) })
    }

    /// Waits for the turn of so many bytes.
    async fn take(&self, bytes: usize) {
        let nanos = (bytes as u128 * 1_000_000_000).div_ceil(u128::from(self.rate.0.max(1)));
        let stretch = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = (*next).max(now.checked_sub(LEEWAY).unwrap_or(now));
            *next = turn + stretch;
            turn
        };
        sleep_until(turn).await;
    }
}

/// All limits that one device falls under; by default none.
#[derive(Debug, Clone, Default)]
pub struct Meter(Vec<Arc<Bucket>>);

impl Meter {
    /// A limit that nobody shares.
    pub fn alone(rate: Rate) -> Meter {
        Meter(vec![Bucket::new(rate)])
    }

    /// Waits until so many bytes may be sent or received. They should be few, so that turns are short.
    pub async fn take(&self, bytes: usize) {
        // The device's own limit first: who waits for it holds no place in the others.
        for bucket in &self.0 {
            bucket.take(bytes).await;
        }
    }

    /// True if nothing is limited.
    pub fn is_unbounded(&self) -> bool {
        self.0.is_empty()
    }
}

/// The meters of all devices of a plan.
#[derive(Debug)]
pub struct Meters(BTreeMap<DeviceId, Meter>);

impl Meters {
    /// The meters by the limits of this plan.
    pub fn of(plan: &Plan) -> Meters {
        let limits = &plan.bandwidth;
        let total = limits.total.map(Bucket::new);
        let mut sites = BTreeMap::new();
        let mut meters = BTreeMap::new();
        for (id, device) in &plan.devices {
            let alone = device.site.is_none() && plan.unsited == Unsited::None;
            let name = (device.site.clone(), alone.then(|| id.clone()));
            let site = limits.per_site.map(|rate| {
                let bucket = sites.entry(name).or_insert_with(|| Bucket::new(rate));
                bucket.clone()
            });
            let own = limits.per_device.map(Bucket::new);
            meters.insert(
                id.clone(),
                Meter([own, site, total.clone()].into_iter().flatten().collect()),
            );
        }
        Meters(meters)
    }

    /// The meter of one device.
    pub fn meter(&self, device: &DeviceId) -> Meter {
        self.0.get(device).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;
    use migos_playbooks::policy::Bandwidth;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    const PACKET: usize = 32 << 10;

    fn meters(devices: usize, bandwidth: Bandwidth) -> Meters {
        let mut plan = Plan::clone(&sample::plan(devices));
        plan.bandwidth = bandwidth;
        Meters::of(&plan)
    }

    /// What each device has sent after so many seconds of sending all the time.
    fn sent(devices: usize, bandwidth: Bandwidth, seconds: u64) -> Vec<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let meters = meters(devices, bandwidth);
            let counts: Vec<Arc<AtomicU64>> = (0..devices).map(|_| Arc::default()).collect();
            let mut senders = tokio::task::JoinSet::new();
            for (number, count) in counts.iter().enumerate() {
                let (meter, count) = (meters.meter(&sample::id(number)), count.clone());
                senders.spawn(async move {
                    loop {
                        meter.take(PACKET).await;
                        count.fetch_add(PACKET as u64, Ordering::Relaxed);
                    }
                });
            }
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            senders.abort_all();
            counts.iter().map(|count| count.load(Ordering::Relaxed)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_shared_limit_is_reached_never_exceeded_and_shared_equally(
            devices in 1usize..40,
            rate in 200_000u64..20_000_000,
        ) {
            const SECONDS: u64 = 60;
            let limit = Bandwidth { total: Some(Rate(rate)), ..Bandwidth::default() };
            let sent = sent(devices, limit, SECONDS);
            let (all, whole) = (sent.iter().sum::<u64>(), rate * SECONDS);
            let packets = (devices + 1) as u64 * PACKET as u64;
            prop_assert!(all <= whole + rate / 10 + packets, "{all} of {whole}");
            prop_assert!(all + packets >= whole, "{all} of {whole}");
            let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
            prop_assert!(most - least <= 2 * PACKET as u64, "{sent:?}");
        }
    }

    #[test]
    fn each_site_and_each_device_has_its_own_limit() {
        // Kiosks with even numbers are in the north.
        let limits = Bandwidth {
            total: None,
            per_site: Some(Rate(1_000_000)),
            per_device: Some(Rate(400_000)),
        };
        let sent = sent(7, limits, 100);
        let near = |bytes: u64, rate: u64| bytes.abs_diff(rate * 100) < rate;
        assert!([0, 2, 4, 6].iter().all(|n| near(sent[*n], 250_000)), "{sent:?}");
        assert!([1, 3, 5].iter().all(|n| near(sent[*n], 333_333)), "{sent:?}");
    }

    #[test]
    fn without_limits_nobody_waits() {
        assert!(meters(3, Bandwidth::default()).meter(&sample::id(1)).is_unbounded());
    }
}
