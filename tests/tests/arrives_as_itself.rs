//! A device arrives on balena as itself: named, tagged, with its variables, on its release and in its fleet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_lab::balena_api::{DeviceRecord, Fault, FleetConfig, HeartbeatState, ReleaseConfig};
use migos_playbooks::step::Action;
use migos_tests::fleet::{Bench, begins};

const COMMIT: &str = "0123456789abcdef0123456789abcdef";

const IDENTITY: &str = r#"
on_balena:
  name: "{hostname}-of-acme"
  tags: { owner: acme }
  environment:
    PLAIN: "a value"
    TOKEN: { file: token.txt }
    SITE_KEY: { device: /etc/site-key }
  config: { RESIN_SUPERVISOR_DELTA: "1" }
  release: 0123456789abcdef0123456789abcdef
  move_to: lab/field
  ssh_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA operator"]
  country: DE
"#;

/// A lab with a second fleet that has a release, and the inventory with these words.
fn bench(devices: usize, faults: &str, identity: &str) -> Bench {
    let bench = Bench::start(devices, faults, Pace::test()).unwrap();
    let api = bench.lab().api();
    api.add_fleet(FleetConfig {
        slug: "lab/field".to_owned(),
        device_type: "raspberry-pi".to_owned(),
        architecture: "rpi".to_owned(),
        id: 2,
        release: Vec::new(),
    });
    api.add_release(ReleaseConfig { fleet: 2, id: 77, commit: COMMIT.to_owned(), is_final: true });
    for pi in bench.lab().devices() {
        pi.put_file("/etc/site-key", format!("key of {}\n", pi.name()).as_bytes()).unwrap();
    }
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    bench.home.write("lab/inventory.yaml", inventory + identity).unwrap();
    bench.home.write("lab/token.txt", "hush hush\n").unwrap();
    bench
}

fn record(bench: &Bench, device: &str) -> DeviceRecord {
    let of_device = |record: &DeviceRecord| record.name.starts_with(device);
    bench.lab().api().devices().into_iter().find(of_device).unwrap()
}

fn assert_is_itself(bench: &Bench, device: &str) {
    let it = record(bench, device);
    assert_eq!(it.name, format!("{device}-of-acme"));
    assert_eq!((it.fleet.as_str(), it.pinned), ("lab/field", Some(77)));
    assert_eq!(it.tags["owner"], "acme");
    assert_eq!(it.tags["migos.hostname"], device);
    assert_eq!(it.tags["migos.run"], bench.home.only_run().unwrap().name());
    assert_eq!(it.tags["migos.serial"].len(), 16);
    assert_eq!(it.environment["PLAIN"], "a value");
    assert_eq!(it.environment["TOKEN"], "hush hush");
    assert_eq!(it.environment["SITE_KEY"], format!("key of {device}"));
    assert_eq!(it.variables["RESIN_SUPERVISOR_DELTA"], "1");
}

#[test]
fn devices_are_named_tagged_set_up_moved_and_pinned() {
    let bench = bench(2, "", IDENTITY);
    let args = ["--change", "CHG-7"];
    let ended = bench.migrate(&args).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for device in ["kiosk-001", "kiosk-002"] {
        assert_is_itself(&bench, device);
        assert_eq!(record(&bench, device).tags["migos.change"], "CHG-7");
    }
    let run = bench.home.only_run().unwrap();
    for file in ["plan.json", "journal.jsonl", "controller.log", "summary.json", "sources.json"] {
        let text = std::fs::read_to_string(run.path().join(file)).unwrap();
        for secret in ["hush hush", "key of kiosk"] {
            assert!(!text.contains(secret), "{file} has {secret}");
        }
    }
}

#[test]
fn what_cannot_be_is_refused_in_the_plan() {
    let draft =
        "\non_balena: { release: fedcba98765432100123456789abcdef, move_to: lab/nowhere }\n";
    let bench = bench(1, "", draft);
    let planned = bench.home.run(&["plan", "--strict", "lab/inventory.yaml"]).unwrap();
    assert_eq!(planned.code, Some(6), "{}", planned.stderr);
    let said: String = planned.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("balena has no fleet lab/nowhere"), "{said}");
    assert!(said.contains("lab/nowhere has no release fedcba98765432100123456789abcdef"), "{said}");
}

