//! The texts that select MIGOS, and those that prove that a one-shot boot works.
//!
//! - [`migos_config_txt`]: what the firmware reads to boot MIGOS, as `tryboot.txt` (`one-shot`) or in place
//!   of `config.txt` (`rewrite`).
//! - [`migos_cmdline`]: the ramdisk's kernel command line.
//! - [`proof_tryboot_txt`] and [`proof_cmdline`]: Raspbian itself, booted once with a token more.
//!
//! All are made from the device's own files. What reaches the network or the power supply is carried over
//! (`carried.rs`); what shows pictures, overclocks or mounts a root file system is not.

mod carried;
mod cmdline;
mod proof;
mod tryboot;

pub use crate::boot_document::COLUMN_LIMIT;
pub(crate) use carried::{overlay_name, spares_power};
pub use cmdline::{CMDLINE_LIMIT, migos_cmdline};
pub use proof::{PROOF_CMDLINE, PROOF_LIMIT, PROOF_TOKEN, proof_cmdline, proof_tryboot_txt};
pub use tryboot::{FILE_LIMIT, migos_config_txt};

/// Why no text can be made from a device's own files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootTextError {
    /// The file only says where the real one is.
    #[error("this {file} is not the real one: it says that it has moved to /boot/firmware")]
    Decoy {
        /// The file's name.
        file: &'static str,
    },
    /// The firmware splits lines at about column 100 (older: 80), and the tail becomes a live setting.
    #[error(
        "config.txt line {line} must be carried over but is longer than {COLUMN_LIMIT} columns"
    )]
    LongLine {
        /// The line's number, from 1.
        line: usize,
    },
    /// What comes of such bytes is written nowhere.
    #[error("config.txt line {line} must be carried over but has bytes in it that are not text")]
    NotText {
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
    /// Such a line is not in force today, and would be in a one-shot boot of ours.
    #[error("config.txt line {line} is for one-shot boots only: somebody else uses them already")]
    Tryboot {
        /// The line's number, from 1.
        line: usize,
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
    /// The same limit, for the device's own line with one token more.
    #[error(
        "the kernel command line of the proof would have {bytes} bytes, {PROOF_LIMIT} are allowed"
    )]
    LongProof {
        /// The size it would have.
        bytes: usize,
    },
    /// A token behind an open quote is none.
    #[error("cmdline.txt leaves a quote open, so that nothing can be added to it")]
    OpenQuote,
}
