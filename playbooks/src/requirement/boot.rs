//! The boot partition, and what the firmware makes of it.

use super::firmware::{Way, way};
use super::{Candidate, Verdict, finding, pass, refuse};
use crate::facts::{BootPartition, Facts};
use crate::plan::Finding;
use crate::planner::{boot_texts, proof};
use migos_payload::manifest::Manifest;
use migos_payload::size::ByteCount;

/// Room for the job, `cmdline.txt`, `tryboot.txt`, folders and the copies that a rename needs.
const ROOM_MARGIN: ByteCount = ByteCount(1 << 20);

/// Files that say that somebody else steers the boot.
const FOREIGN: &[(&str, &str)] = &[
    ("autoboot.txt", "it already uses the firmware's own A/B boot"),
    ("boot.img", "it boots from a ramdisk image"),
];

/// Files that say that the next boot does something of its own.
const PENDING: &[(&str, &str)] = &[
    ("recovery.bin", "an EEPROM update is pending"),
    ("pieeprom.upd", "an EEPROM update is pending"),
    ("vl805.bin", "an EEPROM update is pending"),
    ("firstrun.sh", "its first boot is not finished"),
];

/// Tokens of images that have not finished their first boot.
const FIRST_BOOT: &[&str] = &["init_resize.sh", "raspberrypi-sys-mods/firstboot", "systemd.run="];

/// Settings under which the firmware does not boot as we count on.
const UNUSUAL: &[(&str, &str)] = &[
    ("device_tree=", "it boots without a device tree"),
    ("boot_ramdisk=1", "it boots from a ramdisk image"),
    ("os_prefix=", "its boot files are in a folder of their own"),
    ("kernel_address=", "its kernel has an address of its own"),
];

pub(super) fn has_a_boot_partition(case: &Candidate<'_>) -> Option<Verdict> {
    match &case.facts.boot {
        Some(boot) if boot.sums.contains_key("config.txt") => {
            pass(format!("{} on {}", boot.path, boot.file_system.source))
        }
        Some(boot) => refuse(
            format!("{} has no config.txt", boot.path),
            "mount the partition that the firmware boots from",
        ),
        None => refuse(
            "no boot partition is mounted at /boot/firmware or /boot",
            "mount it, as /etc/fstab of a stock image does",
        ),
    }
}

pub(super) fn has_fat_there(case: &Candidate<'_>) -> Option<Verdict> {
    let boot = case.facts.boot.as_ref()?;
    match boot.file_system.kind.as_str() {
        "vfat" => pass("vfat"),
        other => refuse(
            format!("{} is {other}, not vfat: the firmware cannot boot from it", boot.path),
            "find out which partition the firmware boots from, and mount that",
        ),
    }
}

/// Multi-boot cards boot a later partition; the one-shot flag would go to the first.
pub(super) fn boots_from_the_first_partition(case: &Candidate<'_>) -> Option<Verdict> {
    match case.facts.boot.as_ref()?.partition {
        None => None,
        Some(1) => pass("partition 1"),
        Some(other) => refuse(
            format!("it boots from partition {other}: NOOBS, PINN or the like"),
            "migrate it by hand",
        ),
    }
}

pub(super) fn has_room_there(case: &Candidate<'_>) -> Option<Verdict> {
    let (payload, boot) = (case.payload?, case.facts.boot.as_ref()?);
    match has_room_for(case.facts, payload) {
        Some(finding) => Some(Verdict::Refuse(finding)),
        None => {
            let needed = room_for(payload, boot.file_system.cluster);
            pass(format!("{} free, {needed} needed", boot.file_system.free))
        }
    }
}

/// Asked once more after an update of the firmware, whose files are larger than the old ones.
pub(super) fn has_room_for(facts: &Facts, payload: &Manifest) -> Option<Finding> {
    let boot = facts.boot.as_ref()?;
    let needed = room_for(payload, boot.file_system.cluster);
    if boot.file_system.free >= needed {
        return None;
    }
    Some(finding(
        format!("the boot partition has {} free, {needed} are needed", boot.file_system.free),
        format!("free space in {}, for example old kernels", boot.path),
    ))
}

