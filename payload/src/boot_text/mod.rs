//! The texts that select MIGOS: `tryboot.txt`, and the ramdisk's kernel command line.
//!
//! Both are made from the device's own files. What reaches the network or the power supply is carried
//! over; what shows pictures, overclocks or mounts a root file system is not.

mod cmdline;
mod tryboot;

pub use cmdline::{CMDLINE_LIMIT, ramdisk_cmdline};
pub use tryboot::{COLUMN_LIMIT, FILE_LIMIT, tryboot_txt};

/// Why no text can be made from a device's own files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootTextError {
    /// The firmware splits lines at about column 100 (older: 80), and the tail becomes a live setting.
    #[error(
        "config.txt line {line} must be carried over but is longer than {COLUMN_LIMIT} columns"
    )]
    LongLine {
        /// The line's number, from 1.
        line: usize,
    },
    /// An overlay the firmware cannot load makes it boot without a device tree.
    #[error("config.txt line {line} needs the overlay {name}, which the payload does not have")]
    NoOverlay {
        /// The line's number, from 1.
        line: usize,
        /// The overlay's name.
        name: String,
    },
    /// Some loaders read only the first kilobytes of the file.
    #[error("tryboot.txt would have {bytes} bytes, {FILE_LIMIT} are allowed")]
    LongFile {
        /// The size it would have.
        bytes: usize,
    },
    /// The firmware prepends 250 to 400 bytes of its own to a line of at most 1024.
    #[error("the kernel command line would have {bytes} bytes, {CMDLINE_LIMIT} are allowed")]
    LongCmdline {
        /// The size it would have.
        bytes: usize,
    },
}
