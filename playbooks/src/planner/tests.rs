#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::balena::{DeviceUuid, MigratedBefore};
use crate::estimate::Experience;
use crate::facts;
use crate::policy::Order;
use crate::policy::Prove;
use crate::requirement::sample::{Sample, image, kiosks, payload};
use crate::window::Window;
use migos_inventory::{FleetSlug, Hours, WindowChoice};
use migos_payload::board::Architecture;

/// A fleet of some size: every second device a 3B+ of the north, the others 4Bs of the south.
struct World {
    fleet: Fleet,
    facts: FactsByDevice,
    experience: Experience,
    payloads: BTreeMap<Sha256, Manifest>,
    images: BTreeMap<String, ImageManifest>,
    balena: FleetView,
    playbook: Playbook,
    policy: Policy,
    keyfiles: BTreeMap<String, Sha256>,
}

const POLICY: &str = "policy: 1
class: { soak: 0s }
prove: never
parallel: 4
per_site: 2
stages:
  - { name: canary, to: 1 }
  - { name: early, to: 25%, gate: { tolerate: 1, soak: 2s, require: vpn } }
  - { name: rest, to: 100%, parallel: 6, gate: { tolerate: 25% } }
";

fn world(size: usize) -> World {
    let mut text = "migos: 1\nbalena: { fleet: acme/kiosks }\ndata: none\n\
        images: { raspberrypi3: three.img, raspberrypi4-64: four.img }\ndevices:\n"
        .to_owned();
    let mut facts = FactsByDevice::new();
    for number in 0..size {
        let (stock, serial, site) = match number % 2 {
            0 => (Sample::buster(), "serial 00000000765fc593", "north"),
            _ => (Sample::bookworm(), "serial 10000000abcdef01", "south"),
        };
        text += &format!(
            "  k-{number:03}: {{ host: 10.0.{}.{}, site: {site} }}\n",
            number / 200,
            number % 200
        );
        let sample =
            stock.probe(serial, &format!("serial {number:016x}").replace("serial 0", "serial 1"));
        let id = DeviceId::new(format!("k-{number:03}")).unwrap();
        let found = facts::parse(sample.text()).unwrap();
        facts.insert(id, Probed::Facts(Box::new(found)));
    }
    let payloads = [
        payload(Architecture::Armhf, &[0x08, 0x0d, 0x11], "kernel7.img"),
        payload(Architecture::Arm64, &[0x0d, 0x11], "kernel8.img"),
    ];
    let fleets = BTreeMap::from([(FleetSlug::new("acme/kiosks").unwrap(), kiosks())]);
    World {
        fleet: migos_inventory::parse("inventory.yaml", &text).unwrap(),
        facts,
        payloads: payloads.map(|p| (Sha256::of(p.architecture.to_string().as_bytes()), p)).into(),
        images: [
            ("three.img".into(), image("raspberrypi3", "armv7hf")),
            ("four.img".into(), image("raspberrypi4-64", "aarch64")),
        ]
        .into(),
        keyfiles: [("keys/lte".into(), Sha256::of(b"lte"))].into(),
        balena: FleetView { fleets, ..FleetView::default() },
        experience: Experience::default(),
        playbook: Playbook::migrate().unwrap(),
        policy: Policy::parse("policy.yaml", POLICY).unwrap(),
    }
}

impl World {
    fn plan(&self) -> Plan {
        plan(&self.situation(&self.fleet.order)).unwrap()
    }

    fn situation<'a>(&'a self, selection: &'a [DeviceId]) -> Situation<'a> {
        Situation {
            fleet: &self.fleet,
            selection,
            experience: &self.experience,
            facts_read: jiff::Timestamp::UNIX_EPOCH,
            facts: &self.facts,
            payloads: &self.payloads,
            images: &self.images,
            keyfiles: &self.keyfiles,
            balena: &self.balena,
            playbook: &self.playbook,
            policy: &self.policy,
        }
    }

    fn id(&self, number: usize) -> DeviceId {
        self.fleet.order[number].clone()
    }
}

#[test]
fn equal_situations_give_equal_bytes_and_a_plan_that_checks() {
    let first = world(24).plan().to_json().unwrap();
    assert_eq!(first, world(24).plan().to_json().unwrap());
    let read = Plan::from_json(&first).unwrap();
    assert_eq!(read.to_json().unwrap(), first);
    read.check().unwrap();
}

#[test]
fn a_changed_plan_is_refused() {
    let mut plan = world(4).plan();
    plan.per_site = 9;
    assert_eq!(
        plan.check().unwrap_err().to_string(),
        "the plan was changed after it was made: its digest is not its id"
    );
}

