//! What is kept from one build to the next: the archives' indexes, and packages.

use migos_payload::size::ByteCount;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const INDEXES: &str = "apt-lists";
const PACKAGES: &str = "apt-packages";

/// The cache's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// Why the cache could not be read or emptied.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} {}", path.display())]
pub struct CacheError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Cache {
    /// The cache in this folder, which need not be there yet.
    pub fn at(folder: &Path) -> Self {
        Cache { folder: folder.to_owned() }
    }

    pub(crate) fn indexes(&self) -> PathBuf {
        self.folder.join(INDEXES)
    }

    pub(crate) fn packages(&self) -> PathBuf {
        self.folder.join(PACKAGES)
    }

    /// The packages it holds, by name, with their sizes.
    ///
    /// # Errors
    /// [`CacheError`], if it cannot be read; a folder that is not there holds nothing.
    pub fn contents(&self) -> Result<Vec<(String, ByteCount)>, CacheError> {
        let path = self.packages();
        let failed = |source| CacheError { doing: "read", path: path.clone(), source };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".deb") {
                let size = entry.metadata().map_err(failed)?.len();
                found.push((name, ByteCount(size)));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Removes what builds have put there, and nothing else of the folder.
    ///
    /// # Errors
    /// [`CacheError`], if something cannot be removed.
    pub fn clean(&self) -> Result<(), CacheError> {
        for path in [self.indexes(), self.packages()] {
            match fs::remove_dir_all(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(CacheError { doing: "empty", path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn cleaning_leaves_what_is_not_the_caches_own() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        assert_eq!(cache.contents().unwrap(), []);
        fs::create_dir_all(cache.packages()).unwrap();
        fs::write(cache.packages().join("busybox_1_arm64.deb"), "12345").unwrap();
        fs::write(folder.path().join("notes"), "mine").unwrap();
        assert_eq!(cache.contents().unwrap(), [("busybox_1_arm64.deb".into(), ByteCount(5))]);
        cache.clean().unwrap();
        cache.clean().unwrap();
        assert_eq!(cache.contents().unwrap(), []);
        assert_eq!(fs::read_to_string(folder.path().join("notes")).unwrap(), "mine");
    }
}
