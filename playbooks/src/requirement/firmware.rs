//! Whether the firmware can boot MIGOS once, and what is done where it cannot.

use super::boot::has_room_for;
use super::{Candidate, Switch, Verdict, finding, pass};
use crate::facts::{BootPartition, Facts};
use crate::plan::{Class, Finding, FirmwareKind, Update};
use crate::policy::Strategy;
use migos_payload::board::Soc;
use migos_payload::boot_document::ConfigTxt;
use migos_payload::manifest::Manifest;
use migos_payload::size::ByteCount;

/// First EEPROM boot loader that is trusted with tryboot: 2021-03-18 (snapd's piboot).
const EEPROM_WITH_TRYBOOT: u64 = 1_616_057_651;
const EEPROM_TRYBOOT: u32 = 1 << 3;

/// First EEPROM boot loader of the Pi 5 with `kernel_watchdog_timeout`: 2025-06-20 (rpi-eeprom release notes).
const EEPROM_WITH_WATCHDOG: u64 = 1_750_377_600;

/// What the packages of kernels and firmware take unpacked, beside the old ones and their archives: those for all
/// boards together are some 300 MB.
const ROOT_ROOM: ByteCount = ByteCount(600 << 20);

/// Files of the boot partition that an update replaces; dpkg writes each aside before.
const REPLACED: [&str; 5] = [".bin", ".dat", ".dtb", ".elf", ".img"];

/// How a device is switched to MIGOS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the one-shot flag, perhaps after an update of the firmware.
    OneShot(Option<Update>),
    /// By a rewritten `config.txt`, for this reason.
    Rewrite(String),
}

/// How this device is switched, as the policy has it, or why it cannot be.
pub(crate) fn way(facts: &Facts, switch: &Switch<'_>) -> Result<Way, Finding> {
    let class = Class::of(facts);
    let refuse = |reason, remedy| Err(finding(reason, remedy));
    match (switch.strategy, too_old(facts)) {
        (Strategy::Rewrite, _) if switch.may_rewrite(&class) => {
            Ok(Way::Rewrite("the policy asks for it".to_owned()))
        }
        (Strategy::Rewrite, _) => refuse(
            "the policy does not allow its config.txt to be rewritten".to_owned(),
            format!("name its class under `allow_rewrite`: {class}"),
        ),
        (Strategy::OneShot | Strategy::Auto, None) => Ok(Way::OneShot(None)),
        (Strategy::OneShot | Strategy::Auto, Some(old)) if switch.may_update(&class) => {
            match cannot_be_updated(facts) {
                Some(finding) => Err(finding),
                None => Ok(Way::OneShot(Some(old))),
            }
        }
        (Strategy::Auto, Some(old)) if switch.may_rewrite(&class) => Ok(Way::Rewrite(old.reason)),
        (strategy, Some(old)) => {
            let by_hand = match old.of {
                FirmwareKind::Card => {
                    "apt-get install --only-upgrade raspberrypi-bootloader raspberrypi-kernel"
                }
                FirmwareKind::Eeprom => "rpi-eeprom-update -a",
            };
            let or_rewrite = if strategy == Strategy::Auto { " or `allow_rewrite`" } else { "" };
            refuse(
                old.reason,
                format!(
                    "{by_hand}, then reboot; or name its class under `allow_update`{or_rewrite}: {class}"
                ),
            )
        }
    }
}

/// A class that the policy does not name never gets its firmware updated or its `config.txt` rewritten.
pub(super) fn can_be_switched(case: &Candidate<'_>) -> Option<Verdict> {
    match way(case.facts, &case.switch) {
        Ok(Way::OneShot(None)) => pass("its firmware knows one-shot boot"),
        Ok(Way::OneShot(Some(update))) => pass(format!("updated first: {}", update.reason)),
        Ok(Way::Rewrite(reason)) => pass(format!("config.txt is rewritten: {reason}")),
        Err(finding) => Some(Verdict::Refuse(finding)),
    }
}

/// What is still in the way after an update, by facts that were read anew.
pub fn after_update(facts: &Facts, payload: &Manifest) -> Option<Finding> {
    match too_old(facts) {
        Some(old) => Some(Finding {
            check: "firmware".into(),
            ..finding(
                format!("{}, also after the update", old.reason),
                "look at what its archive offers: apt-cache policy raspberrypi-bootloader",
            )
        }),
        None => has_room_for(facts, payload)
            .map(|finding| Finding { check: "boot-space".into(), ..finding }),
    }
}

/// Why the firmware cannot boot MIGOS once, as far as its own files tell; a proof on the device is better, and is
/// asked for by `prove`.
fn too_old(facts: &Facts) -> Option<Update> {
    let boot = facts.boot.as_ref()?;
    match facts.revision.soc()? {
        Soc::Bcm2712 => None,
        Soc::Bcm2711 => old_eeprom(facts).or_else(|| old_files(facts, boot, &["start4.elf"])),
        Soc::Bcm2835 | Soc::Bcm2836 | Soc::Bcm2837 => {
            old_files(facts, boot, &["bootcode.bin", "start.elf"])
        }
    }
}

