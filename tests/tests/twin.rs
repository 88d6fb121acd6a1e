//! A rollout is rehearsed: a fleet is probed, and its twin, made of the saved facts, is planned and migrated like it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_playbooks::facts::{Facts, FactsFile, Probed};
use migos_tests::fleet::{Bench, Home, Process, QUICK};
use serde_json::Value;
use std::collections::BTreeMap;

/// Devices of several models and releases, and what is wrong with some of them.
const FAULTS: &str = "\
kiosk-002: [no-space]
kiosk-003: [unreachable]
kiosk-004: [under-voltage, read-only-boot]
kiosk-005: [tunnel]
kiosk-006: [wrong-host-key]
kiosk-007: [overlay-root]
kiosk-008: [old-firmware]
kiosk-009: [sudo-asks]
";

/// What the program and a plan say of a fleet.
struct Seen {
    facts: FactsFile,
    plan: Value,
}

/// Probes and plans the fleet of an inventory.
fn look(home: &Home, inventory: &str) -> Seen {
    let ended = home.run(&["probe", inventory, "-o", "facts.json"]).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let plan = ["plan", inventory, "--policy", "quick.yaml", "--format", "json"];
    let ended = home.run(&plan).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let facts = serde_json::from_str(&home.read("facts.json").unwrap()).unwrap();
    Seen { facts, plan: serde_json::from_str(&ended.stdout).unwrap() }
}

/// Starts the twin of the facts that the fleet was probed for last, and waits until its devices are up.
fn start_twin(home: &Home, more: &[&str]) -> Process {
    let args = ["lab", "twin", "original.json", "--dir", "twin"];
    let mut twin = home.start(&[&args, more].concat()).unwrap();
    twin.until_says("are running").unwrap();
    twin
}

/// What must differ: the lab's API is asked for in place of the original's, and the clock has gone on.
fn comparable(facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    facts.reach = facts
        .reach
        .values()
        .enumerate()
        .map(|(place, reached)| (place.to_string(), *reached))
        .collect();
    facts.clock = None;
    facts
}

/// Who is migrated how, and why others are not: without addresses, which differ.
fn outcome(plan: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, device) in plan["devices"].as_object().unwrap() {
        let keys =
            ["boot", "boot_files", "tryboot_txt", "boot_sums", "cmdline", "class", "warnings"];
        let told = keys.iter().map(|key| format!("{key}: {}\n", device[key]));
        found.insert(name.clone(), told.collect());
    }
    for (name, why) in plan["set_aside"].as_object().unwrap() {
        let words = why.to_string();
        let is_same_here = |word: &&str| !word.contains("127.0.") && !word.contains('/');
        found.insert(name.clone(), words.split(' ').filter(is_same_here).collect());
    }
    found
}

#[test]
fn a_twin_has_the_same_facts_and_the_same_plan_and_is_migrated() {
    let bench = Bench::start(12, FAULTS, Pace::test()).unwrap();
    let home = Home::new().unwrap();
    home.write("quick.yaml", QUICK).unwrap();
    let inventory = bench.home.path().join("lab/inventory.yaml");
    let original = look(&home, inventory.to_str().unwrap());
    home.write("original.json", home.read("facts.json").unwrap()).unwrap();
    drop(bench);

    let twin = start_twin(&home, &[]);
    let rehearsal = look(&home, "twin/inventory.yaml");
    let (before, after) = (&original.facts.devices, &rehearsal.facts.devices);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let mut answered = 0;
    for (id, one) in before {
        match (one, &after[id]) {
            (Probed::Facts(one), Probed::Facts(other)) => {
                answered += 1;
                assert_eq!(comparable(one), comparable(other), "{id}");
            }
            (Probed::Unreachable(one), Probed::Unreachable(other)) => assert_eq!(one, other),
            (
                Probed::Unusable { reason, remedy },
                Probed::Unusable { reason: other, remedy: same },
            ) => {
                let kind = |reason: &str| reason.split(':').next().unwrap().to_owned();
                assert_eq!((kind(reason), remedy), (kind(other), same));
            }
            (one, other) => panic!("{id}: {one:?}, then {other:?}"),
        }
    }
    assert_eq!(answered, 9, "{before:?}");
    assert_eq!(outcome(&original.plan), outcome(&rehearsal.plan));

    let migrate = ["migrate", "--yes", "twin/inventory.yaml", "--policy", "quick.yaml"];
    let ended = home.run(&migrate).unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    let fates = home.only_run().unwrap().fates().unwrap();
    assert!(fates.len() >= 4 && fates.iter().all(|(_, fate)| fate == "migrated"), "{fates:?}");
    twin.signal("INT").unwrap();
    assert_eq!(twin.end().unwrap().code, Some(0));
}

#[test]
fn sites_groups_holds_and_the_policy_are_those_of_the_inventory() {
    let bench = Bench::start(4, "", Pace::test()).unwrap();
    let home = Home::new().unwrap();
    home.write("quick.yaml", QUICK).unwrap();
    let inventory = bench.home.path().join("lab/inventory.yaml");
    let probe = ["probe", inventory.to_str().unwrap(), "-o", "facts.json"];
    assert_eq!(home.run(&probe).unwrap().code, Some(0));
    home.write(
        "fleet.yaml",
        "migos: 1\npolicy: quick.yaml\ndata: none\n\
         groups:\n  west: { devices: [\"kiosk-[001:002]\"], site: pier 9 }\n\
         devices:\n  kiosk-002: { hold: \"belongs to #7: wait\" }\n  \
           kiosk-003: { window: { days: mon-sun, from: \"00:00\", to: \"23:59\", zone: UTC } }\n",
    )
    .unwrap();
    let args = ["lab", "twin", "facts.json", "--inventory", "fleet.yaml", "--run"];
    let ended = home.run(&args).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("left out, since fleet.yaml does not name them: kiosk-004\n"),
        "{}",
        ended.stderr
    );
    let fates = home.only_run().unwrap().fates().unwrap();
    let migrated = ["kiosk-001", "kiosk-003"].map(|name| (name.to_owned(), "migrated".to_owned()));
    assert_eq!(fates, migrated);
    assert_eq!(home.read("lab/policy.yaml").unwrap(), QUICK);
    let shown = home.run(&["inventory", "lab/inventory.yaml", "--format", "json"]).unwrap();
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let text = shown.to_string();
    assert!(text.contains("belongs to #7: wait") && text.contains("pier 9"), "{text}");
    assert!(text.contains("west"), "{text}");
}

#[test]
fn what_holds_no_facts_is_refused_with_the_remedy() {
    let home = Home::new().unwrap();
    home.write("text.json", "kiosk-001").unwrap();
    home.write("older.json", r#"{"schema":0,"read":"2026-01-01T00:00:00Z","devices":{}}"#).unwrap();
    home.write("none.json", r#"{"schema":1,"read":"2026-01-01T00:00:00Z","devices":{}}"#).unwrap();
    let said = |file: &str| {
        let ended = home.run(&["lab", "twin", file]).unwrap();
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        ended.stderr
    };
    insta::assert_snapshot!(["text.json", "older.json", "none.json"].map(said).concat(), @r###"
    error: text.json holds no facts of this version
    because: expected value at line 1 column 1
    hint: probe again with -o
    error: older.json has facts of form 0, this version reads 2
    hint: probe again with -o
    error: none.json has facts of form 1, this version reads 2
    hint: probe again with -o
    "###);
    assert!(!home.path().join("lab").exists(), "nothing is written");
}