#[test]
fn stages_hold_every_device_once_and_the_first_ones_differ() {
    let plan = world(24).plan();
    let sizes: Vec<_> = plan.stages.iter().map(|stage| stage.devices.len()).collect();
    assert_eq!(sizes, [1, 5, 18]);
    let classes: BTreeSet<_> = plan
        .stages
        .iter()
        .flat_map(|stage| &stage.devices)
        .take(2)
        .map(|id| &plan.devices[id].class)
        .collect();
    assert_eq!(classes.len(), 2, "the canary and the next are of two classes");
    assert_eq!(plan.stages[2].gate.tolerate.failed, 4, "25 % of 18, rounded down");
    assert_eq!((plan.parallel, plan.stages[1].parallel, plan.stages[2].parallel), (6, 4, 6));
}

#[test]
fn small_selections_collapse_stages() {
    let sizes = |size| {
        world(size).plan().stages.iter().map(|stage| stage.devices.len()).collect::<Vec<_>>()
    };
    assert_eq!(sizes(1), [1]);
    assert_eq!(sizes(2), [1, 1]);
}

#[test]
fn each_board_gets_its_own_payload_and_image() {
    let plan = world(2).plan();
    let chosen = |name: &str| {
        let device = &plan.devices[&DeviceId::new(name).unwrap()];
        let image = &plan.images[&device.image].device_type;
        (image.as_str(), device.tryboot_txt.contains("arm_64bit=1"))
    };
    assert_eq!(chosen("k-000"), ("raspberrypi3", false));
    assert_eq!(chosen("k-001"), ("raspberrypi4-64", true));
}

#[test]
fn a_device_is_set_aside_with_its_reason() {
    let mut world = world(6);
    let unreachable = Probed::Unreachable("connect timeout after 5 s".into());
    world.facts.insert(world.id(0), unreachable.clone());
    world.facts.remove(&world.id(1));
    let held = world.id(2);
    world.fleet.devices.get_mut(&held).unwrap().hold = Some(migos_inventory::Hold("ask".into()));
    let before = |os_version: Option<&str>| MigratedBefore {
        device: world.id(3),
        uuid: DeviceUuid("ab".repeat(16)),
        os_version: os_version.map(str::to_owned),
    };
    world.balena.migrated = [("1".into(), before(Some("balenaOS 6.0.24")))].into();
    world.facts.insert(world.id(3), unreachable);
    let twin = world.facts[&world.id(4)].clone();
    world.facts.insert(world.id(5), twin);

    let plan = world.plan();
    assert!(plan.devices.is_empty());
    let reason = |number: usize| match &plan.set_aside[&world.id(number)] {
        SetAside::Held(reason) => format!("held: {reason}"),
        SetAside::Unreachable(reason) => format!("unreachable: {reason}"),
        SetAside::AlreadyMigrated { os_version } => format!("migrated: {os_version:?}"),
        SetAside::Refused(findings) => format!("refused: {}", findings[0].reason),
    };
    assert_eq!(reason(0), "unreachable: connect timeout after 5 s");
    assert_eq!(reason(1), "unreachable: it was not probed");
    assert_eq!(reason(2), "held: ask");
    assert_eq!(reason(3), "migrated: Some(\"balenaOS 6.0.24\")");
    assert_eq!(reason(5), "refused: k-[004-005] answer with one serial number, 1000000000000004");
}

#[test]
fn a_proof_is_planned_where_it_is_asked_for() {
    let mut world = world(2);
    world.policy.prove = Prove::PerClass;
    let plan = world.plan();
    for device in plan.devices.values() {
        let Boot::OneShot { proof: Some(proof), .. } = &device.boot else {
            panic!("{:?}", device.boot)
        };
        assert!(proof.tryboot_txt.ends_with("[all]\ncmdline=/migos/probe.txt\n"));
        assert!(proof.cmdline.contains("root=PARTUUID="));
    }
    let first = plan.devices.keys().next().unwrap().clone();
    let plan = plan.check().unwrap();
    let mut taken = Vec::new();
    let mut next = plan.next_step(&first, 0);
    while let Some(n) = next {
        taken.push(plan.steps[n].id.0.clone());
        next = plan.next_step(&first, n + 1);
    }
    assert!(taken.contains(&"prove-arm".to_owned()) && !taken.contains(&"reboot".to_owned()));
}

#[test]
fn the_window_is_the_devices_own_else_the_policys_and_is_lifted_by_none() {
    let mut world = world(3);
    let night = Window::new("mon-fri", "22:00", "05:00", "Europe/Berlin").unwrap();
    let day = Hours {
        days: "daily".into(),
        from: "08:00".into(),
        to: "16:00".into(),
        zone: "America/New_York".into(),
    };
    world.policy.window = Some(night.clone());
    let (own, lifted) = (world.id(1), world.id(2));
    let mut says = |id: &DeviceId, window| {
        world.fleet.devices.get_mut(id).unwrap().window = Some(window);
    };
    says(&own, WindowChoice::Hours(day.clone()));
    says(&lifted, WindowChoice::None);
    let plan = world.plan();
    let window = |id: &DeviceId| plan.devices[id].window.clone();
    assert_eq!(window(&world.id(0)), Some(night));
    assert_eq!(window(&own), Some(Window::try_from(&day).unwrap()));
    assert_eq!(window(&lifted), None);
}

