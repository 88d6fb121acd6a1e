//! Boot partitions made up for the tests, and the boards that read them.

use migos_firmware::{Board, Boot, Eeprom, NoBoot, Reset, boot};
use migos_payload::board::{Architecture, BoardFacts, Revision, Soc};
use migos_payload::boot_document::{CmdlineTxt, ConfigTxt};
use migos_payload::boot_text::{migos_cmdline, migos_config_txt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One-shot flag set, warm reset.
pub(crate) const ONE_SHOT: Reset = Reset { tryboot: true, partition: 0 };
/// Power cut, or a plain reboot.
pub(crate) const PLAIN: Reset = Reset { tryboot: false, partition: 0 };

const SERIAL: u64 = 0x1000_0000_765f_c593;

/// One revision code of each board type.
pub(crate) const BOARDS: [Revision; 22] = [
    Revision(0x900001),
    Revision(0x900011),
    Revision(0x900021),
    Revision(0x900032),
    Revision(0x900061),
    Revision(0x900093),
    Revision(0x9000c1),
    Revision(0xa01041),
    Revision(0xa02082),
    Revision(0xa020a0),
    Revision(0xa020d3),
    Revision(0x9020e0),
    Revision(0xa02100),
    Revision(0x902120),
    Revision(0xc03111),
    Revision(0xc03130),
    Revision(0xb03140),
    Revision(0xb03150),
    Revision(0xc04170),
    Revision(0xc04180),
    Revision(0xd04190),
    Revision(0xb041a0),
];

pub(crate) const PI_3: Revision = Revision(0xa02082);

/// A release, by the folder of its fixtures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

impl Release {
    pub(crate) fn config_txt(self) -> &'static str {
        match self {
            Release::Stretch => include_str!("../fixtures/stretch/config.txt"),
            Release::Buster => include_str!("../fixtures/buster/config.txt"),
            Release::Bullseye => include_str!("../fixtures/bullseye/config.txt"),
            Release::Bookworm => include_str!("../fixtures/bookworm/config.txt"),
            Release::Trixie => include_str!("../fixtures/trixie/config.txt"),
        }
    }

    pub(crate) fn cmdline_txt(self) -> &'static str {
        match self {
            Release::Stretch => include_str!("../fixtures/stretch/cmdline.txt"),
            Release::Buster => include_str!("../fixtures/buster/cmdline.txt"),
            Release::Bullseye => include_str!("../fixtures/bullseye/cmdline.txt"),
            Release::Bookworm => include_str!("../fixtures/bookworm/cmdline.txt"),
            Release::Trixie => include_str!("../fixtures/trixie/cmdline.txt"),
        }
    }

    /// The payload's architecture on this board: the userland's own, but 64 bits on a Pi 5.
    pub(crate) fn architecture(self, revision: Revision) -> Architecture {
        match (self, revision.soc()) {
            (Release::Trixie, _) | (_, Some(Soc::Bcm2712)) => Architecture::Arm64,
            _ => Architecture::Armhf,
        }
    }

    /// The strings by which its firmware shows its age.
    fn firmware(self) -> &'static str {
        match self {
            Release::Stretch => "of 2018",
            Release::Buster => "tryboot.txt os_prefix",
            Release::Bullseye => "tryboot.txt os_prefix board-type",
            Release::Bookworm | Release::Trixie => NEW_FIRMWARE,
        }
    }

    fn kernels(self) -> &'static [&'static str] {
        match self {
            Release::Stretch => &["kernel.img", "kernel7.img"],
            Release::Buster | Release::Bullseye => &KERNELS_32_AND_64,
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
}

const NEW_FIRMWARE: &str =
    "tryboot.txt os_prefix board-type auto_initramfs [tryboot] kernel_watchdog_timeout";

const KERNELS_32_AND_64: [&str; 4] = ["kernel.img", "kernel7.img", "kernel7l.img", "kernel8.img"];

/// Device trees, by the release that had them first.
const DEVICE_TREES: [(Release, &[&str]); 4] = [
    (
        Release::Stretch,
        &[
            "bcm2708-rpi-0-w.dtb",
            "bcm2708-rpi-b.dtb",
            "bcm2708-rpi-b-plus.dtb",
            "bcm2708-rpi-cm.dtb",
            "bcm2709-rpi-2-b.dtb",
            "bcm2710-rpi-3-b.dtb",
            "bcm2710-rpi-3-b-plus.dtb",
            "bcm2710-rpi-cm3.dtb",
        ],
    ),
    (
        Release::Buster,
        &[
            "bcm2708-rpi-zero.dtb",
            "bcm2708-rpi-zero-w.dtb",
            "bcm2711-rpi-4-b.dtb",
            "bcm2711-rpi-400.dtb",
            "bcm2711-rpi-cm4.dtb",
        ],
    ),
    (Release::Bullseye, &["bcm2710-rpi-zero-2.dtb", "bcm2711-rpi-cm4s.dtb"]),
    (
        Release::Bookworm,
        &[
            "bcm2710-rpi-zero-2-w.dtb",
            "bcm2712-rpi-5-b.dtb",
            "bcm2712-rpi-500.dtb",
            "bcm2712-rpi-cm5-cm5io.dtb",
            "bcm2712-rpi-cm5l-cm5io.dtb",
        ],
    ),
];

/// A boot partition.
#[derive(Debug, Clone)]
pub(crate) struct Card(BTreeMap<String, Arc<[u8]>>);

impl Card {
    /// The release as its image comes, after the first boot.
    pub(crate) fn of(release: Release) -> Self {
        let mut card = Card(BTreeMap::new())
            .with("config.txt", release.config_txt())
            .with("cmdline.txt", release.cmdline_txt())
            .with_all("", release.kernels());
        for (_, names) in DEVICE_TREES.iter().filter(|(since, _)| *since <= release) {
            card = card.with_all("", names);
        }
        let new_boards =
            if release == Release::Stretch { &[][..] } else { &["4", "4x", "4cd", "4db"] };
        for variant in ["", "_x", "_cd", "_db"].iter().chain(new_boards) {
            card = card.with(&format!("fixup{variant}.dat"), "fixup");
            card = card.with(&format!("start{variant}.elf"), release.firmware());
        }
        card.with("bootcode.bin", release.firmware())
    }

    /// The same after the vendor's own firmware update.
    pub(crate) fn with_new_firmware(mut self) -> Self {
        for (name, content) in &mut self.0 {
            if name == "bootcode.bin" || name.starts_with("start") {
                *content = Arc::from(NEW_FIRMWARE.as_bytes());
            }
        }
        self
    }

    /// With a payload for all boards, and the command line that selects it.
    pub(crate) fn with_payload(self, architecture: Architecture) -> Self {
        let kernels = match architecture {
            Architecture::Armhf => &KERNELS_32_AND_64[..3],
            Architecture::Arm64 => &["kernel8.img", "kernel_2712.img"],
        };
        let cmdline = migos_cmdline(&CmdlineTxt::parse(&self.0["cmdline.txt"])).unwrap();
        let card =
            DEVICE_TREES.iter().fold(self, |card, (_, names)| card.with_all("migos/", names));
        card.with_all("migos/", kernels)
            .with("migos/initrd.migos", "cpio")
            .with("migos/overlays/README", "text")
            .with("migos/cmdline.txt", format!("{cmdline} migos.job=0badcafe\n"))
    }

    pub(crate) fn with(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.0.insert(path.to_owned(), Arc::from(content.as_ref()));
        self
    }

    pub(crate) fn without(mut self, paths: &[&str]) -> Self {
        self.0.retain(|name, _| !paths.contains(&name.as_str()));
        self
    }

    fn with_all(self, folder: &str, names: &[&str]) -> Self {
        names.iter().fold(self, |card, name| card.with(&format!("{folder}{name}"), "content"))
    }

    pub(crate) fn config(&self) -> ConfigTxt {
        ConfigTxt::parse(&self.0["config.txt"])
    }

    pub(crate) fn boot(&self, revision: Revision, reset: Reset) -> Result<Boot, NoBoot> {
        let eeprom = Eeprom { build_timestamp: 1_767_225_600, capabilities: 0x7f };
        let eeprom = revision.soc().unwrap().has_eeprom().then_some(eeprom);
        boot(&Board { revision: revision.0, serial: SERIAL, eeprom }, &self.0, reset)
    }

    /// What it boots every day; nothing where the release knows nothing of the board.
    pub(crate) fn stock(&self, revision: Revision) -> Option<Boot> {
        self.boot(revision, PLAIN).ok().filter(|boot| boot.dtb.is_some())
    }
}

pub(crate) fn facts(revision: Revision) -> BoardFacts {
    BoardFacts { revision, serial: Some(SERIAL) }
}

/// The text that selects MIGOS, for a payload with the overlays that it should have.
pub(crate) fn text(config: &ConfigTxt, revision: Revision, architecture: Architecture) -> String {
    let payload = |name: &str| ["dwc2", "disable-bt", "i2c-rtc", "w5500"].contains(&name);
    migos_config_txt(config, &facts(revision), architecture, payload).unwrap()
}
