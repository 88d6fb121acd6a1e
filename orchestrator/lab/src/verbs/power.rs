//! Verbs that end the running system: `arm`, `reboot`.

use super::{Outcome, code, fs_failure};
use crate::raspbian::Raspbian;
use crate::server::Answer;

/// What systemd passes to the kernel with a reboot.
const REBOOT_PARAM: &str = "/run/systemd/reboot-param";
/// Where systemd notes that somebody has planned a shutdown.
const SCHEDULED: &str = "/run/systemd/shutdown/scheduled";

/// `arm`
pub(super) fn arm(system: &Raspbian) -> Outcome {
    let planned = system.on(SCHEDULED, |files, inner| Ok(files.bytes(inner).is_some()));
    if planned == Ok(true) {
        return Err(Answer::fail(code::BUSY, "a shutdown is scheduled"));
    }
    let text = system.pool().keep(b"0 tryboot\n");
    system
        .on(REBOOT_PARAM, |files, inner| files.write(inner, 0o644, text))
        .map_err(|error| fs_failure(REBOOT_PARAM, error))?;
    system.pi.reboot(true);
    Ok(Vec::new())
}

/// `reboot`
pub(super) fn reboot(system: &Raspbian) -> Outcome {
    system
        .on(REBOOT_PARAM, |files, inner| files.remove(inner))
        .map_err(|error| fs_failure(REBOOT_PARAM, error))?;
    system.pi.reboot(false);
    Ok(Vec::new())
}
