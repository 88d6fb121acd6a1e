//! Devices to hold requirements against: stock ones, changed line by line.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::{Candidate, Switch, Verdict, verdicts};
use crate::balena::{BalenaFleet, SeenRelease};
use crate::facts;
use crate::plan::ports;
use crate::planner::how_it_commits;
use crate::policy::{Allow, Prove, Strategy};
use jiff::Timestamp;
use migos_contract::Compression;
use migos_inventory::{DeviceId, FleetSlug};
use migos_payload::board::{Architecture, BoardType};
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_SCHEMA, ImageManifest};
use migos_payload::manifest::{File, MANIFEST_SCHEMA, Manifest, Restart};
use migos_payload::size::ByteCount;
use std::collections::BTreeSet;

/// One device: its part of an inventory, its probe's text, and what is at hand for it.
#[derive(Clone)]
pub(crate) struct Sample {
    inventory: String,
    probe: String,
    pub(crate) payload: Option<Manifest>,
    pub(crate) image: Option<ImageManifest>,
    pub(crate) fleet: Option<BalenaFleet>,
    pub(crate) destination: Option<BalenaFleet>,
    pub(crate) release: Option<SeenRelease>,
    pub(crate) strategy: Strategy,
    pub(crate) allow_rewrite: Vec<String>,
    pub(crate) allow_update: Vec<String>,
    pub(crate) allow_streaming: Vec<String>,
    pub(crate) allow: BTreeSet<Allow>,
}

/// What the requirements say against it.
pub(crate) fn reasons(sample: &Sample) -> Vec<String> {
    let refused = |(_, verdict)| match verdict {
        Verdict::Refuse(finding) => Some(finding.reason),
        _ => None,
    };
    judged(sample).into_iter().filter_map(refused).collect()
}

/// What the requirements warn of.
pub(crate) fn warnings(sample: &Sample) -> Vec<String> {
    let warned = |(_, verdict)| match verdict {
        Verdict::Warn(finding) => Some(finding.reason),
        _ => None,
    };
    judged(sample).into_iter().filter_map(warned).collect()
}

/// By what it passes a check; nothing if it does not.
pub(crate) fn evidence(sample: &Sample, check: &str) -> String {
    let judged = judged(sample).into_iter().find(|(name, _)| *name == check);
    match judged {
        Some((_, Verdict::Pass(evidence))) => evidence,
        _ => String::new(),
    }
}

fn judged(sample: &Sample) -> Vec<(&'static str, Verdict)> {
    let fleet = migos_inventory::parse("inventory.yaml", &sample.inventory).unwrap();
    let facts = facts::parse(&sample.probe).unwrap();
    let device = &fleet.devices[&DeviceId::new("kiosk-001").unwrap()];
    let handover = how_it_commits(device, ports(&fleet).get(&device.id).copied());
    let candidate = Candidate {
        device,
        facts: &facts,
        facts_read: Some(Sample::READ),
        payload: sample.payload.as_ref().filter(|manifest| manifest.fits(facts.revision)),
        image: sample.image.as_ref(),
        fleet: sample.fleet.as_ref(),
        destination: sample.destination.as_ref(),
        release: sample.release.as_ref(),
        api: &fleet.settings.api,
        switch: Switch {
            strategy: sample.strategy,
            prove: Prove::PerClass,
            allow_rewrite: &sample.allow_rewrite,
            allow_update: &sample.allow_update,
            allow_streaming: &sample.allow_streaming,
            allow: &sample.allow,
        },
        handover: handover.as_ref(),
    };
    verdicts(&candidate)
}

impl Sample {
    /// When its facts were read.
    pub(crate) const READ: Timestamp = Timestamp::constant(1_700_000_000, 0);

    /// A Pi 3B+ with Raspbian 10.
    pub(crate) fn buster() -> Sample {
        Sample {
            inventory: INVENTORY.into(),
            probe: BUSTER.into(),
            payload: Some(payload(Architecture::Armhf, &[0x08, 0x0d], "kernel7.img")),
            image: Some(image("raspberrypi3", "armv7hf")),
            fleet: Some(kiosks()),
            destination: None,
            release: None,
            strategy: Strategy::OneShot,
            allow_rewrite: Vec::new(),
            allow_update: Vec::new(),
            allow_streaming: Vec::new(),
            allow: BTreeSet::new(),
        }
    }

    /// A Pi 4B with Raspberry Pi OS 12, 64 bits.
    pub(crate) fn bookworm() -> Sample {
        Sample {
            inventory: INVENTORY.into(),
            probe: BOOKWORM.into(),
            payload: Some(payload(Architecture::Arm64, &[0x11], "kernel8.img")),
            image: Some(image("raspberrypi4-64", "aarch64")),
            fleet: Some(kiosks()),
            destination: None,
            release: None,
            strategy: Strategy::OneShot,
            allow_rewrite: Vec::new(),
            allow_update: Vec::new(),
            allow_streaming: Vec::new(),
            allow: BTreeSet::new(),
        }
    }

    /// With one piece of the probe's text replaced.
    pub(crate) fn probe(mut self, old: &str, new: &str) -> Sample {
        assert!(self.probe.contains(old), "the sample has no {old:?}");
        self.probe = self.probe.replacen(old, new, 1);
        self
    }

    /// With one more line in the probe's text.
    pub(crate) fn and(self, line: &str) -> Sample {
        self.probe("end ok", &format!("{line}\nend ok"))
    }

    /// With one more setting of the device in the inventory.
    pub(crate) fn inventory(mut self, setting: &str) -> Sample {
        self.inventory = self.inventory.replace("host: ", &format!("{setting}, host: "));
        self
    }

