//! `/init`: the first process, and the life of MIGOS in its first child.
//!
//! They are two because the first process must take leave of every orphan, and one that waits for any child
//! takes them away from whoever waits for its own. It does nothing else, so it has no reason to end; when
//! the other ends it resets the board.

mod boot_partition;
mod card;
mod handover;
mod kernel;
mod programs;
mod session;

use crate::network::Lease;
use kernel::{log, restart};
use programs::take_lease;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, wait};
use std::process::Command;

/// The word by which the first process starts its child.
pub const LIFE: &str = "life";

/// The first process.
pub fn init() -> ! {
    if let Err(error) = kernel::mount_all() {
        restart(&format!("failed to mount: {error}"));
    }
    let child = match Command::new("/init").arg(LIFE).spawn() {
        Ok(child) => child,
        Err(error) => restart(&format!("/init does not start: {error}")),
    };
    let life = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == life => {
                restart(&format!("MIGOS ended: {status:?}"));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => restart(&format!("nobody to wait for: {error}")),
        }
    }
}

/// The first process's child.
pub fn live() -> ! {
    session::live()
}

/// Takes what `udhcpc` tells: an event, and in the environment what came with it.
pub fn dhcp_event(event: &str, variable: impl Fn(&str) -> Option<String>) {
    // At the other events an address that was given is kept: nobody else will have it so soon.
    if matches!(event, "bound" | "renew") {
        match Lease::read(variable) {
            Some(lease) => take_lease(&lease),
            None => log("a lease without an address"),
        }
    }
}
