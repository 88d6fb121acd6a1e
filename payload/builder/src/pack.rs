//! A tarball of a folder that has `manifest.json` and `migos/`.

use crate::build::listed;
use migos_contract::boot_path;
use migos_payload::archive::{self, ArchiveError, VerifiedPayload};
use migos_payload::manifest::Manifest;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MANIFEST: &str = "manifest.json";

/// Why a folder could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file or folder could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The manifest is none.
    #[error("failed to read {}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Neither a file nor a folder: a payload travels to FAT, which has nothing else.
    #[error("{} is neither a file nor a folder", .0.display())]
    Odd(PathBuf),
    /// The files do not make a payload.
    #[error("the files of {} do not make a payload", folder.display())]
    Archive {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: ArchiveError,
    },
}

/// Packs a folder; gives the tarball's manifest and its bytes. The manifest's list of files is made anew from
/// what is there.
///
/// # Errors
/// [`PackError`] names the file that is missing or wrong.
pub fn pack(folder: &Path) -> Result<(Manifest, Vec<u8>), PackError> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).map_err(|source| PackError::Read { path: path.clone(), source })?;
    let mut manifest: Manifest =
        serde_json::from_slice(&text).map_err(|source| PackError::Manifest { path, source })?;
    let mut contents = BTreeMap::new();
    gather(&folder.join(boot_path::FOLDER), "", &mut contents)?;
    manifest.files = contents.iter().map(listed).collect();
    let failed = |source| PackError::Archive { folder: folder.to_owned(), source };
    let tarball = archive::pack(&manifest, &contents).map_err(failed)?;
    // Read back as a device's controller will.
    VerifiedPayload::read(&tarball).map_err(failed)?;
    Ok((manifest, tarball))
}

fn gather(
    folder: &Path,
    base: &str,
    contents: &mut BTreeMap<String, Arc<[u8]>>,
) -> Result<(), PackError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PackError::Read { path, source }
    };
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let path = entry.path();
        let name = format!("{base}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(failed(&path))?;
        if kind.is_dir() {
            gather(&path, &format!("{name}/"), contents)?;
        } else if kind.is_file() {
            contents.insert(name, fs::read(&path).map_err(failed(&path))?.into());
        } else {
            return Err(PackError::Odd(path));
        }
    }
    Ok(())
}
