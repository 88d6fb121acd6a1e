//! The verb that brings the firmware up to date: `update`.

use super::{Outcome, code, fs_failure};
use crate::device::Hindrance;
use crate::raspbian::Raspbian;
use crate::server::Answer;
use crate::stock;

/// `update WHAT`: the archive has the firmware that belongs to the release.
pub(super) fn update(system: &Raspbian, what: &str) -> Outcome {
    if !matches!(what, "card" | "eeprom") {
        return Err(Answer::fail(code::USAGE, format!("no such firmware: {what}")));
    }
    let pi = &system.pi;
    if pi.is_hindered_by(Hindrance::PackagesLocked) {
        return Err(Answer::fail(code::BUSY, "packages are being installed"));
    }
    let boot = pi.boot_path();
    let _writable = system.hands.remount(&format!("{boot}/config.txt"));
    for (file, bytes) in stock::loaders(pi.release) {
        let path = format!("{boot}/{file}");
        let content = system.pool().keep(&bytes);
        // As dpkg does: aside, then renamed.
        let write = system.hands.change(&format!("{path}.dpkg-new"), |files, aside| {
            files.write(aside, content)?;
            files.rename(aside, aside.trim_end_matches(".dpkg-new"))
        });
        write.map_err(|error| fs_failure(&path, error))?;
    }
    system.hands.sync();
    Ok(Vec::new())
}
