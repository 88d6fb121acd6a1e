//! Verbs that end the running system: `arm`, `reboot`.

use super::{Outcome, code, fs_failure};
use crate::device::Hindrance;
use crate::raspbian::Raspbian;
use crate::server::Answer;

/// What systemd passes to the kernel with a reboot.
const REBOOT_PARAM: &str = "/run/systemd/reboot-param";
/// Where systemd notes that somebody has planned a shutdown.
const SCHEDULED: &str = "/run/systemd/shutdown/scheduled";

/// `arm`
pub(super) fn arm(system: &Raspbian) -> Outcome {
    let pi = &system.pi;
    if pi.file(SCHEDULED).is_some() {
        return Err(Answer::fail(code::BUSY, "a shutdown is scheduled"));
    }
    if pi.is_hindered_by(Hindrance::PackagesLocked) {
        return Err(Answer::fail(code::BUSY, "packages are being installed"));
    }
    let written = pi.put_file(REBOOT_PARAM, b"0 tryboot\n");
    written.map_err(|error| fs_failure(REBOOT_PARAM, error))?;
    systemctl_reboot(system).inspect_err(|_| {
        // The flag must not wait there for the next reboot.
        let _ = pi.remove_file(REBOOT_PARAM);
    })
}

/// `reboot`
pub(super) fn reboot(system: &Raspbian) -> Outcome {
    let removed = system.pi.remove_file(REBOOT_PARAM);
    removed.map_err(|error| fs_failure(REBOOT_PARAM, error))?;
    systemctl_reboot(system)
}

/// Shuts down, a moment later, and hands over to the kernel what stands in the file for it.
fn systemctl_reboot(system: &Raspbian) -> Outcome {
    let pi = &system.pi;
    if pi.is_hindered_by(Hindrance::RebootFails) {
        return Err(Answer::fail(code::FAILED, "failed to talk to init daemon"));
    }
    let parameter = pi.file(REBOOT_PARAM).unwrap_or_default();
    pi.reboot(String::from_utf8_lossy(&parameter).trim_end());
    Ok(Vec::new())
}
