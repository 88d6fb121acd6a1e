//! The plan: what will be done to which device, in which stages. Resolved, immutable, no choices left.

mod handover;

pub use handover::Handover;
pub(crate) use handover::ports;

use crate::estimate::Estimate;
use crate::facts::Facts;
use crate::playbook::{Playbook, PlaybookError};
use crate::policy::{
    Allow, Arrival, Bandwidth, Budget, ClassRule, DeadMan, OnTrip, Prove, Require, Stragglers,
    Unsited,
};
use crate::span::Span;
use crate::step::{Action, Step, When};
use crate::window::Window;
use migos_inventory::{DeviceId, FleetSlug, Login, SiteName};
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;

/// The version of the plan's form.
pub const PLAN_SCHEMA: u32 = 1;

/// The digest of everything in a plan but itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanId(pub Sha256);

impl PlanId {
    /// The six digits by which people name a plan.
    pub fn short(&self) -> String {
        let mut text = self.0.to_string();
        text.truncate(6);
        text
    }
}

/// A plan as it is saved. Only a [`CheckedPlan`] can be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_SCHEMA`].
    pub schema: u32,
    /// The digest of all the rest.
    pub id: PlanId,
    /// Digests of what it was made from.
    pub inputs: Inputs,
    /// The API of balena that the devices will belong to.
    pub api: String,
    /// The steps of every device.
    pub steps: Vec<Step>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// Most devices of one site in flight.
    pub per_site: u32,
    /// Most devices in flight.
    pub parallel: u32,
    /// What the whole run may lose.
    pub budget: Budget,
    /// When an arrival is late, and when a device is lost.
    pub arrival: Arrival,
    /// When MIGOS gives up and Raspbian returns.
    pub dead_man: DeadMan,
    /// Whether one-shot boot is proven first.
    pub prove: Prove,
    /// Whether devices without a site count as one site.
    pub unsited: Unsited,
    /// How the first device of a class opens it for the others.
    pub class: ClassRule,
    /// How long devices that were away are waited for.
    pub stragglers: Stragglers,
    /// How much may be sent at a time.
    #[serde(default, skip_serializing_if = "Bandwidth::is_unbounded")]
    pub bandwidth: Bandwidth,
    /// A command that is told what happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_event: Option<String>,
    /// Refusals that a person has overruled.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allow: BTreeSet<Allow>,
    /// The payloads that are sent, by digest.
    pub payloads: BTreeMap<Sha256, PayloadSummary>,
    /// The images that are flashed, by digest.
    pub images: BTreeMap<Sha256, ImageManifest>,
    /// The devices that will be migrated.
    pub devices: BTreeMap<DeviceId, DevicePlan>,
    /// The devices that will not, and why.
    pub set_aside: BTreeMap<DeviceId, SetAside>,
}

/// Digests of what a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Of the inventory, as read.
    pub inventory: Sha256,
    /// Of all facts.
    pub facts: Sha256,
    /// Of the playbook.
    pub playbook: Sha256,
    /// Of the policy.
    pub policy: Sha256,
    /// Of what balena said.
    pub balena: Sha256,
}

/// What a plan keeps of a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadSummary {
    /// The version of MIGOS.
    pub version: String,
    /// Paths and digests of its files.
    pub files: Vec<migos_payload::manifest::File>,
}

impl PayloadSummary {
    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size.0).sum()
    }
}

impl From<&Manifest> for PayloadSummary {
    fn from(manifest: &Manifest) -> Self {
        PayloadSummary { version: manifest.version.clone(), files: manifest.files.clone() }
    }
}

/// The devices between two gates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its devices, in the order in which they start.
    pub devices: Vec<DeviceId>,
    /// Most devices in flight in this stage.
    pub parallel: u32,
    /// The condition for leaving it.
    pub gate: Gate,
}

/// The condition for leaving a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// How many devices may end badly, by how.
    pub tolerate: Tolerance,
    /// How long every device migrated so far must stay well.
    pub soak: Span,
    /// Instructions for the person who decides; none: nobody is waited for.
    pub pause: Option<String>,
    /// A command that judges the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// What a device has to show to be well.
    #[serde(default)]
    pub require: Require,
    /// What a tripped gate does.
    #[serde(default)]
    pub on_trip: OnTrip,
}

/// How many devices of a stage may end badly; one more trips the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Failed at a step, and undone.
    pub failed: u32,
    /// Not reached any more when their turn came.
    pub unreachable: u32,
    /// Refused when their facts were read again.
    pub refused: u32,
    /// Undo failed.
    pub stuck: u32,
    /// Silent past the point of no return.
    pub lost: u32,
}

/// What is needed to migrate one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// What is too old.
    pub of: FirmwareKind,
    /// How that is known.
    pub reason: String,
}

/// Where a board keeps firmware that can be too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirmwareKind {
    /// On the boot partition.
    Card,
    /// In the EEPROM, and on the boot partition.
    Eeprom,
}

/// The files by which one-shot boot is proven: Raspbian's own, with one more word on the kernel's command
/// line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The text of `tryboot.txt`.
    pub tryboot_txt: String,
    /// The device's `cmdline.txt`; the run adds its nonce to the kernel's command line.
    pub cmdline: String,
}

