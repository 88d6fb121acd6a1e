//! Which file system an absolute path is on while Raspbian runs.

use crate::card::{FileSystem, FsError, Kind};
use crate::device::VirtualPi;

/// The file system that a path is on.
enum Mount {
    Boot,
    Root,
    /// `/run` and `/proc`.
    Memory,
}

/// `/run` and `/proc` of a system that has just started.
pub(crate) fn memory() -> FileSystem {
    FileSystem::new(Kind::Unix, 4096, 50_000)
}

impl VirtualPi {
    /// Puts a file onto the boot partition or elsewhere, with its folders, as the device's users
    /// may have done.
    ///
    /// # Errors
    /// [`FsError`], also where Raspbian is gone.
    pub fn put_file(&self, path: &str, bytes: &[u8]) -> Result<(), FsError> {
        let content = self.pool.keep(bytes);
        self.on(path, |files, inner| {
            if let Some((folder, _)) = inner.rsplit_once('/') {
                files.make_folders(folder)?;
            }
            files.write(inner, content)
        })
    }

    /// The bytes of a file; nothing if there is none, or Raspbian is gone.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.on(path, |files, inner| Ok(files.bytes(inner).map(<[u8]>::to_vec))).ok().flatten()
    }

    /// Removes a file, or a folder with all it holds.
    ///
    /// # Errors
    /// [`FsError`].
    pub fn remove_file(&self, path: &str) -> Result<(), FsError> {
        self.on(path, FileSystem::remove)
    }

    /// Does something on the file system that an absolute path is on, with the path on it.
    pub(crate) fn on<T>(
        &self,
        path: &str,
        act: impl FnOnce(&mut FileSystem, &str) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        if !path.starts_with('/') {
            return Err(FsError::NotFound);
        }
        let plain: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let plain = plain.join("/");
        let (mount, inner) = self.mount(&plain);
        if matches!(mount, Mount::Memory) {
            return act(&mut self.memory(), inner);
        }
        let mut card = self.card();
        // Raspbian does not run from a card that has been flashed.
        let partitions = card.partitions_mut().ok_or(FsError::NotFound)?;
        match mount {
            Mount::Boot => act(&mut partitions.boot, inner),
            Mount::Root | Mount::Memory => act(&mut partitions.root, inner),
        }
    }

    fn mount<'a>(&self, path: &'a str) -> (Mount, &'a str) {
        let boot = self.release.boot_path().trim_start_matches('/');
        let below = |folder: &str| {
            let rest = path.strip_prefix(folder)?;
            if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
        };
        if let Some(inner) = below(boot) {
            return (Mount::Boot, inner);
        }
        let in_memory = below("run").or_else(|| below("proc")).is_some();
        if in_memory { (Mount::Memory, path) } else { (Mount::Root, path) }
    }
}
