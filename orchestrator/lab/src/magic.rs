//! How the lab's kernels and ramdisks are told apart: by their first line, never by their names.
//!
//! A virtual Pi is given bytes to run, as a real one is. Whoever puts the wrong file under the
//! right name gets what is in the file.

use migos_payload::board::Architecture;

use crate::seed::noise;

/// A kernel of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    Raspbian(Architecture),
    Migos(Architecture),
}

/// A ramdisk of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ramdisk {
    Raspbian,
    Migos,
}

const RASPBIAN_RAMDISK: &str = "migos-lab ramdisk raspbian";
const MIGOS_RAMDISK: &str = "migos-lab ramdisk migos";

impl Kernel {
    fn line(self) -> String {
        match self {
            Kernel::Raspbian(architecture) => format!("migos-lab kernel raspbian {architecture}"),
            Kernel::Migos(architecture) => format!("migos-lab kernel migos {architecture}"),
        }
    }

    /// What these bytes are; nothing if they are no kernel.
    pub(crate) fn read(bytes: &[u8]) -> Option<Kernel> {
        use Architecture::{Arm64, Armhf};
        let line = first_line(bytes);
        [
            Kernel::Raspbian(Armhf),
            Kernel::Raspbian(Arm64),
            Kernel::Migos(Armhf),
            Kernel::Migos(Arm64),
        ]
        .into_iter()
        .find(|kernel| kernel.line().as_bytes() == line)
    }

    /// What it runs on.
    pub(crate) fn architecture(self) -> Architecture {
        match self {
            Kernel::Raspbian(architecture) | Kernel::Migos(architecture) => architecture,
        }
    }
}

impl Ramdisk {
    /// What these bytes are; nothing if they are no ramdisk.
    pub(crate) fn read(bytes: &[u8]) -> Option<Ramdisk> {
        match first_line(bytes) {
            line if line == RASPBIAN_RAMDISK.as_bytes() => Some(Ramdisk::Raspbian),
            line if line == MIGOS_RAMDISK.as_bytes() => Some(Ramdisk::Migos),
            _ => None,
        }
    }
}

/// A kernel of Raspbian; `name` makes it differ from others of this size.
pub(crate) fn raspbian_kernel(architecture: Architecture, name: &str, length: usize) -> Vec<u8> {
    file(&Kernel::Raspbian(architecture).line(), name, length)
}

/// A kernel of MIGOS.
pub(crate) fn migos_kernel(architecture: Architecture, name: &str, length: usize) -> Vec<u8> {
    file(&Kernel::Migos(architecture).line(), name, length)
}

/// An initramfs of Raspbian.
pub(crate) fn raspbian_ramdisk(name: &str, length: usize) -> Vec<u8> {
    file(RASPBIAN_RAMDISK, name, length)
}

/// The ramdisk of MIGOS.
pub(crate) fn migos_ramdisk(name: &str, length: usize) -> Vec<u8> {
    file(MIGOS_RAMDISK, name, length)
}

fn file(line: &str, name: &str, length: usize) -> Vec<u8> {
    let mut bytes = format!("{line}\n").into_bytes();
    bytes.extend_from_slice(&noise(name, length.saturating_sub(bytes.len())));
    bytes
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_their_first_line_says() {
        let bytes = migos_kernel(Architecture::Arm64, "k", 1000);
        assert_eq!(bytes.len(), 1000);
        assert!(bytes.starts_with(b"migos-lab kernel migos arm64\n"));
        assert_eq!(Kernel::read(&bytes), Some(Kernel::Migos(Architecture::Arm64)));
        let raspbian = raspbian_kernel(Architecture::Armhf, "k", 1000);
        assert_eq!(Kernel::read(&raspbian), Some(Kernel::Raspbian(Architecture::Armhf)));
        assert_eq!(Ramdisk::read(&migos_ramdisk("r", 100)), Some(Ramdisk::Migos));
        assert_eq!(Ramdisk::read(&raspbian_ramdisk("r", 100)), Some(Ramdisk::Raspbian));
        assert_eq!((Kernel::read(b"MZ"), Ramdisk::read(&bytes)), (None, None));
    }
}
