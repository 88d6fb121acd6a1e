//! The plan of a script: its fleet under its policy, as the planner would stage it.

use anyhow::{Context, Result};
use jiff::Timestamp;
use migos_contract::Compression;
use migos_inventory::{DeviceId, Fleet, FleetSlug};
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_SCHEMA, ImageManifest};
use migos_payload::size::ByteCount;
use migos_playbooks::estimate::Estimate;
use migos_playbooks::plan::{
    Boot, CheckedPlan, Class, DevicePlan, Erased, Handover, Inputs, PLAN_SCHEMA, PayloadSummary,
    Plan, PlanId, Proof,
};
use migos_playbooks::planner::{in_order, stages};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::{Policy, Prove};
use migos_playbooks::span::Span;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Devices that are alike.
#[derive(Debug, Clone)]
pub struct Group {
    /// Their names, as a range.
    pub names: String,
    /// Their site.
    pub site: Option<String>,
    /// Their board; all devices of a board are one class.
    pub board: String,
    /// True if they commit by themselves.
    pub unattended: bool,
}

/// Some six minutes to the point of no return and some eight from there to balena, as a simulated device takes.
const ESTIMATE: Estimate = Estimate {
    to_reboot: Span::seconds(290),
    to_commit: Span::seconds(360),
    to_well: Span::seconds(480),
    flash: Span::seconds(240),
    measured: false,
};

/// The plan for these devices, in this order, under this policy.
///
/// # Errors
/// Names or sites that an inventory could not have.
pub fn plan(groups: &[Group], policy: &Policy) -> Result<CheckedPlan> {
    let fleet = inventory(groups)?;
    let any = Sha256::of(b"payload");
    let image = image();
    let mut devices = BTreeMap::new();
    for group in groups {
        for id in fleet.select(Some(&group.names))? {
            let device = fleet.devices.get(&id).context("a device of the inventory")?;
            let planned = DevicePlan {
                login: device.login.clone(),
                site: device.site.clone(),
                class: Class {
                    board: group.board.clone(),
                    firmware: String::new(),
                    os: "raspbian 10".into(),
                    kernel: "5.10.103-v7+".into(),
                },
                serial: Sha256::of(id.as_str().as_bytes()).to_string(),
                machine_id: String::new(),
                boot_sums: BTreeMap::new(),
                boot_path: "/boot".into(),
                boot_read_only: false,
                window: policy.window.clone(),
                estimate: ESTIMATE,
                data: None,
                erased: Erased::default(),
                boot_files: BTreeMap::new(),
                variables: BTreeMap::new(),
                identity: Default::default(),
                dropped: Vec::new(),
                network: Default::default(),
                warnings: Vec::new(),
                overruled: Vec::new(),
                no_lifeboat: false,
                app: None,
                disk_id: "738a4d67".into(),
                hostname: id.to_string(),
                payload: any,
                image: image.sha256,
                streamed: None,
                mirror: None,
                fleet: FleetSlug::new("acme/kiosks")?,
                fleet_id: 1,
                boot: Boot::OneShot { update: None, proof: proof(policy) },
                handover: match group.unattended {
                    true => Handover::Unattended,
                    false => Handover::Attended,
                },
                may_be_tunnelled: false,
                resets_a_hung_kernel: true,
                tryboot_txt: String::new(),
                cmdline: String::new(),
            };
            devices.insert(id, planned);
        }
    }
    let order = in_order(policy, &fleet.order, &devices);
    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        id: PlanId(any),
        inputs: Inputs { inventory: any, facts: any, playbook: any, policy: any, balena: any },
        reduced_from: None,
        facts_read: Timestamp::UNIX_EPOCH,
        api: "https://api.balena-cloud.com".into(),
        steps: Playbook::migrate()?.steps().to_vec(),
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
        payloads: BTreeMap::from([(
            any,
            PayloadSummary { version: "1.0.0".into(), files: Vec::new() },
        )]),
        images: BTreeMap::from([(image.sha256, image)]),
        migrated_before: BTreeMap::new(),
        devices,
        set_aside: BTreeMap::new(),
    };
    plan.id = plan.digest()?;
    Ok(plan.check()?)
}

/// The fleet, as an inventory of its own.
fn inventory(groups: &[Group]) -> Result<Fleet> {
    let mut text = "migos: 1\nbalena: { fleet: acme/kiosks }\ndata: none\ngroups:\n".to_owned();
    for (number, Group { names, site, .. }) in groups.iter().enumerate() {
        let site = site.as_ref().map(|site| format!(", site: {site}")).unwrap_or_default();
        writeln!(text, "  line-{number}: {{ devices: [\"{names}\"]{site} }}")?;
    }
    Ok(migos_inventory::parse("fleet", &text)?)
}

/// The names of all devices, in the order of the script.
pub(super) fn names(groups: &[Group]) -> Result<Vec<DeviceId>> {
    Ok(inventory(groups)?.order)
}

fn proof(policy: &Policy) -> Option<Proof> {
    let proof = Proof { tryboot_txt: String::new(), cmdline: String::new() };
    (policy.prove != Prove::Never).then_some(proof)
}

fn image() -> ImageManifest {
    ImageManifest {
        schema: IMAGE_SCHEMA,
        device_type: "raspberrypi3".into(),
        architecture: "armv7hf".into(),
        os_version: "balenaOS 6.0.24".into(),
        compression: Compression::None,
        size: ByteCount(5),
        sha256: Sha256::of(b"image"),
        raw_size: ByteCount(5),
        raw_sha256: Sha256::of(b"image"),
        chunks: None,
    }
}
