//! A payload on a card's image.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use migos_payload::archive::VerifiedPayload;
use migos_payload_builder::{CardError, pack, write_card};
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

const START: u64 = 8192;

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).env("MTOOLS_SKIP_CHECK", "1").output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A card with a boot partition of this many KiB that holds `config.txt`.
fn card(folder: &Path, size: u64) -> String {
    let (card, boot) = (folder.join("card.img"), folder.join("boot.img"));
    fs::File::create(&boot).unwrap().set_len(size << 10).unwrap();
    run("/usr/sbin/mkfs.vfat", &["-i", "c0ffee42", boot.to_str().unwrap()]);
    let config = folder.join("config.txt");
    fs::write(&config, "# Raspbian's\n").unwrap();
    run("mcopy", &["-i", boot.to_str().unwrap(), config.to_str().unwrap(), "::config.txt"]);
    let mut head = vec![0; 512];
    head[446 + 4] = 0x0c;
    head[446 + 8..446 + 12].copy_from_slice(&u32::try_from(START).unwrap().to_le_bytes());
    head[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut file = fs::File::create(&card).unwrap();
    file.write_all(&head).unwrap();
    file.seek(SeekFrom::Start(START * 512)).unwrap();
    file.write_all(&fs::read(boot).unwrap()).unwrap();
    card.to_str().unwrap().to_owned()
}

fn payload(kernel: &[u8]) -> VerifiedPayload {
    let folder = tempfile::tempdir().unwrap();
    let manifest = r#"{"schema": 1, "version": "1", "architecture": "arm64", "boards": [17], "restart": "builtin", "minimum_memory": 0, "files": []}"#;
    fs::create_dir_all(folder.path().join("migos/overlays")).unwrap();
    fs::write(folder.path().join("manifest.json"), manifest).unwrap();
    fs::write(folder.path().join("migos/kernel8.img"), kernel).unwrap();
    fs::write(folder.path().join("migos/initrd.migos"), "a ramdisk").unwrap();
    fs::write(folder.path().join("migos/overlays/README"), "read me").unwrap();
    VerifiedPayload::read(&pack(folder.path()).unwrap().1).unwrap()
}

#[test]
fn files_are_laid_beside_those_that_are_there_and_a_second_time_in_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let card = card(folder.path(), 4096);
    let image = format!("{card}@@{}", START * 512);
    let list = || run("mdir", &["-i", &image, "-b", "-/", "::"]);
    write_card(&payload(b"old kernel"), Path::new(&card), None).unwrap();
    write_card(&payload(b"new kernel"), Path::new(&card), None).unwrap();
    let mut names: Vec<_> = list().lines().map(str::to_owned).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "::/config.txt",
            "::/migos/",
            "::/migos/initrd.migos",
            "::/migos/kernel8.img",
            "::/migos/overlays/",
            "::/migos/overlays/README"
        ]
    );
    assert_eq!(run("mtype", &["-i", &image, "::migos/kernel8.img"]), "new kernel");
    assert_eq!(run("mtype", &["-i", &image, "::config.txt"]), "# Raspbian's\n");
}

#[test]
fn a_card_that_cannot_take_it_says_why_and_keeps_its_own_files() {
    let folder = tempfile::tempdir().unwrap();
    let card = card(folder.path(), 1024);
    let large = payload(&vec![7; 2 << 20]);
    let error = write_card(&large, Path::new(&card), None).unwrap_err();
    assert!(matches!(&error, CardError::Write { file, .. } if file == "kernel8.img"), "{error}");
    let image = format!("{card}@@{}", START * 512);
    assert_eq!(run("mtype", &["-i", &image, "::config.txt"]), "# Raspbian's\n");

    let blank = folder.path().join("blank.img");
    fs::write(&blank, vec![0; 4096]).unwrap();
    let error = write_card(&large, &blank, None).unwrap_err();
    assert!(matches!(error, CardError::NoBootPartition(_)), "{error}");
}
