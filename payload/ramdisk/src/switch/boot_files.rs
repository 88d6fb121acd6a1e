//! The boot partition's files, as few kinds of change as do: a test can cut the power between any two.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

/// The files of a mounted boot partition, by their path from its root.
pub trait BootFiles {
    /// A file's content; nothing if there is no such file.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// Makes a folder and those above it, where they are missing.
    ///
    /// # Errors
    /// The folder cannot be made.
    fn make_folders(&mut self, path: &str) -> io::Result<()>;

    /// Writes a file in place, and waits until it is on the medium.
    ///
    /// # Errors
    /// The file cannot be written.
    fn write(&mut self, path: &str, content: &[u8]) -> io::Result<()>;

    /// Renames a file over another.
    ///
    /// # Errors
    /// The file cannot be renamed.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Waits until everything is on the medium.
    ///
    /// # Errors
    /// Something is not.
    fn sync(&mut self) -> io::Result<()>;

    /// Puts a file in the place of another so that the name never stands for half a file.
    ///
    /// # Errors
    /// The file cannot be written.
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let new = format!("{path}.new");
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.make_folders(folder)?;
        }
        self.write(&new, content)?;
        self.rename(&new, path)?;
        self.sync()
    }
}

/// A folder of this system.
#[derive(Debug, Clone)]
pub struct Mounted(pub PathBuf);

impl BootFiles for Mounted {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn make_folders(&mut self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.0.join(path))
    }

    fn write(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let mut file = File::create(self.0.join(path))?;
        file.write_all(content)?;
        file.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.0)?)?)
    }
}
