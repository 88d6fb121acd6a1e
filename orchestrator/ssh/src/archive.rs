//! A file on this computer that is there whole or not at all.

use migos_engine::port::{Packed, TransportError};
use migos_payload::digest::{Hasher, Sha256};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncWriteExt;

/// A file that is being written; it gets its name when it is finished.
pub(crate) struct Archive {
    path: PathBuf,
    new: PathBuf,
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Archive {
    pub(crate) async fn create(path: &Path) -> Result<Self, TransportError> {
        let mut new = OsString::from(path);
        new.push(".new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // A boot partition may hold the password of a wireless network.
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&new).await.map_err(|error| local(path, &error))?;
        let path = path.to_owned();
        Ok(Archive { path, new: new.into(), file, hasher: Hasher::default(), size: 0 })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(|error| local(&self.path, &error))
    }

    /// What has been written so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The digest of what has been written so far.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.hasher.clone().finish()
    }

    /// Gives it its name once it is on the disk.
    pub(crate) async fn finish(mut self) -> Result<Packed, TransportError> {
        let finish = async {
            self.file.flush().await?;
            self.file.sync_all().await?;
            fs::rename(&self.new, &self.path).await?;
            sync_folder(&self.path).await
        };
        if let Err(error) = finish.await {
            let error = local(&self.path, &error);
            self.discard().await;
            return Err(error);
        }
        Ok(Packed { size: self.size, sha256: self.hasher.finish() })
    }

    /// Nothing is left of it.
    pub(crate) async fn discard(self) {
        let _ = fs::remove_file(&self.new).await;
    }
}

#[cfg(unix)]
async fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).await?.sync_all().await
}

/// Elsewhere a folder cannot be opened as a file.
#[cfg(not(unix))]
async fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn local(path: &Path, error: &io::Error) -> TransportError {
    TransportError::Local { path: path.display().to_string(), message: error.to_string() }
}
