//! The board itself: which one it is, its memory, its power.

use super::{Candidate, Verdict, pass, refuse, warn};
use migos_payload::manifest::Restart;

/// Bits of `vcgencmd get_throttled`: under-voltage now, and at any time since boot (Raspberry Pi
/// documentation: vcgencmd).
const UNDER_VOLTAGE_NOW: u32 = 1;
const UNDER_VOLTAGE_SINCE_BOOT: u32 = 1 << 16;

/// Bits of the same: what the firmware does against heat and weak power, now and at any time since boot.
const SLOWED_DOWN: [(u32, &str); 3] = [
    (1 << 1, "the processor's clock is capped"),
    (1 << 2, "the processor is throttled"),
    (1 << 3, "it is too hot"),
];
const SINCE_BOOT: u32 = 16;

/// The serial number is what tells a device from any other that may answer at its address.
pub(super) fn has_a_serial_number(case: &Candidate<'_>) -> Option<Verdict> {
    let found = case.facts.serial.as_str();
    let is_serial = found.len() == 16 && found.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_serial || found.bytes().all(|b| b == b'0') {
        return refuse(
            format!("it has no serial number (found {found:?})"),
            "look at the device: a Raspberry Pi always has one",
        );
    }
    match &case.device.serial {
        Some(pinned) if pinned.as_str() != found => refuse(
            format!("its serial number is {found}, the inventory says {pinned}"),
            "another device answers at this address: correct `host` or `serial` in the inventory",
        ),
        Some(_) => pass(format!("{found}, as the inventory says")),
        None => pass(found),
    }
}

/// Only what was made from Raspbian's images is known well enough to be moved from afar.
pub(super) fn runs_a_known_system(case: &Candidate<'_>) -> Option<Verdict> {
    let os = &case.facts.os;
    match os.id.as_str() {
        "raspbian" | "debian" => pass(format!("{}, kernel {}", os.name, case.facts.kernel)),
        other => refuse(
            format!("it runs {other:?}, not Raspbian or Raspberry Pi OS"),
            "leave it out of the inventory, or migrate it by hand",
        ),
    }
}

pub(super) fn has_a_payload(case: &Candidate<'_>) -> Option<Verdict> {
    let (facts, board) = (case.facts, case.facts.revision.board_type());
    let Some(payload) = case.payload else {
        return refuse(
            format!("no payload is made for it: Pi {board} (revision {})", facts.revision),
            "add a payload for this board to the folder that `payloads:` names",
        );
    };
    // Raspberry Pi OS of 32 bits runs under a kernel of 64 where the board has them (from bullseye on).
    let mixed = match (facts.machine.as_str(), facts.userland.as_str()) {
        ("aarch64", "armhf") => "; its kernel has 64 bits, its programs 32",
        _ => "",
    };
    pass(format!("MIGOS {} for {}, Pi {board}{mixed}", payload.version, payload.architecture))
}

/// A kernel whose watchdog driver is a module hangs for ever if it panics early.
pub(super) fn has_a_kernel_that_restarts(case: &Candidate<'_>) -> Option<Verdict> {
    match case.payload?.restart {
        Restart::Builtin => pass("its manifest says `restart: builtin`"),
        Restart::Module => refuse(
            "the payload's kernel cannot restart the board before its modules are loaded",
            "use a payload whose manifest says `restart: builtin`, as Raspberry Pi kernels have it; on a bench, \
             --allow unguarded-kernel",
        ),
    }
}

pub(super) fn has_enough_power(case: &Candidate<'_>) -> Option<Verdict> {
    let flags = case.facts.throttled?;
    let Some(when) = under_voltage(flags) else {
        return pass(format!("no under-voltage since boot (throttled={flags:#x})"));
    };
    refuse(
        format!("under-voltage seen {when} (throttled={flags:#x})"),
        "check the power supply and its cable",
    )
}

fn under_voltage(flags: u32) -> Option<&'static str> {
    match flags {
        _ if flags & UNDER_VOLTAGE_NOW != 0 => Some("now"),
        _ if flags & UNDER_VOLTAGE_SINCE_BOOT != 0 => Some("since boot"),
        _ => None,
    }
}

