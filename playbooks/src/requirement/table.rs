//! The table of all checks.

use super::Mend::{ByChoice, FromAfar, OnSite};
use super::{Candidate, Check, Mend, Severity, Verdict};
use super::{balena, board, boot, card, firmware, guard, network, reach, room};
use crate::policy::Allow;

type Judge = fn(&Candidate<'_>) -> Option<Verdict>;

/// Refuses, and nothing overrules it.
const fn must(name: &'static str, mend: Mend, what: &'static str, judge: Judge) -> Check {
    Check { name, what, severity: Severity::Refuse, mend, overruled_by: None, judge }
}

/// Refuses, and is overruled by its own name.
const fn should(name: &'static str, mend: Mend, what: &'static str, judge: Judge) -> Check {
    Check { overruled_by: Some(Allow::named(name)), ..must(name, mend, what, judge) }
}

/// Warns at most.
const fn may(name: &'static str, mend: Mend, what: &'static str, judge: Judge) -> Check {
    Check { severity: Severity::Warn, ..must(name, mend, what, judge) }
}

/// All checks, in the order in which a person would look.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    must("serial", FromAfar, "the board's serial number is known, and is the one in the inventory", board::has_a_serial_number),
    should("system", OnSite, "it runs Raspbian or Raspberry Pi OS", board::runs_a_known_system),
    must("payload", ByChoice, "a payload is made for its board", board::has_a_payload),
    Check {
        overruled_by: Some(Allow::UNGUARDED_KERNEL),
        ..must("kernel-restart", ByChoice, "the payload's kernel restarts the board after any panic", board::has_a_kernel_that_restarts)
    },
    should("memory", FromAfar, "its memory holds MIGOS and the image", room::has_memory),
    should("power", OnSite, "it has had no under-voltage since it was started", board::has_enough_power),
    may("throttled", OnSite, "the processor is not slowed down by heat or by weak power", board::runs_at_full_speed),
    must("boot-partition", FromAfar, "the partition that the firmware boots from is mounted", boot::has_a_boot_partition),
    must("fat", FromAfar, "the boot partition is FAT", boot::has_fat_there),
    must("first-partition", OnSite, "the boot partition is the card's first: no NOOBS, no PINN", boot::boots_from_the_first_partition),
    should("dirty-boot", FromAfar, "the boot partition was unmounted properly", boot::has_a_clean_boot_partition),
    should("boot-space", FromAfar, "the boot partition has room for MIGOS", boot::has_room_there),
    must("leftovers", FromAfar, "no other attempt has left files on the boot partition", boot::is_free_of_leftovers),
    must("foreign-boot", FromAfar, "nobody else steers what it boots", boot::is_steered_by_nobody_else),
    should("pending-update", FromAfar, "its next boot does nothing of its own", boot::has_nothing_pending),
    should("first-boot", FromAfar, "its first boot is finished", boot::has_finished_its_first_boot),
    must("signed-boot", OnSite, "its boot loader takes unsigned boot files", boot::takes_unsigned_boot_files),
    should("eeprom-settings", FromAfar, "its EEPROM adds no settings to config.txt", boot::has_no_settings_in_eeprom),
    must("firmware", FromAfar, "its firmware can boot MIGOS in a way that the policy allows", firmware::can_be_switched),
    must("boot-config", FromAfar, "config.txt and cmdline.txt can be carried over to MIGOS", boot::has_a_plain_configuration),
    must("card", OnSite, "it boots from an SD card with an MBR, which can be written", card::boots_from_a_card),
    must("overlay-root", FromAfar, "what is written to its root file system stays", card::keeps_what_is_written),
    must("encrypted-root", OnSite, "its root file system needs no LUKS or LVM", card::has_a_plain_root),
    should("device-mapper", OnSite, "nothing else on it needs LUKS or LVM", card::has_no_device_mapper),
    should("root-space", FromAfar, "its root file system has room for the image and backups", room::has_room_on_the_card),
    must("card-size", OnSite, "its card is large enough for the image", card::is_large_enough),
    Check {
        overruled_by: Some(Allow::NO_LIFEBOAT),
        ..must("lifeboat", OnSite, "its card has room for a copy of its boot partition behind the image", card::has_room_for_a_lifeboat)
    },
    should("card-errors", OnSite, "the kernel tells of no errors of its card", card::has_no_errors),
    may("file-system", FromAfar, "its file systems have counted no errors", card::has_sound_file_systems),
    should("watchdog", FromAfar, "no watchdog but the Pi's own resets it", guard::is_not_watched),
    may("hat", OnSite, "no board on top cuts its power", guard::has_no_meddling_hat),
    may("clock", FromAfar, "its clock is right, and kept so", guard::has_the_time),
    must("network", FromAfar, "it reaches the network in a way that MIGOS and balenaOS can be given", network::can_be_carried_over),
    must("keyfiles", FromAfar, "the inventory's keyfiles do not clash with its own connections", network::has_keyfiles_that_fit),
    should("tunnel", FromAfar, "it is reached where MIGOS will be, too", network::is_reached_without_raspbian),
    must("bastion-port", FromAfar, "its bastion has a port for it", network::has_a_port_at_its_bastion),
    should("api-reach", FromAfar, "it reaches balena's API", reach::reaches_the_api),
    may("vpn-reach", FromAfar, "it reaches balena's VPN", reach::reaches_the_vpn),
    must("data", ByChoice, "somebody has decided about the data on its card", balena::may_lose_its_data),
    must("fleet", ByChoice, "balena has the fleet that it will join", balena::has_a_fleet),
    must("image", ByChoice, "there is an image for its board", balena::has_an_image),
    must("image-version", ByChoice, "the image is new enough for its board's revision", balena::is_not_too_new_for_the_image),
    must("architecture", ByChoice, "the fleet takes devices of the image's architecture", balena::fits_the_fleet),
    must("move-to", ByChoice, "the fleet that it is moved to is there, and takes it", balena::may_be_moved),
    must("release", ByChoice, "the release that it is pinned to is there, and final", balena::has_its_release),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_short_and_told_once() {
        let names: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        let is_plain = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(names.iter().all(|name| is_plain(name) && name.len() < 18), "{names:?}");
        let allowed: BTreeSet<_> = Allow::all().collect();
        assert_eq!(allowed.len(), Allow::all().count());
    }

    #[test]
    fn a_visit_is_asked_for_where_only_hands_or_nothing_mends_it() {
        let of = |mend| -> Vec<&str> {
            CHECKS.iter().filter(|check| check.mend == mend).map(|check| check.name).collect()
        };
        insta::assert_snapshot!(of(OnSite).join(" "), @"system power throttled first-partition signed-boot card encrypted-root device-mapper card-size lifeboat card-errors hat");
        insta::assert_snapshot!(of(ByChoice).join(" "), @"payload kernel-restart data fleet image image-version architecture move-to release");
        assert_eq!(super::super::mend("login"), FromAfar, "judged elsewhere");
    }

    #[test]
    fn the_guide_tells_every_check_and_no_other() {
        let guide = include_str!("../../../docs/preflight.md");
        let rows: Vec<&str> = guide.lines().filter(|line| line.starts_with("| `")).collect();
        let row = |check: &Check| {
            let severity = match check.severity {
                Severity::Warn => "warns",
                Severity::Refuse => "refuses",
            };
            let by = check.overruled_by.map(|name| format!("`--allow {name}`"));
            let by = by.unwrap_or_else(|| "–".to_owned());
            format!("| `{}` | {} | {severity} | {} | {by} |", check.name, check.what, check.mend)
        };
        let expected: Vec<String> = CHECKS.iter().map(row).collect();
        assert_eq!(
            rows,
            expected,
            "docs/preflight.md is not current; it should have\n{}",
            expected.join("\n")
        );
    }
}
