//! What is missing or broken, and what the firmware makes of it.

use migos_firmware::{ConfigFile, NoBoot};

use crate::card::{
    CM4, Card, ONE_SHOT, PI_1, PI_2, PI_3, PI_3_PLUS, PI_4, PI_5, PLAIN, Release, ZERO_2_W, ZERO_W,
};

fn missing(file: &str) -> NoBoot {
    NoBoot::FirmwareMissing { file: file.to_owned() }
}

#[test]
fn a_payload_without_kernel_or_device_tree_boots_raspbian() {
    let complete = Card::with_migos(Release::Bookworm, false);
    for (file, remark) in [
        ("migos/kernel7.img", "os_prefix migos/ dropped: migos/kernel7.img not found"),
        (
            "migos/bcm2710-rpi-3-b.dtb",
            "os_prefix migos/ dropped: migos/bcm2710-rpi-3-b.dtb not found",
        ),
    ] {
        let boot = complete.clone().without(file).boot(PI_3, ONE_SHOT).unwrap();
        assert_eq!(boot.config, ConfigFile::TrybootTxt);
        assert_eq!((boot.os_prefix.as_str(), boot.kernel.as_str()), ("", "kernel7.img"));
        assert_eq!(boot.dtb.as_deref(), Some("bcm2710-rpi-3-b.dtb"));
        // initrd.migos is looked for without the prefix, too, so Raspbian starts without an
        // initramfs.
        assert_eq!(boot.initramfs, None);
        assert!(boot.cmdline.contains("root=PARTUUID=0badcafe-02"), "{}", boot.cmdline);
        assert!(boot.log.iter().any(|line| line == remark), "{:?}", boot.log);
    }
}

#[test]
fn a_prefix_is_dropped_by_firmware_that_does_not_know_it() {
    let card = Card::with_migos(Release::Bookworm, false).with("start.elf", "tryboot.txt");
    let boot = card.boot(PI_3, ONE_SHOT).unwrap();
    assert_eq!((boot.config, boot.os_prefix.as_str()), (ConfigFile::TrybootTxt, ""));
}

#[test]
fn a_sibling_s_device_tree_serves_a_3b_plus() {
    let card = Card::with_migos(Release::Bookworm, false).without("migos/bcm2710-rpi-3-b-plus.dtb");
    let boot = card.boot(PI_3_PLUS, ONE_SHOT).unwrap();
    assert_eq!(boot.dtb.as_deref(), Some("migos/bcm2710-rpi-3-b.dtb"));
}

#[test]
fn a_pi_5_takes_kernel8_img_where_there_is_no_kernel_of_its_own() {
    let card = Card::with_migos(Release::Trixie, true).without("migos/kernel_2712.img");
    let boot = card.boot(PI_5, ONE_SHOT).unwrap();
    assert_eq!(boot.kernel, "migos/kernel8.img");
}

#[test]
fn a_missing_initramfs_does_not_stop_the_kernel() {
    let card = Card::with_migos(Release::Bookworm, false);
    for broken in [card.clone().without("migos/initrd.migos"), card.with("migos/initrd.migos", "")]
    {
        let boot = broken.boot(PI_2, ONE_SHOT).unwrap();
        assert_eq!((boot.kernel.as_str(), boot.initramfs), ("migos/kernel7.img", None));
        let remark = "initramfs disabled: migos/initrd.migos not found or empty";
        assert!(boot.log.iter().any(|line| line == remark), "{:?}", boot.log);
    }
}

#[test]
fn initramfs_files_are_listed_with_commas() {
    let card = Card::of(Release::Bookworm)
        .with("a.gz", "1")
        .with("more/b.gz", "2")
        .with_config("initramfs a.gz,/more/b.gz followkernel");
    let files = card.boot(PI_3, PLAIN).unwrap().initramfs;
    assert_eq!(files, Some(vec!["a.gz".to_owned(), "more/b.gz".to_owned()]));
    assert_eq!(card.without("a.gz").boot(PI_3, PLAIN).unwrap().initramfs, None);
}

#[test]
fn a_missing_command_line_file_means_the_built_in_one() {
    let boot = Card::with_migos(Release::Bookworm, false)
        .without("migos/cmdline.txt")
        .boot(PI_3, ONE_SHOT)
        .unwrap();
    assert_eq!(boot.os_prefix, "migos/");
    assert!(boot.cmdline.starts_with("console=ttyAMA0,115200 kgdboc="), "{}", boot.cmdline);
    assert!(boot.cmdline.contains(" root=/dev/mmcblk0p2 "), "{}", boot.cmdline);
}

