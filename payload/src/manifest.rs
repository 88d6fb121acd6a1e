//! What a payload holds and whom it fits.

use crate::board::{Architecture, BoardType, Revision};
use crate::digest::Sha256;
use crate::size::ByteCount;
use migos_contract::boot_path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the manifest's form.
pub const MANIFEST_SCHEMA: u32 = 1;

/// The manifest of a payload: `manifest.json`, the first member of its tarball.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_SCHEMA`].
    pub schema: u32,
    /// The version of MIGOS.
    pub version: String,
    /// What its kernel runs on.
    pub architecture: Architecture,
    /// The boards it has device trees and drivers for.
    pub boards: BTreeSet<BoardType>,
    /// Whether its kernel can restart the board before any module is loaded.
    pub restart: Restart,
    /// The least memory it runs in without an image.
    pub minimum_memory: ByteCount,
    /// Its files.
    pub files: Vec<File>,
}

/// Whether a kernel that panics early comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restart {
    /// The watchdog driver is built in: a panic ends in a reset, which is Raspbian.
    Builtin,
    /// The driver is a module: an early panic hangs until a person cuts the power.
    Module,
}

/// One file of the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Path under the payload's folder on the boot partition.
    pub path: String,
    /// Size in bytes.
    pub size: ByteCount,
    /// Digest of the content.
    pub sha256: Sha256,
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Another form than this version reads.
    #[error("manifest has schema {0}, this version reads {MANIFEST_SCHEMA}")]
    Schema(u32),
    /// A path that could leave the payload's folder, or that FAT or the firmware would not take.
    #[error("not a path for the payload's folder: {0:?}")]
    Path(String),
    /// Two files of one name; FAT does not tell case apart.
    #[error("two files are called {0:?} on FAT")]
    Duplicate(String),
    /// A file that MIGOS cannot start without.
    #[error("the payload has no {0}")]
    Missing(&'static str),
}

impl Manifest {
    /// Checks what can be checked without the files.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.schema != MANIFEST_SCHEMA {
            return Err(ManifestError::Schema(self.schema));
        }
        let mut seen = BTreeSet::new();
        for file in &self.files {
            if !is_safe(&file.path) {
                return Err(ManifestError::Path(file.path.clone()));
            }
            if !seen.insert(file.path.to_ascii_lowercase()) {
                return Err(ManifestError::Duplicate(file.path.clone()));
            }
        }
        if !seen.contains(boot_path::INITRD) {
            return Err(ManifestError::Missing(boot_path::INITRD));
        }
        Ok(())
    }

    /// True if the payload is made for this board.
    pub fn fits(&self, revision: Revision) -> bool {
        self.boards.contains(&revision.board_type())
            && revision.soc().is_some_and(|soc| {
                soc.runs(self.architecture)
                    && soc.kernel_names(self.architecture).iter().any(|name| self.has(name))
            })
    }

    /// The room the files take on a file system with clusters of this size, without folders.
    pub fn room(&self, cluster: ByteCount) -> ByteCount {
        self.files.iter().map(|file| file.size.in_clusters(cluster)).sum()
    }

    fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path.eq_ignore_ascii_case(path))
    }
}

/// Plain relative paths only, and nothing in the folder that the job is written to.
fn is_safe(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part.len() <= 64
            && !part.starts_with('.')
            && !part.ends_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
    };
    let mut parts = path.split('/');
    let first = parts.clone().next().unwrap_or_default();
    parts.all(plain)
        && !first.eq_ignore_ascii_case(boot_path::JOB)
        && !path.eq_ignore_ascii_case(boot_path::CMDLINE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn manifest(paths: &[&str]) -> Manifest {
        let file = |path: &&str| File {
            path: (*path).to_owned(),
            size: ByteCount(100),
            sha256: Sha256::of(path.as_bytes()),
        };
        Manifest {
            schema: MANIFEST_SCHEMA,
            version: "1.0.0".into(),
            architecture: Architecture::Armhf,
            boards: BTreeSet::from([BoardType(0x08), BoardType(0x0d)]),
            restart: Restart::Builtin,
            minimum_memory: ByteCount(0),
            files: paths.iter().map(file).collect(),
        }
    }

    #[test]
    fn a_sound_manifest_passes_and_reads_back() {
        let manifest = manifest(&["kernel7.img", "initrd.migos", "overlays/README"]);
        assert_eq!(manifest.check(), Ok(()));
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    }

    #[test]
    fn paths_that_could_do_harm_are_refused() {
        for path in
            ["../config.txt", "/etc/passwd", "a//b", "job/job.json", "cmdline.txt", "a b", ""]
        {
            let manifest = manifest(&["initrd.migos", path]);
            assert_eq!(manifest.check(), Err(ManifestError::Path(path.to_owned())), "{path}");
        }
    }

    #[test]
    fn names_equal_on_fat_and_a_missing_ramdisk_are_refused() {
        let twice = manifest(&["initrd.migos", "kernel7.img", "KERNEL7.IMG"]);
        assert_eq!(twice.check(), Err(ManifestError::Duplicate("KERNEL7.IMG".into())));
        let without = manifest(&["kernel7.img"]);
        assert_eq!(without.check(), Err(ManifestError::Missing("initrd.migos")));
    }

    #[test]
    fn it_fits_boards_it_names_and_has_a_kernel_for() {
        let manifest = manifest(&["kernel7.img", "initrd.migos"]);
        assert!(manifest.fits(Revision(0xa02082)));
        assert!(!manifest.fits(Revision(0xa01041)), "a 2B is not in its list");
        let mut other = manifest.clone();
        other.architecture = Architecture::Arm64;
        assert!(!other.fits(Revision(0xa02082)), "it has no kernel8.img");
    }
}
