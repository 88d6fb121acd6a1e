//! Which file system an absolute path is on while Raspbian runs, and how it is written to.

use std::sync::{Arc, MutexGuard};

use tokio::sync::watch;

use crate::card::{Card, FileSystem, FsError, Kind, Power};
use crate::device::VirtualPi;

/// The file system that a path is on.
#[derive(Clone, Copy, PartialEq, Eq)]
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
        })?;
        self.card().sync();
        Ok(())
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
        self.on(path, FileSystem::remove)?;
        self.card().sync();
        Ok(())
    }

    /// Does something on the file system that an absolute path is on, with the path on it.
    pub(crate) fn on<T>(
        &self,
        path: &str,
        act: impl FnOnce(&mut FileSystem, &str) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let plain = plain(path)?;
        let (mount, inner) = self.mount(&plain);
        if mount == Mount::Memory {
            return act(&mut self.memory(), inner);
        }
        act(file_system(&mut self.card(), mount)?, inner)
    }

    /// True if this path is on the boot partition.
    pub(crate) fn is_on_boot(&self, path: &str) -> bool {
        plain(path).is_ok_and(|plain| self.mount(&plain).0 == Mount::Boot)
    }

    fn mount<'a>(&self, path: &'a str) -> (Mount, &'a str) {
        let boot = self.boot_path().trim_start_matches('/');
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

/// A path without its leading slash and without empty parts.
fn plain(path: &str) -> Result<String, FsError> {
    if !path.starts_with('/') {
        return Err(FsError::NotFound);
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    Ok(parts.join("/"))
}

fn file_system(card: &mut Card, mount: Mount) -> Result<&mut FileSystem, FsError> {
    // Raspbian does not run from a card that has been flashed.
    let partitions = card.partitions_mut().ok_or(FsError::NotFound)?;
    Ok(match mount {
        Mount::Boot => &mut partitions.boot,
        Mount::Root | Mount::Memory => &mut partitions.root,
    })
}

/// A boot partition that is read-write for a while.
pub(crate) struct Remounted(Hands);

impl Drop for Remounted {
    fn drop(&mut self) {
        // After a reset it is the next system's, which has mounted it for itself.
        if let Ok(mut card) = self.0.powered()
            && let Some(partitions) = card.partitions_mut()
        {
            partitions.boot.set_read_only(true);
        }
    }
}

/// The card in the hands of a running system: what it changes are writes, and after a power cut nothing
/// changes any more, whatever is still on its way.
#[derive(Clone)]
pub(crate) struct Hands {
    pi: Arc<VirtualPi>,
    power: watch::Receiver<()>,
}

impl Hands {
    pub(crate) fn new(pi: &Arc<VirtualPi>, power: watch::Receiver<()>) -> Self {
        Self { pi: Arc::clone(pi), power }
    }

    /// Does one thing on the file system that an absolute path is on: a write, if that changes anything
    /// on the card.
    pub(crate) fn change<T>(
        &self,
        path: &str,
        act: impl FnOnce(&mut FileSystem, &str) -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        let plain = plain(path)?;
        let (mount, inner) = self.pi.mount(&plain);
        let mut card = self.powered()?;
        if mount == Mount::Memory {
            return act(&mut self.pi.memory(), inner);
        }
        // Above a root file system that is kept as it is, all is memory.
        let is_memory = mount == Mount::Root
            && card.partitions().is_some_and(|partitions| partitions.lower.is_some());
        let files = file_system(&mut card, mount)?;
        let before = files.changes();
        let done = act(files, inner);
        if files.changes() != before && !is_memory && card.wrote() == Power::Goes {
            self.pi.lose_power();
            return Err(FsError::NoPower);
        }
        done
    }

    /// Looks at the card.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Card) -> T) -> T {
        at(&self.pi.card())
    }

    /// One write to the card, past any file system.
    pub(crate) fn write<T>(
        &self,
        act: impl FnOnce(&mut Card) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut card = self.powered().map_err(|error| error.to_string())?;
        let done = act(&mut card)?;
        if card.wrote() == Power::Goes {
            self.pi.lose_power();
            return Err(FsError::NoPower.to_string());
        }
        Ok(done)
    }

    /// Everything written so far is on the card for certain.
    pub(crate) fn sync(&self) {
        if let Ok(mut card) = self.powered() {
            card.sync();
        }
    }

    /// Where the boot partition is mounted read-only and this path is on it: mounted read-write until
    /// the result is dropped.
    pub(crate) fn remount(&self, path: &str) -> Option<Remounted> {
        if !self.pi.is_on_boot(path) {
            return None;
        }
        let mut card = self.powered().ok()?;
        let boot = &mut card.partitions_mut()?.boot;
        if !boot.is_read_only() {
            return None;
        }
        boot.set_read_only(false);
        Some(Remounted(self.clone()))
    }

    /// The card, while there is power. Nobody takes the power away as long as the card is held.
    fn powered(&self) -> Result<MutexGuard<'_, Card>, FsError> {
        let card = self.pi.card();
        match self.power.has_changed() {
            Ok(_) => Ok(card),
            Err(_) => Err(FsError::NoPower),
        }
    }
}
