//! What it will be on balena.

use super::{Candidate, finding};
use crate::plan::Finding;

/// The card is erased, so somebody must have decided about what is on it.
pub(super) fn may_lose_its_data(case: &Candidate<'_>) -> Option<Finding> {
    match case.device.data {
        Some(_) => None,
        None => finding(
            "nobody has decided about the data on its card, which is erased",
            "write `data: none` into the inventory if nothing on it is needed",
        ),
    }
}

pub(super) fn has_a_fleet(case: &Candidate<'_>) -> Option<Finding> {
    match (&case.device.balena_fleet, case.fleet) {
        (_, Some(_)) => None,
        (Some(slug), None) => finding(
            format!("balena has no fleet {slug}, or the token may not see it"),
            "correct `balena: { fleet: ... }`, or use another token",
        ),
        (None, None) => finding(
            "the inventory names no balena fleet for it",
            "write `balena: { fleet: organisation/name }` into the inventory",
        ),
    }
}

pub(super) fn has_an_image(case: &Candidate<'_>) -> Option<Finding> {
    if case.image.is_some() {
        return None;
    }
    let board = case.facts.revision.board_type();
    let types = match &case.device.device_type {
        Some(forced) => forced.clone(),
        None => board.device_types().join(" or "),
    };
    if types.is_empty() {
        return finding(format!("balenaOS has no device type for a Pi {board}"), "leave it out");
    }
    finding(
        format!("no image for a Pi {board} is named"),
        format!("add an image of device type {types} under `images:`"),
    )
}

/// An aarch64 device may join a fleet of any Pi, an armv7hf device one of armv7hf or rpi, never the other
/// way; balena's server does not check it (balena-sdk, models/os).
pub(super) fn fits_the_fleet(case: &Candidate<'_>) -> Option<Finding> {
    let (image, fleet) = (case.image?, case.fleet?);
    let rank = |architecture: &str| match architecture {
        "rpi" => Some(0),
        "armv7hf" => Some(1),
        "aarch64" => Some(2),
        _ => None,
    };
    match (rank(&image.architecture), rank(&fleet.architecture)) {
        (Some(device), Some(fleet)) if device >= fleet => None,
        _ => finding(
            format!(
                "a device of architecture {} cannot join {}, a fleet of architecture {}",
                image.architecture, fleet.slug, fleet.architecture
            ),
            "name another fleet for it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, reasons};

    #[test]
    fn undecided_data_is_refused() {
        let undecided = Sample::buster().without("data: none");
        assert_eq!(
            reasons(&undecided),
            ["nobody has decided about the data on its card, which is erased"]
        );
    }

    #[test]
    fn a_missing_fleet_or_image_is_refused() {
        let mut nowhere = Sample::buster();
        nowhere.fleet = None;
        assert_eq!(
            reasons(&nowhere),
            ["balena has no fleet acme/kiosks, or the token may not see it"]
        );
        let mut bare = Sample::buster();
        bare.image = None;
        assert_eq!(reasons(&bare), ["no image for a Pi 3B+ is named"]);
    }

    #[test]
    fn a_32_bit_image_does_not_join_a_64_bit_fleet() {
        let mut sample = Sample::buster();
        if let Some(fleet) = &mut sample.fleet {
            fleet.architecture = "aarch64".into();
        }
        assert_eq!(
            reasons(&sample),
            [
                "a device of architecture armv7hf cannot join acme/kiosks, a fleet of architecture aarch64"
            ]
        );
    }
}
