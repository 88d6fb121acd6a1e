//! The planner: who is migrated with what, in which stages; who is not, and why.

mod chosen;
mod hours;
mod order;
mod stages;

pub use order::in_order;
pub use stages::{cut, gate, stages};

use self::chosen::Chosen;
pub(crate) use self::chosen::{choose_image, choose_payload};
use crate::balena::{FleetView, MigratedBefore};
use crate::digest;
use crate::estimate::Experience;
use crate::facts::{BootPartition, Facts, FactsByDevice, Probed};
use crate::plan::{
    Boot, Class, DevicePlan, Erased, Finding, Folder, Handover, Inputs, NetworkPlan, PLAN_SCHEMA,
    PayloadSummary, Plan, PlanId, Proof, SavedData, SetAside, added, ports,
};
use crate::playbook::Playbook;
use crate::policy::{Allow, Policy};
use crate::requirement::firmware::{Way, resets_a_hung_kernel, way};
use crate::requirement::{Switch, Verdict, network, overruled_by, room};
use jiff::Timestamp;
use migos_inventory::{DataChoice, Device, DeviceId, Fleet};
use migos_payload::boot_document::{CmdlineTxt, ConfigTxt};
use migos_payload::boot_text::{
    BootTextError, migos_cmdline, migos_config_txt, proof_cmdline, proof_tryboot_txt,
};
use migos_payload::device_variables;
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use migos_payload::size::ByteCount;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The whole fleet.
    pub fleet: &'a Fleet,
    /// The devices of this command, in the inventory's order.
    pub selection: &'a [DeviceId],
    /// What the probe found.
    pub facts: &'a FactsByDevice,
    /// When the oldest of it was read.
    pub facts_read: Timestamp,
    /// The payloads at hand, by digest.
    pub payloads: &'a BTreeMap<Sha256, Manifest>,
    /// The images that the inventory names, by the path as it is written there.
    pub images: &'a BTreeMap<String, ImageManifest>,
    /// The digests of the keyfiles that the inventory names, by the path as it is written there; see
    /// [`keyfile::digest`](fn@migos_payload::keyfile::digest).
    pub keyfiles: &'a BTreeMap<String, Sha256>,
    /// What earlier runs have measured.
    pub experience: &'a Experience,
    /// What balena said.
    pub balena: &'a FleetView,
    /// The steps.
    pub playbook: &'a Playbook,
    /// The policy.
    pub policy: &'a Policy,
}

/// Why no plan can be made at all.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A part of the plan could not be written as JSON.
    #[error("failed to compute a digest")]
    Digest(#[source] serde_json::Error),
}

/// Makes the plan. Equal situations give equal plans, byte by byte.
///
/// # Errors
/// [`PlanError`]; a device that cannot be migrated is no error but is set aside.
pub fn plan(situation: &Situation<'_>) -> Result<Plan, PlanError> {
    let Situation { fleet, policy, playbook, .. } = *situation;
    let mut devices = BTreeMap::new();
    let mut set_aside = BTreeMap::new();
    let ports = ports(fleet);
    let before = situation.balena.migrated.values().map(|before| (&before.device, before));
    let before: BTreeMap<&DeviceId, &MigratedBefore> = before.collect();
    for id in situation.selection {
        let Some(device) = fleet.devices.get(id) else { continue };
        match judge(situation, device, ports.get(id).copied(), before.get(id).copied()) {
            Ok(planned) => _ = devices.insert(id.clone(), planned),
            Err(why) => _ = set_aside.insert(id.clone(), why),
        }
    }
    refuse_twins(&mut devices, &mut set_aside);

    let mut migrated_before = situation.experience.counts();
    let classes: BTreeSet<String> =
        devices.values().map(|device| device.class.to_string()).collect();
    migrated_before.retain(|class, _| classes.contains(class));

    let order = in_order(policy, situation.selection, &devices);
    let used = |digest: &Sha256| devices.values().any(|device| device.payload == *digest);
    let payloads = situation.payloads.iter().filter(|(digest, _)| used(digest));
    let images = situation.images.values().map(|image| (image.sha256, image.clone()));
    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        id: PlanId(Sha256::of(b"")),
        inputs: Inputs {
            inventory: digest(fleet)?,
            facts: digest(situation.facts)?,
            playbook: digest(playbook)?,
            policy: digest(policy)?,
            balena: digest(situation.balena)?,
        },
        reduced_from: None,
        facts_read: situation.facts_read,
        api: fleet.settings.api.clone(),
        steps: playbook.steps().to_vec(),
        stages: stages(policy, &order),
        per_site: policy.per_site,
        parallel: policy.most_in_flight(),
        budget: policy.budget,
        arrival: policy.arrival,
        dead_man: policy.dead_man,
        prove: policy.prove,
        unsited: policy.unsited,
        class: policy.class,
        stragglers: policy.stragglers,
        bandwidth: policy.bandwidth,
        on_event: policy.on_event.clone(),
        allow: policy.allow.clone(),
        payloads: payloads
            .map(|(digest, manifest)| (*digest, PayloadSummary::from(manifest)))
            .collect(),
        images: images
            .filter(|(digest, _)| devices.values().any(|device| device.image == *digest))
            .collect(),
        migrated_before,
        devices,
        set_aside,
    };
    plan.id = plan.digest().map_err(PlanError::Digest)?;
    Ok(plan)
}

