//! The lab's folder: an ordinary inventory with all it refers to, as a user would have it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Marks a folder as a lab's, which the next lab may write over.
const MARKER: &str = ".migos-lab";
/// For files that hold secrets.
pub(crate) const PRIVATE: u32 = 0o600;
/// For all others.
pub(crate) const PLAIN: u32 = 0o644;

/// Why the folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is something else in it.
    #[error(
        "{} is not empty and not the folder of a lab; give a new folder, or remove what is in it",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The folder could not be looked into or made.
    #[error("failed to open the folder {}", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A folder that is the lab's own.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Takes a new or empty folder, or one that a lab wrote before.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        let open = |source| FolderError::Open { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(open)?;
        let is_empty = fs::read_dir(path).map_err(open)?.next().is_none();
        if !is_empty && !path.join(MARKER).is_file() {
            return Err(FolderError::Foreign { path: path.to_owned() });
        }
        let folder = Self(path.to_owned());
        folder.write(
            MARKER,
            PLAIN,
            b"This folder belongs to a lab; the next one writes over its files.\n",
        )?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file whole or not at all.
    pub(crate) fn write(&self, name: &str, mode: u32, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.0.join(name);
        let put = || -> io::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let new = self.0.join(format!("{name}.new"));
            if new.exists() {
                fs::remove_file(&new)?;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
            file.write_all(bytes)?;
            drop(file);
            fs::rename(&new, &path)
        };
        put().map_err(|source| FolderError::Write { path: path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_a_lab_s_own_folder_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("lab");
        Folder::take(&new).unwrap().write("token", PRIVATE, b"1").unwrap();
        Folder::take(&new).unwrap().write("token", PRIVATE, b"2").unwrap();
        assert_eq!(fs::read(new.join("token")).unwrap(), b"2");
        assert_eq!(fs::metadata(new.join("token")).unwrap().permissions().mode() & 0o777, 0o600);

        fs::File::create_new(dir.path().join("thesis.tex")).unwrap();
        let error = Folder::take(dir.path()).unwrap_err();
        assert!(matches!(error, FolderError::Foreign { .. }), "{error}");
    }
}
