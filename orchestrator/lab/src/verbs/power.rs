//! Verbs that end the running system: `arm`, `reboot`.

use super::files::make_folders_for;
use super::{Outcome, code, fs_failure};
use crate::card::FileSystem;
use crate::device::Hindrance;
use crate::faults::Tier;
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
    let flag = system.pool().keep(b"0 tryboot\n");
    let written = system.hands.change(REBOOT_PARAM, |files, inner| {
        make_folders_for(files, inner)?;
        files.write(inner, flag)
    });
    written.map_err(|error| fs_failure(REBOOT_PARAM, error))?;
    systemctl_reboot(system).inspect_err(|_| {
        // The flag must not wait there for the next reboot.
        let _ = system.hands.change(REBOOT_PARAM, FileSystem::remove);
    })
}

/// `reboot TIER`
pub(super) fn reboot(system: &Raspbian, tier: &str) -> Outcome {
    let tier = match tier {
        "orderly" => Tier::Orderly,
        "forced" => Tier::Forced,
        "sysrq" => Tier::Sysrq,
        other => return Err(Answer::fail(code::USAGE, format!("no way to reboot: {other}"))),
    };
    let removed = system.hands.change(REBOOT_PARAM, FileSystem::remove);
    removed.map_err(|error| fs_failure(REBOOT_PARAM, error))?;
    match tier {
        Tier::Orderly => systemctl_reboot(system),
        Tier::Forced | Tier::Sysrq => {
            system.pi.reboot(tier, "");
            Ok(Vec::new())
        }
    }
}

/// Shuts down, a moment later, and hands over to the kernel what stands in the file for it.
fn systemctl_reboot(system: &Raspbian) -> Outcome {
    let pi = &system.pi;
    if pi.is_hindered_by(Hindrance::RebootFails) {
        return Err(Answer::fail(code::FAILED, "failed to talk to init daemon"));
    }
    let parameter = pi.file(REBOOT_PARAM).unwrap_or_default();
    pi.reboot(Tier::Orderly, String::from_utf8_lossy(&parameter).trim_end());
    Ok(Vec::new())
}
