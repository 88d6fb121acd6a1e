//! Check: the device is still the one of the plan, and so are its boot files.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let identity = device.verified_identity().await?;
    Ok(Learned { boot_id: Some(identity.boot_id), ..Learned::default() })
}
