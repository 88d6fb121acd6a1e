//! Lays a payload onto the boot partition of a card, or of the image of one, without a mount.
//!
//! Nothing that is on the partition is changed: only the folder `migos/` is made, anew if it is there.

use crate::host::{MCOPY, MDELTREE, MDIR, MMD};
use crate::process::{Process, ProcessError};
use migos_contract::boot_path;
use migos_payload::archive::VerifiedPayload;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Bytes of a sector.
pub(crate) const SECTOR: usize = 512;
/// The first row of the partition table, and the signature behind the table (master boot record).
pub(crate) const TABLE: usize = 446;
pub(crate) const ROW: usize = 16;
pub(crate) const SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// Partition types whose file system is FAT.
const FAT: [u8; 6] = [0x01, 0x04, 0x06, 0x0b, 0x0c, 0x0e];

/// Why a card was not written.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The card or image cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The card or image.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A device that was not named twice.
    #[error("{card} is a device: everything in its folder {folder}/ would be replaced; name it once more with: --device {card}", card = .0.display(), folder = boot_path::FOLDER)]
    NotConfirmed(PathBuf),
    /// No partition table, or none with a boot partition.
    #[error(
        "{} has no FAT boot partition in its partition table; write a Raspbian image onto it first", .0.display()
    )]
    NoBootPartition(PathBuf),
    /// A tool refused, for instance because the partition is full.
    #[error("failed to write {file} onto the boot partition of {}; what is beside {}/ is unchanged: free room, or use another card", card.display(), boot_path::FOLDER)]
    Write {
        /// The file or folder.
        file: String,
        /// The card or image.
        card: PathBuf,
        /// Why.
        #[source]
        source: ProcessError,
    },
    /// What is on the card is not what was written.
    #[error("{0} reads back different from what was written; use another card")]
    Different(String),
}

/// Lays the payload's files onto the card's boot partition and reads each back. A device must be named a
/// second time, as `again`.
///
/// # Errors
/// [`CardError`]; the partition's other files are untouched in every case.
pub fn write_card(
    payload: &VerifiedPayload,
    card: &Path,
    again: Option<&Path>,
) -> Result<(), CardError> {
    let read = |source| CardError::Read { path: card.to_owned(), source };
    let text = || card.to_owned();
    let is_device = card.metadata().map_err(read)?.file_type().is_block_device();
    if is_device && again != Some(card) {
        return Err(CardError::NotConfirmed(text()));
    }
    let mut head = [0; SECTOR];
    File::open(card).and_then(|mut file| file.read_exact(&mut head)).map_err(read)?;
    let start = boot_partition(&head).ok_or_else(|| CardError::NoBootPartition(text()))?;
    let image = format!("{}@@{start}", card.display());

    let tool = |tool: &'static crate::host::Tool| {
        // mtools asks nobody, and takes partitions of few clusters as Linux does.
        Process::new(tool).env("MTOOLS_SKIP_CHECK", "1").args(["-i", &image])
    };
    let failed = |file: &str| {
        let (file, card) = (file.to_owned(), text());
        move |source| CardError::Write { file, card, source }
    };
    let folder = format!("::{}", boot_path::FOLDER);
    if tool(&MDIR).args(["-b", &folder]).attempt(Vec::new()).map_err(failed(&folder))?.succeeded {
        tool(&MDELTREE).arg(&folder).run().map_err(failed(&folder))?;
    }
    let files = &payload.manifest().files;
    let mut folders = BTreeSet::from([folder.clone()]);
    for file in files {
        let parents = file.path.match_indices('/').map(|(end, _)| &file.path[..end]);
        folders.extend(parents.map(|parent| format!("{folder}/{parent}")));
    }
    for folder in &folders {
        tool(&MMD).arg(folder).run().map_err(failed(folder))?;
    }
    for file in files {
        let Some(content) = payload.content(&file.path) else { continue };
        let target = format!("{folder}/{}", file.path);
        let write = tool(&MCOPY).args(["-o", "-", &target]).run_with(content.to_vec());
        let said = write.map_err(failed(&file.path))?;
        // mcopy ends well on a full partition, and only says so.
        if !said.complaint.is_empty() {
            let (program, complaint) = (MCOPY.program, said.complaint);
            return Err(failed(&file.path)(ProcessError::Failed { program, complaint }));
        }
    }
    for file in files {
        let target = format!("{folder}/{}", file.path);
        let back = tool(&MCOPY).args([&target, "-"]).run().map_err(failed(&file.path))?;
        if payload.content(&file.path).is_none_or(|content| content[..] != back.out[..]) {
            return Err(CardError::Different(file.path.clone()));
        }
    }
    Ok(())
}

/// Where the first partition with a FAT file system begins, in bytes.
pub(crate) fn boot_partition(head: &[u8; SECTOR]) -> Option<u64> {
    if head[510..] != SIGNATURE {
        return None;
    }
    let rows = head[TABLE..510].chunks_exact(ROW);
    let row = rows.into_iter().find(|row| FAT.contains(&row[4]))?;
    let start = u32::from_le_bytes(row[8..12].try_into().ok()?);
    (start > 0).then(|| u64::from(start) * SECTOR as u64)
}
