//! The same with an image in chunks: in memory, and sent while the card is written.

use crate::card::{Card, LOSSES};
use crate::sample::{Sample, sample};
use crate::scene::{Boots, GEOMETRIES, Geometry, Scene};
use migos_ramdisk::flash::FlashError;
use migos_ramdisk::image::{ChunkTable, StreamedImage, VerifiedImage};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Not what is written at once, so that ends of both come in all orders.
const CHUNK: usize = 24 << 10;

fn table(sample: &Sample) -> Arc<ChunkTable> {
    Arc::new(ChunkTable::read(&sample.list, &sample.promise).unwrap())
}

/// Flashes with a controller that sends what is wanted, with every third part cut off in its middle.
fn flash_streamed(scene: &Scene, sample: &Sample, disk: &mut Card) -> Result<(), FlashError> {
    let image = StreamedImage::new(table(sample));
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut sent = 0;
            while !is_done.load(Ordering::Acquire) {
                let Some(part) = image.wants() else {
                    thread::yield_now();
                    continue;
                };
                let (from, mut size) = (part.offset as usize, part.length as usize);
                sent += 1;
                if sent % 3 == 2 {
                    size /= 2;
                }
                // Cut off, or nobody's any more: what is wanted then is asked again.
                let _ = image.take(&mut &sample.file[from..from + size]);
            }
        });
        let done = scene.flash_from(&image, disk, false);
        is_done.store(true, Ordering::Release);
        done.map(drop)
    })
}

fn flash_chunked(scene: &Scene, sample: &Sample, disk: &mut Card) -> Result<(), FlashError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&sample.file).unwrap();
    let image = VerifiedImage::verify(file, &sample.promise, Some(table(sample))).unwrap();
    scene.flash_from(&image, disk, false).map(drop)
}

type FlashIt = fn(&Scene, &Sample, &mut Card) -> Result<(), FlashError>;

fn survives_every_cut(geometry: Geometry, flash: FlashIt) {
    let scene = Scene::new(&geometry);
    let expected = scene.expected();
    let sample = sample(&scene.image.0, CHUNK);
    let mut undisturbed = Card::new(scene.card.clone());
    flash(&scene, &sample, &mut undisturbed).unwrap();
    assert!(undisturbed.medium[..expected.len()] == expected, "{geometry:?}");
    for loss in LOSSES {
        let mut latest = Boots::Old;
        for write in 0..undisturbed.writes {
            let at = format!("{loss:?} at write {write}, {geometry:?}");
            let mut disk = Card::cut_at(scene.card.clone(), write, loss);
            flash(&scene, &sample, &mut disk).expect_err("the power went");
            let boots = scene.boots(&disk.medium, &expected).unwrap_or_else(|| panic!("{at}"));
            assert!(boots >= latest, "{at}: {boots:?} after {latest:?}");
            latest = boots;
            let mut disk = Card::new(disk.medium);
            flash(&scene, &sample, &mut disk).unwrap_or_else(|error| panic!("{at}: {error}"));
            assert!(disk.medium[..expected.len()] == expected, "{at}");
        }
    }
}

#[test]
fn in_chunks_the_power_may_go_anywhere() {
    for geometry in GEOMETRIES {
        survives_every_cut(Geometry { noise: false, ..geometry }, flash_chunked);
    }
}

#[test]
fn streamed_the_power_may_go_anywhere() {
    for geometry in [GEOMETRIES[0], GEOMETRIES[4], GEOMETRIES[5]] {
        survives_every_cut(Geometry { noise: false, ..geometry }, flash_streamed);
    }
}
