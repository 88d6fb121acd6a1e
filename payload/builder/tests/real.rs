//! The real thing: payloads of Debian's packages, from this computer's own apt sources.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use migos_firmware::{Board, Eeprom, Reset, boot};
use migos_payload::archive::VerifiedPayload;
use migos_payload::board::{Architecture, Revision};
use migos_payload::manifest::Restart;
use migos_payload_builder::{Built, Cache, Chosen, Order, Recipe, build};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Revision codes, one for each board (Raspberry Pi documentation: revision codes).
const BOARDS: [u32; 11] = [
    0xa01041, 0xa02042, 0xa02082, 0xa020a0, 0xa020d3, 0x9020e0, 0xa02100, 0x902120, 0xc03111,
    0xc03130, 0xb03140,
];

/// A card with a payload on it, and firmware that knows all there is to know.
fn card(payload: &VerifiedPayload) -> BTreeMap<String, Arc<[u8]>> {
    let words =
        b"tryboot.txt [tryboot] board-type auto_initramfs os_prefix kernel_watchdog_timeout";
    let firmware = ["bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"];
    let mut files: BTreeMap<String, Arc<[u8]>> =
        firmware.into_iter().map(|name| (name.to_owned(), Arc::from(&words[..]))).collect();
    let wide = u8::from(payload.manifest().architecture == Architecture::Arm64);
    let config =
        format!("[all]\nos_prefix=migos/\ninitramfs initrd.migos followkernel\narm_64bit={wide}\n");
    files.insert("config.txt".into(), Arc::from(config.as_bytes()));
    files.insert("migos/cmdline.txt".into(), Arc::from(&b"rdinit=/init\n"[..]));
    for file in &payload.manifest().files {
        let content = payload.content(&file.path).unwrap();
        files.insert(format!("migos/{}", file.path), Arc::clone(content));
    }
    files
}

fn built(name: &str) -> Built {
    let recipe = Recipe::named(name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("migos");
    fs::write(&program, program_for(recipe.architecture)).unwrap();
    let cache = Cache::at(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages"));
    let order = Order {
        recipe: &recipe,
        chosen: &Chosen::default(),
        program: &program,
        cache: &cache,
        version: "0.0.0",
    };
    let mut steps = 0;
    let built = build(order, &mut |_| steps += 1).unwrap_or_else(|error| {
        let mut text = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(cause) = next {
            text += &format!(": {cause}");
            next = cause.source();
        }
        panic!("{name}: {text}")
    });
    assert!(steps >= 5, "{steps}");
    built
}

/// A static program that does nothing: an ELF header (ELF specification).
fn program_for(architecture: Architecture) -> Vec<u8> {
    let (class, machine, size) = match architecture {
        Architecture::Arm64 => (2, 183_u16, 64),
        Architecture::Armhf => (1, 40, 52),
    };
    let mut bytes = [b"\x7fELF", &[class, 1, 1][..]].concat();
    bytes.resize(size, 0);
    bytes[16..18].copy_from_slice(&2_u16.to_le_bytes());
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[20] = 1;
    bytes
}

/// Every board that the payload is for boots nothing but the payload.
fn assert_boots(built: &Built) -> usize {
    let payload = VerifiedPayload::read(&built.tarball).unwrap();
    let card = card(&payload);
    let fitting = BOARDS.iter().filter(|code| payload.manifest().fits(Revision(**code)));
    let mut seen = 0;
    for code in fitting {
        let newest = Eeprom { build_timestamp: 1_750_000_000, capabilities: 0x7f };
        let eeprom = Revision(*code).soc().unwrap().has_eeprom().then_some(newest);
        let board = Board { revision: *code, serial: 1, eeprom };
        let boot = boot(&board, &card, Reset { tryboot: false, partition: 0 }).unwrap();
        assert!(boot.kernel.starts_with("migos/kernel"), "{code:x}: {}", boot.kernel);
        assert!(boot.dtb.is_some_and(|dtb| dtb.starts_with("migos/")), "{code:x}");
        assert_eq!(boot.initramfs, Some(vec!["migos/initrd.migos".to_owned()]), "{code:x}");
        assert_eq!(boot.cmdline.trim(), "rdinit=/init", "{code:x}");
        seen += 1;
    }
    seen
}

#[test]
fn debian_for_64_bits_boots_every_board_it_names() {
    let built = built("debian-arm64");
    assert_eq!(assert_boots(&built), 9);
    assert_eq!(built.manifest.restart, Restart::Module);
    assert!(
        built.packages.iter().any(|it| it.starts_with("dropbear-bin ")),
        "{:?}",
        built.packages
    );
}

#[test]
fn debian_for_32_bits_boots_every_board_it_names() {
    let built = built("debian-armhf");
    // The 2B counts twice: it has had two processors.
    assert_eq!(assert_boots(&built), 8);
    let ramdisk = built.manifest.files.iter().find(|file| file.path == "initrd.migos").unwrap();
    assert!(ramdisk.size.0 > 5_000_000, "{}", ramdisk.size);
}
