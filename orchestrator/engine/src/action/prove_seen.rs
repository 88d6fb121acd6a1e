//! Look whether the firmware read the one-shot file: its word must be on the kernel's command line.

use super::{Failure, arm, prove_write};
use crate::executor::{Device, Rebooted};
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let mut rebooted = device.another_boot().await?;
    let word = prove_write::word(device);
    let mut armed_again = false;
    loop {
        let Rebooted { boot_id, forced } = rebooted;
        let cmdline = device.kernel_cmdline().await?;
        if cmdline.split_ascii_whitespace().any(|found| found == word) {
            return Ok(Learned { boot_id: Some(boot_id), ..Learned::default() });
        }
        if armed_again {
            return Err(match forced {
                true => {
                    Failure::Failed("its reboots hang, so the one-shot flag never sets in".into())
                }
                false => Failure::Refused(
                    "its firmware ignores the one-shot flag, as two reboots have shown".into(),
                ),
            });
        }
        // A forced reboot does not carry the flag, and a power cut clears it: what was seen says nothing yet.
        armed_again = true;
        let learned = arm::set_flag_and_reboot(device).await?;
        device.learned.add(&learned);
        rebooted = device.another_boot().await?;
    }
}
