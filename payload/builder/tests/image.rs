//! Images are prepared: from raw and gzip, told or asked what they are, the same each time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]

use flate2::read::{GzDecoder, MultiGzDecoder};
use flate2::write::GzEncoder;
use migos_contract::Compression;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_payload_builder::{
    Content, LayoutError, LookError, PrepareError, Told, look_into_image, prepare_image,
};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

const SECTOR: usize = 512;
const CHUNK: usize = 4 << 20;
/// Its last chunk is not whole.
const SIZE: usize = 3 * CHUNK + 3 * SECTOR;
/// Where its boot partition begins.
const BOOT: usize = CHUNK;

/// An image with real file systems, whose labels begin with this.
fn labelled(prefix: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/balena_os.sh");
    let mut made = Command::new("sh");
    made.arg(script).arg(&image).args([prefix, "raspberrypi3", "armv7hf", "6.0.24"]);
    let made = made.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::read(image).unwrap()
}

fn balena_os() -> Vec<u8> {
    labelled("resin")
}

/// An image that does not say what it is: its files have other names.
fn silent() -> Vec<u8> {
    let mut image = balena_os();
    for name in [b"DEVICE", b"OS-REL"] {
        let at = memory_of(&image, name);
        image[at..at + 6].copy_from_slice(b"NOBODY");
    }
    // Their long names stand before the short ones, in pieces.
    let root = memory_of(&image, b"NOBODY") & !(SECTOR - 1);
    for entry in image[root..root + SECTOR].chunks_exact_mut(32).filter(|entry| entry[11] == 0x0f) {
        entry[0] = 0xe5;
    }
    image
}

fn memory_of(image: &[u8], name: &[u8; 6]) -> usize {
    BOOT + image[BOOT..].windows(6).position(|bytes| bytes == name).unwrap()
}

fn gzip(raw: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(raw).unwrap();
    packed.finish().unwrap()
}

fn refused(source: &[u8], folder: &Path) -> String {
    let output = folder.join("refused");
    let error = prepare_image(source, &output, &Told::default(), &mut |_| {}).unwrap_err();
    let left: Vec<_> = folder.read_dir().unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    error.to_string()
}

#[test]
fn an_image_says_what_it_is_and_its_chunks_unpack_alone() {
    let (raw, folder) = (balena_os(), tempfile::tempdir().unwrap());
    let output = folder.path().join("image.gz");
    let mut steps = Vec::new();
    let mut progress = |bytes| steps.push(bytes);
    let manifest = prepare_image(&raw[..], &output, &Told::default(), &mut progress).unwrap();
    let file = std::fs::read(&output).unwrap();
    assert_eq!(manifest.check(ByteCount(file.len() as u64), Sha256::of(&file)), Ok(()));
    assert_eq!(manifest.device_type, "raspberrypi3");
    assert_eq!(manifest.architecture, "armv7hf");
    assert_eq!(manifest.os_version, "balenaOS 6.0.24");
    assert_eq!(manifest.compression, Compression::Gzip);
    assert_eq!(
        (manifest.raw_size, manifest.raw_sha256),
        (ByteCount(SIZE as u64), Sha256::of(&raw))
    );
    assert_eq!(steps.last(), Some(&(SIZE as u64)));

    let mut whole = Vec::new();
    MultiGzDecoder::new(&file[..]).read_to_end(&mut whole).unwrap();
    assert!(whole == raw, "it is a gzip file like any other");
    let chunks = manifest.chunks.unwrap();
    assert_eq!((chunks.raw_size, chunks.chunks.len()), (CHUNK as u64, 4));
    let mut at = 0;
    for (chunk, expected) in chunks.chunks.iter().zip(raw.chunks(CHUNK)) {
        let mut unpacked = Vec::new();
        let size = usize::try_from(chunk.size).unwrap();
        GzDecoder::new(&file[at..at + size]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == expected && chunk.raw_sha256 == Sha256::of(expected).to_string());
        at += size;
    }
}

#[test]
fn the_same_image_gives_the_same_bytes_whatever_it_came_in() {
    let (raw, folder) = (balena_os(), tempfile::tempdir().unwrap());
    let prepare = |source: &[u8], name: &str| {
        let output = folder.path().join(name);
        let manifest = prepare_image(source, &output, &Told::default(), &mut |_| {}).unwrap();
        (manifest, std::fs::read(output).unwrap())
    };
    let first = prepare(&raw, "raw");
    assert!(first == prepare(&gzip(&raw), "gzip"));
    assert!(first == prepare(&first.1, "again"));
}

#[test]
fn a_person_may_say_what_the_image_does_not() {
    let (silent, folder) = (silent(), tempfile::tempdir().unwrap());
    let missing = refused(&silent, folder.path());
    assert_eq!(missing, "the image does not say its balena device type; say it with --device-type");
    let told = Told {
        device_type: Some("raspberrypi4-64".into()),
        architecture: Some("aarch64".into()),
        os_version: Some("balenaOS 6.1.0".into()),
        asked: None,
    };
    let output = folder.path().join("told");
    let manifest = prepare_image(&silent[..], &output, &told, &mut |_| {}).unwrap();
    assert_eq!(
        (manifest.device_type.as_str(), manifest.architecture.as_str()),
        ("raspberrypi4-64", "aarch64")
    );
    let told = Told { os_version: Some("balenaOS 7".into()), ..Told::default() };
    let manifest = prepare_image(&balena_os()[..], &output, &told, &mut |_| {}).unwrap();
    assert_eq!((&*manifest.os_version, &*manifest.device_type), ("balenaOS 7", "raspberrypi3"));
}

