//! The card and the root file system.

use super::{Candidate, finding};
use crate::plan::Finding;

/// USB and NVMe boots are possible, and are not known well enough yet.
pub(super) fn boots_from_a_card(case: &Candidate<'_>) -> Option<Finding> {
    match &case.facts.disk {
        Some(disk) if !disk.name.starts_with("mmcblk") => finding(
            format!("it boots from {}, not from an SD card", disk.name),
            "this version migrates SD cards only; leave it out",
        ),
        Some(disk) if disk.read_only => finding(
            format!("the write protection of {} is on", disk.name),
            "it needs another card, and so a visit: a worn card protects itself",
        ),
        Some(disk) if disk.id.len() != 8 => finding(
            format!("the partition table of {} has no disk identifier", disk.name),
            "this version migrates cards with an MBR only; leave it out",
        ),
        Some(_) => None,
        None if case.facts.boot.is_some() => finding(
            "the disk of its boot partition could not be found",
            "look at `findmnt /boot` on the device",
        ),
        None => None,
    }
}

/// Under an overlay, what is written is gone after the reboot.
pub(super) fn keeps_what_is_written(case: &Candidate<'_>) -> Option<Finding> {
    let cmdline = &case.facts.cmdline;
    let overlay = cmdline
        .split(' ')
        .any(|token| token == "boot=overlay" || token.starts_with("overlayroot="));
    if overlay || case.facts.root.kind == "overlay" {
        return finding(
            "its root file system is an overlay: what is written is gone after a reboot",
            "raspi-config nonint disable_overlayfs, then reboot",
        );
    }
    if !case.facts.root.writable {
        return finding("its root file system is mounted read-only", "mount -o remount,rw /");
    }
    None
}

/// Without our ramdisk the fallback is Raspbian's kernel alone, which cannot open these.
pub(super) fn has_a_plain_root(case: &Candidate<'_>) -> Option<Finding> {
    let name = case.facts.device_mapper.first()?;
    finding(
        format!("it uses LUKS or LVM ({name})"),
        "migrate it by hand: it would not fall back to Raspbian by itself",
    )
}

pub(super) fn is_large_enough(case: &Candidate<'_>) -> Option<Finding> {
    let (disk, image) = (case.facts.disk.as_ref()?, case.image?);
    if disk.size >= image.raw_size {
        return None;
    }
    finding(
        format!("its card has {}, the image needs {}", disk.size, image.raw_size),
        "it needs a larger card, and so a visit",
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, reasons};

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
}
