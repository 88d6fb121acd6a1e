//! Steps of the user's own run among the built-in ones, and are taken back like them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_events::{DeviceEvent, Event};
use migos_lab::{Pace, State};
use migos_playbooks::step::Action;
use migos_tests::fleet::{Bench, begins};
use serde_json::Value;

const OWN: &str = r#"
playbook: 1
extends: migrate
insert:
  - { after: backup, steps: [{ id: stop-sync, run: "systemctl stop sync", output: hidden }] }
  - { before: arm, steps: [{ id: stop-app, run: "systemctl stop kiosk", undo: "systemctl start kiosk", limit: 2m, retry: { times: 6, pause: 1s } }] }
change:
  send-image: { limit: 20h, retry: { times: 12, pause: 10s } }
"#;

fn bench(devices: usize, faults: &str, playbook: &str) -> Bench {
    let bench = Bench::start(devices, faults, Pace::test()).unwrap();
    bench.home.write("own.yaml", playbook).unwrap();
    bench
}

#[test]
fn own_steps_are_planned_and_run() {
    let bench = bench(2, "", OWN);
    let words = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "--playbook", "own.yaml"];
    let text = bench.home.run(&words).unwrap().stdout;
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "! stop-sync run your command: systemctl stop sync; for 5m undo: none, it stays",
        "+ stop-app run your command: systemctl stop kiosk; for 2m undo: systemctl start kiosk",
    ] {
        assert!(flat.contains(line), "{text}");
    }
    let json = bench.home.run(&[&words[..], &["--format", "json"]].concat()).unwrap().stdout;
    let plan: Value = serde_json::from_str(&json).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let own = steps.iter().find(|step| step["id"] == "stop-app").unwrap();
    assert_eq!(own["run"]["undo"], "systemctl start kiosk");
    assert_eq!(own["retry"], serde_json::json!({ "times": 6, "pause": "1s" }));
    let changed = steps.iter().find(|step| step["id"] == "send-image").unwrap();
    assert_eq!(changed["retry"], serde_json::json!({ "times": 12, "pause": "10s" }));
    bench.home.write("plan.html", "").unwrap();
    let html = bench.home.run(&[&words[..], &["--html", "plan.html"]].concat()).unwrap();
    assert_eq!(html.code, Some(0), "{}", html.stderr);
    assert!(bench.home.read("plan.html").unwrap().contains("systemctl start kiosk"));

    let ended = bench.migrate(&["--playbook", "own.yaml"]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for pi in bench.lab().devices() {
        assert_eq!(pi.state(), State::BalenaOs);
        assert_eq!(pi.commands(), ["systemctl stop sync", "systemctl stop kiosk"]);
    }
}

#[test]
fn an_inventory_names_its_playbook() {
    let bench = bench(1, "", OWN);
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    bench.home.write("lab/inventory.yaml", format!("{inventory}playbook: ../own.yaml\n")).unwrap();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(bench.device("kiosk-001").unwrap().commands().len(), 2);
}

#[test]
fn own_steps_are_taken_back_after_a_failure() {
    let fails = OWN.replace(
        "pause: 1s } }",
        "pause: 1s } }, { id: ask, run: \"false\", undo: \"systemctl start ask\" }",
    );
    let bench = bench(1, "", &fails);
    let pi = bench.device("kiosk-001").unwrap();
    let before = pi.boot_tree();
    let ended = bench.migrate(&["--playbook", "own.yaml"]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("ask: the command of ask ended with exit code 1 (undone)"), "{said}");
    assert_eq!((pi.state(), pi.boot_tree()), (State::Raspbian, before));
    assert_eq!(
        pi.commands(),
        [
            "systemctl stop sync",
            "systemctl stop kiosk",
            "false",
            "systemctl start ask",
            "systemctl start kiosk"
        ]
    );
}

#[test]
fn own_steps_are_taken_back_from_a_device_that_came_back_by_itself() {
    let bench = bench(1, "kiosk-001: [hangs-in-migos]", OWN);
    let quick = migos_tests::fleet::QUICK;
    let quick = quick.replace("contact: 60s, commit: 120s", "contact: 1s, commit: 30s");
    bench.home.write("quick.yaml", quick).unwrap();
    let ended = bench.migrate(&["--playbook", "own.yaml"]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    let pi = bench.device("kiosk-001").unwrap();
    assert_eq!(pi.state(), State::Raspbian);
    assert_eq!(pi.commands().last().map(String::as_str), Some("systemctl start kiosk"));
}

#[test]
fn a_controller_that_is_killed_has_nothing_done_twice() {
    let bench = bench(1, "", OWN);
    let mut process = bench.migrate(&["--playbook", "own.yaml"]).unwrap();
    let begun = |record: &_| begins(record, Action::SendPayload);
    bench.home.until_record(&mut process, "the payload is sent", begun).unwrap();
    process.kill().unwrap();
    let run = bench.home.only_run().unwrap();
    let ended = bench.home.run(&["resume", &run.name()]).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let pi = bench.device("kiosk-001").unwrap();
    assert_eq!(pi.commands(), ["systemctl stop sync", "systemctl stop kiosk"]);
    let own = |what: &DeviceEvent| matches!(what, DeviceEvent::StepDone { step, .. } if step.action == Action::Run);
    let records = run.records().unwrap();
    let done = records
        .iter()
        .filter(|record| matches!(&record.event, Event::Device { what, .. } if own(what)));
    assert_eq!(done.count(), 2);
}

#[test]
fn broken_playbooks_are_refused_and_explained() {
    let bench = bench(1, "", "- hosts: all\n  tasks: []\n");
    let words = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "--playbook", "own.yaml"];
    let ended = bench.home.run(&words).unwrap();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("own.yaml:1:1: this is an Ansible playbook"), "{}", ended.stderr);
    bench.home.write("own.yaml", OWN).unwrap();
    let ended = bench.home.run(&["playbook", "check", "own.yaml"]).unwrap();
    assert_eq!((ended.code, ended.stdout.trim()), (Some(0), "own.yaml: nothing is wrong with it"));
    let shown = bench.home.run(&["playbook", "show", "own.yaml"]).unwrap().stdout;
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let own = "stop-app run your command; systemctl stop kiosk; ended after 2m; given up after 12m or 6 tries; undo: systemctl start kiosk";
    assert!(flat.contains(own), "{shown}");
    assert!(flat.contains("given up after 20h or 12 tries"), "{shown}");
    assert!(flat.contains("───── point of no return (unattended) ─────"), "{shown}");
    assert!(flat.contains("───── point of no return (attended and call-home) ─────"), "{shown}");
}
