#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::facts;
use crate::requirement::sample::Sample;
use migos_payload::board::{Architecture, BoardType};

/// Names, and what each device tells; the inventory says nothing else of them but what is added to it.
struct World {
    inventory: String,
    facts: FactsByDevice,
    migrated: BTreeSet<DeviceId>,
}

fn id(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

impl World {
    fn of(devices: &[(&str, Sample)]) -> World {
        let mut inventory = "migos: 1\ndevices:\n".to_owned();
        let mut facts = FactsByDevice::new();
        for (n, (name, sample)) in devices.iter().enumerate() {
            inventory += &format!("  {name}: {{ host: 10.0.0.{n} }}\n");
            let mut found = facts::parse(sample.text()).unwrap();
            found.serial = format!("1{n:015x}");
            facts.insert(id(name), Probed::Facts(Box::new(found)));
        }
        World { inventory, facts, migrated: BTreeSet::new() }
    }

    fn saying(mut self, lines: &str) -> World {
        self.inventory = self.inventory.replace("migos: 1\n", &format!("migos: 1\n{lines}"));
        self
    }

    fn assess(&self) -> Assessment {
        let fleet = migos_inventory::parse("inventory.yaml", &self.inventory).unwrap();
        let careful = Policy::parse("careful", Policy::shipped("careful").unwrap()).unwrap();
        let look = Look {
            fleet: &fleet,
            selection: &fleet.order,
            facts: &self.facts,
            facts_read: Sample::READ,
            offers: &offers(),
            experience: &Experience::default(),
            migrated: &self.migrated,
            playbook: &Playbook::migrate().unwrap(),
            policy: &careful,
        };
        assess(&look).unwrap()
    }
}

fn offers() -> [Offer; 2] {
    let boards =
        |names: &[&str]| names.iter().map(|name| BoardType::named(name).unwrap()).collect();
    [
        Offer {
            recipe: "thirty-two".into(),
            architecture: Architecture::Armhf,
            boards: boards(&["3B", "3B+"]),
            kernels: ["kernel7.img".to_owned()].into(),
            overlays: ["w5500.dtbo".to_owned()].into(),
            limit: ByteCount(18_000_000),
        },
        Offer {
            recipe: "sixty-four".into(),
            architecture: Architecture::Arm64,
            boards: boards(&["3B+", "4B"]),
            kernels: ["kernel8.img".to_owned()].into(),
            overlays: BTreeSet::new(),
            limit: ByteCount(24_000_000),
        },
    ]
}

/// Firmware of a time before one-shot boot.
fn old() -> Sample {
    Sample::buster().probe("firmware.has tryboot.txt start.elf", "")
}

fn weak() -> Sample {
    Sample::buster().probe("throttled 0x0", "throttled 0x50000")
}

fn checks(standing: &Standing) -> Vec<&str> {
    match standing {
        Standing::Ready(findings) | Standing::Fixable(findings) | Standing::Visit(findings) => {
            findings.iter().map(|finding| finding.check.as_str()).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn nothing_but_a_login_is_needed_to_be_ready() {
    let assessment = World::of(&[("a", Sample::buster()), ("b", Sample::bookworm())]).assess();
    assert_eq!(assessment.those(|it| *it == Standing::Ready(Vec::new())).len(), 2);
    assert_eq!(assessment.forecast.devices.len(), 2);
    let undecided: Vec<_> = assessment.undecided.iter().map(|it| it.devices.len()).collect();
    assert_eq!(undecided, [2, 2, 2, 2], "data, fleet, token, payloads");
}

#[test]
fn what_is_decided_is_not_asked_for() {
    let assessment = World::of(&[("a", Sample::buster())])
        .saying("data: none\nbalena: { fleet: acme/kiosks, token: { env: T } }\npayloads: p/\n")
        .saying("images: { raspberrypi3-64: images/three.img }\n")
        .assess();
    assert_eq!(assessment.undecided, []);
    let image = &assessment.images["raspberrypi3-64"];
    assert!(image.named.contains("images/three.img"), "the type that the inventory names is taken");
    assert!(assessment.payloads["thirty-two"].named.contains("p/"));
}

#[test]
fn a_device_is_fixable_only_if_all_against_it_is() {
    let full = |sample: Sample| sample.probe("root.space 4096 5000000", "root.space 4096 100");
    let world = World::of(&[("a", old()), ("b", full(old())), ("c", full(weak()))]);
    let assessment = world.assess();
    assert!(matches!(&assessment.devices[&id("a")], Standing::Fixable(_)));
    assert_eq!(checks(&assessment.devices[&id("b")]), ["firmware", "root-space"]);
    assert!(matches!(&assessment.devices[&id("c")], Standing::Visit(_)));
    assert_eq!(checks(&assessment.devices[&id("c")]), ["power", "root-space"]);
}

#[test]
fn the_forecast_is_for_those_that_go_as_if_they_were_mended() {
    let assessment = World::of(&[("a", old()), ("b", weak()), ("c", Sample::buster())]).assess();
    let forecast: Vec<_> = assessment.forecast.devices.keys().map(DeviceId::as_str).collect();
    assert_eq!(forecast, ["a", "c"]);
    assert_eq!(assessment.forecast.set_aside.len(), 0);
}

#[test]
fn who_cannot_be_looked_at_has_the_reason() {
    let mut world = World::of(&[
        ("away", Sample::buster()),
        ("gone", Sample::buster()),
        ("keyless", Sample::buster()),
        ("balena", Sample::buster().probe("ID=raspbian", "ID=balena-os")),
    ]);
    let silent = Probed::Unreachable("connect timeout".into());
    world.facts.insert(id("away"), silent.clone());
    world.facts.insert(id("gone"), silent);
    let unusable = Probed::Unusable { reason: "no key fits".into(), remedy: "give one".into() };
    world.facts.insert(id("keyless"), unusable);
    world.migrated.insert(id("gone"));
    world.inventory += "  held: { host: 10.0.1.1, hold: ask }\n";
    let devices = world.assess().devices;
    assert_eq!(devices.len(), 5);
    assert_eq!(devices[&id("away")], Standing::Unreachable("connect timeout".into()));
    assert!(matches!(devices[&id("gone")], Standing::Done(_)));
    assert!(matches!(devices[&id("balena")], Standing::Done(_)));
    assert_eq!(checks(&devices[&id("keyless")]), ["login"]);
    assert!(devices[&id("keyless")].goes());
    assert_eq!(devices[&id("held")], Standing::Held("ask".into()));
}

#[test]
fn a_board_that_no_recipe_is_for_stays_as_it_is() {
    let five = Sample::bookworm().probe("revision c03111", "revision c04170");
    let assessment = World::of(&[("a", five)]).assess();
    let Standing::Visit(findings) = &assessment.devices[&id("a")] else { panic!("it stays") };
    assert_eq!(findings[0].check, "payload");
    assert!(findings[0].remedy.contains("no recipe builds one"), "{}", findings[0].remedy);
    assert_eq!(assessment.payloads, BTreeMap::new());
}

#[test]
fn what_is_sent_is_counted_by_site_and_by_kind() {
    let assessment =
        World::of(&[("a", Sample::buster()), ("b", Sample::bookworm()), ("c", weak())]).assess();
    let all = assessment.all_data();
    assert_eq!((all.devices, all.sent), (2, ByteCount(2 * IMAGE_SIZE.0 + 42_000_000)));
    assert_eq!((all.least.0, all.most.0), (188_000_000, 194_000_000));
    let needs = |needs: &BTreeMap<String, Need>| -> Vec<String> {
        needs.iter().map(|(name, need)| format!("{name} {:?}", need.boards)).collect()
    };
    assert_eq!(needs(&assessment.payloads), [r#"sixty-four {"4B"}"#, r#"thirty-two {"3B+"}"#]);
    let types = [r#"raspberrypi3 {"3B+"}"#, r#"raspberrypi4-64 {"4B"}"#];
    assert_eq!(needs(&assessment.images), types);
}

#[test]
fn a_mirror_spares_the_controllers_link() {
    let assessment =
        World::of(&[("a", Sample::buster())]).saying("mirror: http://10.0.0.250/images\n").assess();
    let all = assessment.all_data();
    assert_eq!((all.sent, all.fetched), (ByteCount(18_000_000), IMAGE_SIZE));
}

#[test]
fn room_for_an_image_of_assumed_size_is_a_choice_and_no_fault() {
    let small = || Sample::buster().probe("memory 948280", "memory 400000");
    let world = World::of(&[("a", small()), ("b", Sample::buster())]);
    let assessment = world.assess();
    assert!(assessment.devices.values().all(|it| matches!(it, Standing::Ready(_))));
    let asked = assessment.undecided.last().unwrap();
    assert!(asked.remedy.contains("allow_streaming"), "{asked:?}");
    assert_eq!(asked.devices, [id("a")]);
    let unattended = world.saying("defaults: { handover: unattended }\n").assess();
    assert_eq!(checks(&unattended.devices[&id("a")]), ["memory"], "nobody can send it later");
}
