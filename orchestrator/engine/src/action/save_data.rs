//! Save data: what the inventory wants kept is fetched into the run's folder, one archive for each path, before
//! anything is armed. The device is only read.
//!
//! A path whose archive is whole is not fetched again after a lost connection or a new controller; of one that was cut
//! off nothing is kept, since its files may have changed meanwhile. Another attempt at the device fetches all anew.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Saved, Session, Transport};
use crate::run::write_whole;
use migos_events::Learned;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_playbooks::plan::{Folder, SavedData};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What stands in `data.json`: an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// What it holds, as the inventory names it.
    path: String,
    /// The archive's name in this folder.
    archive: String,
    size: u64,
    sha256: Sha256,
    /// True if files were written to while they were fetched.
    changed: bool,
}

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let Some(data) = device.plan().data.clone() else { return Ok(Learned::default()) };
    let folder = device.world.backups.with_file_name("data").join(device.id.as_str());
    make_private(&folder).map_err(local)?;
    let mut entries = recorded(&folder)?;
    entries.retain(|entry| {
        let is_ours = device.taken_up || device.saved.contains(&entry.path);
        is_ours && is_whole(&folder, entry)
    });
    let missing = missing(device, &data, &entries).await?;
    let needed: ByteCount = missing.iter().map(|folder| folder.size).sum();
    let free = ByteCount(free_space(&folder).map_err(local)?);
    if needed > free {
        return Err(Failure::Failed(format!(
            "its data may take {needed}, and {free} are free in {} on this computer",
            folder.display()
        )));
    }
    for wanted in missing {
        let archive = archive_name(&data, &wanted.path);
        let saved = fetch(device, &wanted, &data.exclude, &folder.join(&archive)).await?;
        let Saved { packed, changed } = saved;
        if changed {
            let path = &wanted.path;
            device.note(format!("{path}: files changed while they were fetched")).await;
        }
        device.saved.insert(wanted.path.clone());
        let (size, sha256) = (packed.size, packed.sha256);
        entries.push(Entry { path: wanted.path, archive, size, sha256, changed });
        let text = serde_json::to_vec_pretty(&entries).map_err(local)?;
        write_whole(&folder.join("data.json"), &text, 0o600).map_err(local)?;
    }
    Ok(Learned::default())
}

/// What is there and not fetched yet, with what it takes now: the plan may be days old.
async fn missing<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
    data: &SavedData,
    entries: &[Entry],
) -> Result<Vec<Folder>, Failure> {
    let paths: Vec<String> = data.paths().map(str::to_owned).collect();
    let sizes = device.raspbian().await?.sizes(&paths).await?;
    let size = |path: &str| sizes.get(path).copied().flatten();
    if let Some(gone) = data.folders.iter().find(|folder| size(&folder.path).is_none()) {
        let message = format!("{} is to be kept, and it has none any more", gone.path);
        return Err(Failure::Failed(message));
    }
    let is_missing = |path: &String| !entries.iter().any(|entry| entry.path == *path);
    let there = |path: String| Some(Folder { size: size(&path)?, path });
    Ok(paths.into_iter().filter(is_missing).filter_map(there).collect())
}

async fn fetch<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
    wanted: &Folder,
    exclude: &[String],
    to: &Path,
) -> Result<Saved, Failure> {
    let (id, world, total) = (device.id.clone(), device.world.clone(), wanted.size.0);
    // What is compressed may yet be larger than what it takes on the card.
    let progress = |at: u64| world.observer.progress(&id, at.min(total), total);
    let session = device.raspbian().await?;
    Ok(session.save(&wanted.path, exclude, to, &progress).await?)
}

/// The name of a path's archive: its place among the paths, and its last part for people.
fn archive_name(data: &SavedData, path: &str) -> String {
    let place = data.paths().position(|other| other == path).unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let last: String = last.chars().map(|c| if is_plain(c) { c } else { '_' }).take(60).collect();
    format!("{:02}-{last}.tar.gz", place + 1)
}

fn recorded(folder: &Path) -> Result<Vec<Entry>, Failure> {
    match std::fs::read(folder.join("data.json")) {
        Ok(text) => serde_json::from_slice(&text).map_err(local),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(local(error)),
    }
}

/// An archive gets its name when all of it is on the disk.
fn is_whole(folder: &Path, entry: &Entry) -> bool {
    let found = std::fs::metadata(folder.join(&entry.archive));
    found.is_ok_and(|found| found.is_file() && found.len() == entry.size)
}

/// Makes a folder, and those it stands in, that nobody else may look into.
fn make_private(folder: &PathBuf) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// What a user may still write to the disk that a folder is on.
fn free_space(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn local(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("its data cannot be kept on this computer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_apart_and_named_for_people() {
        let paths = ["/home/pi/a b", "/srv/a_b", "/etc/kiosk.conf"];
        let folder = |path: &str| Folder { size: ByteCount(1), path: path.to_owned() };
        let data = SavedData {
            folders: paths.map(folder).into(),
            absent: Vec::new(),
            exclude: Vec::new(),
        };
        let names = paths.map(|path| archive_name(&data, path));
        assert_eq!(names, ["01-a_b.tar.gz", "02-a_b.tar.gz", "03-kiosk.conf.tar.gz"]);
    }
}
