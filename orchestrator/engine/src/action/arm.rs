//! Arm: set the one-shot flag and reboot. The flag is gone at the next reset, whatever happens.

use super::{Failure, release};
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport, TransportError};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    // Only a resumed controller can find MIGOS running already.
    if device.taken_up && device.migos().await.is_ok() {
        return Ok(Learned::default());
    }
    if release::may_have_left(device).await {
        return Ok(Learned::default());
    }
    release::may_leave(device)?;
    set_flag_and_reboot(device).await
}

/// The last look at the device before it reboots, and the reboot. Gives the boot that is to end.
pub(super) async fn set_flag_and_reboot<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let identity = device.verified_identity().await?;
    match device.raspbian().await?.arm().await {
        // The device may be on its way down already; the next step finds out.
        Ok(()) | Err(TransportError::Lost { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    device.hang_up().await;
    Ok(Learned { boot_id: Some(identity.boot_id), ..Learned::default() })
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    device.back_on_raspbian().await
}
