//! The card and the root file system.

use super::{Candidate, Verdict, pass, refuse, warn};
use migos_payload::size::ByteCount;

/// The lifeboat begins at a multiple of the pieces in which MIGOS writes (payload/ramdisk, `flash::PIECE`).
const PIECE: u64 = 4 << 20;

/// USB and NVMe boots are possible, and are not known well enough yet.
pub(super) fn boots_from_a_card(case: &Candidate<'_>) -> Option<Verdict> {
    match &case.facts.disk {
        Some(disk) if !disk.name.starts_with("mmcblk") => refuse(
            format!("it boots from {}, not from an SD card", disk.name),
            "this version migrates SD cards only; leave it out",
        ),
        Some(disk) if disk.read_only => refuse(
            format!("the write protection of {} is on", disk.name),
            "it needs another card, and so a visit: a worn card protects itself",
        ),
        Some(disk) if disk.id.len() != 8 => refuse(
            format!("the partition table of {} has no disk identifier", disk.name),
            "this version migrates cards with an MBR only; leave it out",
        ),
        Some(disk) => pass(format!("{}, {}, identifier {}", disk.name, disk.size, disk.id)),
        None if case.facts.boot.is_some() => refuse(
            "the disk of its boot partition could not be found",
            "look at `findmnt /boot` on the device",
        ),
        None => None,
    }
}

/// Under an overlay, what is written is gone after the reboot, and so is the image that MIGOS would look for.
pub(super) fn keeps_what_is_written(case: &Candidate<'_>) -> Option<Verdict> {
    let (cmdline, root) = (&case.facts.cmdline, &case.facts.root);
    let overlay = cmdline
        .split(' ')
        .any(|token| token == "boot=overlay" || token.starts_with("overlayroot="));
    if overlay || root.kind == "overlay" {
        return refuse(
            "its root file system is an overlay: what is written is gone after a reboot",
            "raspi-config nonint disable_overlayfs, then reboot",
        );
    }
    if !root.writable {
        return refuse("its root file system is mounted read-only", "mount -o remount,rw /");
    }
    pass(format!("{}, mounted read-write", root.kind))
}

/// Without our ramdisk the fallback is Raspbian's kernel alone, which cannot open these.
pub(super) fn has_a_plain_root(case: &Candidate<'_>) -> Option<Verdict> {
    let name = case.facts.device_mapper.first();
    match name.filter(|_| has_mapped_root(case)) {
        Some(name) => refuse(
            format!("it uses LUKS or LVM ({name})"),
            "migrate it by hand: it would not fall back to Raspbian by itself",
        ),
        None => pass(case.facts.root.source.as_str()),
    }
}

/// Whatever is on it, Raspbian comes back without it; other programs than LUKS and LVM make such devices, too.
pub(super) fn has_no_device_mapper(case: &Candidate<'_>) -> Option<Verdict> {
    match case.facts.device_mapper.first() {
        Some(_) if has_mapped_root(case) => None,
        Some(name) => refuse(
            format!("it uses LUKS or LVM ({name})"),
            "migrate it by hand: it would not fall back to Raspbian by itself",
        ),
        None => pass("no device of the device mapper"),
    }
}

fn has_mapped_root(case: &Candidate<'_>) -> bool {
    let source = &case.facts.root.source;
    ["/dev/mapper/", "/dev/dm-"].iter().any(|beginning| source.starts_with(beginning))
}

pub(super) fn is_large_enough(case: &Candidate<'_>) -> Option<Verdict> {
    let (disk, image) = (case.facts.disk.as_ref()?, case.image?);
    if disk.size >= image.raw_size {
        return pass(format!("{}, the image needs {}", disk.size, image.raw_size));
    }
    refuse(
        format!("its card has {}, the image needs {}", disk.size, image.raw_size),
        "it needs a larger card, and so a visit",
    )
}

/// While the place of the boot partition is overwritten, the card boots from a copy of it behind the image.
pub(super) fn has_room_for_a_lifeboat(case: &Candidate<'_>) -> Option<Verdict> {
    let (disk, image) = (case.facts.disk.as_ref()?, case.image?.raw_size);
    let boot = case.facts.boot.as_ref()?.extent.filter(|_| disk.size >= image)?;
    if boot.start >= image.0 {
        return pass("its boot partition is behind the image already");
    }
    // As MIGOS computes it (payload/ramdisk, `flash::layout`).
    let start = image.0.max(boot.end()).checked_next_multiple_of(PIECE)?;
    let needed = ByteCount(start.saturating_add(boot.size));
    if disk.size >= needed {
        return pass(format!(
            "{}, {needed} needed for the image and a copy of the boot partition behind it",
            disk.size
        ));
    }
    refuse(
        format!(
            "its card has {}, {needed} are needed for the image and a copy of its boot partition behind it ({} bytes \
             are missing)",
            disk.size,
            needed.0 - disk.size.0
        ),
        "it needs a larger card, and so a visit; or --allow no-lifeboat: a power cut in some seconds of the flash \
         then leaves a card that does not boot",
    )
}

