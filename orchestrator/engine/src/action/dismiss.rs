//! Dismiss: close the bastion to the device again, whose card is written. What is not closed now closes by itself.

use super::{Failure, admit};
use crate::executor::Device;
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    admit::undo(device).await?;
    Ok(Learned::default())
}
