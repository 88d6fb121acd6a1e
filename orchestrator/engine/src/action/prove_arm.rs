//! Reboot once with the one-shot flag, into the same Raspbian.

use super::{Failure, arm};
use crate::executor::Device;
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    arm::set_flag_and_reboot(device).await
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    device.back_on_raspbian().await
}