/// A card that fails while Raspbian only reads it will fail when it is rewritten.
pub(super) fn has_no_errors(case: &Candidate<'_>) -> Option<Verdict> {
    let errors = &case.facts.card_errors;
    let count = errors.count?;
    let Some(last) = errors.last.last().filter(|_| count > 0) else {
        return pass("the kernel tells of none");
    };
    refuse(
        format!("the kernel tells of {count} errors of its card, the last: {}", last.trim()),
        "it is likely to need another card, and so a visit; if they were long ago, reboot it and look again",
    )
}

/// They may be long ago, and all file systems are made anew.
pub(super) fn has_sound_file_systems(case: &Candidate<'_>) -> Option<Verdict> {
    let counted = &case.facts.card_errors.file_systems;
    let (partition, count) = counted.iter().max_by_key(|(_, count)| **count)?;
    warn(
        format!(
            "ext4 of {partition} has counted {count} errors: the card may be worn, or power was cut"
        ),
        "look at it: dmesg | grep -i ext4; touch /forcefsck, then reboot",
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, evidence, reasons, warnings};
    use crate::policy::Allow;

    #[test]
    fn other_disks_than_mbr_cards_are_refused() {
        let usb = Sample::buster().probe("disk mmcblk0 ", "disk sda ");
        assert_eq!(reasons(&usb), ["it boots from sda, not from an SD card"]);
        let worn = Sample::buster().and("disk.read-only yes");
        assert_eq!(reasons(&worn), ["the write protection of mmcblk0 is on"]);
        let gpt = Sample::buster().probe("disk.id 738a4d67", "disk.id");
        assert_eq!(reasons(&gpt), ["the partition table of mmcblk0 has no disk identifier"]);
    }

    #[test]
    fn roots_that_forget_or_cannot_be_reached_are_refused() {
        let overlay = Sample::buster().probe("cmdline console", "cmdline boot=overlay console");
        assert_eq!(
            reasons(&overlay),
            ["its root file system is an overlay: what is written is gone after a reboot"]
        );
        let luks = Sample::buster().and("dm dm-0");
        assert_eq!(reasons(&luks), ["it uses LUKS or LVM (dm-0)"]);
    }

    #[test]
    fn a_card_too_small_is_refused_with_both_numbers() {
        let small = Sample::buster().probe("disk mmcblk0 31116288", "disk mmcblk0 1000000");
        assert_eq!(reasons(&small), ["its card has 512 MB, the image needs 950 MB"]);
    }

    #[test]
    fn a_root_that_must_be_opened_first_is_refused_for_good() {
        let mapped = |source: &str| {
            let mount = format!("mount {source} / ext4");
            let mut sample =
                Sample::buster().probe("mount /dev/mmcblk0p2 / ext4", &mount).and("dm dm-0");
            sample.allow.extend(Allow::all());
            sample
        };
        assert_eq!(reasons(&mapped("/dev/mapper/root")), ["it uses LUKS or LVM (dm-0)"]);
        assert!(reasons(&mapped("/dev/mmcblk0p2")).is_empty(), "Raspbian comes back without it");
    }

    #[test]
    fn a_card_without_room_for_the_lifeboat_is_refused_with_the_bytes_that_are_missing() {
        // The boot partition is 256 MiB at 4 MiB, the image 950 MB, and pieces are 4 MiB.
        let card = |sectors: u64| {
            Sample::buster()
                .and("boot.extent 8192 524288")
                .probe("disk mmcblk0 31116288", &format!("disk mmcblk0 {sectors}"))
        };
        let (needed, sectors) = (952_107_008_u64 + (256 << 20), |bytes: u64| bytes / 512);
        assert!(reasons(&card(sectors(needed))).is_empty());
        let small = card(sectors(needed) - 1);
        assert_eq!(
            reasons(&small),
            [
                "its card has 1.2 GB, 1.2 GB are needed for the image and a copy of its boot partition behind it (512 bytes are missing)"
            ]
        );
        let mut allowed = small;
        allowed.allow.insert(Allow::NO_LIFEBOAT);
        assert!(reasons(&allowed).is_empty());
        assert_eq!(
            evidence(&card(31_116_288), "lifeboat"),
            "15 GB, 1.2 GB needed for the image and a copy of the boot partition behind it"
        );
        assert_eq!(evidence(&Sample::buster(), "lifeboat"), "", "nobody knows where it is");
    }

    #[test]
    fn a_card_with_errors_is_refused_and_old_ones_of_its_file_system_are_warned_of() {
        assert_eq!(evidence(&Sample::buster(), "card-errors"), "", "the log could not be read");
        let sound = Sample::buster().and("card.errors 0");
        assert_eq!(evidence(&sound, "card-errors"), "the kernel tells of none");
        let bad = Sample::buster()
            .and("card.errors 7")
            .and("card.error mmcblk0: error -110 sending status command, retrying")
            .and("card.error blk_update_request: I/O error, dev mmcblk0, sector 12345");
        assert_eq!(
            reasons(&bad),
            [
                "the kernel tells of 7 errors of its card, the last: blk_update_request: I/O error, dev mmcblk0, sector 12345"
            ]
        );
        let old = Sample::buster().and("ext4.errors mmcblk0p2 3");
        assert!(reasons(&old).is_empty());
        assert_eq!(
            warnings(&old),
            ["ext4 of mmcblk0p2 has counted 3 errors: the card may be worn, or power was cut"]
        );
    }
}
