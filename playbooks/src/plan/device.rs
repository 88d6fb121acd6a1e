//! What a plan says of one device.

use super::{Finding, Handover, Identity, NetworkPlan};
use crate::estimate::Estimate;
use crate::facts::Facts;
use crate::step::{Step, When};
use crate::window::Window;
use migos_inventory::{FleetSlug, Login, SiteName};
use migos_payload::device_variables::Dropped;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What is needed to migrate one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePlan {
    /// How to log in.
    pub login: Login,
    /// Its site, for limits; `None`: all such devices count as one site.
    pub site: Option<SiteName>,
    /// What it has in common with others that will behave alike.
    pub class: Class,
    /// Its board's serial number.
    pub serial: String,
    /// Its machine id.
    pub machine_id: String,
    /// Digests of its `config.txt` and `cmdline.txt`.
    pub boot_sums: BTreeMap<String, Sha256>,
    /// Where its boot partition is mounted.
    pub boot_path: String,
    /// True if it is mounted read-only, but for the moments of writing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub boot_read_only: bool,
    /// When it may start and cross the point of no return; `None`: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// How long it is likely to take.
    pub estimate: Estimate,
    /// What is on its card, and will be gone.
    #[serde(default)]
    pub erased: Erased,
    /// What is fetched from it before; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<SavedData>,
    /// The texts of its `config.txt` and `cmdline.txt`, as they were when the facts were read.
    #[serde(default)]
    pub boot_files: BTreeMap<String, String>,
    /// What its `config.txt` says of its hardware: configuration variables that it gets on balena, with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// What it will be on balena, as far as the inventory says it.
    #[serde(default, skip_serializing_if = "Identity::is_empty")]
    pub identity: Identity,
    /// The lines of its `config.txt` that have no place in balenaOS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
    /// What becomes of its network.
    #[serde(default, skip_serializing_if = "NetworkPlan::is_default")]
    pub network: NetworkPlan,
    /// What the checks warn of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Finding>,
    /// What the checks refuse, and a person has overruled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overruled: Vec<Finding>,
    /// The identifier of the card to be rewritten.
    pub disk_id: String,
    /// Its host name.
    pub hostname: String,
    /// The payload to send.
    pub payload: Sha256,
    /// The image to flash.
    pub image: Sha256,
    /// Why the image is sent while the card is written, past the point of no return; `None` where the device takes it
    /// beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streamed: Option<String>,
    /// The URL from which MIGOS fetches the image, instead of being sent it; `None`: it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// True if it is flashed even where its card has no room for the lifeboat: for a while it has no bootable card.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_lifeboat: bool,
    /// What its fleet's app takes unpacked, so the most that it downloads of it once it is there; `None` if that is not
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<ByteCount>,
    /// The balena fleet to join.
    pub fleet: FleetSlug,
    /// That fleet's numeric id.
    pub fleet_id: u64,
    /// How it boots MIGOS, and why so.
    pub boot: Boot,
    /// Who gives it the commit.
    #[serde(default, skip_serializing_if = "Handover::is_attended")]
    pub handover: Handover,
    /// True if it is attended, and not known whether it is reached through a tunnel that MIGOS would not have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_tunnelled: bool,
    /// True if its firmware resets a kernel that hangs before its own watchdog runs; if not, such a hang needs a
    /// power cycle.
    pub resets_a_hung_kernel: bool,
    /// The text that selects MIGOS: of `tryboot.txt`, or of `config.txt` until MIGOS has put it back.
    pub tryboot_txt: String,
    /// The ramdisk's kernel command line, without the job's nonce.
    pub cmdline: String,
}

/// How a device boots MIGOS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// By the firmware's one-shot flag; nothing existing is changed.
    OneShot {
        /// The update of the firmware that makes it able to; `None` if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update: Option<Update>,
        /// The files that prove it on this device first; `None` if nobody asks for a proof.
        proof: Option<Proof>,
    },
    /// By replacing `config.txt` until MIGOS has put it back.
    Rewrite {
        /// Why one-shot boot cannot be used.
        reason: String,
    },
}

/// An update of a device's firmware. It has no undo: the device is Raspbian as before, with newer firmware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// What is too old.
    pub of: FirmwareKind,
    /// How that is known.
    pub reason: String,
}

/// Where a board keeps firmware that can be too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FirmwareKind {
    /// On the boot partition.
    Card,
    /// In the EEPROM, and on the boot partition.
    Eeprom,
}

/// The files by which one-shot boot is proven: Raspbian's own, with one more word on the kernel's command
/// line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The text of `tryboot.txt`.
    pub tryboot_txt: String,
    /// The device's `cmdline.txt`; the run adds its nonce to the kernel's command line.
    pub cmdline: String,
}

/// Devices that will behave alike.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Board type, e.g. `3B+`.
    pub board: String,
    /// Firmware build date, or empty.
    pub firmware: String,
    /// OS release, e.g. `raspbian 10`.
    pub os: String,
    /// The running kernel.
    pub kernel: String,
}

impl Class {
    /// The class of a device with these facts.
    pub fn of(facts: &Facts) -> Class {
        let firmware = match facts.firmware.eeprom_build {
            Some(build) => format!("EEPROM {build}"),
            None => facts.firmware.date.clone(),
        };
        Class {
            board: facts.revision.board_type().to_string(),
            firmware,
            os: format!("{} {}", facts.os.id, facts.os.version),
            kernel: facts.kernel.clone(),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pi {}, {}, kernel {}", self.board, self.os, self.kernel)?;
        match self.firmware.as_str() {
            "" => Ok(()),
            date => write!(f, ", firmware {date}"),
        }
    }
}

/// What is on a card that is going to be erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// The size of the card.
    pub card: ByteCount,
    /// What its root file system has in use.
    pub used: ByteCount,
    /// The largest folders on it, the largest first; none if they could not be measured in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub largest: Vec<Folder>,
}

/// What is fetched from a card before it is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedData {
    /// The files and folders, and what they take.
    pub folders: Vec<Folder>,
    /// Files and folders that it had none of when the facts were read; fetched if it has them by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// Patterns of names that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

impl SavedData {
    /// The paths of all that is fetched if it is there.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let there = self.folders.iter().map(|folder| folder.path.as_str());
        there.chain(self.absent.iter().map(String::as_str))
    }

    /// What all of it takes on the card.
    pub fn size(&self) -> ByteCount {
        self.folders.iter().map(|folder| folder.size).sum()
    }
}

/// A folder on a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// What it takes, with everything below it.
    pub size: ByteCount,
    /// Its path.
    pub path: String,
}

impl DevicePlan {
    /// True if the device takes this step.
    pub fn takes(&self, step: &Step) -> bool {
        match step.when {
            When::Always => true,
            When::OneShot => matches!(self.boot, Boot::OneShot { .. }),
            When::Update => matches!(self.boot, Boot::OneShot { update: Some(_), .. }),
            When::Data => self.data.is_some(),
            When::Proof => matches!(self.boot, Boot::OneShot { proof: Some(_), .. }),
            When::Rewrite => matches!(self.boot, Boot::Rewrite { .. }),
            When::Ordered => self.handover.is_ordered(),
            When::CallHome => matches!(self.handover, Handover::CallHome { .. }),
            When::Unattended => self.handover == Handover::Unattended,
            When::Moved => self.identity.move_to.is_some(),
        }
    }
}
