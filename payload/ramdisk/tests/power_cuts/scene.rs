//! One card, one image, and who boots of it.

use crate::card::Card;
use fatfs::{Dir, FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use migos_ramdisk::flash::{Flash, FlashError, LOG_FILE, Observer, Progress};
use migos_ramdisk::image::Image;
use migos_ramdisk::table::{Extent, SECTOR, Table};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::ops::Range;

/// Small, so that there are many writes.
pub(crate) const PIECE: usize = 16 << 10;
pub(crate) const KIB: u64 = 1 << 10;

/// One card and one image; sizes in KiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    pub(crate) says: &'static str,
    pub(crate) card: u64,
    pub(crate) old_boot: (u64, u64),
    /// Whether the old boot partition is noise, which nobody can tell the use of, or a file system.
    pub(crate) noise: bool,
    pub(crate) image: u64,
    pub(crate) new_boot: (u64, u64),
}

pub(crate) const GEOMETRIES: [Geometry; 6] = [
    Geometry {
        says: "image far longer",
        card: 640,
        old_boot: (32, 64),
        noise: true,
        image: 320,
        new_boot: (64, 128),
    },
    Geometry {
        says: "image shorter",
        card: 640,
        old_boot: (32, 256),
        noise: true,
        image: 192,
        new_boot: (8, 128),
    },
    Geometry {
        says: "same end",
        card: 512,
        old_boot: (64, 128),
        noise: true,
        image: 192,
        new_boot: (32, 128),
    },
    Geometry {
        says: "no more room than needed",
        card: 400,
        old_boot: (32, 80),
        noise: true,
        image: 320,
        new_boot: (4, 128),
    },
    Geometry {
        says: "ends are no whole pieces",
        card: 640,
        old_boot: (33, 67),
        noise: true,
        image: 301,
        new_boot: (5, 131),
    },
    Geometry {
        says: "boot partition behind the image",
        card: 640,
        old_boot: (400, 64),
        noise: true,
        image: 320,
        new_boot: (64, 128),
    },
];

/// Each of them with noise, and with a file system in pieces.
pub(crate) fn geometries() -> impl Iterator<Item = Geometry> {
    let both = |geometry| [geometry, Geometry { noise: false, ..geometry }];
    GEOMETRIES.into_iter().flat_map(both)
}

pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Image for Raw {
    fn raw_size(&self) -> u64 {
        self.0.len() as u64
    }

    fn open(&self, raw: Range<u64>) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(&self.0[raw.start as usize..raw.end as usize]))
    }
}

fn noise(size: u64, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

/// Writes a table whose first partition is another system's, and whose second is the boot partition.
fn put_table(disk: &mut [u8], disk_id: u32, (start, size): (u64, u64)) {
    disk[..SECTOR].fill(0);
    disk[440..444].copy_from_slice(&disk_id.to_le_bytes());
    for (entry, (kind, start, size)) in
        [(0x83, 1, 1), (0x0c, start * 2, size * 2)].iter().enumerate()
    {
        let entry = &mut disk[446 + entry * 16..][..16];
        entry[4] = *kind;
        entry[8..12].copy_from_slice(&u32::try_from(*start).unwrap().to_le_bytes());
        entry[12..16].copy_from_slice(&u32::try_from(*size).unwrap().to_le_bytes());
    }
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
}

/// Makes a file system of noise: its files are in pieces, and where others were removed the noise stays.
fn put_old_files(partition: &mut [u8]) {
    let mut volume = Cursor::new(&mut *partition);
    format_volume(&mut volume, FormatVolumeOptions::new()).unwrap();
    let fat = FileSystem::new(volume, FsOptions::new()).unwrap();
    {
        let root = fat.root_dir();
        let job = root.create_dir("migos").unwrap();
        let mut files =
            [root.create_file("kernel.img"), root.create_file("removed")].map(|file| file.unwrap());
        let mut file = job.create_file("committed").unwrap();
        for round in 0..8 {
            files[0].write_all(&noise(700, 3 + round)).unwrap();
            files[1].write_all(&noise(1500, 13 + round)).unwrap();
            file.write_all(&noise(300, 23 + round)).unwrap();
        }
        drop(files);
        root.remove("removed").unwrap();
    }
    fat.unmount().unwrap();
}

/// All files of a FAT partition, as someone else reads them.
pub(crate) fn all_files(partition: &[u8]) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Dir<'_, Cursor<Vec<u8>>>, path: &str, all: &mut BTreeMap<String, Vec<u8>>) {
        for entry in dir.iter().map(Result::unwrap) {
            let name = format!("{path}/{}", entry.file_name());
            if !entry.is_dir() {
                let mut content = Vec::new();
                entry.to_file().read_to_end(&mut content).unwrap();
                all.insert(name, content);
            } else if !entry.file_name().starts_with('.') {
                walk(&entry.to_dir(), &name, all);
            }
        }
    }
    let fat = FileSystem::new(Cursor::new(partition.to_vec()), FsOptions::new()).unwrap();
    let mut all = BTreeMap::new();
    walk(&fat.root_dir(), "", &mut all);
    all
}

