//! The boards that are emulated: what each says of itself, and what QEMU makes of it.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// A board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    /// A 3B+ with a 64-bit system. Its chips are those of QEMU's own board.
    #[default]
    ThreeBPlus,
    /// A 2B with a 32-bit system. Its chips are those of QEMU's own board.
    TwoB,
    /// A 3B with a 64-bit system and Broadcom's chips, as far as QEMU has them. It is slow.
    ThreeB,
}

impl Model {
    /// The name by which boards know themselves.
    pub fn name(self) -> &'static str {
        match self {
            Self::ThreeBPlus => "Raspberry Pi 3 Model B Plus Rev 1.3",
            Self::TwoB => "Raspberry Pi 2 Model B Rev 1.1",
            Self::ThreeB => "Raspberry Pi 3 Model B Rev 1.2",
        }
    }

    /// The revision code.
    pub(super) fn revision(self) -> u32 {
        match self {
            Self::ThreeBPlus => 0xa0_20d3,
            Self::TwoB => 0xa0_1041,
            Self::ThreeB => 0xa0_2082,
        }
    }

    /// What a device tree calls compatible.
    fn compatible(self) -> [&'static str; 2] {
        match self {
            Self::ThreeBPlus => ["raspberrypi,3-model-b-plus", "brcm,bcm2837"],
            Self::TwoB => ["raspberrypi,2-model-b", "brcm,bcm2836"],
            Self::ThreeB => ["raspberrypi,3-model-b", "brcm,bcm2837"],
        }
    }

    /// The architecture of its system, as Debian calls it.
    pub(super) fn architecture(self) -> &'static str {
        match self {
            Self::ThreeBPlus | Self::ThreeB => "arm64",
            Self::TwoB => "armhf",
        }
    }

    /// What its balenaOS is called: the device type, and the architecture.
    pub(super) fn device_type(self) -> (&'static str, &'static str) {
        match self {
            Self::ThreeBPlus | Self::ThreeB => ("raspberrypi3-64", "aarch64"),
            Self::TwoB => ("raspberry-pi2", "armv7hf"),
        }
    }

    /// QEMU's board.
    pub(super) fn machine(self) -> &'static str {
        match self {
            Self::ThreeBPlus => "virt",
            // Higher, a 32-bit kernel does not see the bus that card and network are on.
            Self::TwoB => "virt,highmem=off",
            Self::ThreeB => "raspi3b",
        }
    }

    /// What processor and memory that board has. Broadcom's are as they are.
    pub(super) fn parts(self) -> &'static [&'static str] {
        match self {
            Self::ThreeBPlus => &["-cpu", "cortex-a53", "-smp", "1", "-m", "1024"],
            Self::TwoB => &["-cpu", "cortex-a7", "-smp", "1", "-m", "1024"],
            Self::ThreeB => &[],
        }
    }

    /// Whether its chips are Broadcom's, with the device tree that the firmware takes from the card.
    pub(super) fn is_broadcom(self) -> bool {
        self == Self::ThreeB
    }

    /// Writes into a device tree what the firmware does: the board's own name and numbers.
    pub(super) fn sign(self, tree: &Path, serial: &str) -> Result<()> {
        let path = tree.to_str().context("the folder's name is not UTF-8")?;
        let (revision, [first, second]) = (format!("{:x}", self.revision()), self.compatible());
        fdtput(&["-t", "s", path, "/", "model", self.name()])?;
        fdtput(&["-t", "s", path, "/", "compatible", first, second])?;
        fdtput(&["-t", "s", path, "/", "serial-number", serial])?;
        fdtput(&["-c", path, "/system"])?;
        fdtput(&["-t", "x", path, "/system", "linux,revision", &revision])
    }
}

/// Changes a device tree.
pub(super) fn fdtput(arguments: &[&str]) -> Result<()> {
    let status = Command::new("fdtput").args(arguments).status();
    let status = status.context("failed to run fdtput (package device-tree-compiler)")?;
    ensure!(status.success(), "fdtput {arguments:?} failed");
    Ok(())
}
