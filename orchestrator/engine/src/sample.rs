//! Plans to test with.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use migos_contract::Compression;
use migos_inventory::{Bastion, DeviceId, FleetSlug, Login, PortRange, SiteName};
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_SCHEMA, ImageManifest};
use migos_payload::size::ByteCount;
use migos_playbooks::estimate::Estimate;
use migos_playbooks::plan::{
    Boot, CheckedPlan, Class, DevicePlan, Erased, Gate, Handover, Inputs, PLAN_SCHEMA,
    PayloadSummary, Plan, PlanId, Proof, Stage, Tolerance,
};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::{
    Arrival, Bandwidth, Budget, ClassRule, DeadMan, Prove, Stragglers, Unsited,
};
use migos_playbooks::span::Span;
use std::collections::BTreeMap;

/// The device of this number.
pub(crate) fn id(number: usize) -> DeviceId {
    DeviceId::new(format!("kiosk-{number:03}")).unwrap()
}

/// The same, with one-shot boot to be proven on the first of the class.
pub(crate) fn plan_with_proof(devices: usize) -> CheckedPlan {
    let mut plan = Plan::clone(&plan(devices));
    plan.prove = Prove::PerClass;
    for device in plan.devices.values_mut() {
        let proof = Proof { tryboot_txt: String::new(), cmdline: String::new() };
        device.boot = Boot::OneShot { update: None, proof: Some(proof) };
    }
    plan.id = plan.digest().unwrap();
    plan.check().unwrap()
}

/// The same plan as [`plan`], with a third of the devices for each handover.
pub(crate) fn plan_with_handovers(devices: usize) -> CheckedPlan {
    let mut plan = Plan::clone(&plan(devices));
    for (number, device) in (0..).zip(plan.devices.values_mut()) {
        device.handover = match number % 3 {
            0 => Handover::Attended,
            1 => Handover::CallHome { bastion: bastion(), listen: 20_000 + number },
            _ => Handover::Unattended,
        };
    }
    plan.id = plan.digest().unwrap();
    plan.check().unwrap()
}

fn bastion() -> Bastion {
    Bastion {
        host: "bastion".into(),
        port: 22,
        user: "callers".into(),
        identity: None,
        known_hosts: None,
        ports: PortRange::DEFAULT,
        reach: None,
    }
}

/// A plan for so many devices in three stages: 1, a quarter, all; two sites.
pub(crate) fn plan(devices: usize) -> CheckedPlan {
    let any = Sha256::of(b"any");
    let cuts = [1, (devices / 4).max(2).min(devices), devices];
    let mut from = 0;
    let mut stages = Vec::new();
    for (name, to) in ["canary", "early", "rest"].into_iter().zip(cuts) {
        let tolerate = Tolerance { failed: u32::from(name != "canary"), ..Tolerance::default() };
        stages.push(Stage {
            name: name.into(),
            devices: (from..to).map(id).collect(),
            parallel: 3,
            gate: Gate { tolerate, soak: Span::seconds(2), ..Gate::default() },
        });
        from = to;
    }
    let image = ImageManifest {
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
    };
    let mut plan = Plan {
        reduced_from: None,
        facts_read: Timestamp::UNIX_EPOCH,
        migrated_before: BTreeMap::new(),
        schema: PLAN_SCHEMA,
        id: PlanId(any),
        inputs: Inputs { inventory: any, facts: any, playbook: any, policy: any, balena: any },
        api: "https://api.balena-cloud.com".into(),
        steps: Playbook::migrate().unwrap().steps().to_vec(),
        stages,
        per_site: 2,
        parallel: 4,
        budget: Budget { failed: None, stuck: 0, lost: 0 },
        arrival: Arrival {
            late: Span::seconds(10),
            lost: Span::seconds(20),
            poll: Span::seconds(1),
            heartbeat: Span::seconds(1),
            release: Default::default(),
            stable: Span::default(),
        },
        dead_man: DeadMan {
            contact: Span::seconds(60),
            commit: Span::seconds(120),
            hung: Span::seconds(30),
        },
        prove: Prove::Never,
        unsited: Unsited::OneSite,
        class: ClassRule { soak: Span::default(), failures: 2 },
        stragglers: Stragglers::default(),
        bandwidth: Bandwidth::default(),
        on_event: None,
        allow: Default::default(),
        payloads: BTreeMap::from([(
            any,
            PayloadSummary { version: "1.0.0".into(), files: vec![] },
        )]),
        images: BTreeMap::from([(image.sha256, image.clone())]),
        devices: (0..devices).map(|n| (id(n), device(n, any, image.sha256))).collect(),
        set_aside: BTreeMap::new(),
    };
    plan.id = plan.digest().unwrap();
    plan.check().unwrap()
}

fn device(number: usize, payload: Sha256, image: Sha256) -> DevicePlan {
    let site = if number.is_multiple_of(2) { "north" } else { "south" };
    DevicePlan {
        login: Login::at("127.0.0.1"),
        site: Some(SiteName::new(site).unwrap()),
        class: Class {
            board: "3B+".into(),
            firmware: String::new(),
            os: "raspbian 10".into(),
            kernel: "5.10.103-v7+".into(),
        },
        serial: format!("{number:016x}"),
        machine_id: String::new(),
        boot_sums: BTreeMap::new(),
        boot_path: "/boot".into(),
        boot_read_only: false,
        boot: Boot::OneShot { update: None, proof: None },
        handover: Handover::default(),
        may_be_tunnelled: false,
        window: None,
        estimate: Estimate {
            to_reboot: Span::seconds(25),
            to_commit: Span::seconds(30),
            to_well: Span::seconds(30),
            flash: Span::seconds(20),
            measured: false,
        },
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
        hostname: "kiosk".into(),
        payload,
        image,
        streamed: None,
        mirror: None,
        fleet: FleetSlug::new("acme/kiosks").unwrap(),
        fleet_id: 1,
        resets_a_hung_kernel: true,
        tryboot_txt: String::new(),
        cmdline: String::new(),
    }
}
