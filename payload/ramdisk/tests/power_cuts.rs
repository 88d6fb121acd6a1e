//! The power goes at every write of a flash, in every way; whatever then boots must be whole, and the flash
//! begun again must end as if nothing had been.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "power_cuts/card.rs"]
mod card;

use card::{Card, LOSSES};
use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use migos_ramdisk::flash::{Flash, FlashError, LayoutError};
use migos_ramdisk::image::Image;
use migos_ramdisk::table::{Extent, SECTOR, Table};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};

/// Small, so that there are many writes.
const PIECE: usize = 16 << 10;
const KIB: u64 = 1 << 10;

/// One card and one image; sizes in KiB.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    says: &'static str,
    card: u64,
    old_boot: (u64, u64),
    image: u64,
    new_boot: (u64, u64),
}

const GEOMETRIES: [Geometry; 6] = [
    Geometry {
        says: "image far longer",
        card: 640,
        old_boot: (32, 64),
        image: 320,
        new_boot: (64, 128),
    },
    Geometry {
        says: "image shorter",
        card: 640,
        old_boot: (32, 256),
        image: 192,
        new_boot: (8, 128),
    },
    Geometry { says: "same end", card: 512, old_boot: (64, 128), image: 192, new_boot: (32, 128) },
    Geometry {
        says: "no more room than needed",
        card: 400,
        old_boot: (32, 80),
        image: 320,
        new_boot: (4, 128),
    },
    Geometry {
        says: "ends are no whole pieces",
        card: 640,
        old_boot: (33, 67),
        image: 301,
        new_boot: (5, 131),
    },
    Geometry {
        says: "boot partition behind the image",
        card: 640,
        old_boot: (400, 64),
        image: 320,
        new_boot: (64, 128),
    },
];

struct Raw(Vec<u8>);

impl Image for Raw {
    fn raw_size(&self) -> u64 {
        self.0.len() as u64
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.0.as_slice()))
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

fn slice(disk: &[u8], part: Extent) -> &[u8] {
    &disk[part.start as usize..part.end() as usize]
}

struct Scene {
    card: Vec<u8>,
    image: Raw,
    files: BTreeMap<String, String>,
}

impl Scene {
    fn new(geometry: &Geometry) -> Self {
        let mut card = noise(geometry.card * KIB, 1);
        put_table(&mut card, 0xc0ff_ee42, geometry.old_boot);
        let mut image = noise(geometry.image * KIB, 2);
        put_table(&mut image, 0x0bad_cafe, geometry.new_boot);
        let (start, size) = geometry.new_boot;
        let range = (start * KIB) as usize..((start + size) * KIB) as usize;
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
        Self { card, image: Raw(image), files }
    }

    fn flash(&self, disk: &mut Card, no_lifeboat: bool) -> Result<u64, FlashError> {
        let flash = Flash { image: &self.image, files: &self.files, no_lifeboat, piece: PIECE };
        let mut written = 0;
        flash.run(disk, &mut |bytes| written = bytes).map(|()| written)
    }

    /// What the image's place must hold in the end.
    fn expected(&self) -> Vec<u8> {
        let mut roomy = self.card.clone();
        roomy.resize(self.card.len() + (1 << 20), 0);
        let mut disk = Card::new(roomy);
        assert_eq!(self.flash(&mut disk, false).unwrap(), self.image.raw_size());
        disk.medium.truncate(self.image.0.len());
        disk.medium
    }

