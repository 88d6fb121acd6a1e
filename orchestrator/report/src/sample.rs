//! A small plan and a small run, for tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use migos_events::{
    Cause, CauseKind, DeviceEvent, Event, History, Learned, Outcome, Record, RunId, StepRef,
};
use migos_inventory::{Bastion, DeviceId, FleetSlug, Login, PortRange, SiteName};
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::File;
use migos_payload::size::ByteCount;
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::estimate::Estimate;
use migos_playbooks::plan::{
    Boot, Class, DevicePlan, Erased, Finding, Folder, Gate, Handover, Inputs, PLAN_SCHEMA,
    PayloadSummary, Plan, PlanId, Proof, SetAside, Stage, Tolerance,
};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::{
    Arrival, Bandwidth, Budget, ClassRule, DeadMan, Prove, Stragglers, Unsited,
};
use migos_playbooks::span::Span;
use migos_playbooks::step::{ACTIONS, Action, Reversal, When};
use std::collections::BTreeMap;
use std::time::Duration;

/// The path of a private key, which nobody is to see.
pub(crate) const IDENTITY: &str = "/home/anna/.ssh/fleet";

pub(crate) fn id(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn image(device_type: &str, size: u64) -> (Sha256, ImageManifest) {
    let text = serde_json::json!({
        "schema": 1, "device_type": device_type, "architecture": "armv7hf",
        "os_version": "balenaOS 6.0.24", "compression": "gzip",
        "size": size, "sha256": Sha256::of(device_type.as_bytes()).to_string(),
        "raw_size": 1_950_000_000_u64, "raw_sha256": Sha256::of(b"raw").to_string(),
    });
    let image: ImageManifest = serde_json::from_value(text).unwrap();
    (image.sha256, image)
}

fn payload(version: &str) -> (Sha256, PayloadSummary) {
    let file = |path: &str, size| File {
        path: path.to_owned(),
        size: ByteCount(size),
        sha256: Sha256::of(path.as_bytes()),
    };
    let files = vec![file("initrd.migos", 11_000_000), file("kernel7.img", 6_300_000)];
    (Sha256::of(version.as_bytes()), PayloadSummary { version: version.to_owned(), files })
}

fn device(name: &str, board: &str) -> DevicePlan {
    let north = board == "3B+";
    let kind = if north { "raspberrypi3" } else { "raspberrypi4-64" };
    let watchdog = if north { "arm_64bit=0" } else { "arm_64bit=1\nenable_uart=1" };
    DevicePlan {
        login: Login { identities: vec![IDENTITY.into()], ..Login::at("10.1.4.42") },
        site: Some(SiteName::new(if north { "north" } else { "south" }).unwrap()),
        class: Class {
            board: board.into(),
            firmware: if north { "May 14 2025".into() } else { String::new() },
            os: if north { "raspbian 10" } else { "debian 12" }.into(),
            kernel: if north { "5.10.103-v7+" } else { "6.6.20-v8" }.into(),
        },
        serial: "00000000765fc593".into(),
        machine_id: "6f".repeat(16),
        boot_sums: BTreeMap::new(),
        boot: Boot::OneShot { update: None, proof: None },
        handover: Handover::default(),
        may_be_tunnelled: false,
        boot_read_only: false,
        boot_path: if north { "/boot" } else { "/boot/firmware" }.into(),
        window: None,
        estimate: Estimate {
            to_reboot: Span::seconds(540),
            to_commit: Span::seconds(600),
            to_well: Span::seconds(900),
            flash: Span::seconds(600),
            measured: false,
        },
        data: None,
        erased: Erased {
            card: ByteCount(15_900_000_000),
            used: ByteCount(if north { 1_900_000_000 } else { 6_100_000_000 }),
            largest: vec![Folder { size: ByteCount(1_200_000_000), path: "/home/pi/media".into() }],
        },
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
        hostname: name.into(),
        payload: payload("1.4.2").0,
        image: image(kind, 0).0,
        streamed: None,
        mirror: None,
        fleet: FleetSlug::new("acme/kiosks").unwrap(),
        fleet_id: 7,
        resets_a_hung_kernel: !north,
        tryboot_txt: format!(
            "[all]\nos_prefix=migos/\ninitramfs initrd.migos followkernel\n{watchdog}\n[all]\n"
        ),
        cmdline: "console=tty1 panic=10 rdinit=/init".into(),
    }
}

/// A host that devices call.
pub(crate) fn bastion() -> Bastion {
    Bastion {
        host: "bastion.example.org".into(),
        port: 22,
        user: "callers".into(),
        identity: None,
        known_hosts: None,
        ports: PortRange::DEFAULT,
        reach: None,
    }
}

fn stage(name: &str, devices: &[&str], gate: Gate) -> Stage {
    let devices = devices.iter().map(|name| id(name)).collect();
    Stage { name: name.into(), devices, parallel: 4, gate }
}

/// Three Pi 3B+ and two Pi 4B in two stages; devices set aside for every reason.
pub(crate) fn plan() -> Plan {
    let kiosks = [1, 2, 3, 61, 62].map(|number| {
        let name = format!("kiosk-{number:03}");
        (id(&name), device(&name, if number < 60 { "3B+" } else { "4B" }))
    });
    let canary = Gate {
        tolerate: Tolerance::default(),
        soak: Span::seconds(1800),
        pause: Some("Check the canary, then resume.".into()),
        ..Gate::default()
    };
    let rest = Gate {
        tolerate: Tolerance { failed: 1, unreachable: 2, ..Tolerance::default() },
        ..Gate::default()
    };
    let finding = |reason: &str, remedy: &str| Finding {
        check: "sample".into(),
        reason: reason.into(),
        remedy: remedy.into(),
    };
    let full = SetAside::Refused(vec![
        finding(
            "the boot partition has 8 MB free, 17 MB are needed",
            "remove old kernels from /boot",
        ),
        finding("under-voltage seen since boot (throttled=0x50000)", "check the power supply"),
    ]);
    let wifi = SetAside::Refused(vec![finding(
        "it reaches the network through wlan0, not Ethernet",
        "plug in a cable",
    )]);
    let done = SetAside::AlreadyMigrated { os_version: Some("balenaOS 6.0.24".into()) };
    let held = SetAside::Held("screens being replaced, ask the site".into());
    let silent = SetAside::Unreachable("connect timeout after 15 s, 3 tries".into());
    let digest = Sha256::of(b"plan");
    Plan {
        schema: PLAN_SCHEMA,
        id: PlanId(digest),
        inputs: Inputs {
            inventory: digest,
            facts: digest,
            playbook: digest,
            policy: digest,
            balena: digest,
        },
        reduced_from: None,
        facts_read: Timestamp::UNIX_EPOCH,
        api: "https://api.balena-cloud.com".into(),
        steps: Playbook::migrate().unwrap().steps().to_vec(),
        stages: vec![
            stage("canary", &["kiosk-002"], canary),
            stage("rest", &["kiosk-061", "kiosk-001", "kiosk-003", "kiosk-062"], rest),
        ],
        per_site: 2,
        parallel: 8,
        budget: Budget { failed: Some(5), stuck: 0, lost: 0 },
        arrival: Arrival {
            late: Span::seconds(1200),
            lost: Span::seconds(7200),
            poll: Span::seconds(20),
            heartbeat: Arrival::heartbeat_default(),
            release: Default::default(),
            stable: Span::default(),
        },
        dead_man: DeadMan {
            contact: Span::seconds(600),
            commit: Span::seconds(1800),
            hung: Span::seconds(180),
        },
        prove: Prove::Never,
        unsited: Unsited::OneSite,
        class: ClassRule { soak: Span::seconds(1200), failures: 2 },
        stragglers: Stragglers::default(),
        bandwidth: Bandwidth::default(),
        on_event: None,
        allow: Default::default(),
        payloads: [payload("1.4.2")].into(),
        images: [image("raspberrypi3", 164_000_000), image("raspberrypi4-64", 180_000_000)].into(),
        migrated_before: BTreeMap::new(),
        devices: kiosks.into(),
        set_aside: [
            (id("bench-1"), done.clone()),
            (id("bench-2"), done),
            (id("kiosk-053"), held.clone()),
            (id("kiosk-054"), held),
            (id("kiosk-057"), full.clone()),
            (id("kiosk-058"), full),
            (id("kiosk-109"), wifi),
            (id("kiosk-114"), silent),
        ]
        .into(),
    }
}

/// The same fleet with one-shot boot proven per class, and the Pi 4B's `config.txt` rewritten.
pub(crate) fn plan_with_proof() -> Plan {
    let mut plan = plan();
    plan.prove = Prove::PerClass;
    for device in plan.devices.values_mut() {
        device.boot = match device.class.board.as_str() {
            "3B+" => Boot::OneShot {
                update: None,
                proof: Some(Proof {
                    tryboot_txt: "gpu_mem=16\n[all]\ncmdline=/migos/probe.txt\n".into(),
                    cmdline: "console=tty1 root=PARTUUID=738a4d67-02 rootwait".into(),
                }),
            },
            _ => Boot::Rewrite { reason: "its firmware has no one-shot boot".into() },
        };
        device.boot_read_only = device.class.board == "4B";
    }
    plan
}

/// Records of a run, written down event by event.
pub(crate) struct Story {
    pub(crate) records: Vec<Record>,
    now: u64,
}

impl Story {
    /// A run of [`plan`] that has just begun its first stage.
    pub(crate) fn begin() -> Story {
        Story::with(5, 3, 1)
    }

    /// A run of so many devices, and so many left out by the plan, that has just begun.
    pub(crate) fn with(devices: u32, refused: u32, unreachable: u32) -> Story {
        let mut story = Story { records: Vec::new(), now: 0 };
        story.add(Event::RunStarted {
            run: RunId("7f3a2c-01".into()),
            plan: plan().id,
            controller: "0.1.0".into(),
            devices,
            refused,
            unreachable,
            change: None,
        });
        story.add(Event::StageStarted { stage: 0 });
        story
    }

    /// Time goes by, in seconds.
    pub(crate) fn later(&mut self, seconds: u64) -> &mut Self {
        self.now += seconds * 1000;
        self
    }

    pub(crate) fn add(&mut self, event: Event) -> &mut Self {
        self.records.push(Record {
            seq: self.records.len() as u64,
            at: Timestamp::from_millisecond(1_795_000_000_000 + self.now as i64).unwrap(),
            elapsed: Duration::from_millis(self.now),
            event,
        });
        self
    }

    pub(crate) fn device(&mut self, name: &str, what: DeviceEvent) -> &mut Self {
        self.add(Event::Device { device: id(name), what })
    }

    /// The device takes its steps, 20 seconds each, from the first up to this one, which it begins.
    pub(crate) fn steps(&mut self, name: &str, upto: Action) -> &mut Self {
        for step in before(upto) {
            if step.action == Action::Commit {
                self.device(name, DeviceEvent::CommitAsked);
            }
            self.device(name, DeviceEvent::StepStarted { step }).later(20);
            let bytes_sent = (step.action == Action::SendImage).then_some(164_000_000);
            let learned = Learned { bytes_sent, ..Learned::default() };
            self.device(name, DeviceEvent::StepDone { step, learned });
        }
        self.device(name, DeviceEvent::StepStarted { step: step(upto) })
    }

    pub(crate) fn migrated(&mut self, name: &str, uuid: &str) -> &mut Self {
        self.steps(name, Action::AwaitBalena).later(60);
        let os_version = "balenaOS 6.0.24+rev1".into();
        self.device(name, DeviceEvent::Migrated { uuid: DeviceUuid(uuid.repeat(4)), os_version })
    }

    pub(crate) fn fails(
        &mut self,
        name: &str,
        at: Action,
        kind: CauseKind,
        why: &str,
    ) -> &mut Self {
        let cause = Cause { kind, message: why.into() };
        self.steps(name, at).later(3);
        self.device(name, DeviceEvent::StepFailed { step: step(at), cause: cause.clone() });
        self.takes_back(name, at).device(name, DeviceEvent::Failed { cause })
    }

    /// What the device did up to this step and with it is taken back, the last first.
    pub(crate) fn takes_back(&mut self, name: &str, from: Action) -> &mut Self {
        let steps = before(from).chain([step(from)]).rev();
        for step in steps.filter(|step| step.action.reversal() == Reversal::Undo) {
            self.device(name, DeviceEvent::UndoStarted { step });
            self.device(name, DeviceEvent::UndoDone { step });
        }
        self
    }

    /// The run up to the pause at the canary's gate.
    pub(crate) fn paused() -> Story {
        let mut story = Story::begin();
        story.migrated("kiosk-002", "5e91c2a7");
        story.add(Event::SoakStarted { stage: 0 }).later(1800);
        let reason = "Check the canary, then resume.".into();
        story.add(Event::Paused { reason, gate: Some(0) });
        story.add(Event::RunEnded { outcome: Outcome::Paused });
        story
    }

    /// A whole run in which one device fails and one is lost.
    pub(crate) fn stopped() -> Story {
        let mut story = Story::paused();
        story.add(Event::RunResumed { controller: "0.1.0".into() });
        story.add(Event::StagePassed { stage: 0 });
        story.add(Event::StageStarted { stage: 1 });
        story.fails("kiosk-061", Action::SendImage, CauseKind::Step, "no space left on device\n");
        story.add(Event::BalenaAway { message: "connection refused".into() }).later(30);
        story.add(Event::BalenaBack);
        story.device("kiosk-001", DeviceEvent::StepStarted { step: step(Action::Check) }).later(4);
        let message = "connection reset".into();
        story.device("kiosk-001", DeviceEvent::StepRetried { step: step(Action::Check), message });
        story
            .later(9)
            .device("kiosk-001", DeviceEvent::Recalled { reason: String::new() })
            .later(2);
        story.device("kiosk-001", DeviceEvent::WentBack);
        story
            .steps("kiosk-062", Action::AwaitBalena)
            .later(1200)
            .device("kiosk-062", DeviceEvent::Late);
        story.fails("kiosk-003", Action::Check, CauseKind::Away, "connect timeout after 15 s");
        let message = "not seen by balena for 2h".into();
        story.later(6000).device("kiosk-062", DeviceEvent::Lost { message });
        story.add(Event::Stopped {
            reason: "1 lost, 0 allowed in the whole run".into(),
            undo: false,
        });
        story.add(Event::RunEnded { outcome: Outcome::Stopped });
        story
    }

    /// An interrupted run that a person took back: one device is undone, one is stuck.
    pub(crate) fn taken_back() -> Story {
        let mut story = Story::begin();
        story.steps("kiosk-002", Action::AwaitMigos);
        story.device("kiosk-002", DeviceEvent::Recalled { reason: String::new() });
        story.takes_back("kiosk-002", Action::AwaitMigos);
        story.device("kiosk-002", DeviceEvent::WentBack);
        story.fails("kiosk-003", Action::Backup, CauseKind::Step, "no space left on device");
        story.add(Event::Interrupted).add(Event::RunEnded { outcome: Outcome::Interrupted });
        story.add(Event::RunResumed { controller: "0.1.0".into() }).later(5);
        story.device("kiosk-002", DeviceEvent::UndoOrdered);
        story.device("kiosk-003", DeviceEvent::UndoOrdered);
        story.later(12).device("kiosk-002", DeviceEvent::Undone);
        let message = "the boot partition is not what it was: new.txt is new".into();
        story.later(3).device("kiosk-003", DeviceEvent::Stuck { message });
        story.add(Event::RunEnded { outcome: Outcome::TakenBack });
        story
    }

    pub(crate) fn history(&self) -> History {
        History::replay(&self.records).unwrap()
    }
}

/// The step of the plan that does this.
pub(crate) fn step(action: Action) -> StepRef {
    let n = ACTIONS.iter().position(|(other, _)| *other == action).unwrap();
    StepRef { n, action }
}

/// The steps of a device that boots once without proof, before this one.
fn before(action: Action) -> impl DoubleEndedIterator<Item = StepRef> {
    let taken = |when| matches!(when, When::Always | When::OneShot | When::Ordered);
    let steps = ACTIONS.iter().filter(move |(_, when)| taken(*when)).map(|(action, _)| *action);
    steps.filter(move |other| *other < action).map(step)
}