#[test]
fn a_device_that_is_not_moved_has_arrived_all_the_same() {
    let bench = bench(1, "", "\non_balena: { move_to: lab/field }\n");
    bench.lab().api().set_fault(Fault::NoMoves);
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let run = bench.home.only_run().unwrap();
    let summary = run.summary().unwrap();
    let device = &summary["devices"]["kiosk-001"];
    assert_eq!(device["state"], "migrated");
    assert!(device["remark"].as_str().unwrap().starts_with("not moved to lab/field: "));
    assert!(ended.stdout.contains("arrived, but"), "{}", ended.stdout);

    bench.lab().api().set_fault(Fault::None);
    let resumed = bench.home.run(&["resume", &run.name()]).unwrap();
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(record(&bench, "kiosk-001").fleet, "lab/field");
    assert!(run.summary().unwrap()["devices"]["kiosk-001"]["remark"].is_null());
}

#[test]
fn a_registration_that_was_cut_off_is_done_once() {
    let bench = bench(1, "", IDENTITY);
    bench.lab().api().set_fault(Fault::LostRegistrations);
    let mut process = bench.migrate(&[]).unwrap();
    let home = &bench.home;
    home.until_record(&mut process, "register", |it| begins(it, Action::Register)).unwrap();
    let api = bench.lab().api();
    process.until("a record on balena", || !api.devices().is_empty()).unwrap();
    process.kill().unwrap();
    api.set_fault(Fault::None);
    let resumed = home.run(&["resume", &home.only_run().unwrap().name()]).unwrap();
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(api.devices().len(), 1);
    assert_is_itself(&bench, "kiosk-001");
}

#[test]
fn a_device_whose_app_never_runs_needs_hands_and_says_why() {
    let bench = bench(1, "kiosk-001: [release-never-runs]", "");
    let quick = migos_tests::fleet::QUICK.replace("late: 2m, lost: 4m", "late: 1s, lost: 3s");
    bench.home.write("quick.yaml", quick).unwrap();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(8), "{}", ended.stderr);
    let summary = bench.home.only_run().unwrap().summary().unwrap();
    let device = &summary["devices"]["kiosk-001"];
    assert_eq!(device["state"], "stuck", "{device}");
    assert!(ended.stdout.contains("its app does not run"), "{}", ended.stdout);
}

#[test]
fn records_of_devices_that_never_arrived_are_cleaned_up_and_no_others() {
    let bench = bench(2, "kiosk-001: [one-shot-ignored]", "");
    let api = bench.lab().api();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    assert_eq!(api.devices().len(), 1, "what failed has been withdrawn");

    // The answer of a later registration was lost, and nobody could withdraw it.
    let run = bench.home.only_run().unwrap();
    let text = std::fs::read_to_string(run.path().join("secrets/kiosk-001.json")).unwrap();
    let uuid = serde_json::from_str::<serde_json::Value>(&text).unwrap()["uuid"].clone();
    api.enrol(1, "raspberrypi3", uuid.as_str().unwrap());
    api.enrol(1, "raspberrypi3", &"5e".repeat(16));

    let cleanup = |more: &[&str]| {
        bench.home.run(&[&["cleanup", "lab/inventory.yaml"], more].concat()).unwrap()
    };
    let shown = cleanup(&["--dry-run"]);
    assert_eq!((shown.code, shown.stdout.lines().count()), (Some(0), 1), "{}", shown.stdout);
    assert!(shown.stdout.starts_with("kiosk-001"), "{}", shown.stdout);
    assert_eq!(api.devices().len(), 3);
    assert_eq!(cleanup(&[]).code, Some(2), "nobody is there to confirm");
    assert_eq!(cleanup(&["--yes"]).code, Some(0));
    let left: Vec<_> = api.devices().into_iter().map(|it| (it.uuid, it.heartbeat)).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&("5e".repeat(16), HeartbeatState::Unknown)), "somebody else's");
}