fn digest(value: &impl Serialize) -> Result<Sha256, PlanError> {
    digest::of_json(value).map_err(PlanError::Digest)
}

/// A device's plan, or why it has none.
fn judge(
    situation: &Situation<'_>,
    device: &Device,
    listen: Option<u16>,
    before: Option<&MigratedBefore>,
) -> Result<DevicePlan, SetAside> {
    if let Some(hold) = &device.hold {
        return Err(SetAside::Held(hold.0.clone()));
    }
    let facts = match situation.facts.get(&device.id) {
        Some(Probed::Facts(facts)) => facts,
        Some(Probed::Unusable { reason, remedy }) => {
            return Err(SetAside::Refused(vec![unusable(reason, remedy)]));
        }
        silent => {
            // A migrated device does not answer as Raspbian any more; the ledger knows it by its name.
            if let Some(before) = before.filter(|before| before.os_version.is_some()) {
                let os_version = before.os_version.clone();
                return Err(SetAside::AlreadyMigrated { os_version });
            }
            let reason = match silent {
                Some(Probed::Unreachable(reason)) => reason.clone(),
                _ => "it was not probed".to_owned(),
            };
            return Err(SetAside::Unreachable(reason));
        }
    };

    let chosen = Chosen::of(situation, device, facts, listen);
    let (mut warnings, mut overruled, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (_, verdict) in chosen.verdicts() {
        match verdict {
            Verdict::Pass(_) => {}
            Verdict::Warn(finding) => warnings.push(finding),
            Verdict::Overruled(finding) => overruled.push(finding),
            Verdict::Refuse(finding) => refused.push(finding),
        }
    }
    if !refused.is_empty() {
        return Err(SetAside::Refused(refused));
    }
    let no_lifeboat =
        overruled.iter().any(|finding| overruled_by(&finding.check) == Some(Allow::NO_LIFEBOAT));
    let candidate = chosen.candidate();
    let streamed = room::streamed(&candidate);
    let may_be_tunnelled = network::may_be_tunnelled(&candidate);
    let identity = chosen.identity();
    let Chosen { payload, image, estimate, fleet, switch, window, mirror, handover, .. } = chosen;
    let window = window.map_err(|finding| SetAside::Refused(vec![*finding]))?;
    let (
        Some((payload, manifest)),
        Some(image),
        Some(estimate),
        Some(fleet),
        Some(boot),
        Some(disk),
    ) = (payload, image, estimate, fleet, &facts.boot, &facts.disk)
    else {
        return Err(unexplained());
    };
    let texts = boot_texts(facts, boot, manifest).map_err(|_| unexplained())?;
    let config = ConfigTxt::parse(boot.config_txt.as_bytes());
    let kept = device_variables::from_config_txt(&config, &facts.board());
    let found = NetworkPlan::of(&facts.network.configuration).map_err(|_| unexplained())?;
    let added = added(&device.keyfiles, situation.keyfiles).ok_or_else(unexplained)?;
    Ok(DevicePlan {
        login: device.login.clone(),
        site: device.site.clone(),
        class: Class::of(facts),
        serial: facts.serial.clone(),
        machine_id: facts.machine_id.clone(),
        boot_sums: boot.sums.clone(),
        boot_path: boot.path.clone(),
        boot_read_only: !boot.file_system.writable,
        window,
        estimate,
        erased: Erased {
            card: disk.size,
            used: ByteCount(facts.root.size.0.saturating_sub(facts.root.free.0)),
            largest: facts.largest.clone(),
        },
        data: saved_data(device, facts),
        boot_files: [("config.txt", &boot.config_txt), ("cmdline.txt", &boot.cmdline_txt)]
            .map(|(name, text)| (name.to_owned(), text.clone()))
            .into(),
        variables: kept.variables,
        identity,
        dropped: kept.dropped,
        network: NetworkPlan { added, ..found },
        warnings,
        overruled,
        no_lifeboat,
        app: fleet.app,
        disk_id: disk.id.clone(),
        hostname: facts.hostname.clone(),
        payload,
        image: image.sha256,
        streamed,
        mirror,
        fleet: fleet.slug.clone(),
        fleet_id: fleet.id,
        boot: how_it_boots(facts, boot, &switch).ok_or_else(unexplained)?,
        may_be_tunnelled,
        handover: handover.ok_or_else(unexplained)?,
        resets_a_hung_kernel: resets_a_hung_kernel(facts, boot),
        tryboot_txt: texts.tryboot_txt,
        cmdline: texts.cmdline,
    })
}

/// What is fetched of what the inventory wants kept.
fn saved_data(device: &Device, facts: &Facts) -> Option<SavedData> {
    let Some(DataChoice::Keep(kept)) = &device.data else { return None };
    let there = |path: &String| facts.data.get(path).copied().flatten();
    let (mut folders, mut absent) = (Vec::new(), Vec::new());
    for path in kept.paths.iter().map(|kept| kept.path.clone()) {
        match there(&path) {
            Some(size) => folders.push(Folder { size, path }),
            None => absent.push(path),
        }
    }
    Some(SavedData { folders, absent, exclude: kept.exclude.clone() })
}

/// What the checks say of one device, by their names and in their order; `None` if nothing is known of it. Whether two
/// devices answer with one serial number is known only once all are planned.
pub fn verdicts(
    situation: &Situation<'_>,
    device: &DeviceId,
) -> Option<Vec<(&'static str, Verdict)>> {
    let device = situation.fleet.devices.get(device)?;
    match situation.facts.get(&device.id)? {
        Probed::Facts(facts) => {
            let listen = ports(situation.fleet).get(&device.id).copied();
            Some(Chosen::of(situation, device, facts, listen).verdicts())
        }
        Probed::Unusable { reason, remedy } => {
            Some(vec![(LOGIN, Verdict::Refuse(unusable(reason, remedy)))])
        }
        Probed::Unreachable(_) => None,
    }
}

/// The check that a device can be logged in to, and that its answers make sense.
const LOGIN: &str = "login";

fn unusable(reason: &str, remedy: &str) -> Finding {
    Finding { check: LOGIN.into(), reason: reason.to_owned(), remedy: remedy.to_owned() }
}

/// The requirements find a reason for everything that is missing; should one be forgotten there, the
/// device is still not touched.
fn unexplained() -> SetAside {
    SetAside::Refused(vec![Finding {
        check: "known".into(),
        reason: "something that a plan needs is not known".into(),
        remedy: "look at its facts: migos-fleet probe --format json".into(),
    }])
}

/// The texts that select MIGOS on one device.
pub(crate) struct BootTexts {
    tryboot_txt: String,
    cmdline: String,
}

pub(crate) fn boot_texts(
    facts: &Facts,
    boot: &BootPartition,
    payload: &Manifest,
) -> Result<BootTexts, BootTextError> {
    let has_overlay = |name: &str| {
        let path = format!("overlays/{name}.dtbo");
        payload.files.iter().any(|file| file.path == path)
    };
    let board = facts.board();
    let config = ConfigTxt::parse(boot.config_txt.as_bytes());
    let cmdline = CmdlineTxt::parse(boot.cmdline_txt.as_bytes());
    Ok(BootTexts {
        tryboot_txt: migos_config_txt(&config, &board, payload.architecture, has_overlay)?,
        cmdline: migos_cmdline(&cmdline)?,
    })
}

/// The files that would prove one-shot boot on this device.
pub(crate) fn proof(boot: &BootPartition) -> Result<Proof, BootTextError> {
    let config = ConfigTxt::parse(boot.config_txt.as_bytes());
    let cmdline = CmdlineTxt::parse(boot.cmdline_txt.as_bytes());
    // The run's own nonce has the same length.
    proof_cmdline(&cmdline, &"0".repeat(32))?;
    let tryboot_txt = proof_tryboot_txt(&config)?;
    Ok(Proof {
        tryboot_txt: String::from_utf8_lossy(&tryboot_txt).into_owned(),
        cmdline: boot.cmdline_txt.clone(),
    })
}

/// `None` if nobody could.
pub(crate) fn how_it_commits(device: &Device, listen: Option<u16>) -> Option<Handover> {
    Some(match device.handover {
        migos_inventory::Handover::Attended => Handover::Attended,
        migos_inventory::Handover::CallHome => {
            Handover::CallHome { bastion: device.bastion.clone()?, listen: listen? }
        }
        migos_inventory::Handover::Unattended => Handover::Unattended,
    })
}

/// `None` if it may not be switched at all.
fn how_it_boots(facts: &Facts, boot: &BootPartition, switch: &Switch<'_>) -> Option<Boot> {
    Some(match way(facts, switch).ok()? {
        Way::Rewrite(reason) => Boot::Rewrite { reason },
        Way::OneShot(update) => Boot::OneShot {
            proof: match switch.is_proven(update.as_ref()) {
                true => Some(proof(boot).ok()?),
                false => None,
            },
            update,
        },
    })
}

/// Two devices with one serial number: one of the two addresses is not what it seems, so both are left
/// alone.
fn refuse_twins(
    devices: &mut BTreeMap<DeviceId, DevicePlan>,
    set_aside: &mut BTreeMap<DeviceId, SetAside>,
) {
    let mut by_serial: BTreeMap<String, Vec<DeviceId>> = BTreeMap::new();
    for (id, device) in devices.iter() {
        by_serial.entry(device.serial.clone()).or_default().push(id.clone());
    }
    for (serial, twins) in by_serial.into_iter().filter(|(_, twins)| twins.len() > 1) {
        let names = migos_inventory::fold(&twins);
        for twin in twins {
            devices.remove(&twin);
            let finding = Finding {
                check: "serial".into(),
                reason: format!("{names} answer with one serial number, {serial}"),
                remedy: "they are one device: keep one of them in the inventory".into(),
            };
            set_aside.insert(twin, SetAside::Refused(vec![finding]));
        }
    }
}

#[cfg(test)]
mod tests;