/// A flash is work: who is too hot already will be slower than predicted.
pub(super) fn runs_at_full_speed(case: &Candidate<'_>) -> Option<Verdict> {
    let flags = case.facts.throttled.filter(|flags| under_voltage(*flags).is_none())?;
    let seen = |shift: u32| SLOWED_DOWN.iter().find(|(bit, _)| flags & (bit << shift) != 0);
    let (what, when) = match (seen(0), seen(SINCE_BOOT)) {
        (Some((_, what)), _) => (what, "now"),
        (None, Some((_, what))) => (what, "or was so since boot"),
        (None, None) => return pass(format!("at full speed since boot (throttled={flags:#x})")),
    };
    warn(
        format!("{what} {when} (throttled={flags:#x})"),
        "look whether it gets air; a flash takes longer on a device that is slowed down",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::sample::{Sample, evidence, reasons, warnings};
    use crate::policy::Allow;
    use migos_payload::manifest::Restart;

    #[test]
    fn a_stock_device_is_fine() {
        assert!(reasons(&Sample::buster()).is_empty());
        assert!(reasons(&Sample::bookworm()).is_empty());
    }

    #[test]
    fn a_missing_or_other_serial_number_is_refused() {
        let none = Sample::buster().probe("serial 00000000765fc593", "serial 0000000000000000");
        assert_eq!(reasons(&none), ["it has no serial number (found \"0000000000000000\")"]);
        let other = Sample::buster().inventory("serial: \"0000000011111111\"");
        assert_eq!(
            reasons(&other),
            ["its serial number is 00000000765fc593, the inventory says 0000000011111111"]
        );
    }

    #[test]
    fn weak_power_is_refused() {
        let weak = Sample::buster().probe("throttled 0x0", "throttled 0x50000");
        assert_eq!(reasons(&weak), ["under-voltage seen since boot (throttled=0x50000)"]);
    }

    #[test]
    fn a_device_that_is_slowed_down_is_warned_of() {
        let hot = Sample::buster().probe("throttled 0x0", "throttled 0x8");
        assert_eq!(warnings(&hot), ["it is too hot now (throttled=0x8)"]);
        let was = Sample::buster().probe("throttled 0x0", "throttled 0x40000");
        assert_eq!(
            warnings(&was),
            ["the processor is throttled or was so since boot (throttled=0x40000)"]
        );
        let weak = Sample::buster().probe("throttled 0x0", "throttled 0x50005");
        assert!(warnings(&weak).is_empty(), "weak power is the cause");
        assert_eq!(evidence(&was, "power"), "no under-voltage since boot (throttled=0x40000)");
    }

    #[test]
    fn a_32_bit_system_under_a_64_bit_kernel_is_told_with_its_payload() {
        let mixed = Sample::buster().probe("machine armv7l", "machine aarch64");
        assert_eq!(
            evidence(&mixed, "payload"),
            "MIGOS 1.0.0 for armhf, Pi 3B+; its kernel has 64 bits, its programs 32"
        );
    }

    #[test]
    fn a_refusal_that_is_overruled_is_none_any_more() {
        let mut bench = Sample::buster().probe("throttled 0x0", "throttled 0x50000");
        if let Some(payload) = &mut bench.payload {
            payload.restart = Restart::Module;
        }
        assert_eq!(reasons(&bench).len(), 2);
        bench.allow.insert(Allow::UNGUARDED_KERNEL);
        assert_eq!(reasons(&bench), ["under-voltage seen since boot (throttled=0x50000)"]);
        bench.allow.insert("power".parse().unwrap());
        assert!(reasons(&bench).is_empty());
    }

    #[test]
    fn a_board_without_payload_or_known_system_is_refused() {
        let unknown = Sample::buster().probe("revision a020d3", "revision a0f7f0");
        assert_eq!(
            reasons(&unknown)[..1],
            ["no payload is made for it: Pi type 0x7f (revision a0f7f0)"]
        );
        let other = Sample::buster().probe("os-release ID=raspbian", "os-release ID=arch");
        assert_eq!(reasons(&other), ["it runs \"arch\", not Raspbian or Raspberry Pi OS"]);
    }
}
