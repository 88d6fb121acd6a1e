//! The SD card: what survives every reset and every power cut.

mod content;
mod file_system;
mod writes;

use std::collections::BTreeMap;

pub(crate) use content::{Content, Pool};
pub use file_system::FsError;
pub(crate) use file_system::{FileSystem, Kind, Space};
pub use writes::Loss;
pub(crate) use writes::Power;
use writes::Writes;

/// The card in a virtual Pi.
pub(crate) struct Card {
    /// Its MBR disk identifier.
    pub(crate) disk_id: u32,
    /// Its size in sectors of 512 bytes.
    pub(crate) sectors: u64,
    /// What is on it.
    pub(crate) medium: Medium,
    /// Where the boot partition stands, if not where Raspbian's images have it: first sector and sectors in all.
    pub(crate) extent: Option<(u64, u64)>,
    /// Another name that its root file system is known by.
    pub(crate) root: Option<String>,
    writes: Writes,
}

/// What is on a card.
#[derive(Clone)]
pub(crate) enum Medium {
    /// The two partitions of Raspbian.
    Raspbian(Partitions),
    /// A balenaOS image, with the files that were added to its boot partition.
    Flashed(Flashed),
}

/// The two partitions of Raspbian.
#[derive(Clone)]
pub(crate) struct Partitions {
    /// The FAT boot partition, number 1.
    pub(crate) boot: FileSystem,
    /// The root file system, number 2.
    pub(crate) root: FileSystem,
    /// What is really on partition 2 while changes of `root` go to memory.
    pub(crate) lower: Option<FileSystem>,
}

/// A balenaOS image on a card.
#[derive(Clone)]
pub(crate) struct Flashed {
    /// The raw image, as it was written.
    pub(crate) image: Content,
    /// Files that were added to its boot partition, by path.
    pub(crate) files: BTreeMap<String, String>,
}

/// The boot partition's first sector, as in Raspbian's images.
const BOOT_START: u64 = 8192;

impl Card {
    /// First sector and number of sectors of Raspbian's boot partition; nothing once it is flashed.
    pub(crate) fn boot_extent(&self) -> Option<(u64, u64)> {
        let Space { cluster, total, .. } = self.partitions()?.boot.space();
        Some(self.extent.unwrap_or((BOOT_START, cluster * total / 512)))
    }

    /// Makes it too small for a second boot partition behind the first.
    pub(crate) fn shrink(&mut self) {
        if let Some((start, sectors)) = self.boot_extent() {
            self.sectors = start + sectors + sectors / 2;
        }
    }

    /// A card with Raspbian on it.
    pub(crate) fn new(disk_id: u32, sectors: u64, boot: FileSystem, root: FileSystem) -> Self {
        let medium = Medium::Raspbian(Partitions { boot, root, lower: None });
        let writes = Writes::new(&medium);
        Self { disk_id, sectors, medium, extent: None, root: None, writes }
    }

    /// The partitions of Raspbian, if they still exist.
    pub(crate) fn partitions(&self) -> Option<&Partitions> {
        match &self.medium {
            Medium::Raspbian(partitions) => Some(partitions),
            Medium::Flashed(_) => None,
        }
    }

    /// The partitions of Raspbian, to be changed.
    pub(crate) fn partitions_mut(&mut self) -> Option<&mut Partitions> {
        match &mut self.medium {
            Medium::Raspbian(partitions) => Some(partitions),
            Medium::Flashed(_) => None,
        }
    }

    /// The partition that `root=` on a kernel's command line may name, as Raspbian's images spell
    /// it, or as it did on the card's original.
    pub(crate) fn is_root(&self, value: &str) -> bool {
        value == "/dev/mmcblk0p2"
            || value == format!("PARTUUID={:08x}-02", self.disk_id)
            || self.root.as_deref() == Some(value)
    }
}
