//! The board itself: which one it is, its memory, its power.

use super::{Candidate, finding};
use crate::plan::Finding;
use crate::policy::Allow;
use migos_payload::manifest::Restart;

/// Bits of `vcgencmd get_throttled`: under-voltage now, and at any time since boot (Raspberry Pi
/// documentation: vcgencmd).
const UNDER_VOLTAGE_NOW: u32 = 1;
const UNDER_VOLTAGE_SINCE_BOOT: u32 = 1 << 16;

/// The serial number is what tells a device from any other that may answer at its address.
pub(super) fn has_a_serial_number(case: &Candidate<'_>) -> Option<Finding> {
    let found = case.facts.serial.as_str();
    let is_serial = found.len() == 16 && found.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_serial || found.bytes().all(|b| b == b'0') {
        return finding(
            format!("it has no serial number (found {found:?})"),
            "look at the device: a Raspberry Pi always has one",
        );
    }
    match &case.device.serial {
        Some(pinned) if pinned.as_str() != found => finding(
            format!("its serial number is {found}, the inventory says {pinned}"),
            "another device answers at this address: correct `host` or `serial` in the inventory",
        ),
        _ => None,
    }
}

/// Only what was made from Raspbian's images is known well enough to be moved from afar.
pub(super) fn runs_a_known_system(case: &Candidate<'_>) -> Option<Finding> {
    match case.facts.os.id.as_str() {
        "raspbian" | "debian" => None,
        other => finding(
            format!("it runs {other:?}, not Raspbian or Raspberry Pi OS"),
            "leave it out of the inventory, or migrate it by hand",
        ),
    }
}

pub(super) fn has_a_payload(case: &Candidate<'_>) -> Option<Finding> {
    match case.payload {
        Some(_) => None,
        None => finding(
            format!(
                "no payload is made for it: Pi {} (revision {})",
                case.facts.revision.board_type(),
                case.facts.revision
            ),
            "add a payload for this board to the folder that `payloads:` names",
        ),
    }
}

/// A kernel whose watchdog driver is a module hangs for ever if it panics early.
pub(super) fn has_a_kernel_that_restarts(case: &Candidate<'_>) -> Option<Finding> {
    match case.payload?.restart {
        Restart::Builtin => None,
        Restart::Module if case.switch.allow.contains(&Allow::UnguardedKernel) => None,
        Restart::Module => finding(
            "the payload's kernel cannot restart the board before its modules are loaded",
            "use a payload whose manifest says `restart: builtin`, as Raspberry Pi kernels have it; on a bench, \
             --allow unguarded-kernel",
        ),
    }
}

pub(super) fn has_enough_power(case: &Candidate<'_>) -> Option<Finding> {
    let flags = case.facts.throttled?;
    let when = if flags & UNDER_VOLTAGE_NOW != 0 {
        "now"
    } else if flags & UNDER_VOLTAGE_SINCE_BOOT != 0 {
        "since boot"
    } else {
        return None;
    };
    finding(
        format!("under-voltage seen {when} (throttled={flags:#x})"),
        "check the power supply and its cable",
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, reasons};

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
