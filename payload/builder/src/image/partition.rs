//! The partitions of an image, and what they are called: read from its bytes, nothing is assumed.
//!
//! The table is a master boot record; logical partitions are a chain of such records inside the extended one. Labels
//! are read from the file systems themselves: FAT keeps its label in the boot sector, ext in the superblock.

use crate::card::{ROW, SECTOR, SIGNATURE, TABLE};
use migos_payload::size::ByteCount;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

/// Types of partitions that hold others.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// No table has more logical partitions than this; a chain that is longer runs in a circle.
const LONGEST_CHAIN: usize = 64;
/// Where ext's superblock is, from the start of the partition (kernel documentation, ext4, "Super Block").
const SUPERBLOCK: u64 = 1024;

/// One partition of an image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Partition {
    /// Its number; logical ones begin with 5.
    pub number: usize,
    /// The byte that it begins with.
    pub start: ByteCount,
    /// Its size.
    pub size: ByteCount,
    /// What is in it.
    pub content: Content,
    /// What its file system is called; empty if it has no name.
    pub label: String,
}

/// What is in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// FAT with entries of 12, 16 or 32 bits.
    Fat,
    /// ext2, ext3 or ext4.
    Ext,
    /// Other partitions.
    Extended,
    /// Anything else, or nothing.
    Unknown,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Fat => "fat",
            Content::Ext => "ext",
            Content::Extended => "extended",
            Content::Unknown => "unknown",
        })
    }
}

impl Partition {
    /// The byte behind its last one.
    pub(super) fn end(&self) -> u64 {
        self.start.0.saturating_add(self.size.0)
    }
}

/// A row of a table: the type, and start and size in sectors.
struct Row {
    kind: u8,
    start: u64,
    size: u64,
}

/// Reads all partitions of an image; none if it has no such table. Of partitions that lie behind the end of what can
/// be read, only the numbers of the table are told.
pub(super) fn partitions(image: &mut (impl Read + Seek)) -> io::Result<Vec<Partition>> {
    let mut found = Vec::new();
    for (number, row) in (1..).zip(table(image, 0)?) {
        if row.size == 0 {
            continue;
        }
        if !EXTENDED.contains(&row.kind) {
            found.push(partition(image, number, row.start, row.size)?);
            continue;
        }
        found.push(Partition {
            number,
            start: bytes(row.start),
            size: bytes(row.size),
            content: Content::Extended,
            label: String::new(),
        });
        logical(image, row.start, &mut found)?;
    }
    found.sort_by_key(|partition| partition.number);
    Ok(found)
}

/// The logical partitions of the extended one that begins at this sector.
fn logical(
    image: &mut (impl Read + Seek),
    extended: u64,
    found: &mut Vec<Partition>,
) -> io::Result<()> {
    let (mut record, mut number) = (extended, 5);
    for _ in 0..LONGEST_CHAIN {
        let mut rows = table(image, record)?.into_iter();
        let (Some(here), next) = (rows.next(), rows.next()) else { break };
        if here.size > 0 {
            found.push(partition(image, number, record.saturating_add(here.start), here.size)?);
            number += 1;
        }
        match next {
            // The next record counts from the start of the whole chain, unlike the partition.
            Some(next) if EXTENDED.contains(&next.kind) && next.start > 0 => {
                record = extended.saturating_add(next.start);
            }
            _ => break,
        }
    }
    Ok(())
}

/// The rows of the record at this sector; none if there is no record.
fn table(image: &mut (impl Read + Seek), sector: u64) -> io::Result<Vec<Row>> {
    let Some(record) = read_at::<SECTOR>(image, bytes(sector).0)? else { return Ok(Vec::new()) };
    if record[510..] != SIGNATURE {
        return Ok(Vec::new());
    }
    let number =
        |bytes: &[u8]| bytes.try_into().map_or(0, |bytes| u32::from_le_bytes(bytes).into());
    let row =
        |row: &[u8]| Row { kind: row[4], start: number(&row[8..12]), size: number(&row[12..]) };
    Ok(record[TABLE..510].chunks_exact(ROW).map(row).collect())
}

