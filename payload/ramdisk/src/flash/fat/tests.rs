#![allow(clippy::unwrap_used)]
use super::*;
use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use std::io::{self, Cursor, Write};

struct Memory(Vec<u8>);

impl Disk for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let at = at as usize;
        let bytes = self.0.get(at..at + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the partition stands on its disk.
const START: usize = 1 << 12;

/// A disk with a file system in which two files are interleaved, and a third was removed from in between.
fn disk(size: usize, kind: FatType) -> Memory {
    let mut disk = vec![0; START + size];
    let mut volume = Cursor::new(&mut disk[START..]);
    let options = FormatVolumeOptions::new().fat_type(kind).bytes_per_cluster(512);
    format_volume(&mut volume, options).unwrap();
    let fat = FileSystem::new(volume, FsOptions::new()).unwrap();
    {
        let root = fat.root_dir();
        let mut files = ["one", "gone", "two"].map(|name| root.create_file(name).unwrap());
        for round in 0..40 {
            for (number, file) in (b'1'..).zip(&mut files) {
                file.write_all(&[number; 900][..500 + round * 10]).unwrap();
            }
        }
        drop(files);
        root.remove("gone").unwrap();
    }
    fat.unmount().unwrap();
    Memory(disk)
}

fn parts(disk: &Memory, gap: u64) -> Option<Vec<Extent>> {
    let size = disk.size() - START as u64;
    in_use(disk, Extent { start: START as u64, size }, gap)
}

/// What is left if nothing but those parts is copied.
fn copied(disk: &Memory, parts: &[Extent]) -> Vec<u8> {
    let mut copy = vec![0xee; disk.0.len() - START];
    for part in parts {
        let range = part.start as usize..part.end() as usize;
        copy[range.clone()].copy_from_slice(&disk.0[START..][range]);
    }
    copy
}

fn content(volume: Vec<u8>, name: &str) -> Vec<u8> {
    let fat = FileSystem::new(Cursor::new(volume), FsOptions::new()).unwrap();
    let mut content = Vec::new();
    io::Read::read_to_end(&mut fat.root_dir().open_file(name).unwrap(), &mut content).unwrap();
    content
}

#[test]
fn of_every_width_the_copy_reads_the_same_and_what_was_removed_is_not_in_it() {
    let kinds = [(1 << 20, FatType::Fat12), (8 << 20, FatType::Fat16), (36 << 20, FatType::Fat32)];
    for (size, kind) in kinds {
        let disk = disk(size, kind);
        let exact = parts(&disk, 0).unwrap();
        assert!(exact.len() > 30, "{kind:?}: {exact:?}");
        let copy = copied(&disk, &exact);
        assert!(!copy.chunks(512).any(|cluster| cluster == [b'2'; 512]), "{kind:?}");
        assert!(disk.0.chunks(512).any(|cluster| cluster == [b'2'; 512]), "{kind:?}");
        for name in ["one", "two"] {
            let found = content(copy.clone(), name);
            assert!(found == content(disk.0[START..].to_vec(), name), "{kind:?}: {name}");
        }
        let used: u64 = exact.iter().map(|part| part.size).sum();
        assert!(used < size as u64 / 2, "{kind:?}: {used}");
    }
}

#[test]
fn parts_that_are_near_each_other_are_one() {
    let disk = disk(1 << 20, FatType::Fat12);
    let (exact, near) = (parts(&disk, 0).unwrap(), parts(&disk, 4096).unwrap());
    assert_eq!(near.len(), 1, "{near:?}");
    assert_eq!((near[0].start, near[0].end()), (0, exact.last().unwrap().end()));
}

#[test]
fn a_second_table_that_knows_more_counts_as_well() {
    let mut disk = disk(1 << 20, FatType::Fat12);
    let before = parts(&disk, 0).unwrap();
    let shape = Shape::parse(disk.0[START..][..SECTOR].try_into().unwrap(), 1 << 20).unwrap();
    let second = START + (shape.reserved + shape.table) as usize;
    let entry = second + 3 * 1000 / 2;
    disk.0[entry] = 0xff;
    let far = Extent { start: shape.data + 998 * 512, size: 512 };
    assert_eq!(parts(&disk, 0).unwrap(), [before, vec![far]].concat());
    // A bad cluster holds nothing.
    disk.0[entry..entry + 2].copy_from_slice(&[0xf7, 0x0f]);
    assert!(!parts(&disk, 0).unwrap().contains(&far));
}

#[test]
fn a_file_system_that_is_not_sound_is_not_understood() {
    let damaged = |at: usize, bytes: &[u8]| {
        let mut disk = disk(1 << 20, FatType::Fat12);
        disk.0[START + at..][..bytes.len()].copy_from_slice(bytes);
        parts(&disk, 0)
    };
    assert!(damaged(3, b"anything").is_some());
    for (at, bytes) in [
        (11, &[0, 1][..]),   // bytes of a sector
        (13, &[3]),          // sectors of a cluster
        (14, &[0, 0]),       // reserved sectors
        (16, &[0]),          // tables
        (17, &[0, 0]),       // entries of the root folder
        (19, &[0xff, 0xff]), // sectors in all: more than the partition has
        (19, &[1, 0]),       // and fewer than the tables
        (22, &[1, 0]),       // sectors of a table
        (510, &[0, 0]),      // signature
    ] {
        assert_eq!(damaged(at, bytes), None, "{at}: {bytes:?}");
    }
    let mut disk = disk(36 << 20, FatType::Fat32);
    disk.0[START + 40] = 0x80;
    assert_eq!(parts(&disk, 0), None);
    assert_eq!(parts(&Memory(vec![0; START + 512]), 0), None);
    assert_eq!(parts(&Memory(vec![0; START]), 0), None);
}