#[test]
fn who_never_fits_into_its_window_is_refused_with_a_remedy() {
    let mut world = world(3);
    world.policy.window = Some(Window::new("sun", "03:00", "03:05", "UTC").unwrap());
    let (other, wrong) = (world.id(1), world.id(2));
    let hours = |zone: &str| {
        let text = |text: &str| text.to_owned();
        WindowChoice::Hours(Hours {
            days: text("daily"),
            from: text("03:00"),
            to: text("03:00"),
            zone: text(zone),
        })
    };
    world.fleet.devices.get_mut(&other).unwrap().window = Some(hours("UTC"));
    world.fleet.devices.get_mut(&wrong).unwrap().window = Some(hours("Mars"));
    let plan = world.plan();
    assert!(plan.devices.contains_key(&other), "a window of whole days holds everything");
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan.set_aside).unwrap(), @r###"
    {
      "k-000": {
        "refused": [
          {
            "check": "window",
            "reason": "its window is open for 5m at a time (sun 03:00-03:05 UTC), and 22m are predicted with the margin",
            "remedy": "widen `window`, raise `bandwidth` if it is bounded, or leave the device out"
          }
        ]
      },
      "k-002": {
        "refused": [
          {
            "check": "window",
            "reason": "its window cannot be read: not a time zone: \"Mars\"; write it as `Europe/Berlin` or `UTC`",
            "remedy": "mend `window.zone` in the inventory"
          }
        ]
      }
    }
    "###);
}

#[test]
fn random_is_shuffled_by_its_seed_alone_and_inventory_is_as_written() {
    let mut world = world(24);
    let mut order = |order, seed| {
        (world.policy.order, world.policy.seed) = (order, seed);
        let plan = world.plan();
        plan.stages.into_iter().flat_map(|stage| stage.devices).collect::<Vec<_>>()
    };
    let written = order(Order::Inventory, 1);
    assert!(written.is_sorted());
    assert_eq!(order(Order::Inventory, 2), written);
    let one = order(Order::Random, 1);
    assert_eq!(order(Order::Random, 1), one);
    assert_ne!(order(Order::Random, 2), one);
    assert_ne!(one, written);
    let sorted: BTreeSet<_> = one.into_iter().collect();
    assert!(sorted.iter().eq(&written));
}

#[test]
fn what_checks_warn_of_and_what_is_overruled_is_in_the_plan() {
    let mut world = world(3);
    let (weak, hot, small) = (world.id(0), world.id(1), world.id(2));
    let mut change = |id: &DeviceId, change: &dyn Fn(&mut Facts)| {
        let Some(Probed::Facts(facts)) = world.facts.get_mut(id) else { panic!("{id}") };
        change(facts);
    };
    change(&weak, &|facts| facts.throttled = Some(0x50000));
    change(&hot, &|facts| facts.throttled = Some(0x8));
    change(&small, &|facts| {
        facts.disk.as_mut().unwrap().size = ByteCount(1_000_000_000);
        facts.boot.as_mut().unwrap().extent =
            Some(crate::facts::Extent { start: 4 << 20, size: 256 << 20 });
    });
    let plan = world.plan();
    let check = |set_aside: &SetAside| match set_aside {
        SetAside::Refused(findings) => findings[0].check.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(check(&plan.set_aside[&weak]), "power");
    assert_eq!(check(&plan.set_aside[&small]), "lifeboat");
    assert_eq!(plan.devices[&hot].warnings[0].check, "throttled");

    world.policy.allow = [Allow::NO_LIFEBOAT, "power".parse().unwrap()].into();
    let plan = world.plan();
    assert!(plan.set_aside.is_empty());
    assert_eq!(plan.devices[&weak].overruled[0].check, "power");
    assert!(!plan.devices[&weak].no_lifeboat);
    assert_eq!(plan.devices[&small].overruled[0].check, "lifeboat");
    assert!(plan.devices[&small].no_lifeboat);
    let json = plan.to_json().unwrap();
    let read = Plan::from_json(&json).unwrap();
    assert_eq!(read.allow, world.policy.allow);
    read.check().unwrap();
}

#[test]
fn every_verdict_of_a_device_is_told() {
    let mut world = world(2);
    world.policy.window = Some(Window::new("daily", "20:00", "06:00", "UTC").unwrap());
    let unusable = Probed::Unusable { reason: "sudo asks".into(), remedy: "allow it".into() };
    world.facts.insert(world.id(1), unusable);
    let selection = world.fleet.order.clone();
    let situation = world.situation(&selection);
    let told = verdicts(&situation, &world.id(0)).unwrap();
    assert!(told.iter().all(|(_, verdict)| matches!(verdict, Verdict::Pass(_))), "{told:?}");
    let names: Vec<&str> = told.iter().map(|(name, _)| *name).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("serial", "window"));
    let told = verdicts(&situation, &world.id(1)).unwrap();
    assert!(matches!(&told[..], [("login", Verdict::Refuse(_))]), "{told:?}");
    let nobody = DeviceId::new("nobody").unwrap();
    assert_eq!(verdicts(&situation, &nobody), None);
}