pub(crate) fn slice(disk: &[u8], part: Extent) -> &[u8] {
    &disk[part.start as usize..part.end() as usize]
}

/// The boot partition that sector 0 names.
pub(crate) fn boot_of(disk: &[u8]) -> Option<Extent> {
    Table::parse(disk[..SECTOR].try_into().unwrap())?.boot()
}

const LOG: &str = "     1.0 this is the log\n";

/// Sees that it only goes on.
#[derive(Default)]
struct Last(Progress);

impl Observer for Last {
    fn has_written(&mut self, progress: Progress) {
        assert!(progress.written >= self.0.written && progress.written <= progress.total);
        self.0 = progress;
    }

    fn note(&mut self, line: &str) {
        assert!(!line.is_empty());
    }

    fn log(&self) -> String {
        LOG.to_owned()
    }
}

pub(crate) struct Scene {
    pub(crate) card: Vec<u8>,
    pub(crate) image: Raw,
    pub(crate) files: BTreeMap<String, String>,
    noise: bool,
}

impl Scene {
    pub(crate) fn new(geometry: &Geometry) -> Self {
        let range =
            |(start, size): (u64, u64)| (start * KIB) as usize..((start + size) * KIB) as usize;
        let mut card = noise(geometry.card * KIB, 1);
        put_table(&mut card, 0xc0ff_ee42, geometry.old_boot);
        if !geometry.noise {
            put_old_files(&mut card[range(geometry.old_boot)]);
        }
        let mut image = noise(geometry.image * KIB, 2);
        put_table(&mut image, 0x0bad_cafe, geometry.new_boot);
        let range = range(geometry.new_boot);
        image[range.clone()].fill(0);
        let mut volume = Cursor::new(&mut image[range]);
        format_volume(&mut volume, FormatVolumeOptions::new()).unwrap();
        let fat = FileSystem::new(volume, FsOptions::new()).unwrap();
        fat.root_dir().create_dir("system-connections").unwrap();
        let old = "{} and more than what comes in its place: ".to_owned() + &"x".repeat(5000);
        fat.root_dir().create_file("config.json").unwrap().write_all(old.as_bytes()).unwrap();
        fat.unmount().unwrap();
        let files = [("config.json", "{\"uuid\":\"1\"}"), ("system-connections/wifi", "[wifi]\n")];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        Self { card, image: Raw(image), files, noise: geometry.noise }
    }

    /// Gives how far it came.
    pub(crate) fn flash(&self, disk: &mut Card, no_lifeboat: bool) -> Result<Progress, FlashError> {
        self.flash_from(&self.image, disk, no_lifeboat)
    }

    /// The same with another source of the image.
    pub(crate) fn flash_from(
        &self,
        image: &dyn Image,
        disk: &mut Card,
        no_lifeboat: bool,
    ) -> Result<Progress, FlashError> {
        let flash = Flash { image, files: &self.files, no_lifeboat, piece: PIECE };
        let mut last = Last::default();
        flash.run(disk, &mut last).map(|()| last.0)
    }

    /// The files of the new boot partition in the end.
    pub(crate) fn all_new_files(&self) -> BTreeMap<String, Vec<u8>> {
        let log = (LOG_FILE.to_owned(), LOG.to_owned());
        let files = self.files.clone().into_iter().chain([log]);
        files.map(|(name, text)| (format!("/{name}"), text.into_bytes())).collect()
    }

    /// What the image's place must hold in the end.
    pub(crate) fn expected(&self) -> Vec<u8> {
        let mut roomy = self.card.clone();
        roomy.resize(self.card.len() + (1 << 20), 0);
        let mut disk = Card::new(roomy);
        self.flash(&mut disk, false).unwrap();
        disk.medium.truncate(self.image.0.len());
        disk.medium
    }

    /// Who boots; nothing if it would not.
    pub(crate) fn boots(&self, medium: &[u8], expected: &[u8]) -> Option<Boots> {
        let boot = slice(medium, boot_of(medium)?);
        let old = slice(&self.card, boot_of(&self.card)?);
        let sector = &medium[..SECTOR];
        if *sector == expected[..SECTOR] {
            return (medium[..expected.len()] == *expected).then_some(Boots::Image);
        }
        assert_eq!(sector[440..444], self.card[440..444], "the disk's identity");
        if *sector == self.card[..SECTOR] {
            return (boot == old).then_some(Boots::Old);
        }
        let is_whole = if self.noise { boot == old } else { all_files(boot) == all_files(old) };
        is_whole.then_some(Boots::Lifeboat)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Boots {
    Old,
    Lifeboat,
    Image,
}
