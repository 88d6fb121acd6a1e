//! What is sent to devices and fetched from them, and what is run on them for the user.

use bytes::Bytes;
use migos_payload::digest::Sha256;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A file to be sent, hashed once and shared by all devices.
#[derive(Debug, Clone)]
pub struct Content {
    /// Where its bytes are.
    pub source: Source,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// Where the bytes of a content are.
#[derive(Debug, Clone)]
pub enum Source {
    /// In memory.
    Memory(Bytes),
    /// In a file that does not change.
    File(Arc<PathBuf>),
}

/// What a `send` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that crossed the network.
    pub bytes: u64,
}

/// An archive that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// What was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// The archive.
    pub packed: Packed,
    /// True if files were written to on the device meanwhile.
    pub changed: bool,
}

/// A command of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnOrder {
    /// What it is told from others by: one word that ends in `.do`, or in `.undo` for what takes that back.
    pub key: String,
    /// How long it may take.
    pub limit: Duration,
    /// The device's name, which the command finds in `MIGOS_DEVICE`.
    pub device: String,
    /// The run's name, in `MIGOS_RUN`.
    pub run: String,
    /// What `sh -c` runs.
    pub command: String,
}

/// How a command of the user's own ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; `None` if it was killed before it had one.
    pub code: Option<u32>,
    /// The last lines that it printed.
    pub output: String,
}
