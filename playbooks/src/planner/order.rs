//! The order in which devices start.

use crate::plan::DevicePlan;
use crate::policy::{Order, Policy};
use migos_inventory::DeviceId;
use migos_payload::digest::Sha256;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The devices of a selection in the order in which they start.
pub fn in_order(
    policy: &Policy,
    selection: &[DeviceId],
    devices: &BTreeMap<DeviceId, DevicePlan>,
) -> Vec<DeviceId> {
    let planned = selection.iter().filter_map(|id| devices.get_key_value(id));
    let mut planned: Vec<(&DeviceId, &DevicePlan)> = planned.collect();
    let seed = policy.seed;
    let shuffle = |id: &DeviceId| Sha256::of(format!("{seed} {id}").as_bytes());
    match policy.order {
        Order::Inventory => {}
        Order::Random => planned.sort_by_cached_key(|(id, _)| shuffle(id)),
        Order::Spread => {
            planned.sort_by_cached_key(|(id, _)| shuffle(id));
            planned = spread(planned);
        }
    }
    planned.into_iter().map(|(id, _)| id.clone()).collect()
}

/// Greedy cover: always the device that adds most of what has not been seen yet, so that the first stages meet every
/// class and site. The seed decides between equals.
fn spread<'a>(
    shuffled: Vec<(&'a DeviceId, &'a DevicePlan)>,
) -> Vec<(&'a DeviceId, &'a DevicePlan)> {
    // What a device can show, with all that show it.
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let (mut classes, mut sites, mut images) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut traits: Vec<[usize; 3]> = Vec::with_capacity(shuffled.len());
    for (place, (_, device)) in shuffled.iter().enumerate() {
        let of_device = [
            *classes.entry(&device.class).or_insert_with(|| new_group(&mut groups)),
            *sites.entry(&device.site).or_insert_with(|| new_group(&mut groups)),
            *images.entry(device.image).or_insert_with(|| new_group(&mut groups)),
        ];
        for group in of_device {
            groups.get_mut(group).into_iter().for_each(|group| group.push(place));
        }
        traits.push(of_device);
    }
    let mut news = vec![traits.first().map_or(0, |traits| traits.len()); shuffled.len()];
    let mut best: BTreeSet<(Reverse<usize>, usize)> =
        news.iter().enumerate().map(|(place, news)| (Reverse(*news), place)).collect();
    let mut first = Vec::new();
    while let Some((Reverse(1..), place)) = best.pop_first() {
        first.push(place);
        for group in traits.get(place).into_iter().flatten() {
            // Nobody shows it any more who has not.
            for other in groups.get_mut(*group).map(std::mem::take).unwrap_or_default() {
                let Some(news) = news.get_mut(other) else { continue };
                if best.remove(&(Reverse(*news), other)) {
                    best.insert((Reverse(*news - 1), other));
                }
                *news -= 1;
            }
        }
    }
    let covers: BTreeSet<usize> = first.iter().copied().collect();
    let rest = (0..shuffled.len()).filter(|place| !covers.contains(place));
    let order = first.iter().copied().chain(rest);
    order.filter_map(|place| shuffled.get(place).copied()).collect()
}

fn new_group(groups: &mut Vec<Vec<usize>>) -> usize {
    groups.push(Vec::new());
    groups.len() - 1
}
