//! What it will be on balena.

use super::{Candidate, Verdict, pass, refuse};
use crate::balena::{BalenaFleet, SeenRelease};
use migos_inventory::{DataChoice, KeptData, KeptPath};
use migos_payload::image::ImageManifest;
use migos_payload::size::ByteCount;

/// The oldest balenaOS that starts on a board's later revisions: board type, first such revision, version (balena
/// documentation of these boards, and release notes of balena-raspberrypi). An older image has no firmware for them.
const FIRST_VERSIONS: [(u8, u32, [u32; 3]); 3] =
    [(0x0d, 4, [2, 95, 3]), (0x11, 5, [2, 88, 5]), (0x14, 1, [2, 91, 1])];

/// The card is erased, so somebody must have decided about what is on it.
pub(super) fn may_lose_its_data(case: &Candidate<'_>) -> Option<Verdict> {
    match &case.device.data {
        Some(DataChoice::None) => pass("decided in the inventory"),
        Some(DataChoice::Keep(kept)) => can_be_kept(case, kept),
        None => refuse(
            "nobody has decided about the data on its card, which is erased",
            "write `data: none` into the inventory if nothing on it is needed",
        ),
    }
}

/// Nothing is erased whose copy somebody counts on and will not get.
fn can_be_kept(case: &Candidate<'_>, kept: &KeptData) -> Option<Verdict> {
    let sizes = &case.facts.data;
    if let Some(unknown) = kept.paths.iter().find(|kept| !sizes.contains_key(&kept.path)) {
        return refuse(
            format!("it is not known what {} takes, which is to be kept", unknown.path),
            "read the facts again with this inventory",
        );
    }
    let is_missed = |kept: &&KeptPath| !kept.optional && sizes.get(&kept.path) == Some(&None);
    if let Some(missed) = kept.paths.iter().find(is_missed) {
        return refuse(
            format!("{} is to be kept, and it has none", missed.path),
            "correct the path under `data:`, or write { path: …, optional: true }",
        );
    }
    let there = kept.paths.iter().filter_map(|kept| sizes.get(&kept.path).copied().flatten());
    pass(format!("{} are fetched first", there.sum::<ByteCount>()))
}

pub(super) fn has_a_fleet(case: &Candidate<'_>) -> Option<Verdict> {
    match (&case.device.balena_fleet, case.fleet) {
        (_, Some(fleet)) => pass(fleet.slug.to_string()),
        (Some(slug), None) => refuse(
            format!("balena has no fleet {slug}, or the token may not see it"),
            "correct `balena: { fleet: ... }`, or use another token",
        ),
        (None, None) => refuse(
            "the inventory names no balena fleet for it",
            "write `balena: { fleet: organisation/name }` into the inventory",
        ),
    }
}

pub(super) fn has_an_image(case: &Candidate<'_>) -> Option<Verdict> {
    if let Some(image) = case.image {
        return pass(format!("{} for {}", image.os_version, image.device_type));
    }
    let board = case.facts.revision.board_type();
    let types = match &case.device.device_type {
        Some(forced) => forced.clone(),
        None => board.device_types().join(" or "),
    };
    if types.is_empty() {
        return refuse(format!("balenaOS has no device type for a Pi {board}"), "leave it out");
    }
    refuse(
        format!("no image for a Pi {board} is named"),
        format!("add an image of device type {types} under `images:`"),
    )
}

pub(super) fn is_not_too_new_for_the_image(case: &Candidate<'_>) -> Option<Verdict> {
    let (image, revision) = (case.image?, case.facts.revision);
    let board = revision.board_type();
    let (found, minor) = (version(&image.os_version)?, revision.of_board());
    let first = FIRST_VERSIONS.iter().find(|(byte, from, _)| *byte == board.0 && minor >= *from);
    let Some((_, _, [a, b, c])) = first else {
        return pass(format!("Pi {board} 1.{minor} runs with any"));
    };
    if found >= [*a, *b, *c] {
        return pass(format!("Pi {board} 1.{minor} needs {a}.{b}.{c}"));
    }
    refuse(
        format!("a Pi {board} of revision 1.{minor} does not start {}", image.os_version),
        format!("use an image of balenaOS {a}.{b}.{c} or newer"),
    )
}

/// The numbers of `balenaOS 2.95.3+rev1`.
fn version(text: &str) -> Option<[u32; 3]> {
    let begin = text.find(|c: char| c.is_ascii_digit())?;
    let text = text.get(begin..)?;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let mut numbers = text.get(..end)?.split('.').map(|number| number.parse().ok());
    let mut next = || numbers.next().unwrap_or(Some(0));
    Some([next()?, next()?, next()?])
}

