//! A fleet whose devices reach the network in all the ways that the lab knows: who can be carried over arrives, under its
//! name, with its tags, and with its data kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_inventory::DeviceId;
use migos_lab::{NetworkKind, Pace, State, mixed_networks};
use migos_payload::digest::Sha256;
use migos_playbooks::plan::{Plan, SetAside};
use migos_tests::fleet::{Bench, Run, STRAIGHT};
use std::collections::BTreeMap;

/// As many as every kind needs to have a board that fits it.
const DEVICES: usize = 24;

/// Ways out that MIGOS does not know.
fn is_beyond_migos(kind: NetworkKind) -> bool {
    matches!(kind, NetworkKind::Vlan | NetworkKind::Cellular)
}

/// What the inventory says of names, tags and data.
const IDENTITY: &str = "
data: { keep: [/home/pi/photos] }
on_balena: { name: \"{hostname}-of-acme\", tags: { owner: acme } }
";

fn photo(name: &str) -> String {
    format!("what {name} has seen")
}

/// Under its name, with its tags and its old host name, and with its photos in the run's folder.
fn assert_is_itself(bench: &Bench, run: &Run, name: &str) {
    let devices = bench.lab().api().devices();
    let record = devices.iter().find(|record| record.name == format!("{name}-of-acme"));
    let record = record.unwrap_or_else(|| panic!("balena has no {name}"));
    assert_eq!((&*record.tags["owner"], &*record.tags["migos.hostname"]), ("acme", name));
    let folder = run.path().join("data").join(name);
    let list = std::fs::read_to_string(folder.join("data.json")).unwrap();
    let archive = std::fs::read(folder.join("01-photos.tar.gz")).unwrap();
    assert!(list.contains(&Sha256::of(&archive).to_string()), "{name}: {list}");
}

#[test]
fn a_fleet_with_every_kind_of_network_arrives_whole() {
    let networks = mixed_networks(DEVICES, 1);
    let bench = Bench::with_networks(DEVICES, "", networks.clone(), Pace::test()).unwrap();
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    assert!(inventory.contains("\ndata: none\n"), "{inventory}");
    let inventory = inventory.replacen("\ndata: none\n", IDENTITY, 1);
    bench.home.write("lab/inventory.yaml", inventory).unwrap();
    for pi in bench.lab().devices() {
        pi.put_file("/home/pi/photos/1.jpg", photo(pi.name()).as_bytes()).unwrap();
    }
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    let run = bench.home.only_run().unwrap();
    let plan = std::fs::read_to_string(run.path().join("plan.json")).unwrap();
    let plan = Plan::from_json(&plan).unwrap();

    let mut met: BTreeMap<NetworkKind, usize> = BTreeMap::new();
    for (name, kind) in &networks {
        let (id, pi) = (name.parse::<DeviceId>().unwrap(), bench.device(name).unwrap());
        *met.entry(*kind).or_default() += 1;
        if is_beyond_migos(*kind) {
            let Some(SetAside::Refused(findings)) = plan.set_aside.get(&id) else {
                panic!("{name} with {kind:?} is not refused: {:?}", plan.devices.get(&id));
            };
            assert!(findings.iter().any(|it| it.check == "network"), "{name}: {findings:?}");
            assert_eq!(pi.state(), State::Raspbian, "{name} with {kind:?}");
            continue;
        }
        let planned = plan.devices.get(&id);
        let planned = planned.unwrap_or_else(|| panic!("{kind:?}: {:?}", plan.set_aside.get(&id)));
        assert_eq!(planned.network.wifi, kind.needs_radio(), "{name} with {kind:?}");
        assert_eq!(pi.life().states, STRAIGHT, "{name} with {kind:?}: {}", ended.stderr);
        assert_is_itself(&bench, &run, name);
    }
    assert_eq!(met.len(), NetworkKind::ALL.len());
    assert_eq!(ended.code, Some(6), "some are refused: {}", ended.stderr);
}

/// The shop's Wi-Fi by its passphrase, and a keyfile of the operator's own.
fn shop() -> Bench {
    let networks = BTreeMap::from([("kiosk-003".to_owned(), NetworkKind::Wifi)]);
    Bench::with_networks(3, "", networks, Pace::test()).unwrap()
}

const OFFICE: &str = "[connection]\nid=office\ntype=wifi\n[wifi]\nssid=office\n\
                      [wifi-security]\nkey-mgmt=wpa-psk\npsk=the operator's own\n";

#[test]
fn keyfiles_of_the_inventory_come_along() {
    let bench = shop();
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    let inventory = inventory.replacen("\ndefaults:", "\ndefaults:\n  keyfiles: [../office]", 1);
    bench.home.write("lab/inventory.yaml", &inventory).unwrap();
    let missing = bench.home.run(&["plan", "lab/inventory.yaml"]).unwrap();
    assert_eq!(missing.code, Some(3), "{}", missing.stderr);
    assert!(missing.stderr.contains("failed to read the keyfile"), "{}", missing.stderr);
    bench.home.write("office", "[wifi-security]\npsk=the operator's own\n").unwrap();
    let wrong = bench.home.run(&["plan", "lab/inventory.yaml"]).unwrap();
    assert!(wrong.stderr.contains("is no keyfile of NetworkManager"), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("operator's own"), "{}", wrong.stderr);

    bench.home.write("office", OFFICE).unwrap();
    let detail = ["plan", "lab/inventory.yaml", "--detail", "kiosk-003"];
    let detail = bench.home.run(&detail).unwrap();
    assert!(detail.stdout.contains("Network of kiosk-003"), "{}{}", detail.stdout, detail.stderr);
    assert!(detail.stdout.contains("psk=<secret>"), "{}", detail.stdout);
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let run = bench.home.only_run().unwrap();
    for name in ["kiosk-001", "kiosk-002", "kiosk-003"] {
        assert_eq!(bench.device(name).unwrap().state(), State::BalenaOs, "{name}");
        let kept = run.path().join(format!("secrets/networks/{name}.json"));
        assert!(std::fs::read_to_string(kept).unwrap().contains("operator's own"), "{name}");
    }
}
