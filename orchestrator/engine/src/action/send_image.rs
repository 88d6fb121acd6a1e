//! Send the image: balenaOS, onto Raspbian's root file system, from where MIGOS takes it into memory. A device without room
//! for it is sent it later, while its card is written; one with a mirror fetches it when it is in MIGOS.

use super::Failure;
use super::write_job::is_on_the_card;
use crate::executor::{Device, IMAGE};
use crate::port::{BalenaApi, Session, Transport};
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    if !is_on_the_card(device.plan()) {
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
