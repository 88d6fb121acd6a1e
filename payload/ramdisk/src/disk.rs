//! What is written to: a card, or in tests anything else of a fixed size.

use rustix::fs::{Advice, fadvise};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a fixed number, read and written in place.
pub trait Disk {
    /// The number of bytes.
    fn size(&self) -> u64;

    /// Fills the buffer from that offset on.
    ///
    /// # Errors
    /// The medium cannot be read there.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all bytes at that offset. They may rest in a cache until [`sync`](Self::sync).
    ///
    /// # Errors
    /// The medium cannot be written there.
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Waits until all that was written is on the medium. What is read afterwards comes from there.
    ///
    /// # Errors
    /// Something that was written is not on the medium.
    fn sync(&mut self) -> io::Result<()>;
}

/// A block device, or a plain file.
#[derive(Debug)]
pub struct BlockDisk {
    file: File,
    size: u64,
}

impl BlockDisk {
    /// Opens a disk to be written.
    ///
    /// # Errors
    /// It is not there, or not to be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::new(OpenOptions::new().read(true).write(true).open(path)?)
    }

    /// Opens a disk that is only looked at: writing to it fails.
    ///
    /// # Errors
    /// It is not there, or not to be opened.
    pub fn open_read_only(path: &Path) -> io::Result<Self> {
        Self::new(File::open(path)?)
    }

    /// Takes a file that is open, of the size that it has.
    ///
    /// # Errors
    /// Its size cannot be told.
    pub fn new(mut file: File) -> io::Result<Self> {
        let size = file.seek(SeekFrom::End(0))?;
        let disk = Self { file, size };
        // A partition has a cache of its own: what was written through it may not show in the disk's.
        disk.forget();
        Ok(disk)
    }

    /// Drops what the kernel has cached, so that it is read from the medium. Where that is refused the
    /// cache is as good as the medium: a file in memory.
    fn forget(&self) {
        let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
    }
}

impl Disk for BlockDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, at)
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        // A plain file would grow.
        if at.saturating_add(bytes.len() as u64) > self.size {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "behind the end of the disk"));
        }
        self.file.write_all_at(bytes, at)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.forget();
        Ok(())
    }
}