    /// Who boots; panics if it would not.
    fn boots(&self, medium: &[u8], expected: &[u8]) -> Option<Boots> {
        let sector: [u8; SECTOR] = medium[..SECTOR].try_into().unwrap();
        let boot = slice(medium, Table::parse(sector)?.boot()?);
        let old = Table::parse(self.card[..SECTOR].try_into().unwrap())?.boot()?;
        if sector[..] == expected[..SECTOR] {
            return (medium[..expected.len()] == *expected).then_some(Boots::Image);
        }
        let which = if sector[..] == self.card[..SECTOR] { Boots::Old } else { Boots::Lifeboat };
        assert_eq!(sector[440..444], self.card[440..444], "the disk's identity");
        (boot == slice(&self.card, old)).then_some(which)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Boots {
    Old,
    Lifeboat,
    Image,
}

/// The files of a FAT partition, as someone else reads them.
fn read_files(partition: &[u8], names: impl Iterator<Item = String>) -> BTreeMap<String, String> {
    let fat = FileSystem::new(Cursor::new(partition.to_vec()), FsOptions::new()).unwrap();
    names
        .map(|name| {
            let mut text = String::new();
            fat.root_dir().open_file(&name).unwrap().read_to_string(&mut text).unwrap();
            (name, text)
        })
        .collect()
}

#[test]
fn undisturbed_the_card_is_the_image_with_the_files_and_nothing_else_of_before() {
    for geometry in GEOMETRIES {
        let scene = Scene::new(&geometry);
        let mut disk = Card::new(scene.card.clone());
        assert_eq!(scene.flash(&mut disk, false).unwrap(), scene.image.raw_size(), "{geometry:?}");
        let new =
            Table::parse(scene.image.0[..SECTOR].try_into().unwrap()).unwrap().boot().unwrap();
        let (image, found) = (&scene.image.0, &disk.medium);
        let (start, end, size) = (new.start as usize, new.end() as usize, image.len());
        assert!(found[..start] == image[..start], "{geometry:?}");
        assert!(found[end..size] == image[end..], "{geometry:?}");
        assert_eq!(read_files(&found[start..end], scene.files.keys().cloned()), scene.files);
        let old = Table::parse(scene.card[..SECTOR].try_into().unwrap()).unwrap().boot().unwrap();
        let old = slice(&scene.card, old);
        for sector in old.chunks(SECTOR) {
            let stays = found[size..].chunks(SECTOR).any(|found| found == sector);
            assert!(!stays, "a sector of the old boot partition is still there: {geometry:?}");
        }
    }
}

#[test]
fn wherever_the_power_goes_something_whole_boots_and_begun_again_it_ends_the_same() {
    for geometry in GEOMETRIES {
        let scene = Scene::new(&geometry);
        let expected = scene.expected();
        let mut undisturbed = Card::new(scene.card.clone());
        scene.flash(&mut undisturbed, false).unwrap();
        let mut seen = Vec::new();
        for loss in LOSSES {
            let mut latest = Boots::Old;
            for write in 0..undisturbed.writes {
                let at = format!("{}: {loss:?} at write {write}", geometry.says);
                let mut disk = Card::cut_at(scene.card.clone(), write, loss);
                let error = scene.flash(&mut disk, false).expect_err("the power went");
                let boots = scene.boots(&disk.medium, &expected).unwrap_or_else(|| panic!("{at}"));
                assert!(boots >= latest, "{at}: {boots:?} after {latest:?}");
                let is_rewritten = matches!(error, FlashError::Remains(_));
                assert!(!is_rewritten || boots == Boots::Image, "{at}: {error}");
                latest = boots;
                seen.push(boots);
                let mut disk = Card::new(disk.medium);
                scene.flash(&mut disk, false).unwrap_or_else(|error| panic!("{at}: {error}"));
                assert!(disk.medium[..expected.len()] == expected, "{at}");
            }
        }
        seen.sort_unstable();
        seen.dedup();
        let no_copy = geometry.old_boot.0 >= geometry.image;
        let all = [Boots::Old, Boots::Lifeboat, Boots::Image];
        assert_eq!(seen, if no_copy { vec![Boots::Old, Boots::Image] } else { all.to_vec() });
    }
}

#[test]
fn a_second_cut_while_it_is_begun_again_does_no_more_harm() {
    let scene = Scene::new(&GEOMETRIES[0]);
    let expected = scene.expected();
    let mut undisturbed = Card::new(scene.card.clone());
    scene.flash(&mut undisturbed, false).unwrap();
    for first in (0..undisturbed.writes).step_by(3) {
        for second in (0..undisturbed.writes).step_by(5) {
            let mut disk = Card::cut_at(scene.card.clone(), first, LOSSES[1]);
            scene.flash(&mut disk, false).unwrap_err();
            let mut disk = Card::cut_at(disk.medium, second, LOSSES[3]);
            let _ = scene.flash(&mut disk, false);
            assert!(scene.boots(&disk.medium, &expected).is_some(), "{first} then {second}");
            let mut disk = Card::new(disk.medium);
            scene.flash(&mut disk, false).unwrap();
            assert!(disk.medium[..expected.len()] == expected, "{first} then {second}");
        }
    }
}

#[test]
fn without_room_for_the_lifeboat_nothing_is_written() {
    let mut geometry = GEOMETRIES[3];
    geometry.card -= 1;
    let scene = Scene::new(&geometry);
    let mut disk = Card::new(scene.card.clone());
    let error = scene.flash(&mut disk, false).unwrap_err();
    assert!(matches!(error, FlashError::Layout(LayoutError::NoRoom { missing: 1024 })), "{error}");
    assert!(disk.writes == 0 && disk.medium == scene.card);
}

#[test]
fn allowed_to_go_without_a_lifeboat_the_window_is_the_old_boot_partitions_place_only() {
    let mut geometry = GEOMETRIES[3];
    geometry.card -= 1;
    let scene = Scene::new(&geometry);
    let expected = scene.expected();
    let mut undisturbed = Card::new(scene.card.clone());
    scene.flash(&mut undisturbed, true).unwrap();
    let tail =
        (geometry.image - geometry.old_boot.0 - geometry.old_boot.1).div_ceil(PIECE as u64 / KIB);
    for loss in LOSSES {
        for write in 0..undisturbed.writes {
            let mut disk = Card::cut_at(scene.card.clone(), write, loss);
            scene.flash(&mut disk, true).unwrap_err();
            let boots = scene.boots(&disk.medium, &expected);
            if write < usize::try_from(tail).unwrap() {
                assert_eq!(boots, Some(Boots::Old), "{loss:?} at write {write}");
            }
            let mut disk = Card::new(disk.medium);
            scene.flash(&mut disk, true).unwrap();
            assert!(disk.medium[..expected.len()] == expected, "{loss:?} at write {write}");
        }
    }
}

#[test]
fn files_without_a_place_are_found_out_on_a_scratch_disk() {
    let mut scene = Scene::new(&GEOMETRIES[0]);
    let tried = |scene: &Scene| {
        let flash =
            Flash { image: &scene.image, files: &scene.files, no_lifeboat: false, piece: PIECE };
        let mut scratch = Card::new(vec![0; flash.scratch_size().unwrap() as usize]);
        flash.try_files(&mut scratch).map_err(|error| error.to_string())
    };
    assert_eq!(tried(&scene), Ok(()));
    scene.files.insert("nowhere/file".to_owned(), String::new());
    let error = tried(&scene).unwrap_err();
    assert!(
        error.starts_with("failed to write nowhere/file into the new boot partition"),
        "{error}"
    );
    scene.files = BTreeMap::from([("large".to_owned(), "x".repeat(256 << 10))]);
    let error = tried(&scene).unwrap_err();
    assert!(error.starts_with("failed to write large into the new boot partition"), "{error}");
}

#[test]
fn what_cannot_become_a_bootable_card_is_refused_before_a_write() {
    let refused = |change: &dyn Fn(&mut Scene)| {
        let mut scene = Scene::new(&GEOMETRIES[0]);
        change(&mut scene);
        let mut disk = Card::new(scene.card.clone());
        let error = scene.flash(&mut disk, true).unwrap_err();
        assert_eq!(disk.writes, 0, "{error}");
        error.to_string()
    };
    assert_eq!(refused(&|s| s.card[510] = 0), "the card has no boot partition");
    assert_eq!(refused(&|s| s.image.0[510] = 0), "the image has no boot partition");
    assert_eq!(refused(&|s| s.image.0.truncate(64 << 10)), "the image has no boot partition");
    assert_eq!(
        refused(&|s| s.image.0.truncate((320 << 10) - 1)),
        "the image is 327679 bytes, which are not whole sectors"
    );
    assert_eq!(
        refused(&|s| s.image.0.resize(1 << 20, 0)),
        "the image is 1048576 bytes and the card 655360"
    );
}
