//! Look whether the firmware read the one-shot file: its word must be on the kernel's command line.

use super::{Failure, arm, prove_write};
use crate::executor::{Device, Rebooted};
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let mut rebooted = device.another_boot().await?;
    if rebooted.forced {
        // Only an orderly reboot carries the flag: what was seen says nothing. Once more, then.
        let learned = arm::set_flag_and_reboot(device).await?;
        device.learned.add(&learned);
        rebooted = device.another_boot().await?;
    }
    let Rebooted { boot_id, forced } = rebooted;
    if forced {
        return Err(Failure::Failed("its reboots hang, so the one-shot flag never sets in".into()));
    }
    let word = prove_write::word(device);
    if device.kernel_cmdline().await?.split_ascii_whitespace().any(|found| found == word) {
        return Ok(Learned { boot_id: Some(boot_id), ..Learned::default() });
    }
    Err(Failure::Refused("its firmware ignores the one-shot flag, as a reboot has shown".into()))
}
