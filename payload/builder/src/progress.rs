//! What is being done, for whoever wants to show it.

use std::fmt;

/// One thing that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The archives' indexes are read and their signatures verified.
    Update {
        /// The archives.
        archives: Vec<String>,
    },
    /// Packages are fetched, or found in the cache.
    Fetch {
        /// How many, or whose.
        what: String,
    },
    /// A kernel is taken out of its package.
    Kernel {
        /// Its release.
        release: String,
    },
    /// The ramdisk's tree is made.
    Ramdisk {
        /// Files in it.
        files: usize,
    },
    /// The tarball is packed.
    Pack,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Progress::Update { archives } => write!(f, "asking {}", archives.join(", ")),
            Progress::Fetch { what } => write!(f, "fetching {what}"),
            Progress::Kernel { release } => write!(f, "taking out the kernel {release}"),
            Progress::Ramdisk { files } => write!(f, "compressing the ramdisk of {files} files"),
            Progress::Pack => f.write_str("packing the tarball"),
        }
    }
}
