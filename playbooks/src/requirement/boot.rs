//! The boot partition, and whether the firmware can boot from it once.

use super::{Candidate, finding};
use crate::facts::{BootPartition, Facts};
use crate::plan::{Class, Finding};
use crate::planner::{boot_texts, proof};
use crate::policy::{Prove, Strategy};
use migos_payload::board::Soc;
use migos_payload::size::ByteCount;

/// Room for the job, `cmdline.txt`, `tryboot.txt`, folders and the copies that a rename needs.
const ROOM_MARGIN: ByteCount = ByteCount(1 << 20);

/// First EEPROM boot loader that is trusted with tryboot: 2021-03-18 (snapd's piboot).
const EEPROM_WITH_TRYBOOT: u64 = 1_616_057_651;
const EEPROM_TRYBOOT: u32 = 1 << 3;

/// Files that say that somebody else steers the boot, or that the next boot does something of its own.
const FOREIGN: &[(&str, &str)] = &[
    ("autoboot.txt", "it already uses the firmware's own A/B boot"),
    ("boot.img", "it boots from a ramdisk image"),
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

pub(super) fn has_a_boot_partition(case: &Candidate<'_>) -> Option<Finding> {
    match &case.facts.boot {
        Some(boot) if boot.sums.contains_key("config.txt") => None,
        Some(boot) => finding(
            format!("{} has no config.txt", boot.path),
            "mount the partition that the firmware boots from",
        ),
        None => finding(
            "no boot partition is mounted at /boot/firmware or /boot",
            "mount it, as /etc/fstab of a stock image does",
        ),
    }
}

pub(super) fn has_fat_there(case: &Candidate<'_>) -> Option<Finding> {
    let boot = case.facts.boot.as_ref()?;
    match boot.file_system.kind.as_str() {
        "vfat" => None,
        other => finding(
            format!("{} is {other}, not vfat: the firmware cannot boot from it", boot.path),
            "find out which partition the firmware boots from, and mount that",
        ),
    }
}

/// Multi-boot cards boot a later partition; the one-shot flag would go to the first.
pub(super) fn boots_from_the_first_partition(case: &Candidate<'_>) -> Option<Finding> {
    match case.facts.boot.as_ref()?.partition {
        None | Some(1) => None,
        Some(other) => finding(
            format!("it boots from partition {other}: NOOBS, PINN or the like"),
            "migrate it by hand",
        ),
    }
}

pub(super) fn has_room_there(case: &Candidate<'_>) -> Option<Finding> {
    let boot = case.facts.boot.as_ref()?;
    let needed = case.payload?.room(boot.file_system.cluster) + ROOM_MARGIN;
    if boot.file_system.free >= needed {
        return None;
    }
    finding(
        format!("the boot partition has {} free, {needed} are needed", boot.file_system.free),
        format!("free space in {}, for example old kernels", boot.path),
    )
}

pub(super) fn is_used_by_nobody_else(case: &Candidate<'_>) -> Option<Finding> {
    let boot = case.facts.boot.as_ref()?;
    let has = |name: &str| boot.files.keys().any(|path| path.eq_ignore_ascii_case(name));
    if has("tryboot.txt") || boot.files.keys().any(|path| path.starts_with("migos/")) {
        return finding(
            "tryboot.txt or migos/ is on the boot partition already",
            "resume the run that put it there, or delete both if there is none",
        );
    }
    let (name, why) = FOREIGN.iter().find(|(name, _)| has(name))?;
    finding(
        format!("{name} is on the boot partition: {why}"),
        "let it finish with one plain reboot, or remove the file if it is not wanted",
    )
}

/// What is written to a FAT that is not consistent may land anywhere.
pub(super) fn has_a_clean_boot_partition(case: &Candidate<'_>) -> Option<Finding> {
    let boot = case.facts.boot.as_ref()?;
    boot.dirty.as_ref()?;
    finding(
        format!("{} was not unmounted properly", boot.path),
        format!(
            "umount {path}; fsck.vfat -a {source}; mount {path}; then reboot",
            path = boot.path,
            source = boot.file_system.source
        ),
    )
}

/// Such a board starts nothing that its owner has not signed.
pub(super) fn takes_unsigned_boot_files(case: &Candidate<'_>) -> Option<Finding> {
    if !case.facts.firmware.signed_boot {
        return None;
    }
    finding(
        "its boot loader takes signed boot files only",
        "migrate it by hand, with boot files that are signed for it",
    )
}

/// Settings in EEPROM are read after `tryboot.txt` and would have the last word.
pub(super) fn has_no_settings_in_eeprom(case: &Candidate<'_>) -> Option<Finding> {
    let line = case.facts.firmware.eeprom_config.first()?;
    finding(
        format!("its EEPROM adds settings to config.txt ({line})"),
        "remove the section [config.txt] with rpi-eeprom-config --edit, or migrate it by hand",
    )
}

pub(super) fn has_finished_its_first_boot(case: &Candidate<'_>) -> Option<Finding> {
    let boot = case.facts.boot.as_ref()?;
    let token = FIRST_BOOT.iter().find(|token| boot.cmdline_txt.contains(**token))?;
    finding(
        format!("cmdline.txt still has {token}: its first boot is not finished"),
        "reboot it once and look whether the token is gone",
    )
}

/// Why the firmware cannot boot MIGOS once, as far as its own files tell; a proof on the device is better, and is
/// asked for by `prove`.
pub(crate) fn cannot_boot_once(facts: &Facts) -> Option<Finding> {
    let boot = facts.boot.as_ref()?;
    match facts.revision.soc()? {
        Soc::Bcm2712 => None,
        Soc::Bcm2711 => eeprom_is_new_enough(facts),
        Soc::Bcm2835 | Soc::Bcm2836 | Soc::Bcm2837 => card_firmware_is_new_enough(facts, boot),
    }
}

/// A class that the policy does not name never gets its `config.txt` rewritten.
pub(super) fn can_be_switched(case: &Candidate<'_>) -> Option<Finding> {
    let cannot = cannot_boot_once(case.facts);
    let class = Class::of(case.facts);
    let may_rewrite = case.switch.may_rewrite(&class);
    match (case.switch.strategy, cannot) {
        (Strategy::OneShot, cannot) => cannot,
        (Strategy::Auto, None) => None,
        (Strategy::Auto, Some(_)) | (Strategy::Rewrite, _) if may_rewrite => None,
        (Strategy::Auto, Some(cannot)) => finding(
            cannot.reason,
            format!("{}; or name its class under `allow_rewrite`: {class}", cannot.remedy),
        ),
        (Strategy::Rewrite, _) => finding(
            "the policy does not allow its config.txt to be rewritten",
            format!("name its class under `allow_rewrite`: {class}"),
        ),
    }
}

fn eeprom_is_new_enough(facts: &Facts) -> Option<Finding> {
    let build = facts.firmware.eeprom_build.unwrap_or(0);
    let capable = facts.firmware.eeprom_capabilities.unwrap_or(0) & EEPROM_TRYBOOT != 0;
    if capable && build >= EEPROM_WITH_TRYBOOT {
        return None;
    }
    finding(
        format!("its EEPROM boot loader is too old for one-shot boot (build {build})"),
        "rpi-eeprom-update -a, then reboot",
    )
}

fn card_firmware_is_new_enough(facts: &Facts, boot: &BootPartition) -> Option<Finding> {
    let known = facts.firmware.has.get("tryboot.txt");
    let knows = |file: &str| known.is_some_and(|files| files.contains(file));
    let start = start_file(boot);
    let missing = ["bootcode.bin", start].into_iter().find(|file| !knows(file))?;
    finding(
        format!("its firmware is too old for one-shot boot ({missing} does not know tryboot.txt)"),
        "apt-get install --only-upgrade raspberrypi-bootloader raspberrypi-kernel, then reboot",
    )
}

/// The start file in use (Raspberry Pi documentation: config.txt, boot options).
fn start_file(boot: &BootPartition) -> &'static str {
    let sets = |line: &str| boot.config_txt.lines().any(|found| found.trim() == line);
    if sets("start_x=1") {
        "start_x.elf"
    } else if sets("gpu_mem=16") {
        "start_cd.elf"
    } else if sets("start_debug=1") {
        "start_db.elf"
    } else {
        "start.elf"
    }
}

