//! Dismiss: close the bastion to the device again, whose card is written. What is not closed now closes by itself.

use super::{Failure, admit};
use crate::executor::Device;
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    match admit::undo(device).await {
        Ok(()) => {}
        Err(Failure::Transient(message)) => return Err(Failure::Transient(message)),
        // Past the point of no return nothing may fail that does not concern the device.
        Err(failure) => {
            let left = "its key for the bastion was left there, and ends by itself within a day";
            device.note(format!("{left}: {}", failure.message())).await;
        }
    }
    Ok(Learned::default())
}
