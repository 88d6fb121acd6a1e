//! Back up the boot partition: a copy on the device, an archive in the run's folder, and the list of all that
//! was there, which an undo is held against.

use super::{Failure, carry};
use crate::executor::{BOOT_BACKUP, Device};
use crate::port::{BalenaApi, Session, Transport};
use crate::run::write_whole;
use migos_events::Learned;
use migos_playbooks::facts::Tree;
use std::path::PathBuf;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    carry::perform(device).await?;
    // What was there before anything was written is known once and for all.
    if recorded(device)?.is_some() {
        return Ok(Learned::default());
    }
    let boot = device.plan().boot_path.clone();
    let archive = file(device, "tar");
    let session = device.raspbian().await?;
    let tree = session.backup(&boot, BOOT_BACKUP).await?;
    let packed = session.pack(&boot, &archive).await?;
    // The boot files are those of the plan, so this is the partition that the plan was made for.
    device.verified_identity().await?;
    let text = serde_json::to_vec_pretty(&tree).map_err(local)?;
    write_whole(&file(device, "tree.json"), &text, 0o600).map_err(local)?;
    let line = format!("{}  {}.tar\n", packed.sha256, device.id);
    write_whole(&file(device, "tar.sha256"), line.as_bytes(), 0o600).map_err(local)?;
    Ok(Learned::default())
}

/// Everything else has been taken back by now: the boot partition must be what it was.
pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let boot = device.plan().boot_path.clone();
    if let Some(before) = recorded(device)? {
        let now = device.raspbian().await?.tree(&boot).await?;
        let differences = before.differences(&now);
        if let Some(first) = differences.first() {
            let more = match differences.len() {
                1 => String::new(),
                many => format!(" and {} more", many - 1),
            };
            let message =
                format!("the boot partition is not what it was: {first}{more}; its backup is kept");
            return Err(Failure::Failed(message));
        }
    }
    Ok(device.raspbian().await?.remove(&[BOOT_BACKUP.to_owned()]).await?)
}

fn file<T: Transport, B: BalenaApi>(device: &Device<T, B>, suffix: &str) -> PathBuf {
    device.world.backups.join(format!("{}.{suffix}", device.id))
}

fn recorded<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> Result<Option<Tree>, Failure> {
    let path = file(device, "tree.json");
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(local),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(local(error)),
    }
}

fn local(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("its backup on this computer cannot be used: {error}"))
}
