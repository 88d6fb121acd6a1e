//! Images are prepared: from raw and gzip, told or asked what they are, the same each time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};
use flate2::read::{GzDecoder, MultiGzDecoder};
use flate2::write::GzEncoder;
use migos_contract::Compression;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_payload_builder::{PrepareError, Told, prepare_image};
use std::io::{Cursor, Read, Write};
use std::path::Path;

const SECTOR: usize = 512;
const CHUNK: usize = 4 << 20;
/// Its last chunk is not whole, and its boot partition begins in the second.
const SIZE: usize = 2 * CHUNK + 3 * SECTOR;
const BOOT: usize = CHUNK + 8 * SECTOR;
const BOOT_SIZE: usize = 1 << 20;

/// A card with a boot partition that holds these files.
fn card(files: &[(&str, &str)]) -> Vec<u8> {
    let mut fat = Cursor::new(vec![0; BOOT_SIZE]);
    format_volume(&mut fat, FormatVolumeOptions::new()).unwrap();
    {
        let partition = FileSystem::new(&mut fat, FsOptions::new()).unwrap();
        for (name, text) in files {
            let mut file = partition.root_dir().create_file(name).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }
    let mut card = vec![0; SIZE];
    let row = &mut card[446..462];
    row[4] = 0x0c;
    row[8..12].copy_from_slice(&u32::try_from(BOOT / SECTOR).unwrap().to_le_bytes());
    row[12..16].copy_from_slice(&u32::try_from(BOOT_SIZE / SECTOR).unwrap().to_le_bytes());
    card[510..512].copy_from_slice(&[0x55, 0xaa]);
    card[BOOT..BOOT + BOOT_SIZE].copy_from_slice(fat.get_ref());
    card
}

fn balena_os() -> Vec<u8> {
    let device_type = r#"{"slug": "raspberrypi3", "arch": "armv7hf", "name": "Raspberry Pi 3"}"#;
    let os_release = "ID=\"balena-os\"\nPRETTY_NAME=\"balenaOS 6.0.24\"\n";
    card(&[("device-type.json", device_type), ("os-release", os_release)])
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
    assert_eq!((chunks.raw_size, chunks.chunks.len()), (CHUNK as u64, 3));
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
    let (silent, folder) = (card(&[]), tempfile::tempdir().unwrap());
    let missing = refused(&silent, folder.path());
    assert_eq!(missing, "the image does not say its balena device type; say it with --device-type");
    let told = Told {
        device_type: Some("raspberrypi4-64".into()),
        architecture: Some("aarch64".into()),
        os_version: Some("balenaOS 6.1.0".into()),
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
    assert_eq!(cut, "failed to read the image");
    let nowhere = folder.path().join("no/such/folder/image");
    let error = prepare_image(&balena_os()[..], &nowhere, &Told::default(), &mut |_| {});
    assert!(matches!(error, Err(PrepareError::Write { .. })), "{error:?}");
}
