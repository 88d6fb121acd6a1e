//! One-shot boots: who understands the flag, and what it selects.

use migos_firmware::{Board, ConfigFile, Eeprom, NoBoot, Reset};

use crate::card::{
    BOARDS, Card, ONE_SHOT, PI_3, PI_4, PI_5, PLAIN, Release, ZERO_2_W, ZERO_W, board,
};

#[test]
fn the_flag_selects_the_payload_once() {
    let card = Card::with_migos(Release::Bullseye, false);
    let trial = card.boot(PI_3, ONE_SHOT).unwrap();
    assert_eq!((trial.config, trial.tryboot), (ConfigFile::TrybootTxt, true));
    assert_eq!(trial.os_prefix, "migos/");
    assert_eq!(trial.initramfs, Some(vec!["migos/initrd.migos".to_owned()]));
    assert_eq!(trial.cmdline, "console=ttyS0,115200 panic=10 rdinit=/init migos.job=n1");
    insta::assert_snapshot!(trial.log.join("\n"), @r"
    firmware: bootcode.bin, start.elf, fixup.dat
    config: tryboot.txt (one-shot flag was set)
    os_prefix: migos/
    kernel: migos/kernel7.img (32-bit)
    device tree: migos/bcm2710-rpi-3-b.dtb
    initramfs: migos/initrd.migos
    command line: migos/cmdline.txt
    watchdog: not armed, start.elf does not know kernel_watchdog_timeout
    ");

    let after_any_reset = card.boot(PI_3, PLAIN).unwrap();
    assert_eq!(after_any_reset, Card::of(Release::Bullseye).boot(PI_3, PLAIN).unwrap());
}

#[test]
fn every_board_with_firmware_of_2021_boots_the_payload() {
    for (name, revision) in BOARDS {
        let arm_64bit = revision == PI_5;
        let trial =
            Card::with_migos(Release::Bookworm, arm_64bit).boot(revision, ONE_SHOT).unwrap();
        assert!(trial.tryboot, "{name}");
        assert!(trial.kernel.starts_with("migos/kernel"), "{name}: {}", trial.kernel);
        assert!(
            trial.dtb.as_deref().is_some_and(|dtb| dtb.starts_with("migos/")),
            "{name}: {:?}",
            trial.dtb
        );
        assert_eq!(trial.arm_64bit, arm_64bit, "{name}");
    }
}

#[test]
fn firmware_without_tryboot_ignores_the_flag() {
    let boot = Card::with_migos(Release::Stretch, false).boot(PI_3, ONE_SHOT).unwrap();
    assert_eq!(
        (boot.config, boot.tryboot, boot.os_prefix.as_str()),
        (ConfigFile::ConfigTxt, false, "")
    );
    insta::assert_snapshot!(boot.log.join("\n"), @r"
    one-shot flag ignored: bootcode.bin does not know tryboot.txt
    firmware: bootcode.bin, start.elf, fixup.dat
    config: config.txt
    kernel: kernel7.img (32-bit)
    device tree: bcm2710-rpi-3-b.dtb
    command line: cmdline.txt
    ");
}

#[test]
fn both_stages_must_understand_the_flag() {
    let card = Card::with_migos(Release::Bookworm, false);
    for (file, reason) in [
        ("bootcode.bin", "one-shot flag ignored: bootcode.bin does not know tryboot.txt"),
        ("start.elf", "one-shot flag ignored: start.elf does not know tryboot.txt"),
    ] {
        let boot = card.clone().with(file, "old").boot(ZERO_W, ONE_SHOT).unwrap();
        assert_eq!((boot.config, boot.kernel.as_str()), (ConfigFile::ConfigTxt, "kernel.img"));
        assert!(boot.log.iter().any(|line| line == reason), "{:?}", boot.log);
    }
    // The start file in use counts, not the one that is not loaded.
    let small = card.clone().with("start_cd.elf", "old").with_config("gpu_mem=16");
    assert_eq!(small.boot(ZERO_W, ONE_SHOT).unwrap().config, ConfigFile::TrybootTxt);
    let small =
        Card::of(Release::Bookworm).with("start_cd.elf", "old").with("tryboot.txt", "gpu_mem=16\n");
    assert_eq!(small.boot(ZERO_W, ONE_SHOT).unwrap().config, ConfigFile::ConfigTxt);
}

#[test]
fn a_pi_4_also_needs_its_eeprom() {
    let card = Card::with_migos(Release::Bullseye, false);
    let config = |eeprom| card.boot_on(&Board { eeprom, ..board(PI_4) }, ONE_SHOT).unwrap().config;
    let eeprom = |build_timestamp, capabilities| Some(Eeprom { build_timestamp, capabilities });
    assert_eq!(config(eeprom(1_616_057_651, 0x08)), ConfigFile::TrybootTxt);
    assert_eq!(config(eeprom(1_616_057_650, 0x1f)), ConfigFile::ConfigTxt);
    assert_eq!(config(eeprom(1_673_458_852, 0x77)), ConfigFile::ConfigTxt);
    assert_eq!(config(None), ConfigFile::ConfigTxt);
    let old_start = card.clone().with("start4.elf", "old");
    assert_eq!(old_start.boot(PI_4, ONE_SHOT).unwrap().config, ConfigFile::ConfigTxt);
}

#[test]
fn a_flag_without_tryboot_txt_boots_as_usual_and_says_that_this_is_a_guess() {
    let boot = Card::of(Release::Bookworm).boot(PI_3, ONE_SHOT).unwrap();
    assert_eq!((boot.config, boot.tryboot), (ConfigFile::ConfigTxt, false));
    assert!(boot.log.iter().any(|line| line.starts_with("no tryboot.txt:")), "{:?}", boot.log);
}

#[test]
fn a_pending_eeprom_update_eats_the_flag() {
    let card = Card::with_migos(Release::Bookworm, true).with("pieeprom.upd", "image");
    assert_eq!(card.boot(PI_4, ONE_SHOT).unwrap().config, ConfigFile::ConfigTxt);
    assert_eq!(card.boot(ZERO_2_W, ONE_SHOT).unwrap().config, ConfigFile::TrybootTxt);
}

#[test]
fn the_tryboot_section_works_on_new_firmware_only() {
    let lines = "[tryboot]\ncmdline=trial.txt\n[all]\n";
    let cmdline = |release| {
        let card = Card::of(release).with("tryboot.txt", lines).with("trial.txt", "trial");
        card.boot(PI_3, ONE_SHOT).unwrap().cmdline
    };
    assert_eq!(cmdline(Release::Bookworm), "trial");
    assert!(cmdline(Release::Bullseye).contains("root="));
}

#[test]
fn a_dry_run_boots_the_same_kernel_with_another_command_line() {
    let usual = Card::of(Release::Trixie);
    let config = "auto_initramfs=1\narm_64bit=1\n[all]\ncmdline=/migos/probe.txt\n";
    let card = usual
        .clone()
        .with("tryboot.txt", config)
        .with("migos/probe.txt", "root=x migos.probe=n1\n");
    let (usual, trial) =
        (usual.boot(ZERO_2_W, PLAIN).unwrap(), card.boot(ZERO_2_W, ONE_SHOT).unwrap());
    assert_eq!(
        (&trial.kernel, &trial.dtb, &trial.initramfs),
        (&usual.kernel, &usual.dtb, &usual.initramfs)
    );
    assert_eq!(trial.cmdline, "root=x migos.probe=n1");
    assert_eq!(card.boot(ZERO_2_W, PLAIN).unwrap().cmdline, usual.cmdline);
}

#[test]
fn the_watchdog_is_armed_by_firmware_that_can() {
    let trial = Card::with_migos(Release::Bookworm, false).boot(PI_3, ONE_SHOT).unwrap();
    assert_eq!(trial.watchdog, Some(120));
    assert!(trial.cmdline.ends_with("migos.job=n1 watchdog.open_timeout=120"), "{}", trial.cmdline);

    let own = Card::with_migos(Release::Bookworm, false)
        .with("migos/cmdline.txt", "watchdog.open_timeout=90");
    assert_eq!(own.boot(PI_3, ONE_SHOT).unwrap().cmdline, "watchdog.open_timeout=90");

    let older = Card::with_migos(Release::Bullseye, false).boot(PI_3, ONE_SHOT).unwrap();
    assert_eq!((older.watchdog, older.cmdline.contains("open_timeout")), (None, false));

    let eeprom = Some(Eeprom { build_timestamp: 1_750_000_000, capabilities: 0x7f });
    let card = Card::with_migos(Release::Bookworm, true);
    assert_eq!(card.boot_on(&Board { eeprom, ..board(PI_5) }, ONE_SHOT).unwrap().watchdog, None);
    assert_eq!(card.boot(PI_5, ONE_SHOT).unwrap().watchdog, Some(120));
}

#[test]
fn other_partitions_are_not_this_one() {
    let card = Card::of(Release::Bookworm);
    let to = |partition| card.boot(PI_3, Reset { tryboot: false, partition });
    assert_eq!(to(3), Err(NoBoot::OtherPartition { partition: 3 }));
    assert_eq!(to(1).unwrap(), to(0).unwrap());
}
