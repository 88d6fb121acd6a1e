//! Every board with every release's own card.

use migos_firmware::{Boot, ConfigFile, NoBoot};

use crate::card::{BOARDS, Card, PI_3, PI_4, PI_5, PLAIN, RELEASES, Release, ZERO_W};

fn in_one_line(outcome: &Result<Boot, NoBoot>) -> String {
    match outcome {
        Err(reason) => format!("no boot: {reason}"),
        Ok(boot) => {
            assert_eq!((boot.config, boot.tryboot), (ConfigFile::ConfigTxt, false));
            let bits = if boot.arm_64bit { 64 } else { 32 };
            let dtb = boot.dtb.as_deref().unwrap_or("no device tree");
            let initramfs =
                boot.initramfs.as_ref().map_or("no initramfs".to_owned(), |files| files.join("+"));
            format!("{} ({bits}) {dtb}, {initramfs}", boot.kernel)
        }
    }
}

#[test]
fn each_board_boots_its_own_kernel_or_says_why_not() {
    let mut table = String::new();
    for release in RELEASES {
        for (name, revision) in BOARDS {
            let outcome = Card::of(release).boot(revision, PLAIN);
            table.push_str(&format!("{release:?} {name}: {}\n", in_one_line(&outcome)));
        }
    }
    insta::assert_snapshot!(table, @r"
    Stretch Zero W: kernel.img (32) bcm2708-rpi-0-w.dtb, no initramfs
    Stretch 1B+: kernel.img (32) bcm2708-rpi-b-plus.dtb, no initramfs
    Stretch 2B: kernel7.img (32) bcm2709-rpi-2-b.dtb, no initramfs
    Stretch 3B: kernel7.img (32) bcm2710-rpi-3-b.dtb, no initramfs
    Stretch 3B+: kernel7.img (32) bcm2710-rpi-3-b-plus.dtb, no initramfs
    Stretch Zero 2 W: kernel7.img (32) no device tree, no initramfs
    Stretch 4B: no boot: start4.elf is missing from the boot partition, or empty
    Stretch 400: no boot: start4.elf is missing from the boot partition, or empty
    Stretch CM4: no boot: start4.elf is missing from the boot partition, or empty
    Stretch 5: no boot: no kernel was found, looked for kernel_2712.img, kernel8.img
    Buster Zero W: kernel.img (32) bcm2708-rpi-zero-w.dtb, no initramfs
    Buster 1B+: kernel.img (32) bcm2708-rpi-b-plus.dtb, no initramfs
    Buster 2B: kernel7.img (32) bcm2709-rpi-2-b.dtb, no initramfs
    Buster 3B: kernel7.img (32) bcm2710-rpi-3-b.dtb, no initramfs
    Buster 3B+: kernel7.img (32) bcm2710-rpi-3-b-plus.dtb, no initramfs
    Buster Zero 2 W: kernel7.img (32) no device tree, no initramfs
    Buster 4B: kernel7l.img (32) bcm2711-rpi-4-b.dtb, no initramfs
    Buster 400: kernel7l.img (32) bcm2711-rpi-400.dtb, no initramfs
    Buster CM4: kernel7l.img (32) bcm2711-rpi-cm4.dtb, no initramfs
    Buster 5: no boot: no device tree for this board was found, looked for bcm2712-rpi-5-b.dtb
    Bullseye Zero W: kernel.img (32) bcm2708-rpi-zero-w.dtb, no initramfs
    Bullseye 1B+: kernel.img (32) bcm2708-rpi-b-plus.dtb, no initramfs
    Bullseye 2B: kernel7.img (32) bcm2709-rpi-2-b.dtb, no initramfs
    Bullseye 3B: kernel7.img (32) bcm2710-rpi-3-b.dtb, no initramfs
    Bullseye 3B+: kernel7.img (32) bcm2710-rpi-3-b-plus.dtb, no initramfs
    Bullseye Zero 2 W: kernel7.img (32) bcm2710-rpi-zero-2.dtb, no initramfs
    Bullseye 4B: kernel7l.img (32) bcm2711-rpi-4-b.dtb, no initramfs
    Bullseye 400: kernel7l.img (32) bcm2711-rpi-400.dtb, no initramfs
    Bullseye CM4: kernel7l.img (32) bcm2711-rpi-cm4.dtb, no initramfs
    Bullseye 5: no boot: no device tree for this board was found, looked for bcm2712-rpi-5-b.dtb
    Bookworm Zero W: kernel.img (32) bcm2708-rpi-zero-w.dtb, initramfs
    Bookworm 1B+: kernel.img (32) bcm2708-rpi-b-plus.dtb, initramfs
    Bookworm 2B: kernel7.img (32) bcm2709-rpi-2-b.dtb, initramfs7
    Bookworm 3B: kernel7.img (32) bcm2710-rpi-3-b.dtb, initramfs7
    Bookworm 3B+: kernel7.img (32) bcm2710-rpi-3-b-plus.dtb, initramfs7
    Bookworm Zero 2 W: kernel7.img (32) bcm2710-rpi-zero-2-w.dtb, initramfs7
    Bookworm 4B: kernel8.img (64) bcm2711-rpi-4-b.dtb, initramfs8
    Bookworm 400: kernel8.img (64) bcm2711-rpi-400.dtb, initramfs8
    Bookworm CM4: kernel8.img (64) bcm2711-rpi-cm4.dtb, initramfs8
    Bookworm 5: kernel_2712.img (64) bcm2712-rpi-5-b.dtb, initramfs_2712
    Trixie Zero W: no boot: no kernel was found, looked for kernel.img
    Trixie 1B+: no boot: no kernel was found, looked for kernel.img
    Trixie 2B: no boot: no kernel was found, looked for kernel7.img
    Trixie 3B: kernel8.img (64) bcm2710-rpi-3-b.dtb, initramfs8
    Trixie 3B+: kernel8.img (64) bcm2710-rpi-3-b-plus.dtb, initramfs8
    Trixie Zero 2 W: kernel8.img (64) bcm2710-rpi-zero-2-w.dtb, initramfs8
    Trixie 4B: kernel8.img (64) bcm2711-rpi-4-b.dtb, initramfs8
    Trixie 400: kernel8.img (64) bcm2711-rpi-400.dtb, initramfs8
    Trixie CM4: kernel8.img (64) bcm2711-rpi-cm4.dtb, initramfs8
    Trixie 5: kernel_2712.img (64) bcm2712-rpi-5-b.dtb, initramfs_2712
    ");
}

#[test]
fn the_log_reads_like_a_boot() {
    let boot = Card::of(Release::Bookworm).boot(PI_4, PLAIN).unwrap();
    insta::assert_snapshot!(boot.log.join("\n"), @r"
    firmware: start4.elf, fixup4.dat
    config: config.txt
    kernel: kernel8.img (64-bit)
    device tree: bcm2711-rpi-4-b.dtb
    initramfs: initramfs8
    command line: cmdline.txt
    ");
    insta::assert_snapshot!(boot.cmdline, @"console=ttyS0,115200 console=tty1 root=PARTUUID=0badcafe-02 rootfstype=ext4 fsck.repair=yes rootwait");

    let boot = Card::of(Release::Trixie).boot(PI_5, PLAIN).unwrap();
    insta::assert_snapshot!(boot.log.join("\n"), @r"
    firmware: in the EEPROM
    config: config.txt
    kernel: kernel_2712.img (64-bit)
    device tree: bcm2712-rpi-5-b.dtb
    initramfs: initramfs_2712
    command line: cmdline.txt
    ");
    insta::assert_snapshot!(boot.cmdline, @"console=ttyAMA10,115200 console=tty1 root=PARTUUID=0badcafe-02 rootfstype=ext4 fsck.repair=yes rootwait");
}

#[test]
fn the_serial_console_gets_its_device_name() {
    let console = |card: Card, revision| {
        let boot = card.boot(revision, PLAIN).unwrap();
        boot.cmdline.split(' ').find(|word| word.starts_with("console=tty")).unwrap().to_owned()
    };
    let card = Card::of(Release::Bookworm);
    assert_eq!(console(card.clone(), crate::card::PI_2), "console=ttyAMA0,115200");
    assert_eq!(console(card.clone(), PI_3), "console=ttyS0,115200");
    assert_eq!(console(card.with_config("dtoverlay=disable-bt"), PI_3), "console=ttyAMA0,115200");
    assert_eq!(console(Card::of(Release::Stretch), ZERO_W), "console=ttyS0,115200");
}

#[test]
fn an_upgraded_32_bit_raspbian_runs_a_64_bit_kernel_on_a_pi_4() {
    let kernel = |release| Card::of(release).boot(PI_4, PLAIN).unwrap().kernel;
    assert_eq!(kernel(Release::Bullseye), "kernel7l.img");
    assert_eq!(kernel(Release::Bookworm), "kernel8.img");
    let asked = Card::of(Release::Bookworm).with_config("arm_64bit=0").boot(PI_4, PLAIN).unwrap();
    assert_eq!(
        (asked.kernel.as_str(), asked.initramfs),
        ("kernel7l.img", Some(vec!["initramfs7l".to_owned()]))
    );
}
