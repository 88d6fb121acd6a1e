//! Boot partitions made up for the tests, and the boards that read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use migos_firmware::{Board, Boot, Eeprom, NoBoot, Reset, boot};

/// One-shot flag set, warm reset.
pub(crate) const ONE_SHOT: Reset = Reset { tryboot: true, partition: 0 };
/// Power cut, or a plain reboot.
pub(crate) const PLAIN: Reset = Reset { tryboot: false, partition: 0 };

pub(crate) const ZERO_W: u32 = 0x9000c1;
pub(crate) const PI_1: u32 = 0x900032;
pub(crate) const PI_2: u32 = 0xa01041;
pub(crate) const PI_3: u32 = 0xa02082;
pub(crate) const PI_3_PLUS: u32 = 0xa020d3;
pub(crate) const ZERO_2_W: u32 = 0x902120;
pub(crate) const PI_4: u32 = 0xc03111;
pub(crate) const PI_400: u32 = 0xc03130;
pub(crate) const CM4: u32 = 0xb03140;
pub(crate) const PI_5: u32 = 0xc04170;

pub(crate) const BOARDS: [(&str, u32); 10] = [
    ("Zero W", ZERO_W),
    ("1B+", PI_1),
    ("2B", PI_2),
    ("3B", PI_3),
    ("3B+", PI_3_PLUS),
    ("Zero 2 W", ZERO_2_W),
    ("4B", PI_4),
    ("400", PI_400),
    ("CM4", CM4),
    ("5", PI_5),
];

/// A board with this revision code; those with an EEPROM have one of January 2026.
pub(crate) fn board(revision: u32) -> Board {
    let has_eeprom = (revision >> 12) & 0xf >= 3;
    let eeprom = Eeprom { build_timestamp: 1_767_225_600, capabilities: 0x7f };
    Board { revision, serial: 0x1000_0000_765f_c593, eeprom: has_eeprom.then_some(eeprom) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    Stretch,
    Buster,
    Bullseye,
    /// 32-bit.
    Bookworm,
    /// 64-bit.
    Trixie,
}

pub(crate) const RELEASES: [Release; 5] =
    [Release::Stretch, Release::Buster, Release::Bullseye, Release::Bookworm, Release::Trixie];

/// A boot partition.
#[derive(Debug, Clone)]
pub(crate) struct Card(BTreeMap<String, Arc<[u8]>>);

impl Card {
    /// The release as its image comes, after the first boot.
    pub(crate) fn of(release: Release) -> Self {
        let mut card = Card(BTreeMap::new())
            .with("bootcode.bin", &firmware(release))
            .with("config.txt", config(release))
            .with("cmdline.txt", cmdline(release))
            .with_all("", kernels(release))
            .with_all("", device_trees(release));
        let mut variants = vec!["", "_x", "_cd", "_db"];
        if release != Release::Stretch {
            variants.extend(["4", "4x", "4cd", "4db"]);
        }
        for variant in variants {
            card = card
                .with(&format!("start{variant}.elf"), &firmware(release))
                .with(&format!("fixup{variant}.dat"), "fixup");
        }
        card
    }

    /// The release with a payload under `migos/` and a `tryboot.txt` that selects it.
    pub(crate) fn with_migos(release: Release, arm_64bit: bool) -> Self {
        let tryboot = format!(
            "# one-shot boot\n[all]\nos_prefix=migos/\nauto_initramfs=0\ninitramfs initrd.migos followkernel\n\
             arm_64bit={}\ndtparam=watchdog=on\nkernel_watchdog_timeout=120\n[all]\n",
            u8::from(arm_64bit)
        );
        let kernels = if arm_64bit {
            &KERNELS_64[..]
        } else {
            &["kernel.img", "kernel7.img", "kernel7l.img"]
        };
        Card::of(release)
            .with("tryboot.txt", &tryboot)
            .with("migos/initrd.migos", "cpio")
            .with(
                "migos/cmdline.txt",
                "console=serial0,115200 panic=10 rdinit=/init migos.job=n1\n",
            )
            .with_all("migos/", kernels)
            .with_all("migos/", device_trees(Release::Bookworm))
    }

    pub(crate) fn with(mut self, path: &str, content: &str) -> Self {
        self.0.insert(path.to_owned(), Arc::from(content.as_bytes()));
        self
    }

    /// The release's `config.txt` with more lines behind it.
    pub(crate) fn with_config(self, lines: &str) -> Self {
        let config = String::from_utf8(self.0["config.txt"].to_vec()).expect("fixtures are text");
        self.with("config.txt", &format!("{config}{lines}\n"))
    }

    pub(crate) fn without(mut self, path: &str) -> Self {
        assert!(self.0.remove(path).is_some(), "{path} is not on the card");
        self
    }

    fn with_all(mut self, folder: &str, names: &[&str]) -> Self {
        for name in names {
            self = self.with(&format!("{folder}{name}"), "content");
        }
        self
    }

    pub(crate) fn boot(&self, revision: u32, reset: Reset) -> Result<Boot, NoBoot> {
        self.boot_on(&board(revision), reset)
    }

    pub(crate) fn boot_on(&self, board: &Board, reset: Reset) -> Result<Boot, NoBoot> {
        boot(board, &self.0, reset)
    }
}

/// A loader file with the strings its time had.
fn firmware(release: Release) -> String {
    let strings = match release {
        Release::Stretch => "",
        Release::Buster => "tryboot.txt os_prefix",
        Release::Bullseye => "tryboot.txt os_prefix board-type",
        Release::Bookworm | Release::Trixie => {
            "tryboot.txt os_prefix board-type auto_initramfs [tryboot] kernel_watchdog_timeout"
        }
    };
    format!("\u{7f}ELF {strings}")
}

fn config(release: Release) -> &'static str {
    match release {
        Release::Stretch => "# stock\n#hdmi_safe=1\ndtparam=audio=on\n",
        Release::Buster => {
            "# stock\ndtparam=audio=on\n\n[pi4]\ndtoverlay=vc4-fkms-v3d\nmax_framebuffers=2\n\n[all]\n#dtoverlay=vc4-fkms-v3d\n"
        }
        Release::Bullseye => {
            "dtparam=audio=on\ncamera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n\n[cm4]\notg_mode=1\n\n[all]\n\n[pi4]\n\
             arm_boost=1\n\n[all]\n"
        }
        Release::Bookworm => {
            "dtparam=audio=on\nauto_initramfs=1\ndtoverlay=vc4-kms-v3d\narm_boost=1\n\n[cm4]\notg_mode=1\n\n[cm5]\n\
             dtoverlay=dwc2,dr_mode=host\n\n[all]\n"
        }
        Release::Trixie => {
            "dtparam=audio=on\nauto_initramfs=1\ndtoverlay=vc4-kms-v3d\narm_64bit=1\narm_boost=1\n\n[cm4]\notg_mode=1\n\n\
             [cm5]\ndtoverlay=dwc2,dr_mode=host\n\n[pi5]\ndtoverlay=nospi10\n\n[all]\n"
        }
    }
}

