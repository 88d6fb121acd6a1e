//! Look whether the one-shot file is read no more, and delete the files of the proof.

use super::{Failure, prove_write};
use crate::executor::Device;
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let rebooted = device.another_boot().await?;
    let word = prove_write::word(device);
    if device.kernel_cmdline().await?.split_ascii_whitespace().any(|found| found == word) {
        let message = "its firmware reads tryboot.txt at every boot, not once";
        return Err(Failure::Refused(message.into()));
    }
    prove_write::undo(device).await?;
    Ok(Learned { boot_id: Some(rebooted.boot_id), ..Learned::default() })
}
