//! What a read-only probe found on a device.
//!
//! # The probe's form
//! Text, one fact a line, `key value`. A key that stands on several lines has several values, in order;
//! that is also how a file is told: one value for each of its lines, without the line's end. A fact that
//! does not exist on a device is left out. The first line is `migos-probe 1`, the last `end ok`: a text
//! without it was cut off. The probe reports what it read and judges nothing; all judging is done here
//! and in [`requirement`](crate::requirement).
//!
//! The lines of network configuration hold passwords. Reading the text replaces them by stand-ins, so that facts never
//! hold one; the text itself is kept nowhere.
//!
//! | key | value |
//! | --- | --- |
//! | `model` | the device tree's model string |
//! | `revision` | revision code, hex digits |
//! | `serial` | the board's serial number, 16 hex digits |
//! | `machine-id`, `boot-id`, `hostname` | `/etc/machine-id`, the kernel's boot id, the host's name |
//! | `os-release` | each line of `/etc/os-release` |
//! | `kernel`, `machine` | `uname -r`, `uname -m` |
//! | `userland` | `dpkg --print-architecture` |
//! | `memory` | MemTotal in kB |
//! | `mount` | each line of `/proc/mounts` |
//! | `boot.path` | where the boot partition is mounted: `/boot/firmware` or `/boot` |
//! | `boot.space`, `root.space` | cluster size, free clusters, clusters in all (`stat -f -c '%S %a %b'`) |
//! | `boot.partition` | the boot partition's number on its disk |
//! | `boot.file` | size and path of each file on the boot partition, relative to it |
//! | `boot.sum` | SHA-256 and name of `config.txt` and `cmdline.txt` |
//! | `config.txt`, `cmdline.txt` | each line of these files |
//! | `cmdline` | `/proc/cmdline` |
//! | `disk` | the boot partition's disk: name and number of 512-byte sectors |
//! | `boot.extent` | its first sector and its sectors in all, of 512 bytes |
//! | `boot.dirty` | what the kernel said of a boot partition that was not unmounted properly |
//! | `disk.read-only` | `yes` if the card's write protection is on |
//! | `disk.id` | its MBR disk identifier, 8 hex digits |
//! | `dm` | each device-mapper device |
//! | `firmware.has` | a word and a file of the boot partition that contains it |
//! | `firmware.version` | each line of `vcgencmd version` |
//! | `eeprom.build-timestamp`, `eeprom.capabilities` | of the device tree's `chosen/bootloader`, decimal |
//! | `eeprom.signed` | of the same, decimal: not 0 if only signed boot files are taken |
//! | `eeprom.config` | each line of the boot loader's configuration from its section `[config.txt]` on |
//! | `throttled` | `vcgencmd get_throttled`, the number only, e.g. `0x50005` |
//! | `connection` | `SSH_CONNECTION` of the probe's login: address and port of the controller, then the device's own |
//! | `address` | each interface with each address that it has |
//! | `virtual` | each interface that is no hardware: `lo`, tunnels, bridges |
//! | `route` | each line of `/proc/net/route` but the first |
//! | `wireless` | each wireless interface |
//! | `mac` | interface and its address |
//! | `net.file` | a number, counted from 1, and the path of a file that may configure the network: [`FILES`](migos_payload::network::FILES) |
//! | `net.line` | that number and each line of the file |
//! | `net.active` | each running unit of those that may manage a network |
//! | `net.client-id` | an interface and the DHCP client identifier that it sends, in hex, where that can be told |
//! | `net.country` | the country whose rules the radio keeps: two letters |
//! | `clock` | the device's time in seconds since 1970 |
//! | `clock.synced` | `yes` or `no`: whether a time server keeps it right, as `timedatectl` says |
//! | `card.errors`, `card.error` | how many lines of the kernel's log tell of errors of the card; the last 3 of them |
//! | `ext4.errors` | a partition, and the errors that its ext4 has counted, if any |
//! | `watchdog` | each watchdog: its name, `active` or `inactive`, its seconds, what it calls itself; `-` where unknown |
//! | `watchdog.systemd` | each `RuntimeWatchdogSec` of systemd's configuration |
//! | `watchdog.daemon` | the running program that feeds one |
//! | `hat` | what the board on top calls itself |
//! | `reach` | each `HOST:PORT` that the probe was asked for, and `yes` or `no`; nothing if there is no tool to try it with |
//! | `folder` | folders of the root file system and what is in them in KiB, the largest first, down to a megabyte; nothing if that takes too long |