#[test]
fn what_is_no_image_is_refused_with_a_remedy_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let no_image = "it is no image of a card: it has no partition table with a FAT boot partition";
    assert_eq!(refused(&[], folder.path()), no_image);
    assert_eq!(refused(&[0; 4096], folder.path()), no_image);
    assert_eq!(refused(&gzip(&[7; 9]), folder.path()), no_image);
    let zip = refused(b"PK\x03\x04....", folder.path());
    assert!(zip.starts_with("it is a zip archive: unpack it on the way, as in: unzip -p"), "{zip}");
    let cut = gzip(&balena_os());
    let cut = refused(&cut[..cut.len() / 2], folder.path());
    assert!(cut.starts_with("the gzip file ends early, after "), "{cut}");
    let nowhere = folder.path().join("no/such/folder/image");
    let error = prepare_image(&balena_os()[..], &nowhere, &Told::default(), &mut |_| {});
    assert!(matches!(error, Err(PrepareError::Write { .. })), "{error:?}");
}

fn told(device_type: &str, asked: &str) -> Told {
    Told {
        device_type: Some(device_type.to_owned()),
        asked: Some(asked.to_owned()),
        ..Told::default()
    }
}

#[test]
fn partitions_are_read_and_not_assumed() {
    let (raw, folder) = (balena_os(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("raw"), &raw).unwrap();
    std::fs::write(path("gzip"), gzip(&raw)).unwrap();
    let manifest = prepare_image(&raw[..], &path("chunks"), &Told::default(), &mut |_| {}).unwrap();
    let look = look_into_image(&path("raw"), None).unwrap();
    assert_eq!(look_into_image(&path("gzip"), None).unwrap(), look);
    assert_eq!(look_into_image(&path("chunks"), None).unwrap(), look);
    assert_eq!(look_into_image(&path("chunks"), Some(&manifest)).unwrap(), look);

    assert_eq!(look.layout, Ok(()));
    assert_eq!(look.needed, ByteCount(SIZE as u64));
    assert_eq!(look.says.device_type.as_deref(), Some("raspberrypi3"));
    let mib = |bytes: ByteCount| bytes.0 >> 20;
    let partitions: Vec<_> = look
        .partitions
        .iter()
        .map(|it| (it.number, mib(it.start), mib(it.size), it.content, it.label.as_str()))
        .collect();
    assert_eq!(
        partitions,
        [
            (1, 4, 2, Content::Fat, "resin-boot"),
            (2, 6, 1, Content::Ext, "resin-rootA"),
            (3, 7, 1, Content::Ext, "resin-rootB"),
            (4, 8, 4, Content::Extended, ""),
            (5, 9, 1, Content::Ext, "resin-state"),
            (6, 11, 1, Content::Ext, "resin-data"),
        ]
    );
}

#[test]
fn an_image_that_was_cut_off_is_told_from_a_whole_one() {
    let (raw, folder) = (balena_os(), tempfile::tempdir().unwrap());
    let short = refused(&raw[..SIZE - CHUNK / 2], folder.path());
    assert_eq!(
        short,
        "the image ends after 10487296 bytes, but its partitions after 12582912: it is cut off; get it anew"
    );
    let path = folder.path().join("cut");
    let packed = gzip(&raw);
    std::fs::write(&path, &packed[..packed.len() - 3]).unwrap();
    assert!(matches!(look_into_image(&path, None), Err(LookError::Truncated)));
}

#[test]
fn other_images_than_balenas_for_cards_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let flasher = refused(&labelled("flash"), folder.path());
    assert!(flasher.starts_with("it is a flasher image"), "{flasher}");
    let raspbian = refused(&labelled("other"), folder.path());
    assert!(
        raspbian.starts_with("it is no image of balenaOS: it has no partition resin-boot; its")
    );
    let output = folder.path().join("newer");
    prepare_image(&labelled("balena")[..], &output, &Told::default(), &mut |_| {}).unwrap();
    std::fs::write(&output, labelled("flash")).unwrap();
    assert_eq!(look_into_image(&output, None).unwrap().layout, Err(LayoutError::Flasher));
}

#[test]
fn an_image_has_to_be_what_was_asked_for() {
    let (raw, folder) = (balena_os(), tempfile::tempdir().unwrap());
    let output = folder.path().join("image");
    let prepare = |told: Told| prepare_image(&raw[..], &output, &told, &mut |_| {});
    let error = prepare(told("raspberrypi4-64", "6.0.24")).unwrap_err();
    assert_eq!(error.to_string(), "it is an image for raspberrypi3, not for raspberrypi4-64");
    let error = prepare(told("raspberrypi3", "6.0.24+rev1")).unwrap_err();
    assert_eq!(error.to_string(), "it is an image of balenaOS 6.0.24, not of version 6.0.24+rev1");
    assert!(!output.exists());
    let manifest = prepare(told("raspberrypi3", "6.0.24.prod")).unwrap();
    std::fs::write(&output, &raw).unwrap();
    let other = migos_payload::image::ImageManifest {
        device_type: "raspberrypi4-64".to_owned(),
        chunks: None,
        ..manifest
    };
    let error = look_into_image(&output, Some(&other)).unwrap_err();
    assert!(matches!(error, LookError::OtherType { .. }), "{error}");
}
