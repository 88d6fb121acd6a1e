//! Settle: move a device that has arrived to the fleet where it stays, and pin it there.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let (identity, uuid) = (&device.plan().identity, &device.secrets.uuid);
    let balena = &device.world.balena;
    if let Some(destination) = &identity.move_to {
        let moved = balena.move_to(uuid, destination.id).await;
        moved.map_err(|error| said(&format!("not moved to {}", destination.slug), error.into()))?;
    }
    // The release is one of this fleet, so nobody could pin it before.
    if let Some(pin) = &identity.pin {
        let pinned = balena.pin(uuid, pin.id).await;
        pinned.map_err(|error| said(&format!("not pinned to {}", pin.commit), error.into()))?;
    }
    Ok(Learned::default())
}

/// What of it is not done, and why.
fn said(what: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Transient(message) => Failure::Transient(format!("{what}: {message}")),
        failure => Failure::Failed(format!("{what}: {}", failure.message())),
    }
}
