//! What of a FAT partition is in use: of an old boot partition no more has to be copied, and no more of its
//! copy has to be zeroed.

use crate::disk::Disk;
use crate::table::{Extent, SECTOR, Sector};

/// The largest table of FAT32 has 1 GiB; that of a boot partition a few MiB, and it is read into memory.
const LARGEST_TABLE: u64 = 16 << 20;

/// The parts of a partition that hold its file system: boot sector, tables, root folder and every cluster that a
/// table calls taken. Offsets count from the partition's start and ascend; parts that are less than `gap` bytes
/// apart are one. Nothing where the file system is not understood: then the whole partition counts.
pub(super) fn in_use(disk: &dyn Disk, partition: Extent, gap: u64) -> Option<Vec<Extent>> {
    let mut sector = [0; SECTOR];
    disk.read_at(partition.start, &mut sector).ok()?;
    let shape = Shape::parse(&sector, partition.size)?;
    let mut taken = vec![false; shape.clusters];
    for copy in 0..shape.tables {
        let mut table = vec![0; usize::try_from(shape.table).ok()?];
        let at = partition.start + shape.reserved + copy * shape.table;
        disk.read_at(at, &mut table).ok()?;
        // Whoever reads the partition may go by any of the tables.
        for (index, taken) in taken.iter_mut().enumerate() {
            *taken |= shape.width.is_taken(&table, index + FIRST_CLUSTER);
        }
    }
    let clusters = taken.iter().enumerate().filter(|(_, taken)| **taken).map(|(index, _)| Extent {
        start: shape.data + index as u64 * shape.cluster,
        size: shape.cluster,
    });
    let head = Extent { start: 0, size: shape.data };
    Some(merged(std::iter::once(head).chain(clusters), gap))
}

/// The tables count clusters from here.
const FIRST_CLUSTER: usize = 2;

/// Bits of a table's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Twelve,
    Sixteen,
    ThirtyTwo,
}

impl Width {
    /// Bytes of a table for so many entries.
    fn bytes(self, entries: u64) -> u64 {
        match self {
            Width::Twelve => (entries * 3).div_ceil(2),
            Width::Sixteen => entries * 2,
            Width::ThirtyTwo => entries * 4,
        }
    }

    /// Bad clusters are not taken: nothing stands there.
    fn is_taken(self, table: &[u8], cluster: usize) -> bool {
        let byte = |at: usize| u32::from(table[at]);
        let (entry, bad) = match self {
            Width::Twelve => {
                let at = cluster + cluster / 2;
                let pair = byte(at) | byte(at + 1) << 8;
                ((pair >> (cluster % 2 * 4)) & 0xfff, 0xff7)
            }
            Width::Sixteen => (byte(2 * cluster) | byte(2 * cluster + 1) << 8, 0xfff7),
            Width::ThirtyTwo => {
                let entry = [0, 1, 2, 3].map(|at| table[4 * cluster + at]);
                // The highest four bits are reserved.
                (u32::from_le_bytes(entry) & 0x0fff_ffff, 0x0fff_fff7)
            }
        };
        entry != 0 && entry != bad
    }
}

/// What a boot sector says, in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    width: Width,
    /// What precedes the tables.
    reserved: u64,
    /// The size of each table.
    table: u64,
    tables: u64,
    /// Where the clusters begin, counted from the partition's start.
    data: u64,
    cluster: u64,
    clusters: usize,
}

impl Shape {
    /// Reads a boot sector as Linux does, by which the files were put there (`fs/fat/inode.c`): FAT32 is told by
    /// the field of the smaller tables' size, the others by the number of clusters.
    fn parse(sector: &Sector, partition: u64) -> Option<Self> {
        let short = |at: usize| u64::from(u16::from_le_bytes([sector[at], sector[at + 1]]));
        let long = |at: usize| short(at) | short(at + 2) << 16;
        let either = |short: u64, long: u64| if short == 0 { long } else { short };
        let (bytes, per_cluster) = (short(11), u64::from(sector[13]));
        let is_whole = matches!(bytes, 512 | 1024 | 2048 | 4096) && per_cluster.is_power_of_two();
        if !is_whole || sector[510..] != [0x55, 0xaa] {
            return None;
        }
        let (is_32, root) = (short(22) == 0, short(17) * 32);
        let (reserved, tables) = (short(14) * bytes, u64::from(sector[16]));
        let table = either(short(22), long(36)).checked_mul(bytes)?;
        let data = reserved + tables * table + root;
        let size = either(short(19), long(32)).checked_mul(bytes)?;
        let clusters = size.checked_sub(data)? / (bytes * per_cluster);
        let width = match clusters {
            _ if is_32 => Width::ThirtyTwo,
            0..=4084 => Width::Twelve,
            4085..=65524 => Width::Sixteen,
            _ => return None,
        };
        // Bit 7: one of the tables alone is kept up to date.
        let is_mirrored = !is_32 || short(40) & 0x80 == 0;
        let is_sound = reserved > 0
            && (1..=2).contains(&tables)
            && (root == 0) == is_32
            && root % bytes == 0
            && size <= partition
            && table <= LARGEST_TABLE
            && width.bytes(clusters + FIRST_CLUSTER as u64) <= table;
        (is_sound && is_mirrored).then_some(Self {
            width,
            reserved,
            table,
            tables,
            data,
            cluster: bytes * per_cluster,
            clusters: usize::try_from(clusters).ok()?,
        })
    }
}

/// Puts parts together that are less than `gap` bytes apart. They have to ascend.
fn merged(parts: impl Iterator<Item = Extent>, gap: u64) -> Vec<Extent> {
    let mut all: Vec<Extent> = Vec::new();
    for part in parts {
        match all.last_mut() {
            Some(last) if part.start - last.end() < gap.max(1) => {
                last.size = part.end() - last.start;
            }
            _ => all.push(part),
        }
    }
    all
}

#[cfg(test)]
mod tests;
