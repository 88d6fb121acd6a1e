//! Admit: let the device's MIGOS in at the bastion, with a key of its own, for one port and nothing else.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Guest, Session, Transport};
use migos_events::Learned;
use std::time::Duration;

/// How long the key opens the bastion: as long as everything that may come after it. Whatever became of the
/// device or this program, the key is of no use then.
const LEASE: Duration = Duration::from_secs(24 * 3600);

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
    let name = name(device);
    let session = device.at_bastion().await?;
    let dismissed = session.dismiss(&name).await;
    session.close().await;
    Ok(dismissed?)
}

fn name<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> String {
    format!("migos-fleet/{}/{}", device.world.run, device.id)
}
