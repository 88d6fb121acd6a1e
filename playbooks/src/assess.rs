//! A first look at a fleet, before anything is got or decided: who could be migrated, what stands against the others, what
//! has to be got, and what it costs.
//!
//! An inventory need only say how to log in. What is not decided yet counts as decided, payloads and images are
//! [assumed](Offer), and the planner is asked as ever: what it then finds is about the devices themselves.

mod assumed;

pub use assumed::{IMAGE_RAW_SIZE, IMAGE_SIZE, MEMORY, Offer};

use crate::estimate::Experience;
use crate::facts::{Facts, FactsByDevice, Probed};
use crate::plan::{CheckedPlan, Finding, Plan, PlanCheckError, SetAside};
use crate::planner::{PlanError, choose_image, choose_payload, plan};
use crate::playbook::Playbook;
use crate::policy::{Allow, Policy};
use crate::requirement::{Mend, mend};
use assumed::Assumed;
use jiff::Timestamp;
use migos_inventory::{Device, DeviceId, Fleet, SiteName};
use migos_payload::size::ByteCount;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What balenaOS calls itself in `/etc/os-release`.
const BALENA_OS: &str = "balena-os";

/// Everything that an assessment is made from.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The whole fleet.
    pub fleet: &'a Fleet,
    /// The devices of this command, in the inventory's order.
    pub selection: &'a [DeviceId],
    /// What the probe found.
    pub facts: &'a FactsByDevice,
    /// When the oldest of it was read.
    pub facts_read: Timestamp,
    /// The payloads that can be built.
    pub offers: &'a [Offer],
    /// What earlier runs have measured.
    pub experience: &'a Experience,
    /// The devices that earlier runs have migrated.
    pub migrated: &'a BTreeSet<DeviceId>,
    /// The steps.
    pub playbook: &'a Playbook,
    /// The policy of the rollout.
    pub policy: &'a Policy,
}

/// Why no assessment can be made.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// No plan could be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan contradicts itself.
    #[error(transparent)]
    Check(#[from] PlanCheckError),
}

/// How a fleet stands before its migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// When the oldest facts were read.
    pub facts_read: Timestamp,
    /// Every device of the selection.
    pub devices: BTreeMap<DeviceId, Standing>,
    /// The payloads that have to be there, by recipe.
    pub payloads: BTreeMap<String, Need>,
    /// The images that have to be there, by balena device type.
    pub images: BTreeMap<String, Need>,
    /// What somebody has to decide.
    pub undecided: Vec<Undecided>,
    /// What is sent to those that are ready or can be mended from afar, by site.
    pub data: BTreeMap<Option<SiteName>, Sent>,
    /// The plan for the same devices, as if they were mended and all were decided; a few may be missing in it, where it
    /// cannot be told what they will be like.
    pub forecast: CheckedPlan,
}

/// How one device stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "kebab-case")]
pub enum Standing {
    /// Nothing stands against it; what the checks warn of.
    Ready(Vec<Finding>),
    /// What stands against it can be mended from afar.
    Fixable(Vec<Finding>),
    /// Some of what stands against it can be mended by hands only, or not at all.
    Visit(Vec<Finding>),
    /// It did not answer.
    Unreachable(String),
    /// Left out on purpose, with the written reason.
    Held(String),
    /// It runs balenaOS already, by this evidence.
    Done(String),
}

impl Standing {
    /// True if it can be migrated, perhaps after something was mended from afar.
    pub fn goes(&self) -> bool {
        matches!(self, Standing::Ready(_) | Standing::Fixable(_))
    }

    /// True if nothing is asked about it: it is held, or done.
    pub fn is_left_out(&self) -> bool {
        matches!(self, Standing::Held(_) | Standing::Done(_))
    }
}

/// A payload or an image that devices need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The devices.
    pub devices: BTreeSet<DeviceId>,
    /// Their boards.
    pub boards: BTreeSet<String>,
    /// What the inventory names for them already; whether it is there was not looked at.
    pub named: BTreeSet<String>,
    /// Its size, as assumed.
    pub size: ByteCount,
}

/// Something that nobody has said yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undecided {
    /// What it is.
    pub what: &'static str,
    /// How to say it.
    pub remedy: &'static str,
    /// The devices that wait for it.
    pub devices: Vec<DeviceId>,
}

