//! Sector 0: the partition table by which the firmware finds what to boot.
//!
//! Only the MBR form: it is what Raspbian's and balenaOS's images for the Pi have.

use crate::disk::Disk;
use std::io;

/// Bytes of a sector: the smallest thing that a card writes whole or not at all.
pub const SECTOR: usize = 512;

/// A sector's bytes.
pub type Sector = [u8; SECTOR];

/// Where a partition stands on its disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The offset of the first byte.
    pub start: u64,
    /// The number of bytes.
    pub size: u64,
}

impl Extent {
    /// The offset behind the last byte.
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.size)
    }

    /// The same where it is counted from the start of another.
    pub(crate) fn within(self, other: Extent) -> Extent {
        Extent { start: other.start.saturating_add(self.start), size: self.size }
    }
}

/// A sector 0 that holds a partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table(Sector);

const DISK_ID: usize = 440;
const ENTRIES: usize = 446;
const ENTRY: usize = 16;
/// The partition types that the firmware takes for FAT.
const FAT_TYPES: [u8; 6] = [0x01, 0x04, 0x06, 0x0b, 0x0c, 0x0e];

impl Table {
    /// Reads sector 0 of a disk; nothing if it holds no partition table.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn read(disk: &dyn Disk) -> io::Result<Option<Self>> {
        let mut sector = [0; SECTOR];
        disk.read_at(0, &mut sector)?;
        Ok(Self::parse(sector))
    }

    /// Takes a sector 0; nothing if it holds no partition table.
    pub fn parse(sector: Sector) -> Option<Self> {
        (sector[510..] == [0x55, 0xaa]).then_some(Self(sector))
    }

    /// The disk identifier, as `/dev/disk/by-partuuid` spells it: 8 hex digits.
    pub fn disk_id(&self) -> String {
        format!("{:08x}", self.number(DISK_ID))
    }

    /// The first primary FAT partition: the one that the firmware boots.
    pub fn boot(&self) -> Option<Extent> {
        let entry = (0..4)
            .map(|index| ENTRIES + index * ENTRY)
            .find(|entry| FAT_TYPES.contains(&self.0[entry + 4]))?;
        let bytes = |at| u64::from(self.number(at)) * SECTOR as u64;
        let extent = Extent { start: bytes(entry + 8), size: bytes(entry + 12) };
        (extent.start > 0 && extent.size > 0).then_some(extent)
    }

    /// The same sector 0 with one partition only: the boot partition, in another place. Nothing if the
    /// place is too far for the table.
    pub fn with_boot_at(&self, boot: Extent) -> Option<Sector> {
        let sectors = |bytes: u64| u32::try_from(bytes / SECTOR as u64).ok();
        let mut sector = self.0;
        let entries = &mut sector[ENTRIES..ENTRIES + 4 * ENTRY];
        entries.fill(0);
        // The old form of an address, by cylinders: "too far for this form".
        entries[1..4].copy_from_slice(&[0xfe, 0xff, 0xff]);
        // FAT32 with LBA; the firmware and Linux look into the file system for its kind.
        entries[4] = 0x0c;
        entries[5..8].copy_from_slice(&[0xfe, 0xff, 0xff]);
        entries[8..12].copy_from_slice(&sectors(boot.start)?.to_le_bytes());
        entries[12..16].copy_from_slice(&sectors(boot.size)?.to_le_bytes());
        Some(sector)
    }

    /// True if nothing but the first entry is there, as [`with_boot_at`](Self::with_boot_at) leaves it.
    pub fn names_one_partition(&self) -> bool {
        self.0[ENTRIES + ENTRY..ENTRIES + 4 * ENTRY].iter().all(|byte| *byte == 0)
    }

    fn number(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(entries: &[(u8, u32, u32)]) -> Sector {
        let mut sector = [0; SECTOR];
        sector[DISK_ID..DISK_ID + 4].copy_from_slice(&0x1234_abcd_u32.to_le_bytes());
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        for (index, (kind, start, size)) in entries.iter().enumerate() {
            let entry = &mut sector[ENTRIES + index * ENTRY..][..ENTRY];
            entry[4] = *kind;
            entry[8..12].copy_from_slice(&start.to_le_bytes());
            entry[12..16].copy_from_slice(&size.to_le_bytes());
        }
        sector
    }

    #[test]
    fn the_first_fat_partition_is_the_one_that_boots() {
        let table = Table::parse(table(&[(0x83, 1, 7), (0x0c, 8, 16), (0x0c, 99, 1)])).unwrap();
        assert_eq!(table.disk_id(), "1234abcd");
        assert_eq!(table.boot(), Some(Extent { start: 4096, size: 8192 }));
    }

    #[test]
    fn a_table_without_fat_or_without_signature_boots_nothing() {
        assert_eq!(Table::parse(table(&[(0x83, 1, 7)])).unwrap().boot(), None);
        assert_eq!(Table::parse(table(&[(0x0c, 0, 7)])).unwrap().boot(), None);
        assert_eq!(Table::parse([0; SECTOR]), None);
    }

    #[test]
    fn moved_the_boot_partition_is_the_only_one_and_the_disk_is_the_same() {
        let old = Table::parse(table(&[(0x0c, 8, 16), (0x83, 24, 99)])).unwrap();
        let place = Extent { start: 1 << 40, size: 8192 };
        let new = Table::parse(old.with_boot_at(place).unwrap()).unwrap();
        assert_eq!((new.boot(), new.disk_id()), (Some(place), old.disk_id()));
        assert!(new.names_one_partition() && !old.names_one_partition());
        assert_eq!(old.with_boot_at(Extent { start: 1 << 41, size: 512 }), None);
    }
}
