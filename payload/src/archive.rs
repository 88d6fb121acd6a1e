//! The tarball that a payload travels in.
//!
//! A gzip tarball: `manifest.json` first, then the files under `migos/`. Written the same way from the
//! same inputs: members in the manifest's order, no times, no owners, no name or time in the gzip header.

use crate::digest::Sha256;
use crate::manifest::{Manifest, ManifestError};
use migos_contract::boot_path;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

const MANIFEST: &str = "manifest.json";

/// More than any payload needs; a larger one is a mistake or an attack, and must not fill our memory.
const LARGEST: u64 = 256 << 20;

/// A payload whose every file has the size and the digest that its manifest says.
#[derive(Debug, Clone)]
pub struct VerifiedPayload {
    manifest: Manifest,
    digest: Sha256,
    contents: BTreeMap<String, Arc<[u8]>>,
}

/// Why a payload cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not a gzip tarball, or cut off.
    #[error("failed to read the tarball")]
    Read(#[source] io::Error),
    /// Writing failed.
    #[error("failed to write the tarball")]
    Write(#[source] io::Error),
    /// The first member is not the manifest.
    #[error("the tarball does not begin with {MANIFEST}; it is not a MIGOS payload")]
    NoManifest,
    /// The manifest is not what this version reads.
    #[error("failed to read {MANIFEST}")]
    Manifest(#[source] serde_json::Error),
    /// The manifest contradicts itself.
    #[error("the manifest is wrong")]
    Check(#[source] ManifestError),
    /// Too large to be a payload.
    #[error("the payload unpacks to more than {} MiB", LARGEST >> 20)]
    TooLarge,
    /// A member that the manifest does not name, or not a plain file.
    #[error("{0} is in the tarball but not in the manifest")]
    Unlisted(String),
    /// A file of the manifest that is not there.
    #[error("{0} is in the manifest but not in the tarball")]
    Absent(String),
    /// A file with another content than the manifest says.
    #[error("{0} is damaged: its size or SHA-256 is not the manifest's")]
    Damaged(String),
}

impl VerifiedPayload {
    /// Checks these contents against the manifest. `digest` names the whole (the tarball's SHA-256).
    ///
    /// # Errors
    /// [`ArchiveError`] names the first file that is absent, unlisted or damaged.
    pub fn verify(
        manifest: Manifest,
        digest: Sha256,
        contents: BTreeMap<String, Arc<[u8]>>,
    ) -> Result<Self, ArchiveError> {
        manifest.check().map_err(ArchiveError::Check)?;
        for file in &manifest.files {
            let content =
                contents.get(&file.path).ok_or_else(|| ArchiveError::Absent(file.path.clone()))?;
            if content.len() as u64 != file.size.0 || Sha256::of(content) != file.sha256 {
                return Err(ArchiveError::Damaged(file.path.clone()));
            }
        }
        let listed = |path: &str| manifest.files.iter().any(|file| file.path == path);
        match contents.keys().find(|path| !listed(path)) {
            Some(path) => Err(ArchiveError::Unlisted(path.clone())),
            None => Ok(VerifiedPayload { manifest, digest, contents }),
        }
    }

    /// Reads and verifies a tarball.
    ///
    /// # Errors
    /// [`ArchiveError`], for anything that is not a whole and sound payload.
    pub fn read(tarball: &[u8]) -> Result<Self, ArchiveError> {
        let unpacked = flate2::read::MultiGzDecoder::new(tarball).take(LARGEST + 1);
        let mut archive = tar::Archive::new(unpacked);
        let mut entries = archive.entries().map_err(ArchiveError::Read)?;
        let mut first = match entries.next() {
            Some(entry) => entry.map_err(ArchiveError::Read)?,
            None => return Err(ArchiveError::NoManifest),
        };
        if first.path_bytes().as_ref() != MANIFEST.as_bytes() {
            return Err(ArchiveError::NoManifest);
        }
        let manifest: Manifest =
            serde_json::from_slice(&content(&mut first)?).map_err(ArchiveError::Manifest)?;

        let mut contents = BTreeMap::new();
        let mut total = 0;
        for entry in entries {
            let mut entry = entry.map_err(ArchiveError::Read)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path = name
                .strip_prefix(boot_path::FOLDER)
                .and_then(|rest| rest.strip_prefix('/'))
                .filter(|_| entry.header().entry_type().is_file())
                .ok_or_else(|| ArchiveError::Unlisted(name.clone()))?
                .to_owned();
            let bytes = content(&mut entry)?;
            total += bytes.len() as u64;
            if total > LARGEST {
                return Err(ArchiveError::TooLarge);
            }
            contents.insert(path, bytes.into());
        }
        // Reading on to the end makes gzip compare its own check sum: a file cut short shows here.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(ArchiveError::Read)?;
        Self::verify(manifest, Sha256::of(tarball), contents)
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The SHA-256 of the tarball, which names this payload.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// The content of one of the manifest's files.
    pub fn content(&self, path: &str) -> Option<&Arc<[u8]>> {
        self.contents.get(path)
    }
}

fn content(entry: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    entry.take(LARGEST + 1).read_to_end(&mut bytes).map_err(ArchiveError::Read)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ArchiveError::TooLarge);
    }
    Ok(bytes)
}

/// Packs the tarball of a payload.
///
/// # Errors
/// [`ArchiveError`], where the contents are not what the manifest says.
pub fn pack(
    manifest: &Manifest,
    contents: &BTreeMap<String, Arc<[u8]>>,
) -> Result<Vec<u8>, ArchiveError> {
    let text = serde_json::to_vec_pretty(manifest).map_err(ArchiveError::Manifest)?;
    let gzip = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    let mut tarball = tar::Builder::new(gzip);
    append(&mut tarball, MANIFEST, &text)?;
    for file in &manifest.files {
        let bytes =
            contents.get(&file.path).ok_or_else(|| ArchiveError::Absent(file.path.clone()))?;
        append(&mut tarball, &format!("{}/{}", boot_path::FOLDER, file.path), bytes)?;
    }
    let gzip = tarball.into_inner().map_err(ArchiveError::Write)?;
    let bytes = gzip.finish().map_err(ArchiveError::Write)?;
    VerifiedPayload::verify(manifest.clone(), Sha256::of(&bytes), contents.clone())?;
    Ok(bytes)
}

fn append<W: Write>(
    tarball: &mut tar::Builder<W>,
    path: &str,
    bytes: &[u8],
) -> Result<(), ArchiveError> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    tarball.append_data(&mut header, path, bytes).map_err(ArchiveError::Write)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::board::{Architecture, BoardType};
    use crate::manifest::{File, MANIFEST_SCHEMA, Restart};
    use crate::size::ByteCount;

    fn sample() -> (Manifest, BTreeMap<String, Arc<[u8]>>) {
        let contents: BTreeMap<String, Arc<[u8]>> =
            [("initrd.migos", "a ramdisk"), ("kernel8.img", "a kernel"), ("overlays/README", "")]
                .map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())))
                .into();
        let file = |(path, bytes): (&String, &Arc<[u8]>)| File {
            path: path.clone(),
            size: ByteCount(bytes.len() as u64),
            sha256: Sha256::of(bytes),
        };
        let manifest = Manifest {
            schema: MANIFEST_SCHEMA,
            version: "1.0.0".into(),
            architecture: Architecture::Arm64,
            boards: [BoardType(0x11)].into(),
            restart: Restart::Builtin,
            minimum_memory: ByteCount(0),
            files: contents.iter().map(file).collect(),
        };
        (manifest, contents)
    }

    #[test]
    fn a_packed_payload_reads_back_and_packs_to_the_same_bytes() {
        let (manifest, contents) = sample();
        let tarball = pack(&manifest, &contents).unwrap();
        let payload = VerifiedPayload::read(&tarball).unwrap();
        assert_eq!(payload.manifest(), &manifest);
        assert_eq!(payload.digest(), Sha256::of(&tarball));
        assert_eq!(payload.content("kernel8.img").unwrap().as_ref(), b"a kernel");
        assert_eq!(pack(&manifest, &contents).unwrap(), tarball);
    }

    #[test]
    fn damage_is_named() {
        let (manifest, mut contents) = sample();
        contents.insert("kernel8.img".into(), Arc::from(&b"a kernal"[..]));
        let error = pack(&manifest, &contents).unwrap_err();
        assert_eq!(
            error.to_string(),
            "kernel8.img is damaged: its size or SHA-256 is not the manifest's"
        );
        contents.remove("kernel8.img");
        let error = VerifiedPayload::verify(manifest, Sha256::of(b""), contents).unwrap_err();
        assert_eq!(error.to_string(), "kernel8.img is in the manifest but not in the tarball");
    }

    #[test]
    fn a_cut_or_foreign_file_is_refused() {
        let (manifest, contents) = sample();
        let tarball = pack(&manifest, &contents).unwrap();
        for end in [0, 10, tarball.len() / 2, tarball.len() - 1] {
            assert!(VerifiedPayload::read(&tarball[..end]).is_err(), "cut at {end}");
        }
        let mut foreign = tar::Builder::new(
            flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::fast()),
        );
        append(&mut foreign, "config.txt", b"start_x=1").unwrap();
        let foreign = foreign.into_inner().unwrap().finish().unwrap();
        assert!(matches!(VerifiedPayload::read(&foreign), Err(ArchiveError::NoManifest)));
    }
}