fn room_for(payload: &Manifest, cluster: ByteCount) -> ByteCount {
    payload.room(cluster) + ROOM_MARGIN
}

/// Taking an attempt back removes these, whosever they are.
pub(super) fn is_free_of_leftovers(case: &Candidate<'_>) -> Option<Verdict> {
    let boot = case.facts.boot.as_ref()?;
    if has_file(boot, "tryboot.txt") || boot.files.keys().any(|path| path.starts_with("migos/")) {
        return refuse(
            "tryboot.txt or migos/ is on the boot partition already",
            "resume the run that put it there, or delete both if there is none",
        );
    }
    pass("neither tryboot.txt nor migos/ is there")
}

/// The one-shot flag would select what they say, and not what MIGOS has been written to.
pub(super) fn is_steered_by_nobody_else(case: &Candidate<'_>) -> Option<Verdict> {
    has_none_of(
        case,
        FOREIGN,
        "migrate it by hand, or remove the file if nothing needs it any more",
    )
}

/// What the next boot does of its own takes the place of the one-shot boot, or happens in the middle of it.
pub(super) fn has_nothing_pending(case: &Candidate<'_>) -> Option<Verdict> {
    let remedy = "let it finish with one plain reboot, or remove the file if it is not wanted";
    has_none_of(case, PENDING, remedy)
}

fn has_none_of(case: &Candidate<'_>, files: &[(&str, &str)], remedy: &str) -> Option<Verdict> {
    let boot = case.facts.boot.as_ref()?;
    let Some((name, why)) = files.iter().find(|(name, _)| has_file(boot, name)) else {
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        return pass(format!("none of {} is there", names.join(", ")));
    };
    refuse(format!("{name} is on the boot partition: {why}"), remedy)
}

fn has_file(boot: &BootPartition, name: &str) -> bool {
    boot.files.keys().any(|path| path.eq_ignore_ascii_case(name))
}

/// What is written to a FAT that is not consistent may land anywhere.
pub(super) fn has_a_clean_boot_partition(case: &Candidate<'_>) -> Option<Verdict> {
    let boot = case.facts.boot.as_ref()?;
    if boot.dirty.is_none() {
        return pass("the kernel tells of nothing");
    }
    refuse(
        format!("{} was not unmounted properly", boot.path),
        format!(
            "umount {path}; fsck.vfat -a {source}; mount {path}; then reboot",
            path = boot.path,
            source = boot.file_system.source
        ),
    )
}

/// Such a board starts nothing that its owner has not signed.
pub(super) fn takes_unsigned_boot_files(case: &Candidate<'_>) -> Option<Verdict> {
    if !case.facts.firmware.signed_boot {
        return pass("unsigned boot files are taken");
    }
    refuse(
        "its boot loader takes signed boot files only",
        "migrate it by hand, with boot files that are signed for it",
    )
}

/// Settings in EEPROM are read after `tryboot.txt` and would have the last word.
pub(super) fn has_no_settings_in_eeprom(case: &Candidate<'_>) -> Option<Verdict> {
    let Some(line) = case.facts.firmware.eeprom_config.first() else {
        return pass("no section [config.txt]");
    };
    refuse(
        format!("its EEPROM adds settings to config.txt ({line})"),
        "remove the section [config.txt] with rpi-eeprom-config --edit, or migrate it by hand",
    )
}

pub(super) fn has_finished_its_first_boot(case: &Candidate<'_>) -> Option<Verdict> {
    let boot = case.facts.boot.as_ref()?;
    let Some(token) = FIRST_BOOT.iter().find(|token| boot.cmdline_txt.contains(**token)) else {
        return pass("cmdline.txt has none of its tokens");
    };
    refuse(
        format!("cmdline.txt still has {token}: its first boot is not finished"),
        "reboot it once and look whether the token is gone",
    )
}

