//! All texts of all boards with all releases.

use crate::card::{BOARDS, Card, RELEASES, text};
use migos_payload::boot_document::CmdlineTxt;
use migos_payload::boot_text::{COLUMN_LIMIT, FILE_LIMIT, migos_cmdline};

#[test]
fn each_board_of_each_release_has_its_text() {
    let mut table = String::new();
    for release in RELEASES {
        let card = Card::of(release);
        let mut texts: Vec<(String, Vec<String>)> = Vec::new();
        for revision in BOARDS {
            let board = revision.board_type().to_string();
            let text = match card.stock(revision) {
                Some(_) => text(&card.config(), revision, release.architecture(revision)),
                None => "does not boot\n".to_owned(),
            };
            match texts.iter_mut().find(|(known, _)| *known == text) {
                Some((_, boards)) => boards.push(board),
                None => texts.push((text, vec![board])),
            }
        }
        for (text, boards) in texts {
            assert!(text.len() < FILE_LIMIT && text.lines().all(|line| line.len() <= COLUMN_LIMIT));
            table += &format!("== {release:?}: {}\n{text}", boards.join(", "));
        }
    }
    insta::assert_snapshot!(table, @r"
    == Stretch: A, B, A+, B+, CM1, Zero, Zero W, 2B, 3B, CM3, 3B+, 3A+, CM3+
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=0
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    == Stretch: Zero 2 W, 4B, 400, CM4, CM4S, 5, CM5, 500, CM5 Lite
    does not boot
    == Buster: A, B, A+, B+, CM1, Zero, Zero W, 2B, 3B, CM3, 3B+, 3A+, CM3+, 4B, 400, CM4
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=0
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    == Buster: Zero 2 W, CM4S, 5, CM5, 500, CM5 Lite
    does not boot
    == Bullseye: A, B, A+, B+, CM1, Zero, Zero W, 2B, 3B, CM3, 3B+, 3A+, CM3+, Zero 2 W, 4B, 400, CM4S
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=0
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    == Bullseye: CM4
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=0
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    [cm4]
    otg_mode=1
    [all]
    == Bullseye: 5, CM5, 500, CM5 Lite
    does not boot
    == Bookworm: A, B, A+, B+, CM1, Zero, Zero W, 2B, 3B, CM3, 3B+, 3A+, CM3+, Zero 2 W, 4B, 400, CM4S
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=0
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    == Bookworm: CM4
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=0
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    [cm4]
    otg_mode=1
    [all]
    == Bookworm: 5, 500
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=1
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    == Bookworm: CM5, CM5 Lite
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=1
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    [cm5]
    dtoverlay=dwc2,dr_mode=host
    [all]
    == Trixie: A, B, A+, B+, CM1, Zero, Zero W, 2B
    does not boot
    == Trixie: 3B, CM3, 3B+, 3A+, CM3+, Zero 2 W, 4B, 400, CM4S, 5, 500
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=1
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    == Trixie: CM4
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=1
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    [cm4]
    otg_mode=1
    [all]
    == Trixie: CM5, CM5 Lite
    # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
    [all]
    os_prefix=migos/
    auto_initramfs=0
    initramfs initrd.migos followkernel
    arm_64bit=1
    dtparam=watchdog=on
    kernel_watchdog_timeout=120
    [all]
    [cm5]
    dtoverlay=dwc2,dr_mode=host
    [all]
    ");
}

#[test]
fn each_release_has_its_command_line() {
    let table = RELEASES.map(|release| {
        let cmdline = CmdlineTxt::parse(release.cmdline_txt().as_bytes());
        format!("{release:?}: {}", migos_cmdline(&cmdline).unwrap())
    });
    insta::assert_snapshot!(table.join("\n"), @r"
    Stretch: console=serial0,115200 console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init watchdog.open_timeout=120 watchdog.handle_boot_enabled=1 bcm2835_wdt.heartbeat=15 bcm2835_wdt.nowayout=1 dwc_otg.lpm_enable=0
    Buster: console=serial0,115200 console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init watchdog.open_timeout=120 watchdog.handle_boot_enabled=1 bcm2835_wdt.heartbeat=15 bcm2835_wdt.nowayout=1
    Bullseye: console=serial0,115200 console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init watchdog.open_timeout=120 watchdog.handle_boot_enabled=1 bcm2835_wdt.heartbeat=15 bcm2835_wdt.nowayout=1
    Bookworm: console=serial0,115200 console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init watchdog.open_timeout=120 watchdog.handle_boot_enabled=1 bcm2835_wdt.heartbeat=15 bcm2835_wdt.nowayout=1 cfg80211.ieee80211_regdom=GB
    Trixie: console=serial0,115200 console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init watchdog.open_timeout=120 watchdog.handle_boot_enabled=1 bcm2835_wdt.heartbeat=15 bcm2835_wdt.nowayout=1 cfg80211.ieee80211_regdom=DE
    ");
}