/// True if the firmware resets a kernel that hangs before its own watchdog runs. Where it does not, such a hang ends
/// with a power cycle only.
pub(crate) fn resets_a_hung_kernel(facts: &Facts, boot: &BootPartition) -> bool {
    let known = facts.firmware.has.get("kernel_watchdog_timeout");
    let knows = |start| known.is_some_and(|known| known.contains(&start_file(facts, boot, start)));
    match facts.revision.soc() {
        Some(Soc::Bcm2712) => facts.firmware.eeprom_build >= Some(EEPROM_WITH_WATCHDOG),
        Some(Soc::Bcm2711) => knows("start4"),
        Some(Soc::Bcm2835 | Soc::Bcm2836 | Soc::Bcm2837) => knows("start"),
        None => false,
    }
}

fn old_eeprom(facts: &Facts) -> Option<Update> {
    let build = facts.firmware.eeprom_build.unwrap_or(0);
    let capable = facts.firmware.eeprom_capabilities.unwrap_or(0) & EEPROM_TRYBOOT != 0;
    (!capable || build < EEPROM_WITH_TRYBOOT).then(|| Update {
        of: FirmwareKind::Eeprom,
        reason: format!("its EEPROM boot loader is too old for one-shot boot (build {build})"),
    })
}

fn old_files(facts: &Facts, boot: &BootPartition, files: &[&str]) -> Option<Update> {
    let known = facts.firmware.has.get("tryboot.txt");
    let in_use = files.iter().map(|file| match file.strip_suffix(".elf") {
        Some(start) => start_file(facts, boot, start),
        None => (*file).to_owned(),
    });
    let missing =
        in_use.into_iter().find(|file| !known.is_some_and(|known| known.contains(file)))?;
    Some(Update {
        of: FirmwareKind::Card,
        reason: format!(
            "its firmware is too old for one-shot boot ({missing} does not know tryboot.txt)"
        ),
    })
}

/// The start file in use (Raspberry Pi documentation: config.txt, boot options): `start.elf`, or on boards of the
/// Pi 4's family `start4.elf`, or one of their variants.
fn start_file(facts: &Facts, boot: &BootPartition, name: &str) -> String {
    let config = ConfigTxt::parse(boot.config_txt.as_bytes());
    let board = facts.board();
    let value = |key| config.effective(key, &board).map(|found| found.value);
    let is = |key, wanted: &[u8]| value(key) == Some(wanted);
    if let Some(own) = value("start_file") {
        return String::from_utf8_lossy(own).into_owned();
    }
    let variant = match () {
        () if is("start_x", b"1") => "x",
        () if is("gpu_mem", b"16") => "cd",
        () if is("start_debug", b"1") => "db",
        () => return format!("{name}.elf"),
    };
    let joint = if name.ends_with(|c: char| c.is_ascii_digit()) { "" } else { "_" };
    format!("{name}{joint}{variant}.elf")
}

/// An update that cannot write, or runs out of room, leaves half of a firmware behind.
fn cannot_be_updated(facts: &Facts) -> Option<Finding> {
    let boot = facts.boot.as_ref()?;
    if !boot.file_system.writable {
        return Some(finding(
            format!("its firmware cannot be updated while {} is mounted read-only", boot.path),
            format!("mount -o remount,rw {}, until it is migrated", boot.path),
        ));
    }
    let is_replaced = |path: &str| REPLACED.iter().any(|end| path.ends_with(end));
    let replaced = boot.files.iter().filter(|(path, _)| is_replaced(path));
    let there =
        replaced.map(|(_, size)| size.in_clusters(boot.file_system.cluster)).sum::<ByteCount>();
    // Newer ones are larger, by up to a third from 2019 to 2021.
    let needed = ByteCount(there.0 / 2 * 3);
    let rooms =
        [(boot.path.as_str(), boot.file_system.free, needed), ("/", facts.root.free, ROOT_ROOM)];
    let (path, free, needed) = rooms.into_iter().find(|(_, free, needed)| free < needed)?;
    Some(finding(
        format!("an update of its firmware needs {needed} free in {path}, {free} are"),
        format!("free space in {path}, or update its firmware by hand"),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, reasons};
    use crate::policy::Strategy;

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
    fn an_update_is_only_for_classes_that_the_policy_names_and_needs_room() {
        let mut old = Sample::buster().probe("firmware.has tryboot.txt start.elf", "");
        old.allow_update = vec!["Pi 3B+, raspbian 10".into()];
        assert!(reasons(&old).is_empty());
        let small = old.clone().and("boot.file 6000000 kernel7.img");
        let small = small.probe("boot.space 2048 100000", "boot.space 2048 4000");
        let read_only = old.clone().probe("/boot vfat rw", "/boot vfat ro");
        assert_eq!(
            reasons(&read_only),
            ["its firmware cannot be updated while /boot is mounted read-only"]
        );
        assert_eq!(
            reasons(&small),
            ["an update of its firmware needs 9 MB free in /boot, 8.1 MB are"]
        );
        old.allow_update = vec!["Pi 4B".into()];
        assert_eq!(
            reasons(&old),
            ["its firmware is too old for one-shot boot (start.elf does not know tryboot.txt)"]
        );
    }

    #[test]
    fn a_pi_4_needs_a_start_file_that_knows_it_too() {
        let old = Sample::bookworm().probe("firmware.has tryboot.txt start4.elf", "");
        assert_eq!(
            reasons(&old),
            ["its firmware is too old for one-shot boot (start4.elf does not know tryboot.txt)"]
        );
    }
}