pub(super) fn has_a_plain_configuration(case: &Candidate<'_>) -> Option<Verdict> {
    let boot = case.facts.boot.as_ref()?;
    let line_begins =
        |text: &str| boot.config_txt.lines().any(|line| line.trim_start().starts_with(text));
    if let Some((setting, why)) = UNUSUAL.iter().find(|(setting, _)| line_begins(setting)) {
        return refuse(
            format!("config.txt has {setting}: {why}"),
            "migrate it by hand, or give it a stock config.txt first",
        );
    }
    let proven = match way(case.facts, &case.switch) {
        Ok(Way::OneShot(update)) => case.switch.is_proven(update.as_ref()),
        Ok(Way::Rewrite(_)) | Err(_) => false,
    };
    let texts = boot_texts(case.facts, boot, case.payload?).map(|_| ());
    let proof = if proven { proof(boot).map(|_| ()) } else { Ok(()) };
    match texts.and(proof) {
        Ok(()) => pass("both can be carried over"),
        Err(error) => {
            refuse(error.to_string(), format!("shorten or remove the line in {}", boot.path))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, evidence, reasons};

    #[test]
    fn the_evidence_of_room_has_both_numbers() {
        assert_eq!(evidence(&Sample::buster(), "boot-space"), "204 MB free, 1.1 MB needed");
    }

    #[test]
    fn a_boot_partition_that_is_not_fat_or_full_is_refused() {
        let ext4 = Sample::buster().probe("/boot vfat rw", "/boot ext4 rw");
        assert_eq!(reasons(&ext4), ["/boot is ext4, not vfat: the firmware cannot boot from it"]);
        let full = Sample::buster().probe("boot.space 2048 100000", "boot.space 2048 100");
        assert_eq!(reasons(&full), ["the boot partition has 204 kB free, 1.1 MB are needed"]);
        let none = Sample::buster().probe("boot.path /boot", "");
        assert_eq!(
            reasons(&none)[..1],
            ["no boot partition is mounted at /boot/firmware or /boot"]
        );
    }

    #[test]
    fn somebody_elses_or_unfinished_boot_is_refused() {
        let foreign = Sample::buster().and("boot.file 120 autoboot.txt");
        assert_eq!(
            reasons(&foreign),
            ["autoboot.txt is on the boot partition: it already uses the firmware's own A/B boot"]
        );
        let pending = Sample::bookworm().and("boot.file 524288 pieeprom.upd");
        assert_eq!(
            reasons(&pending),
            ["pieeprom.upd is on the boot partition: an EEPROM update is pending"]
        );
        let ours = Sample::buster().and("boot.file 300 migos/cmdline.txt");
        assert_eq!(reasons(&ours), ["tryboot.txt or migos/ is on the boot partition already"]);
        let first = Sample::buster().and("cmdline.txt init=/usr/lib/raspi-config/init_resize.sh");
        assert_eq!(
            reasons(&first),
            ["cmdline.txt still has init_resize.sh: its first boot is not finished"]
        );
        let noobs = Sample::buster().probe("boot.partition 1", "boot.partition 6");
        assert_eq!(reasons(&noobs), ["it boots from partition 6: NOOBS, PINN or the like"]);
    }

    #[test]
    fn a_dirty_partition_a_locked_or_a_meddling_boot_loader_is_refused() {
        let dirty = Sample::buster()
            .and("boot.dirty FAT-fs (mmcblk0p1): Volume was not properly unmounted.");
        assert_eq!(reasons(&dirty), ["/boot was not unmounted properly"]);
        let signed = Sample::bookworm().and("eeprom.signed 15");
        assert_eq!(reasons(&signed), ["its boot loader takes signed boot files only"]);
        let settings = Sample::bookworm().and("eeprom.config [config.txt]\neeprom.config kernel=x");
        assert_eq!(reasons(&settings), ["its EEPROM adds settings to config.txt (kernel=x)"]);
    }

    #[test]
    fn a_configuration_that_cannot_be_carried_over_is_refused() {
        let prefix = Sample::buster().and("config.txt os_prefix=old/");
        assert_eq!(
            reasons(&prefix),
            ["config.txt has os_prefix=: its boot files are in a folder of their own"]
        );
        let overlay = Sample::buster().and("config.txt dtoverlay=w5500");
        assert_eq!(
            reasons(&overlay),
            ["config.txt line 4 needs the overlay w5500, which the payload does not have"]
        );
    }
}
