//! Send the payload: MIGOS's boot files, into a folder of their own on the boot partition.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Content, Session, Source, Transport};
use bytes::Bytes;
use migos_events::Learned;
use migos_payload::digest::Sha256;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let (id, world) = (device.id.clone(), device.world.clone());
    let payload = device.payload()?;
    let folder = device.boot_folder();
    let files = &payload.manifest().files;
    let paths: Vec<String> = files.iter().map(|file| format!("{folder}/{}", file.path)).collect();
    let wanted: Vec<Option<Sha256>> = files.iter().map(|file| Some(file.sha256)).collect();
    let total: u64 = files.iter().map(|file| file.size.0).sum();

    let session = device.raspbian().await?;
    let there = session.sums(&paths).await?;
    let (mut done, mut sent) = (0, 0);
    for ((file, path), found) in files.iter().zip(&paths).zip(&there) {
        if *found != Some(file.sha256) {
            let bytes = payload.content(&file.path).cloned().unwrap_or_default();
            let content = Content {
                source: Source::Memory(Bytes::from_owner(bytes)),
                size: file.size.0,
                sha256: file.sha256,
            };
            let progress = |at: u64| world.observer.progress(&id, done + at, total);
            sent += session.send(&content, path, &progress).await?.bytes;
        }
        done += file.size.0;
    }
    // Everything once more, from the card: the firmware will read these files with nobody there to help.
    if session.sums(&paths).await? != wanted {
        return Err(Failure::Failed("a boot file on the card differs from what was sent".into()));
    }
    Ok(Learned { bytes_sent: Some(sent), ..Learned::default() })
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let folder = device.boot_folder();
    Ok(device.raspbian().await?.remove(&[folder]).await?)
}
