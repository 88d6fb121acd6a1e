//! What it will be on balena.

use super::{Candidate, Verdict, pass, refuse};

/// The oldest balenaOS that starts on a board's later revisions: board type, first such revision, version (balena
/// documentation of these boards, and release notes of balena-raspberrypi). An older image has no firmware for them.
const FIRST_VERSIONS: [(u8, u32, [u32; 3]); 3] =
    [(0x0d, 4, [2, 95, 3]), (0x11, 5, [2, 88, 5]), (0x14, 1, [2, 91, 1])];

/// The card is erased, so somebody must have decided about what is on it.
pub(super) fn may_lose_its_data(case: &Candidate<'_>) -> Option<Verdict> {
    match case.device.data {
        Some(_) => pass("decided in the inventory"),
        None => refuse(
            "nobody has decided about the data on its card, which is erased",
            "write `data: none` into the inventory if nothing on it is needed",
        ),
    }
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
    let (image, fleet) = (case.image?, case.fleet?);
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
    use super::super::sample::{Sample, evidence, reasons};
    use super::version;

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
