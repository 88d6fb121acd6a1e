//! Reboot on the new firmware, into the same Raspbian.

use super::{Failure, reboot};
use crate::executor::Device;
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    reboot::in_good_order(device).await
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    device.back_on_raspbian().await
}
