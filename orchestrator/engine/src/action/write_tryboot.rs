//! Write `tryboot.txt`: from now on the one-shot flag would boot MIGOS; without it nothing changes.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport};
use migos_contract::boot_path;
use migos_events::Learned;
use migos_payload::digest::Sha256;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let path = path(device);
    let text = device.plan().tryboot_txt.clone();
    let session = device.raspbian().await?;
    session.write(&path, 0o644, text.as_bytes()).await?;
    if session.sums(&[path]).await? != [Some(Sha256::of(text.as_bytes()))] {
        return Err(Failure::Failed("tryboot.txt on the card differs from what was sent".into()));
    }
    Ok(Learned::default())
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let path = path(device);
    Ok(device.raspbian().await?.remove(&[path]).await?)
}

fn path<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> String {
    format!("{}/{}", device.plan().boot_path, boot_path::TRYBOOT)
}