/// What a site is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// To so many devices.
    pub devices: usize,
    /// Bytes from the controller.
    pub sent: ByteCount,
    /// Bytes that devices fetch from a mirror.
    pub fetched: ByteCount,
    /// The least that one device takes.
    pub least: ByteCount,
    /// The most.
    pub most: ByteCount,
}

/// Looks at a fleet. Equal looks give equal assessments.
///
/// # Errors
/// [`AssessError`]; what stands against devices is none.
pub fn assess(look: &Look<'_>) -> Result<Assessment, AssessError> {
    let assumed = Assumed::of(look);
    let strict = plan(&assumed.situation(look, look.selection, &streaming(look.policy)))?;
    let standing = |id: &DeviceId| Some((id.clone(), standing(look, &strict, id)?));
    let devices: BTreeMap<DeviceId, Standing> =
        look.selection.iter().filter_map(standing).collect();
    let goes = |id: &&DeviceId| devices.get(*id).is_some_and(Standing::goes);
    let goes: Vec<DeviceId> = look.selection.iter().filter(goes).cloned().collect();
    let forecast = plan(&assumed.situation(look, &goes, &mended(look.policy)))?.check()?;
    let mut assessment = Assessment {
        facts_read: look.facts_read,
        payloads: BTreeMap::new(),
        images: BTreeMap::new(),
        undecided: undecided(look, &devices, &strict),
        data: BTreeMap::new(),
        devices,
        forecast,
    };
    for id in &goes {
        if let (Some(device), Some(Probed::Facts(facts))) =
            (look.fleet.devices.get(id), look.facts.get(id))
        {
            assessment.count(look, &assumed, device, facts);
        }
    }
    Ok(assessment)
}

/// What the planner says of a device, in an assessment's words.
fn standing(look: &Look<'_>, plan: &Plan, id: &DeviceId) -> Option<Standing> {
    if let Some(Probed::Facts(facts)) = look.facts.get(id)
        && facts.os.id == BALENA_OS
    {
        return Some(Standing::Done(facts.os.name.clone()));
    }
    if let Some(device) = plan.devices.get(id) {
        return Some(Standing::Ready(device.warnings.clone()));
    }
    Some(match plan.set_aside.get(id)? {
        SetAside::Held(reason) => Standing::Held(reason.clone()),
        SetAside::AlreadyMigrated { os_version } => {
            Standing::Done(os_version.clone().unwrap_or_default())
        }
        // A migrated device does not answer as Raspbian any more.
        SetAside::Unreachable(_) if look.migrated.contains(id) => {
            Standing::Done("an earlier run has migrated it".to_owned())
        }
        SetAside::Unreachable(reason) => Standing::Unreachable(reason.clone()),
        SetAside::Refused(findings) => {
            let findings: Vec<Finding> = findings.iter().map(in_this_light).collect();
            match findings.iter().all(|finding| mend(&finding.check) == Mend::FromAfar) {
                true => Standing::Fixable(findings),
                false => Standing::Visit(findings),
            }
        }
    })
}

/// Where all that can be built is assumed to be there, a payload that is missing cannot be built.
fn in_this_light(finding: &Finding) -> Finding {
    let remedy = match finding.check.as_str() {
        "payload" => "no recipe builds one for this board (migos-fleet payload list); leave it out",
        _ => return finding.clone(),
    };
    Finding { remedy: remedy.to_owned(), ..finding.clone() }
}

/// A part of the name of every class.
const EVERY_CLASS: &str = "";

/// The same policy where it lets the image be sent while the card is written: a device without room for an image of a size
/// that is only assumed is not at fault.
fn streaming(policy: &Policy) -> Policy {
    Policy { allow_streaming: vec![EVERY_CLASS.to_owned()], ..policy.clone() }
}

/// The same for devices that have been mended: by a person, or by the run itself where the policy can have it so.
fn mended(policy: &Policy) -> Policy {
    Policy {
        allow: Allow::all().collect(),
        allow_update: vec![EVERY_CLASS.to_owned()],
        ..streaming(policy)
    }
}

/// True if the image has to be sent to this device while its card is written, and the policy does not let it be.
fn must_be_let_stream(plan: &Plan, policy: &Policy, id: &DeviceId) -> bool {
    let Some(device) = plan.devices.get(id) else { return false };
    let class = device.class.to_string();
    let is_let = policy.allow_streaming.iter().any(|part| class.contains(part.as_str()));
    device.streamed.is_some() && !is_let
}