fn partition(
    image: &mut (impl Read + Seek),
    number: usize,
    start: u64,
    size: u64,
) -> io::Result<Partition> {
    let (content, label) = content(image, bytes(start).0)?;
    Ok(Partition { number, start: bytes(start), size: bytes(size), content, label })
}

fn content(image: &mut (impl Read + Seek), start: u64) -> io::Result<(Content, String)> {
    if let Some(boot) = read_at::<SECTOR>(image, start)?
        && boot[510..] == SIGNATURE
    {
        // FAT32 has a longer header before the label (Microsoft, FAT specification, "Extended BPB").
        if &boot[82..87] == b"FAT32" {
            return Ok((Content::Fat, fat_label(&boot[71..82])));
        }
        if &boot[54..57] == b"FAT" {
            return Ok((Content::Fat, fat_label(&boot[43..54])));
        }
    }
    match read_at::<SECTOR>(image, start.saturating_add(SUPERBLOCK))? {
        Some(superblock) if superblock[0x38..0x3a] == [0x53, 0xef] => {
            Ok((Content::Ext, text(&superblock[0x78..0x88])))
        }
        _ => Ok((Content::Unknown, String::new())),
    }
}

/// `NO NAME` stands where there is none.
fn fat_label(field: &[u8]) -> String {
    let label = text(field);
    if label == "NO NAME" { String::new() } else { label }
}

/// A field that ends with a zero, or is filled up with spaces. What is no plain text is not repeated.
fn text(field: &[u8]) -> String {
    let field = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let sign = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '?' };
    field.iter().map(sign).collect::<String>().trim_end().to_owned()
}

/// The bytes from here on; nothing if the image ends before.
fn read_at<const N: usize>(
    image: &mut (impl Read + Seek),
    from: u64,
) -> io::Result<Option<[u8; N]>> {
    image.seek(SeekFrom::Start(from))?;
    let mut read = [0; N];
    match image.read_exact(&mut read) {
        Ok(()) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn bytes(sectors: u64) -> ByteCount {
    ByteCount(sectors.saturating_mul(SECTOR as u64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Cursor;

    fn row(disk: &mut [u8], record: usize, row: usize, kind: u8, start: u32, size: u32) {
        let at = record * SECTOR + TABLE + row * ROW;
        disk[at + 4] = kind;
        disk[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
        disk[at + 12..at + 16].copy_from_slice(&size.to_le_bytes());
        disk[record * SECTOR + 510..][..2].copy_from_slice(&SIGNATURE);
    }

    #[test]
    fn a_chain_that_runs_in_a_circle_ends() {
        let mut disk = vec![0; 16 * SECTOR];
        row(&mut disk, 0, 0, 0x0f, 4, 12);
        row(&mut disk, 4, 0, 0x83, 1, 1);
        row(&mut disk, 4, 1, 0x05, 2, 1);
        row(&mut disk, 6, 0, 0x83, 1, 1);
        row(&mut disk, 6, 1, 0x05, 2, 1);
        assert_eq!(partitions(&mut Cursor::new(disk)).unwrap().len(), 1 + LONGEST_CHAIN);
    }

    #[test]
    fn what_lies_behind_the_end_is_told_by_the_table_alone() {
        let mut disk = vec![0; 2 * SECTOR];
        row(&mut disk, 0, 2, 0x83, 100, u32::MAX);
        let found = partitions(&mut Cursor::new(disk)).unwrap();
        let end = (u64::from(u32::MAX) + 100) * SECTOR as u64;
        assert_eq!((found[0].number, found[0].end(), found[0].content), (3, end, Content::Unknown));
        assert!(partitions(&mut Cursor::new(vec![0; 99])).unwrap().is_empty());
    }

    #[test]
    fn labels_are_plain_text() {
        assert_eq!(fat_label(b"resin-boot "), "resin-boot");
        assert_eq!(fat_label(b"NO NAME    "), "");
        assert_eq!(text(b"a\x1b[31m\0rest"), "a?[31m");
    }
}
