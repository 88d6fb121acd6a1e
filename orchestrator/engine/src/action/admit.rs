//! Admit: let the device's MIGOS in at the bastion, with a key of its own, for one port and nothing else.

use super::Failure;
use crate::executor::{Device, Patience};
use crate::port::{BalenaApi, Guest, Session, Transport};
use migos_events::Learned;
use std::time::Duration;

/// How long the key opens the bastion: as long as everything that may come after it. Whatever became of the
/// device or this program, the key is of no use then.
const LEASE: Duration = Duration::from_secs(24 * 3600);

/// How often a bastion is asked to let a guest in no more.
const TRIES: u32 = 8;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let (_, listen) = device.bastion()?;
    let key = device.call_home_key();
    let guest = Guest { name: name(device), key: key.public_line.clone(), listen, lease: LEASE };
    let session = device.at_bastion().await?;
    let admitted = session.admit(&guest).await;
    session.close().await;
    Ok(Learned { bastion_key: Some(admitted?), ..Learned::default() })
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let mut patience = Patience::default();
    let mut tries = 1;
    while let Err(failure) = dismiss(device).await {
        if tries < TRIES && matches!(failure, Failure::Transient(_)) {
            tries += 1;
            patience.pause().await;
            continue;
        }
        // A key too many there harms no device, so it fails neither an undo nor a migration.
        let left = "its key for the bastion was left there, and ends by itself within a day";
        device.note(format!("{left}: {}", failure.message())).await;
        break;
    }
    Ok(())
}

async fn dismiss<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> Result<(), Failure> {
    let session = device.at_bastion().await?;
    let dismissed = session.dismiss(&name(device)).await;
    session.close().await;
    Ok(dismissed?)
}

fn name<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> String {
    format!("migos-fleet/{}/{}", device.world.run, device.id)
}