/// Devices that will behave alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// Why a device is not migrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetAside {
    /// Left out on purpose, with the written reason.
    Held(String),
    /// Not fit to be migrated.
    Refused(Vec<Finding>),
    /// It did not answer.
    Unreachable(String),
    /// It runs balenaOS already.
    AlreadyMigrated {
        /// The OS version that balena last heard of.
        os_version: Option<String>,
    },
}

/// One reason against a device, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What is the matter.
    pub reason: String,
    /// What a person can do about it.
    pub remedy: String,
}

/// A plan that agrees with itself and can be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPlan(Plan);

/// Why a saved plan cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlanCheckError {
    /// Not JSON of the plan's form.
    #[error("failed to read the plan")]
    Read(#[source] serde_json::Error),
    /// Another form than this version reads.
    #[error("plan has schema {0}, this version reads {PLAN_SCHEMA}")]
    Schema(u32),
    /// Somebody changed it.
    #[error("the plan was changed after it was made: its digest is not its id")]
    Changed,
    /// Its steps make no sense.
    #[error("the plan's steps are wrong")]
    Steps(#[source] PlaybookError),
    /// A device that is in no stage, in two, or in a stage only.
    #[error("{0} must be in exactly one stage and have a plan of its own")]
    Stages(DeviceId),
    /// A device with a payload or image that the plan does not list.
    #[error("{0} has a payload or image that the plan does not list")]
    Unlisted(DeviceId),
}

impl DevicePlan {
    /// True if the device takes this step.
    pub fn takes(&self, step: &Step) -> bool {
        match step.when {
            When::Always => true,
            When::OneShot => matches!(self.boot, Boot::OneShot { .. }),
            When::Update => matches!(self.boot, Boot::OneShot { update: Some(_), .. }),
            When::Proof => matches!(self.boot, Boot::OneShot { proof: Some(_), .. }),
            When::Rewrite => matches!(self.boot, Boot::Rewrite { .. }),
            When::Ordered => self.handover.is_ordered(),
            When::CallHome => matches!(self.handover, Handover::CallHome { .. }),
            When::Unattended => self.handover == Handover::Unattended,
        }
    }
}

impl Plan {
    /// The digest of everything but the id.
    ///
    /// # Errors
    /// None in practice: a plan is plain data.
    pub fn digest(&self) -> Result<PlanId, serde_json::Error> {
        let blank = Plan { id: PlanId(Sha256::of(b"")), ..self.clone() };
        Ok(PlanId(Sha256::of(&serde_json::to_vec(&blank)?)))
    }

    /// The JSON text that is saved: equal plans give equal bytes.
    ///
    /// # Errors
    /// None in practice: a plan is plain data.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Reads a saved plan.
    ///
    /// # Errors
    /// [`PlanCheckError::Read`].
    pub fn from_json(text: &str) -> Result<Plan, PlanCheckError> {
        serde_json::from_str(text).map_err(PlanCheckError::Read)
    }

    /// Checks that the plan is whole, unchanged and agrees with itself.
    ///
    /// # Errors
    /// [`PlanCheckError`] names the first thing that does not fit.
    pub fn check(self) -> Result<CheckedPlan, PlanCheckError> {
        if self.schema != PLAN_SCHEMA {
            return Err(PlanCheckError::Schema(self.schema));
        }
        if self.digest().map_err(PlanCheckError::Read)? != self.id {
            return Err(PlanCheckError::Changed);
        }
        Playbook::new(self.steps.clone()).map_err(PlanCheckError::Steps)?;
        let mut staged = BTreeSet::new();
        for device in self.stages.iter().flat_map(|stage| &stage.devices) {
            if !staged.insert(device) || !self.devices.contains_key(device) {
                return Err(PlanCheckError::Stages(device.clone()));
            }
        }
        for (id, device) in &self.devices {
            if !staged.contains(id) {
                return Err(PlanCheckError::Stages(id.clone()));
            }
            let listed = self.payloads.contains_key(&device.payload)
                && self.images.contains_key(&device.image);
            if !listed {
                return Err(PlanCheckError::Unlisted(id.clone()));
            }
        }
        Ok(CheckedPlan(self))
    }
}

impl Deref for CheckedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

impl CheckedPlan {
    /// The stage of a device, by index.
    pub fn stage_of(&self, device: &DeviceId) -> Option<usize> {
        self.stages.iter().position(|stage| stage.devices.contains(device))
    }

    /// The first step for this device from the one of this index on.
    pub fn next_step(&self, device: &DeviceId, from: usize) -> Option<usize> {
        let plan = self.devices.get(device)?;
        (from..self.steps.len()).find(|n| self.steps.get(*n).is_some_and(|step| plan.takes(step)))
    }

    /// The index of the step that orders the commit.
    pub fn commit_step(&self) -> usize {
        let is_it = |step: &Step| step.action == Action::Commit;
        self.steps.iter().position(is_it).unwrap_or(self.steps.len())
    }
}