pub(super) fn has_a_plain_configuration(case: &Candidate<'_>) -> Option<Finding> {
    let boot = case.facts.boot.as_ref()?;
    let line_begins =
        |text: &str| boot.config_txt.lines().any(|line| line.trim_start().starts_with(text));
    if let Some((setting, why)) = UNUSUAL.iter().find(|(setting, _)| line_begins(setting)) {
        return finding(
            format!("config.txt has {setting}: {why}"),
            "migrate it by hand, or give it a stock config.txt first",
        );
    }
    let proven = case.switch.prove != Prove::Never && case.switch.strategy != Strategy::Rewrite;
    let texts = boot_texts(case.facts, boot, case.payload?).map(|_| ());
    let proof = if proven { proof(boot).map(|_| ()) } else { Ok(()) };
    match texts.and(proof) {
        Ok(()) => None,
        Err(error) => {
            finding(error.to_string(), format!("shorten or remove the line in {}", boot.path))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, reasons};
    use crate::policy::Strategy;

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
    fn firmware_without_one_shot_boot_is_refused() {
        let old = Sample::buster().probe("firmware.has tryboot.txt start.elf", "");
        assert_eq!(
            reasons(&old),
            ["its firmware is too old for one-shot boot (start.elf does not know tryboot.txt)"]
        );
        let other = Sample::buster().and("config.txt start_x=1");
        assert_eq!(
            reasons(&other),
            ["its firmware is too old for one-shot boot (start_x.elf does not know tryboot.txt)"]
        );
        let eeprom = Sample::bookworm().probe("eeprom.capabilities 127", "eeprom.capabilities 7");
        assert_eq!(
            reasons(&eeprom),
            ["its EEPROM boot loader is too old for one-shot boot (build 1673458852)"]
        );
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
    fn rewriting_is_only_for_classes_that_the_policy_names() {
        let mut old = Sample::buster().probe("firmware.has tryboot.txt start.elf", "");
        old.strategy = Strategy::Auto;
        assert_eq!(
            reasons(&old),
            ["its firmware is too old for one-shot boot (start.elf does not know tryboot.txt)"]
        );
        old.allow_rewrite = vec!["Pi 3B+, raspbian 10".into()];
        assert!(reasons(&old).is_empty());
        let mut asked = Sample::buster();
        asked.strategy = Strategy::Rewrite;
        assert_eq!(reasons(&asked), ["the policy does not allow its config.txt to be rewritten"]);
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
