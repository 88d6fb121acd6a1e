//! The plan: what will be done to which device, in which stages. Resolved, immutable, no choices left.

mod changes;
mod device;
mod handover;
mod identity;
mod network;

pub use changes::{StalePlan, changes};
pub use device::{Boot, Class, DevicePlan, Erased, FirmwareKind, Folder, Proof, SavedData, Update};
pub use handover::Handover;
pub(crate) use handover::ports;
pub use identity::{Destination, Identity, Pin, TAG_CHANGE, TAG_HOSTNAME, TAG_RUN, TAG_SERIAL};
pub(crate) use network::added;
pub use network::{AddedKeyfile, NetworkPlan, NetworkSource};

use crate::digest;
use crate::playbook::{Playbook, PlaybookError};
use crate::policy::{
    Allow, Arrival, Bandwidth, Budget, ClassRule, DeadMan, OnTrip, Prove, Require, Stragglers,
    Unsited,
};
use crate::span::Span;
use crate::step::{Action, Step};
use jiff::Timestamp;
use migos_inventory::DeviceId;
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

/// The version of the plan's form.
pub const PLAN_SCHEMA: u32 = 2;

/// The digest of everything in a plan but itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_SCHEMA`].
    pub schema: u32,
    /// The digest of all the rest.
    pub id: PlanId,
    /// Digests of what it was made from.
    pub inputs: Inputs,
    /// The saved plan that this is, without the devices that have changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduced_from: Option<PlanId>,
    /// When the oldest of its facts was read.
    #[schemars(with = "String")]
    pub facts_read: Timestamp,
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
    /// How many devices of each class earlier runs have migrated, by the class's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub migrated_before: BTreeMap<String, u32>,
    /// The devices that will be migrated.
    pub devices: BTreeMap<DeviceId, DevicePlan>,
    /// The devices that will not, and why.
    pub set_aside: BTreeMap<DeviceId, SetAside>,
}

/// Digests of what a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Why a device is not migrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The name of the check that found it; [`Allow`] overrules some by that name.
    pub check: String,
    /// What is the matter.
    pub reason: String,
    /// What a person can do about it.
    pub remedy: String,
}

/// A plan that agrees with itself and can be carried out. Its clones are one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPlan(Arc<Plan>);

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

/// The JSON Schema of a saved plan, as it is published in `docs/schemas`.
///
/// # Errors
/// None in practice: a schema is plain data.
pub fn plan_schema() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&schemars::schema_for!(Plan)).map(|text| text + "\n")
}

impl Plan {
    /// The digest of everything but the id, which is taken out for that moment.
    ///
    /// # Errors
    /// None in practice: a plan is plain data.
    pub fn digest(&mut self) -> Result<PlanId, serde_json::Error> {
        let id = std::mem::replace(&mut self.id, PlanId(Sha256::of(b"")));
        let digest = digest::of_json(self);
        self.id = id;
        digest.map(PlanId)
    }

    /// What of it is about one device, to be looked at.
    #[must_use]
    pub fn alone(&self, device: &DeviceId) -> Plan {
        let mut plan = self.clone();
        plan.devices.retain(|id, _| id == device);
        plan.set_aside.retain(|id, _| id == device);
        plan.stages.iter_mut().for_each(|stage| stage.devices.retain(|id| id == device));
        plan.stages.retain(|stage| !stage.devices.is_empty());
        plan
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
    pub fn check(mut self) -> Result<CheckedPlan, PlanCheckError> {
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
        Ok(CheckedPlan(Arc::new(self)))
    }
}

impl Deref for CheckedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

impl CheckedPlan {
    /// The plan itself, to be changed and checked again.
    pub fn into_inner(self) -> Plan {
        Arc::unwrap_or_clone(self.0)
    }

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

    /// The index of the step that is taken once a device has arrived; the number of steps if there is none.
    pub fn settle_step(&self) -> usize {
        let is_it = |step: &Step| step.action == Action::Settle;
        self.steps.iter().position(is_it).unwrap_or(self.steps.len())
    }
}
