//! Files put into a FAT partition without mounting it: the kernel still has the old partition table, and a
//! mount would want one more module.

use crate::disk::Disk;
use crate::table::Extent;
use fatfs::{FileSystem, FsOptions};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use thiserror::Error;

/// A file that is not in the boot partition as it should be.
#[derive(Debug, Error)]
pub enum FilesError {
    /// The name cannot be one in a boot partition.
    #[error("not a name for a file in the boot partition: {0}")]
    Name(String),
    /// The partition holds no FAT file system, or a broken one.
    #[error("failed to open the new boot partition: {0}")]
    Open(io::Error),
    /// The file could not be written: most likely the partition is full.
    #[error("failed to write {name} into the new boot partition: {source}")]
    Write {
        /// The file's name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The file could not be read again.
    #[error("failed to read {name} back from the new boot partition: {source}")]
    ReadBack {
        /// The file's name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The file reads otherwise than it was written.
    #[error("{0} in the new boot partition is not what was written")]
    Differs(String),
}

/// Checks that the names can stand in a boot partition: relative, without `..`, in FAT's letters.
///
/// # Errors
/// [`FilesError::Name`] has the first that cannot.
pub fn check_names<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<(), FilesError> {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.len() <= 255
            && !part.chars().any(|c| c.is_control() || r#"\:*?"<>|"#.contains(c))
    };
    match names.into_iter().find(|name| !name.split('/').all(is_part)) {
        None => Ok(()),
        Some(name) => Err(FilesError::Name(name.clone())),
    }
}

/// The log's name in the root of the new boot partition.
pub const LOG_FILE: &str = "migos.log";

/// Leaves the log in the FAT partition at that place, unless there is no room: then it is done without.
///
/// # Errors
/// As [`put_files`].
pub(super) fn put_log(
    disk: &mut dyn Disk,
    partition: Extent,
    text: &str,
) -> Result<(), FilesError> {
    let stats = open(Window { disk, partition, at: 0 })?.stats().map_err(FilesError::Open)?;
    let (cluster, free) = (u64::from(stats.cluster_size()), u64::from(stats.free_clusters()));
    // One more for a folder that grows by an entry.
    if (text.len() as u64).div_ceil(cluster) + 1 > free {
        return Ok(());
    }
    put_files(disk, partition, &BTreeMap::from([(LOG_FILE.to_owned(), text.to_owned())]))
}

/// Puts the files into the FAT partition at that place, over those of the same names, and reads them back
/// from the medium. Folders have to be there: those that fatfs 0.3 makes have entries too many, which
/// `fsck.fat` objects to (rust-fatfs, pull request 100). The same files into the same partition give the same bytes: no time is written.
///
/// # Errors
/// [`FilesError`] names the file.
pub fn put_files(
    disk: &mut dyn Disk,
    partition: Extent,
    files: &BTreeMap<String, String>,
) -> Result<(), FilesError> {
    check_names(files.keys())?;
    if files.is_empty() {
        return Ok(());
    }
    {
        let fat = open(Window { disk, partition, at: 0 })?;
        for (name, text) in files {
            put(&fat, name, text)
                .map_err(|source| FilesError::Write { name: name.clone(), source })?;
        }
        fat.unmount().map_err(FilesError::Open)?;
    }
    disk.sync().map_err(FilesError::Open)?;
    let fat = open(Window { disk, partition, at: 0 })?;
    for (name, text) in files {
        let mut found = Vec::new();
        fat.root_dir()
            .open_file(name)
            .and_then(|mut file| file.read_to_end(&mut found))
            .map_err(|source| FilesError::ReadBack { name: name.clone(), source })?;
        if found != text.as_bytes() {
            return Err(FilesError::Differs(name.clone()));
        }
    }
    Ok(())
}

fn open(window: Window<'_>) -> Result<FileSystem<Window<'_>>, FilesError> {
    FileSystem::new(window, FsOptions::new()).map_err(FilesError::Open)
}

fn put(fat: &FileSystem<Window<'_>>, name: &str, text: &str) -> io::Result<()> {
    let root = fat.root_dir();
    let mut file = root.create_file(name)?;
    file.truncate()?;
    file.write_all(text.as_bytes())?;
    file.flush()
}

/// One partition of a disk, as the FAT library wants it.
struct Window<'a> {
    disk: &'a mut dyn Disk,
    partition: Extent,
    at: u64,
}

impl Window<'_> {
    /// How many of so many bytes are within the partition, from where it stands.
    fn within(&self, wanted: usize) -> usize {
        let left = self.partition.size.saturating_sub(self.at);
        usize::try_from(left).map_or(wanted, |left| wanted.min(left))
    }

    fn position(&self) -> u64 {
        self.partition.start.saturating_add(self.at)
    }
}

impl Read for Window<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.within(into.len());
        self.disk.read_at(self.position(), &mut into[..count])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for Window<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.within(bytes.len());
        self.disk.write_at(self.position(), &bytes[..count])?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.partition.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_plain_relative_names_stand_in_a_boot_partition() {
        let good = ["config.json", "system-connections/my wifi"].map(str::to_owned);
        check_names(&good).unwrap();
        for bad in ["", "/config.json", "../x", "a//b", "a/", "a\nb", "c:x"] {
            let error = check_names([&bad.to_owned()]).unwrap_err();
            assert!(matches!(error, FilesError::Name(name) if name == bad));
        }
    }
}