    /// With another device before it.
    pub(crate) fn before(mut self, head: &str, rest: &str) -> Sample {
        self.inventory =
            self.inventory.replace("devices:\n", &format!("devices:\n  {head}{rest} }}\n"));
        self
    }

    /// Without a line of the inventory.
    pub(crate) fn without(mut self, line: &str) -> Sample {
        assert!(self.inventory.contains(line), "the sample has no {line:?}");
        self.inventory = self.inventory.replace(line, "");
        self
    }

    /// The same, with these further keys in the inventory.
    pub(crate) fn saying(mut self, lines: &str) -> Sample {
        self.inventory += lines;
        self
    }

    /// The probe's text.
    pub(crate) fn text(&self) -> &str {
        &self.probe
    }
}

pub(crate) fn payload(architecture: Architecture, boards: &[u8], kernel: &str) -> Manifest {
    let file = |path: &str, size| File {
        path: path.into(),
        size: ByteCount(size),
        sha256: Sha256::of(path.as_bytes()),
    };
    Manifest {
        schema: MANIFEST_SCHEMA,
        version: "1.0.0".into(),
        architecture,
        boards: boards.iter().map(|byte| BoardType(*byte)).collect(),
        restart: Restart::Builtin,
        minimum_memory: ByteCount(100 << 20),
        files: vec![
            file("initrd.migos", 60_000),
            file(kernel, 50_000),
            file("overlays/README", 10),
        ],
    }
}

pub(crate) fn image(device_type: &str, architecture: &str) -> ImageManifest {
    ImageManifest {
        schema: IMAGE_SCHEMA,
        device_type: device_type.into(),
        architecture: architecture.into(),
        os_version: "balenaOS 6.0.24".into(),
        compression: Compression::Gzip,
        size: ByteCount(100_000_000),
        sha256: Sha256::of(device_type.as_bytes()),
        raw_size: ByteCount(950_000_000),
        raw_sha256: Sha256::of(b"raw"),
        chunks: None,
    }
}

pub(crate) fn kiosks() -> BalenaFleet {
    BalenaFleet {
        id: 1,
        slug: FleetSlug::new("acme/kiosks").unwrap(),
        device_type: "raspberry-pi".into(),
        architecture: "rpi".into(),
        app: None,
    }
}

const INVENTORY: &str = "migos: 1
balena: { fleet: acme/kiosks }
data: none
devices:
  kiosk-001: { host: 10.1.4.1 }
";

const BUSTER: &str = "migos-probe 1
model Raspberry Pi 3 Model B Plus Rev 1.3
revision a020d3
serial 00000000765fc593
machine-id 0f4c6f3c5b5c4e0b9a51f3b1a0a1b2c3
boot-id 1b7a5e0c-53a5-4e26-8f39-fd0c2d7a1f10
hostname kiosk-001
os-release PRETTY_NAME=\"Raspbian GNU/Linux 10 (buster)\"
os-release ID=raspbian
os-release VERSION_ID=\"10\"
kernel 5.10.103-v7+
machine armv7l
userland armhf
memory 948280
mount /dev/mmcblk0p2 / ext4 rw,noatime 0 0
mount /dev/mmcblk0p1 /boot vfat rw,relatime 0 0
boot.path /boot
boot.space 2048 100000 125000
boot.partition 1
boot.file 52456 bootcode.bin
boot.file 60 config.txt
boot.file 120 cmdline.txt
boot.sum 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 config.txt
boot.sum a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa cmdline.txt
config.txt # For more options see the documentation
config.txt dtparam=audio=on
config.txt enable_uart=1
cmdline.txt console=serial0,115200 console=tty1 root=PARTUUID=738a4d67-02 rootfstype=ext4 rootwait
root.space 4096 5000000 7500000
cmdline console=ttyS0,115200 console=tty1 root=PARTUUID=738a4d67-02 rootfstype=ext4 rootwait
disk mmcblk0 31116288
disk.id 738a4d67
firmware.has tryboot.txt bootcode.bin
firmware.has tryboot.txt start.elf
firmware.version May 14 2025 12:23:36
throttled 0x0
route eth0 00000000 0101A8C0 0003 0 0 202 00000000 0 0 0
mac eth0 b8:27:eb:5f:c5:93
net.active dhcpcd
end ok
";

const BOOKWORM: &str = "migos-probe 1
model Raspberry Pi 4 Model B Rev 1.1
revision c03111
serial 10000000abcdef01
machine-id 6a5d2f7f60a94e36a9b3e0f9b2a4c5d6
boot-id 2c8b6f1d-64b6-4f37-9f4a-0e1d3e8b2a21
hostname kiosk-061
os-release PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"
os-release ID=debian
os-release VERSION_ID=\"12\"
kernel 6.12.93+rpt-rpi-v8
machine aarch64
userland arm64
memory 3884000
mount /dev/mmcblk0p2 / ext4 rw,noatime 0 0
mount /dev/mmcblk0p1 /boot/firmware vfat rw,relatime 0 0
boot.path /boot/firmware
boot.space 4096 110000 128000
boot.partition 1
boot.file 800 config.txt
boot.file 120 cmdline.txt
boot.sum 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 config.txt
boot.sum a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa cmdline.txt
config.txt dtparam=audio=on
config.txt arm_64bit=1
config.txt [cm4]
config.txt otg_mode=1
config.txt [all]
cmdline.txt console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 rootwait
root.space 4096 5000000 7500000
cmdline console=ttyS0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 rootwait
disk mmcblk0 62333952
disk.id 4e639091
firmware.has tryboot.txt start4.elf
eeprom.build-timestamp 1673458852
eeprom.capabilities 127
route eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0
mac eth0 dc:a6:32:00:00:01
net.active NetworkManager
end ok
";
