//! Send the image: balenaOS, onto Raspbian's root file system, from where MIGOS takes it into memory. A device without room
//! for it is sent it later, while its card is written.

use super::Failure;
use crate::executor::{Device, IMAGE};
use crate::port::{BalenaApi, Session, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    if device.plan().streamed.is_some() {
        return Ok(Learned::default());
    }
    let (id, world) = (device.id.clone(), device.world.clone());
    let content = device.image()?;
    let session = device.raspbian().await?;
    let progress = |at: u64| world.observer.progress(&id, at, content.size);
    let sent = session.send(&content, IMAGE, &progress).await?;
    Ok(Learned { bytes_sent: Some(sent.bytes), ..Learned::default() })
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    Ok(device.raspbian().await?.remove(&[IMAGE.to_owned()]).await?)
}
