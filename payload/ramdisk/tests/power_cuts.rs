//! The power goes at every write of a flash, in every way; whatever then boots must be whole, and the flash
//! begun again must end as if nothing had been.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "power_cuts/card.rs"]
mod card;
#[path = "power_cuts/chunked.rs"]
mod chunked;
#[path = "../src/image/sample.rs"]
mod sample;
#[path = "power_cuts/scene.rs"]
mod scene;

use card::{Card, LOSSES};
use migos_ramdisk::flash::{Flash, FlashError, LayoutError};
use migos_ramdisk::table::SECTOR;
use scene::{Boots, GEOMETRIES, KIB, PIECE, Scene, all_files, boot_of, geometries, slice};
use std::collections::BTreeMap;

#[test]
fn undisturbed_the_card_is_the_image_with_the_files_and_nothing_else_of_before() {
    for geometry in geometries() {
        let scene = Scene::new(&geometry);
        let mut disk = Card::new(scene.card.clone());
        let done = scene.flash(&mut disk, false).unwrap();
        assert_eq!(done.written, done.total, "{geometry:?}");
        let new = boot_of(&scene.image.0).unwrap();
        let (image, found) = (&scene.image.0, &disk.medium);
        let (start, end, size) = (new.start as usize, new.end() as usize, image.len());
        assert!(found[..start] == image[..start], "{geometry:?}");
        assert!(found[end..size] == image[end..], "{geometry:?}");
        assert_eq!(all_files(&found[start..end]), scene.all_new_files());
        let old = slice(&scene.card, boot_of(&scene.card).unwrap());
        for sector in old.chunks(SECTOR).filter(|sector| **sector != [0; SECTOR]) {
            let stays = found[size..].chunks(SECTOR).any(|found| found == sector);
            assert!(!stays, "a sector of the old boot partition is still there: {geometry:?}");
        }
    }
}

#[test]
fn of_a_file_system_only_what_is_in_use_is_copied() {
    let geometry = GEOMETRIES[1];
    let copied = |noise| {
        let scene = Scene::new(&scene::Geometry { noise, ..geometry });
        let done = scene.flash(&mut Card::new(scene.card.clone()), false).unwrap();
        done.total - geometry.image * KIB
    };
    assert_eq!(copied(true), geometry.old_boot.1 * KIB);
    let some = copied(false);
    // Two files of 8000 bytes, with what is around them.
    assert!((8000..48 * KIB).contains(&some), "{some}");
}

#[test]
fn wherever_the_power_goes_something_whole_boots_and_begun_again_it_ends_the_same() {
    for geometry in geometries() {
        let scene = Scene::new(&geometry);
        let expected = scene.expected();
        let mut undisturbed = Card::new(scene.card.clone());
        scene.flash(&mut undisturbed, false).unwrap();
        let mut seen = Vec::new();
        for loss in LOSSES {
            let mut latest = Boots::Old;
            for write in 0..undisturbed.writes {
                let at = format!("{}: {loss:?} at write {write}, {geometry:?}", geometry.says);
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
    let scene = Scene::new(&scene::Geometry { noise: false, ..GEOMETRIES[0] });
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
