//! Which Pis a lab has: models and releases mixed as in a fleet that grew over years.

use crate::board::{MODELS, Model};
use crate::release::Release::{
    self, BookwormArm64, BookwormArmhf, Bullseye, Buster, Stretch, TrixieArm64,
};

/// Models, by their place in [`MODELS`], and the releases found on them.
const FOUND: [(usize, &[Release]); 10] = [
    (0, &[Stretch, Buster, Bullseye]),
    (1, &[Buster, Bullseye, BookwormArmhf]),
    (2, &[Stretch, Buster, Bullseye]),
    (3, &[Stretch, Buster, Bullseye, BookwormArmhf]),
    (4, &[Buster, Bullseye, BookwormArm64]),
    (5, &[Bullseye, BookwormArm64, TrixieArm64]),
    (6, &[Buster, Bullseye, BookwormArmhf, BookwormArm64, TrixieArm64]),
    (7, &[Bullseye, BookwormArm64]),
    (8, &[Bullseye, BookwormArm64]),
    (9, &[BookwormArm64, TrixieArm64]),
];

/// Neighbours in a lab differ: each is so many places further on than the last. It must share no
/// divisor with the number of pairs, or some would never come up.
const STRIDE: u64 = 7;

/// The name of the lab's device at this place.
pub(crate) fn name(place: usize) -> String {
    format!("kiosk-{:03}", place + 1)
}

/// The model and release of the lab's device at this place.
pub(crate) fn pick(seed: u64, place: usize) -> (&'static Model, Release) {
    let pairs: Vec<(&Model, Release)> = FOUND
        .iter()
        .flat_map(|(model, releases)| releases.iter().map(|release| (&MODELS[*model], *release)))
        .collect();
    let length = pairs.len() as u64;
    let place = (seed % length + STRIDE * (place as u64 % length)) % length;
    pairs[place as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn thirty_devices_are_thirty_kinds() {
        let kinds: BTreeSet<String> = (0..30)
            .map(|place| pick(5, place))
            .map(|(model, release)| format!("{} {release:?}", model.name))
            .collect();
        assert_eq!(kinds.len(), 30);
        let first: BTreeSet<&str> = (0..8).map(|place| &*pick(0, place).0.name).collect();
        assert!(first.len() >= 7, "neighbours differ: {first:?}");
    }
}