#[test]
fn only_the_first_line_of_a_command_line_file_counts() {
    let card = Card::of(Release::Bookworm).with("cmdline.txt", "root=a rootwait \r\nroot=b\r\n");
    assert_eq!(card.boot(PI_3, PLAIN).unwrap().cmdline, "root=a rootwait");
}

#[test]
fn a_long_command_line_is_remarked() {
    let card = Card::of(Release::Bookworm).with("cmdline.txt", &"x".repeat(700));
    let boot = card.boot(PI_3, PLAIN).unwrap();
    assert!(
        boot.log.iter().any(|line| line.starts_with("command line: 700 bytes, too long")),
        "{:?}",
        boot.log
    );
}

#[test]
fn a_missing_kernel_file_falls_back_on_a_pi_4_only() {
    let card = Card::of(Release::Trixie).with_config("kernel=migos.img");
    for revision in [PI_4, CM4] {
        assert_eq!(card.boot(revision, PLAIN).unwrap().kernel, "kernel8.img");
    }
    for revision in [PI_3, PI_5] {
        let tried = vec!["migos.img".to_owned()];
        assert_eq!(card.boot(revision, PLAIN), Err(NoBoot::KernelNotFound { tried }));
    }
    let in_32_bit_mode = Card::of(Release::Bookworm).with_config("kernel=migos.img\narm_64bit=0");
    assert!(matches!(in_32_bit_mode.boot(PI_4, PLAIN), Err(NoBoot::KernelNotFound { .. })));
}

#[test]
fn a_kernel_s_known_name_says_how_it_starts() {
    let boot = |line| Card::of(Release::Bookworm).with_config(line).boot(ZERO_2_W, PLAIN).unwrap();
    assert!(boot("kernel=kernel8.img").arm_64bit);
    assert!(!boot("kernel=kernel7.img\narm_64bit=1").arm_64bit);
    assert_eq!(boot("arm_64bit=1").kernel, "kernel8.img");
    assert_eq!(boot("kernel=").kernel, "kernel7.img");
}

#[test]
fn a_custom_kernel_matches_no_automatic_initramfs() {
    let card = Card::of(Release::Trixie).with("kernel8-mine.img", "k").with("Image", "k");
    for kernel in ["kernel8-mine.img", "Image"] {
        let boot = card.clone().with_config(&format!("kernel={kernel}")).boot(PI_3, PLAIN).unwrap();
        assert_eq!((boot.kernel.as_str(), boot.initramfs), (kernel, None));
    }
}

#[test]
fn cores_of_32_bits_ignore_the_wish_for_64() {
    let card = Card::of(Release::Bookworm).with_config("arm_64bit=1");
    for (revision, kernel) in [(PI_1, "kernel.img"), (PI_2, "kernel7.img")] {
        let boot = card.boot(revision, PLAIN).unwrap();
        assert_eq!((boot.kernel.as_str(), boot.arm_64bit), (kernel, false));
    }
}

#[test]
fn a_kernel_for_other_cores_does_not_start() {
    let card = Card::of(Release::Bookworm);
    for (revision, kernel) in
        [(PI_2, "kernel8.img"), (ZERO_W, "kernel7.img"), (PI_5, "kernel7l.img")]
    {
        let boot = card.clone().with_config(&format!("kernel={kernel}")).boot(revision, PLAIN);
        assert_eq!(boot, Err(NoBoot::KernelForOtherBoards { file: kernel.to_owned() }));
    }
}

#[test]
fn an_empty_kernel_stops_the_boot_instead_of_dropping_the_prefix() {
    let card = Card::with_migos(Release::Bookworm, false).with("migos/kernel7.img", "");
    let file = "migos/kernel7.img".to_owned();
    assert_eq!(card.boot(PI_3, ONE_SHOT), Err(NoBoot::KernelEmpty { file }));
    assert_eq!(card.boot(PI_3, PLAIN).unwrap().kernel, "kernel7.img");
}

#[test]
fn each_family_needs_its_own_loader_files() {
    let card = Card::of(Release::Bookworm);
    assert_eq!(
        card.clone().without("bootcode.bin").boot(PI_3, PLAIN),
        Err(missing("bootcode.bin"))
    );
    assert_eq!(card.clone().without("start.elf").boot(PI_3, PLAIN), Err(missing("start.elf")));
    assert_eq!(card.clone().without("fixup.dat").boot(PI_3, PLAIN), Err(missing("fixup.dat")));
    assert_eq!(card.clone().with("start.elf", "").boot(PI_3, PLAIN), Err(missing("start.elf")));
    let of_a_pi_4 = card.clone().without("bootcode.bin").without("start.elf").without("fixup.dat");
    assert!(of_a_pi_4.boot(PI_4, PLAIN).is_ok());
    assert_eq!(
        of_a_pi_4.clone().without("start4.elf").boot(PI_4, PLAIN),
        Err(missing("start4.elf"))
    );
    let of_a_pi_5 = of_a_pi_4.without("start4.elf").without("fixup4.dat");
    assert!(of_a_pi_5.boot(PI_5, PLAIN).is_ok());
    assert_eq!(of_a_pi_5.without("config.txt").boot(PI_5, PLAIN), Err(NoBoot::NoConfigOrFirmware));
}

