//! Tarballs: packed from folders, and told apart.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use flate2::Compression;
use flate2::write::GzEncoder;
use migos_payload_builder::{Inspected, inspect, pack};
use std::fs;
use std::path::Path;

const MANIFEST: &str = r#"{
  "schema": 1, "version": "1.2.3", "architecture": "arm64", "boards": [17],
  "restart": "builtin", "minimum_memory": 0, "files": []
}"#;

fn folder(manifest: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(&folder.path().join("manifest.json"), manifest);
    for (path, text) in files {
        put(&folder.path().join("migos").join(path), text);
    }
    folder
}

const FILES: [(&str, &str); 3] =
    [("kernel8.img", "a kernel"), ("initrd.migos", "a ramdisk"), ("overlays/README", "read me")];

fn tarball(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tarball = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tarball.append_data(&mut header, path, *content).unwrap();
    }
    tarball.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a_folder_packs_to_the_same_bytes_twice_and_is_told_as_a_payload() {
    let (manifest, packed) = pack(folder(MANIFEST, &FILES).path()).unwrap();
    let (_, again) = pack(folder(MANIFEST, &FILES).path()).unwrap();
    assert_eq!(packed, again);
    let paths: Vec<_> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["initrd.migos", "kernel8.img", "overlays/README"]);
    match inspect(&packed).unwrap() {
        Inspected::Payload(payload) => assert_eq!(payload.manifest(), &manifest),
        Inspected::Stock(stock) => panic!("told as {stock:?}"),
    }
}

#[test]
fn a_folder_that_makes_no_payload_says_why() {
    let said = |folder: tempfile::TempDir| {
        let error = pack(folder.path()).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        (error.to_string().replace(&folder.path().display().to_string(), "DIR"), source.unwrap())
    };
    let (what, why) = said(folder("{}", &FILES));
    assert_eq!(
        (&*what, &*why),
        ("failed to read DIR/manifest.json", "missing field `schema` at line 1 column 2")
    );
    let (what, why) = said(folder(MANIFEST, &FILES[..1]));
    assert_eq!(
        (&*what, &*why),
        ("the files of DIR do not make a payload", "the manifest is wrong")
    );
    let (what, _) = said(folder(MANIFEST, &[]));
    assert_eq!(what, "failed to read DIR/migos");
}

#[test]
fn a_stock_migos_is_told_by_its_marker() {
    let stock = |marker: &str, version: &str| {
        let packed = tarball(&[
            ("./bootcode.bin", b"first"),
            ("./start_x.elf", b"second"),
            ("./fixup_x.dat", b"third"),
            ("./kernel7.img", b"kernel"),
            ("./initrd", &[0xfd, b'7', b'z', b'X', b'Z', 0, 1, 2, 3]),
            ("./bcm2710-rpi-3-b.dtb", b"tree"),
            ("./overlays/dwc2.dtbo", b"overlay"),
            (marker, b""),
            (version, b""),
        ]);
        match inspect(&packed).unwrap() {
            Inspected::Stock(stock) => serde_json::to_string(&stock).unwrap(),
            Inspected::Payload(payload) => panic!("told as {:?}", payload.manifest()),
        }
    };
    assert_eq!(
        stock("./UXMIGOS_BOOT_INSTALLED", "./UXMIGOS_2.1"),
        r#"{"generation":"uxmigos","version":"2.1","kernels":["kernel7.img"],"initrd":{"size":9,"compression":"xz"},"firmware":["bootcode.bin","fixup_x.dat","start_x.elf"],"device_trees":["bcm2710-rpi-3-b.dtb"]}"#
    );
    assert!(
        stock("./MIGOS_BOOT_INSTALLED", "./UART")
            .starts_with(r#"{"generation":"migos","version":null"#)
    );
}

#[test]
fn anything_else_is_neither() {
    let other = inspect(&tarball(&[("config.txt", b"start_x=1")])).unwrap_err();
    assert_eq!(other.to_string(), "it is not a payload");
    let (_, packed) = pack(folder(MANIFEST, &FILES).path()).unwrap();
    assert!(inspect(&packed[..packed.len() - 9]).is_err(), "a tarball cut short");
    assert!(inspect(b"not a tarball").is_err());
}