/// What inventory and policy do not say of the devices that are not left out.
fn undecided(
    look: &Look<'_>,
    standings: &BTreeMap<DeviceId, Standing>,
    plan: &Plan,
) -> Vec<Undecided> {
    let settings = &look.fleet.settings;
    let of = |is_missing: &dyn Fn(&Device) -> bool| -> Vec<DeviceId> {
        let is_left_out = |id: &DeviceId| standings.get(id).is_none_or(Standing::is_left_out);
        let devices = look.selection.iter().filter_map(|id| look.fleet.devices.get(id));
        let missing = devices.filter(|device| !is_left_out(&device.id) && is_missing(device));
        missing.map(|device| device.id.clone()).collect()
    };
    let all = [
        Undecided {
            what: "what becomes of the data on the cards, which are erased",
            remedy: "`data: none` says that nothing on them is needed",
            devices: of(&|device| device.data.is_none()),
        },
        Undecided {
            what: "the balena fleet to join",
            remedy: "`balena: { fleet: organisation/name }`",
            devices: of(&|device| device.balena_fleet.is_none()),
        },
        Undecided {
            what: "where the token for balena's API is",
            remedy: "`balena: { token: { env: BALENA_TOKEN } }`",
            devices: of(&|_| settings.token.is_none()),
        },
        Undecided {
            what: "where the payloads are",
            remedy: "`payloads: payloads/`",
            devices: of(&|_| settings.payloads.is_none()),
        },
        Undecided {
            what: "whether the image is sent while the card is written: it has no room for one of this size",
            remedy: "`allow_streaming` in the policy names its class; or a smaller image",
            devices: of(&|device| must_be_let_stream(plan, look.policy, &device.id)),
        },
    ];
    all.into_iter().filter(|undecided| !undecided.devices.is_empty()).collect()
}

impl Assessment {
    /// The devices that stand like this.
    pub fn those(&self, is_it: impl Fn(&Standing) -> bool) -> Vec<&DeviceId> {
        let found = self.devices.iter().filter(|(_, standing)| is_it(standing));
        found.map(|(id, _)| id).collect()
    }

    /// What all sites are sent.
    pub fn all_data(&self) -> Sent {
        let first = || self.data.values().copied();
        Sent {
            devices: first().map(|site| site.devices).sum(),
            sent: first().map(|site| site.sent).sum(),
            fetched: first().map(|site| site.fetched).sum(),
            least: first().map(|site| site.least).min().unwrap_or_default(),
            most: first().map(|site| site.most).max().unwrap_or_default(),
        }
    }

    /// Takes in what one device needs.
    fn count(&mut self, look: &Look<'_>, assumed: &Assumed, device: &Device, facts: &Facts) {
        let payload = choose_payload(&assumed.payloads, facts).map(|(_, manifest)| manifest);
        let settled = assumed.fleet.devices.get(&device.id).unwrap_or(device);
        let image = choose_image(&assumed.images, settled, facts);
        let (Some(payload), Some(image)) = (payload, image) else { return };
        let payload_size: ByteCount = payload.files.iter().map(|file| file.size).sum();

        let board = facts.revision.board_type().to_string();
        let need = self.payloads.entry(payload.version.clone()).or_default();
        need.add(device, &board, payload_size, look.fleet.settings.payloads.as_ref());
        let need = self.images.entry(image.device_type.clone()).or_default();
        need.add(device, &board, image.size, device.images.get(&image.device_type));

        let (sent, fetched) = match device.mirror {
            Some(_) => (payload_size, image.size),
            None => (payload_size + image.size, ByteCount::default()),
        };
        let site = self.data.entry(device.site.clone()).or_default();
        let taken = sent + fetched;
        site.least = if site.devices == 0 { taken } else { site.least.min(taken) };
        site.most = site.most.max(taken);
        site.devices += 1;
        site.sent = site.sent + sent;
        site.fetched = site.fetched + fetched;
    }
}

impl Need {
    fn add(&mut self, device: &Device, board: &str, size: ByteCount, named: Option<&String>) {
        self.devices.insert(device.id.clone());
        self.boards.insert(board.to_owned());
        self.named.extend(named.cloned());
        self.size = size;
    }
}

#[cfg(test)]
mod tests;