/// An aarch64 device may join a fleet of any Pi, an armv7hf device one of armv7hf or rpi, never the other
/// way; balena's server does not check it (balena-sdk, models/os).
pub(super) fn fits_the_fleet(case: &Candidate<'_>) -> Option<Verdict> {
    takes(case.fleet?, case.image?)
}

/// The same holds for the fleet where it stays.
pub(super) fn may_be_moved(case: &Candidate<'_>) -> Option<Verdict> {
    let slug = case.device.on_balena.move_to.as_ref()?;
    match (case.destination, case.image) {
        (Some(fleet), Some(image)) => takes(fleet, image),
        (Some(_), None) => None,
        (None, _) => refuse(
            format!("balena has no fleet {slug}, or the token may not see it"),
            "correct `on_balena: { move_to: ... }`, or use another token",
        ),
    }
}

pub(super) fn has_its_release(case: &Candidate<'_>) -> Option<Verdict> {
    let wanted = &case.device.on_balena;
    let commit = wanted.release.as_ref()?;
    let fleet = wanted.move_to.as_ref().or(case.device.balena_fleet.as_ref())?;
    let remedy = "correct `on_balena: { release: ... }`, or take it out to follow the fleet";
    match case.release {
        Some(SeenRelease { unfit: None, .. }) => pass(format!("{fleet}, release {commit}")),
        Some(SeenRelease { unfit: Some(why), .. }) => {
            refuse(format!("release {commit} of {fleet} {why}"), remedy)
        }
        None => refuse(format!("{fleet} has no release {commit}"), remedy),
    }
}

fn takes(fleet: &BalenaFleet, image: &ImageManifest) -> Option<Verdict> {
    let rank = |architecture: &str| match architecture {
        "rpi" => Some(0),
        "armv7hf" => Some(1),
        "aarch64" => Some(2),
        _ => None,
    };
    match (rank(&image.architecture), rank(&fleet.architecture)) {
        (Some(device), Some(of_fleet)) if device >= of_fleet => {
            pass(format!("{} in a fleet of {}", image.architecture, fleet.architecture))
        }
        _ => refuse(
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
    use super::super::sample::{Sample, evidence, kiosks, reasons};
    use super::version;
    use crate::balena::SeenRelease;

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

    #[test]
    fn where_it_shall_stay_is_judged_as_where_it_arrives() {
        let mut moved = Sample::buster().saying(
            "on_balena: { move_to: acme/field, release: \"0123456789abcdef0123456789abcdef\" }\n",
        );
        assert_eq!(
            reasons(&moved),
            [
                "balena has no fleet acme/field, or the token may not see it",
                "acme/field has no release 0123456789abcdef0123456789abcdef"
            ]
        );
        let mut field = kiosks();
        field.architecture = "aarch64".into();
        moved.destination = Some(field);
        moved.release = Some(SeenRelease { id: 7, unfit: Some("is not final".into()) });
        assert_eq!(
            reasons(&moved),
            [
                "a device of architecture armv7hf cannot join acme/kiosks, a fleet of architecture aarch64",
                "release 0123456789abcdef0123456789abcdef of acme/field is not final"
            ]
        );
        moved.destination = Some(kiosks());
        moved.release = Some(SeenRelease { id: 7, unfit: None });
        assert!(reasons(&moved).is_empty());
    }

    #[test]
    fn a_board_that_is_too_new_for_the_image_is_refused() {
        let sample = |revision: &str, os_version: &str| {
            let mut sample = Sample::bookworm().probe("revision c03111", revision);
            if let Some(image) = &mut sample.image {
                image.os_version = os_version.to_owned();
            }
            sample
        };
        let old = sample("revision c03115", "balenaOS 2.88.4+rev13");
        assert_eq!(reasons(&old), ["a Pi 4B of revision 1.5 does not start balenaOS 2.88.4+rev13"]);
        assert!(reasons(&sample("revision c03115", "balenaOS 2.88.5+rev1")).is_empty());
        assert!(reasons(&sample("revision c03111", "balenaOS 2.54.2+rev1")).is_empty());
        let new = sample("revision c03115", "balenaOS 6.0.24");
        assert_eq!(evidence(&new, "image-version"), "Pi 4B 1.5 needs 2.88.5");
    }

    #[test]
    fn versions_are_read_as_numbers() {
        assert_eq!(version("balenaOS 2.95.12+rev1"), Some([2, 95, 12]));
        assert_eq!(version("balenaOS 6.0"), Some([6, 0, 0]));
        assert_eq!(version("balenaOS"), None);
        assert_eq!(version("v2..1"), None);
    }
}