mod condition;
mod configuration;
mod parse;
mod write;

pub use condition::{CardErrors, Clock, Extent, Watchdog, Watchdogs};
pub use configuration::config_text;
pub use parse::{FactsError, parse, parse_identity, parse_sizes, parse_tree};
pub use write::write;

use crate::plan::Folder;
use jiff::Timestamp;
use migos_inventory::DeviceId;
use migos_payload::board::{BoardFacts, Revision};
use migos_payload::digest::Sha256;
use migos_payload::network::Found;
use migos_payload::size::ByteCount;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Facts of all devices that answered; the others say why not.
pub type FactsByDevice = BTreeMap<DeviceId, Probed>;

/// The version of the form in which facts are saved.
pub const FACTS_SCHEMA: u32 = 2;

/// Facts as they are saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactsFile {
    /// [`FACTS_SCHEMA`].
    pub schema: u32,
    /// When they were read, by the controller's clock.
    pub read: Timestamp,
    /// The facts of each device.
    pub devices: FactsByDevice,
}

/// What came of probing one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probed {
    /// It answered.
    Facts(Box<Facts>),
    /// It could not be reached.
    Unreachable(String),
    /// It was reached, but not as a Pi that can be migrated: login or sudo refused, or no sense made of
    /// its answer.
    Unusable {
        /// What is wrong.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
}

/// What was found on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The device tree's model string.
    pub model: String,
    /// The board's revision code.
    pub revision: Revision,
    /// The board's serial number: 16 lower-case hex digits, or empty.
    pub serial: String,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// The host's own name.
    pub hostname: String,
    /// `ID`, `VERSION_ID` and `PRETTY_NAME` of `/etc/os-release`.
    pub os: OsRelease,
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub machine: String,
    /// dpkg's architecture.
    pub userland: String,
    /// Memory that Linux has.
    pub memory: ByteCount,
    /// The boot partition, if one is mounted.
    pub boot: Option<BootPartition>,
    /// The root file system.
    pub root: FileSystem,
    /// The running kernel's command line.
    pub cmdline: String,
    /// The disk that the boot partition is on.
    pub disk: Option<Disk>,
    /// Device-mapper devices: LUKS or LVM.
    pub device_mapper: BTreeSet<String>,
    /// What the firmware can do.
    pub firmware: Firmware,
    /// The throttling flags, where `vcgencmd` could be asked.
    pub throttled: Option<u32>,
    /// How it reaches the network.
    pub network: Network,
    /// The largest folders of its root file system, the largest first; none if they could not be measured in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub largest: Vec<Folder>,
    /// Its clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// What the kernel says against the card.
    #[serde(default, skip_serializing_if = "CardErrors::is_empty")]
    pub card_errors: CardErrors,
    /// What resets the board if nobody feeds it.
    #[serde(default, skip_serializing_if = "Watchdogs::is_empty")]
    pub watchdogs: Watchdogs,
    /// What the board on top calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hat: Option<String>,
    /// Which of the hosts that it was asked for it reaches, by `HOST:PORT`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reach: BTreeMap<String, bool>,
    /// What the files and folders take that it was asked for, by path; `None` where it has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Option<ByteCount>>,
}

impl Facts {
    /// What sections of `config.txt` can tell boards by.
    pub fn board(&self) -> BoardFacts {
        BoardFacts { revision: self.revision, serial: u64::from_str_radix(&self.serial, 16).ok() }
    }
}

/// The operating system's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// `ID`: `raspbian` or `debian`.
    pub id: String,
    /// `VERSION_ID`: `10`.
    pub version: String,
    /// `PRETTY_NAME`.
    pub name: String,
}