fn cmdline(release: Release) -> &'static str {
    match release {
        Release::Stretch => {
            "dwc_otg.lpm_enable=0 console=serial0,115200 console=tty1 root=PARTUUID=0badcafe-02 rootfstype=ext4 rootwait\n"
        }
        Release::Buster | Release::Bullseye | Release::Bookworm | Release::Trixie => {
            "console=serial0,115200 console=tty1 root=PARTUUID=0badcafe-02 rootfstype=ext4 fsck.repair=yes rootwait\n"
        }
    }
}

const KERNELS_64: [&str; 2] = ["kernel8.img", "kernel_2712.img"];

fn kernels(release: Release) -> &'static [&'static str] {
    match release {
        Release::Stretch => &["kernel.img", "kernel7.img"],
        Release::Buster | Release::Bullseye => {
            &["kernel.img", "kernel7.img", "kernel7l.img", "kernel8.img"]
        }
        Release::Bookworm => &[
            "kernel.img",
            "kernel7.img",
            "kernel7l.img",
            "kernel8.img",
            "kernel_2712.img",
            "initramfs",
            "initramfs7",
            "initramfs7l",
            "initramfs8",
            "initramfs_2712",
        ],
        Release::Trixie => &["kernel8.img", "kernel_2712.img", "initramfs8", "initramfs_2712"],
    }
}

fn device_trees(release: Release) -> &'static [&'static str] {
    match release {
        Release::Stretch => &[
            "bcm2708-rpi-0-w.dtb",
            "bcm2708-rpi-b.dtb",
            "bcm2708-rpi-b-plus.dtb",
            "bcm2708-rpi-cm.dtb",
            "bcm2709-rpi-2-b.dtb",
            "bcm2710-rpi-3-b.dtb",
            "bcm2710-rpi-3-b-plus.dtb",
            "bcm2710-rpi-cm3.dtb",
        ],
        Release::Buster => &[
            "bcm2708-rpi-b-plus.dtb",
            "bcm2708-rpi-zero-w.dtb",
            "bcm2709-rpi-2-b.dtb",
            "bcm2710-rpi-3-b.dtb",
            "bcm2710-rpi-3-b-plus.dtb",
            "bcm2711-rpi-4-b.dtb",
            "bcm2711-rpi-400.dtb",
            "bcm2711-rpi-cm4.dtb",
        ],
        Release::Bullseye => &[
            "bcm2708-rpi-b-plus.dtb",
            "bcm2708-rpi-zero-w.dtb",
            "bcm2709-rpi-2-b.dtb",
            "bcm2710-rpi-3-b.dtb",
            "bcm2710-rpi-3-b-plus.dtb",
            "bcm2710-rpi-zero-2.dtb",
            "bcm2711-rpi-4-b.dtb",
            "bcm2711-rpi-400.dtb",
            "bcm2711-rpi-cm4.dtb",
        ],
        Release::Bookworm | Release::Trixie => &[
            "bcm2708-rpi-b-plus.dtb",
            "bcm2708-rpi-zero-w.dtb",
            "bcm2709-rpi-2-b.dtb",
            "bcm2710-rpi-3-b.dtb",
            "bcm2710-rpi-3-b-plus.dtb",
            "bcm2710-rpi-zero-2-w.dtb",
            "bcm2711-rpi-4-b.dtb",
            "bcm2711-rpi-400.dtb",
            "bcm2711-rpi-cm4.dtb",
            "bcm2712-rpi-5-b.dtb",
        ],
    }
}