#[test]
fn only_a_pi_5_needs_config_txt() {
    let card = Card::of(Release::Bullseye).without("config.txt");
    assert_eq!(card.boot(PI_3, PLAIN).unwrap().kernel, "kernel7.img");
    assert_eq!(card.boot(PI_4, PLAIN).unwrap().kernel, "kernel7l.img");
}

#[test]
fn settings_select_pairs_of_loader_files() {
    let loaded = |revision, lines| {
        let boot = Card::of(Release::Bookworm).with_config(lines).boot(revision, PLAIN).unwrap();
        boot.log[0].clone()
    };
    assert_eq!(loaded(PI_3, "gpu_mem=16"), "firmware: bootcode.bin, start_cd.elf, fixup_cd.dat");
    assert_eq!(loaded(PI_3, "start_x=1"), "firmware: bootcode.bin, start_x.elf, fixup_x.dat");
    assert_eq!(loaded(PI_4, "gpu_mem=16"), "firmware: start4cd.elf, fixup4cd.dat");
    assert_eq!(loaded(PI_4, "[pi3]\ngpu_mem=16"), "firmware: start4.elf, fixup4.dat");
    assert_eq!(loaded(PI_4, "start_debug=1"), "firmware: start4db.elf, fixup4db.dat");
    assert_eq!(
        loaded(PI_3, "start_file=start_x.elf\nfixup_file=fixup_x.dat"),
        "firmware: bootcode.bin, start_x.elf, fixup_x.dat"
    );
    // The first stage does not read included files.
    let card = Card::of(Release::Bookworm)
        .with("more.txt", "gpu_mem=16\n")
        .with_config("include more.txt");
    assert_eq!(
        card.boot(PI_3, PLAIN).unwrap().log[0],
        "firmware: bootcode.bin, start.elf, fixup.dat"
    );
}

#[test]
fn files_that_are_no_pair_do_not_boot() {
    let card = Card::of(Release::Bookworm).with_config("start_file=start_x.elf");
    let (start, fixup) = ("start_x.elf".to_owned(), "fixup.dat".to_owned());
    assert_eq!(card.boot(PI_3, PLAIN), Err(NoBoot::FirmwareMismatch { start, fixup }));
}

#[test]
fn device_trees_can_be_named_or_switched_off() {
    let card = Card::of(Release::Bookworm).with("mine.dtb", "fdt");
    let dtb = |lines| card.clone().with_config(lines).boot(PI_3, PLAIN).unwrap().dtb;
    assert_eq!(dtb("device_tree=mine.dtb").as_deref(), Some("mine.dtb"));
    assert_eq!(dtb("device_tree="), None);
    assert_eq!(dtb("device_tree=gone.dtb"), None);
}

#[test]
fn a_pi_5_refuses_a_card_that_is_not_meant_for_it() {
    let card = Card::of(Release::Bullseye);
    let tried = vec!["bcm2712-rpi-5-b.dtb".to_owned()];
    assert_eq!(card.boot(PI_5, PLAIN), Err(NoBoot::DeviceTreeNotFound { tried }));
    assert_eq!(card.with_config("os_check=0").boot(PI_5, PLAIN).unwrap().dtb, None);
}

#[test]
fn other_ways_to_boot_are_named() {
    let not_modelled =
        |card: Card| matches!(card.boot(PI_4, PLAIN), Err(NoBoot::NotModelled { .. }));
    let card = Card::of(Release::Bookworm);
    assert!(not_modelled(
        card.clone().with("autoboot.txt", "[all]\nboot_partition=2\n[tryboot]\nboot_partition=3\n")
    ));
    assert!(not_modelled(card.clone().with_config("boot_ramdisk=1")));
    assert!(not_modelled(card.clone().with_config("upstream_kernel=1")));
    assert!(!not_modelled(card.with("autoboot.txt", "# nothing\n")));
}

#[test]
fn names_on_fat_have_no_case() {
    let card = Card::of(Release::Bookworm).without("kernel.img").with("KERNEL.IMG", "k");
    assert_eq!(card.boot(ZERO_W, PLAIN).unwrap().kernel, "kernel.img");
}
