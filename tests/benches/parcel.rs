//! Files that are sent: noise, so that nobody gains by packing it.

use anyhow::Result;
use migos_engine::run::write_whole;
use migos_payload::digest::Sha256;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file, and what it is.
pub(crate) struct Parcel {
    /// The file. Its digest stands beside it, as a manifest stands beside an image.
    pub(crate) path: PathBuf,
    /// Its digest.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub(crate) size: u64,
}

impl Parcel {
    /// One of so many bytes.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn new(folder: &Path, size: u64) -> Result<Self> {
        let path = folder.join(format!("parcel-{size}.bin"));
        let mut bytes = Vec::new();
        File::open("/dev/urandom")?.take(size).read_to_end(&mut bytes)?;
        let sha256 = Sha256::of(&bytes);
        write_whole(&path, &bytes, 0o644)?;
        write_whole(&path.with_extension("sha256"), sha256.to_string().as_bytes(), 0o644)?;
        Ok(Parcel { path, sha256, size })
    }
}