/// A mounted file system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// The device it is on.
    pub source: String,
    /// Its type: `vfat`, `ext4`.
    pub kind: String,
    /// True if it is mounted read-write.
    pub writable: bool,
    /// Cluster or block size.
    pub cluster: ByteCount,
    /// Free room.
    pub free: ByteCount,
    /// All room.
    #[serde(default)]
    pub size: ByteCount,
}

/// The boot partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootPartition {
    /// Where it is mounted.
    pub path: String,
    /// The file system.
    pub file_system: FileSystem,
    /// Its number on its disk.
    pub partition: Option<u32>,
    /// Where it stands on its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
    /// Sizes of its files by path.
    pub files: BTreeMap<String, ByteCount>,
    /// Digests of `config.txt` and `cmdline.txt`.
    pub sums: BTreeMap<String, Sha256>,
    /// The text of `config.txt`.
    pub config_txt: String,
    /// The text of `cmdline.txt`.
    pub cmdline_txt: String,
    /// What the kernel said, if the partition was not unmounted properly.
    pub dirty: Option<String>,
}

/// The disk that the boot partition is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The kernel's name: `mmcblk0`.
    pub name: String,
    /// Its size.
    pub size: ByteCount,
    /// Its MBR identifier: 8 lower-case hex digits, or empty.
    pub id: String,
    /// True if its write protection is on.
    pub read_only: bool,
}

/// What the firmware can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firmware {
    /// Files of the boot partition by a word that they contain.
    pub has: BTreeMap<String, BTreeSet<String>>,
    /// The build's date as `vcgencmd version` gives it, e.g. `May 14 2025`; empty if unknown.
    pub date: String,
    /// Build time of the boot loader in EEPROM, seconds since 1970.
    pub eeprom_build: Option<u64>,
    /// Capabilities of the boot loader in EEPROM.
    pub eeprom_capabilities: Option<u32>,
    /// True if the boot loader takes signed boot files only.
    pub signed_boot: bool,
    /// Settings that the boot loader in EEPROM adds to `config.txt`.
    pub eeprom_config: Vec<String>,
}

/// How a device reaches the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The interface of the default route with the least metric.
    pub interface: Option<String>,
    /// True if that interface is wireless.
    pub wireless: bool,
    /// The interface's MAC address, or empty.
    pub mac: String,
    /// What configures it, without secrets.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub configuration: Found,
    /// Where the probe's own connection arrived; `None` if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
}

fn is_empty(found: &Found) -> bool {
    *found == Found::default()
}

/// Where the controller's connection arrived on the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The device's own address.
    pub address: IpAddr,
    /// The interface that has it.
    pub interface: String,
    /// True if that interface is no hardware, so that only Raspbian has it: a tunnel, or `lo` at the end of one.
    pub is_virtual: bool,
}

/// What tells a device and its boot files from any other; read again right before each harmful step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The board's serial number: 16 lower-case hex digits.
    pub serial: String,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// The kernel's boot id: another one after each boot.
    pub boot_id: String,
    /// Digests of `config.txt` and `cmdline.txt`.
    pub sums: BTreeMap<String, Sha256>,
}

/// All files and folders below a folder, by path; what a boot partition is compared by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree(pub BTreeMap<String, Leaf>);

/// What stands at one path of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leaf {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its size.
        size: ByteCount,
        /// Its digest.
        sha256: Sha256,
    },
}

impl Tree {
    /// Paths that are not the same in both, in order, each with a word for how.
    pub fn differences(&self, now: &Tree) -> Vec<String> {
        let paths: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let word = |path: &String| match (self.0.get(path), now.0.get(path)) {
            (Some(before), Some(after)) if before == after => None,
            (Some(_), Some(_)) => Some(format!("{path} changed")),
            (Some(_), None) => Some(format!("{path} is gone")),
            (None, _) => Some(format!("{path} was added")),
        };
        paths.into_iter().filter_map(word).collect()
    }
}
