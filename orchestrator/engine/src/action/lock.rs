//! Lock: take the device for this run, so that no second controller works on it.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    device.locked = true;
    device.renew_lock().await?;
    Ok(Learned::default())
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let owner = device.world.run.to_string();
    device.raspbian().await?.unlock(&owner).await?;
    device.locked = false;
    Ok(())
}
