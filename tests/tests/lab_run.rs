//! A fleet is migrated in the lab, all of it or as much as can be: real SSH, real HTTP, the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_events::{DeviceEvent, Event};
use migos_lab::{Pace, State};
use migos_payload::digest::Sha256;
use migos_playbooks::step::Action;
use migos_tests::fleet::{Bench, Ended, Home, QUICK, STRAIGHT};
use serde_json::Value;
use std::collections::BTreeMap;

/// `lab run`, with the faults in this YAML.
fn lab_run(devices: &str, faults: &str) -> (Ended, Value) {
    let home = Home::new().unwrap();
    home.write("faults.yaml", faults).unwrap();
    let args = ["lab", "run", "--devices", devices, "--faults", "faults.yaml"];
    let ended = home.run(&args).unwrap();
    let summary = home.only_run().expect(&ended.stderr).summary().unwrap();
    (ended, summary)
}

/// Migrates a whole lab; gives the exit code and the summary.
fn migrate(bench: &Bench) -> (Option<i32>, Value) {
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    let summary = bench.home.only_run().expect(&ended.stderr).summary().unwrap();
    (ended.code, summary)
}

/// The boot partitions of all devices.
fn boot_trees(bench: &Bench) -> BTreeMap<String, BTreeMap<String, Sha256>> {
    bench.lab().devices().map(|pi| (pi.name().to_owned(), pi.boot_tree())).collect()
}

fn state<'a>(summary: &'a Value, device: &str) -> &'a str {
    summary["devices"][device]["state"].as_str().unwrap()
}

fn cause<'a>(summary: &'a Value, device: &str) -> &'a str {
    summary["devices"][device]["cause"].as_str().unwrap()
}

#[test]
fn a_whole_fleet_is_migrated() {
    let home = Home::new().unwrap();
    let ended = home.run(&["lab", "run"]).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let summary = home.only_run().unwrap().summary().unwrap();
    assert_eq!(summary["outcome"], "finished");
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["counts"]["migrated"], 24);
    let devices = summary["devices"].as_object().unwrap();
    assert_eq!(devices.len(), 24);
    for (name, device) in devices {
        assert_eq!(device["state"], "migrated", "{name}");
        assert_eq!(device["os_version"], "balenaOS 6.0.24", "{name}");
    }

    let (_, table) = ended.stdout.split_once("Nothing was changed to make this plan;").unwrap();
    let rows = table.lines().filter(|line| line.starts_with(" kiosk-"));
    assert_eq!(rows.count(), 24, "{table}");
    assert!(table.contains("24/24: 24 migrated"), "{table}");
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        assert!(!ended.stderr.contains(line), "this belongs to stdout alone: {line}");
    }
    assert!(!ended.stdout.contains("MIGRATED"), "what goes on is for people");
    assert_eq!(ended.stderr.matches("MIGRATED").count(), 24);
}

#[test]
fn a_device_that_does_not_answer_is_left_out() {
    let (ended, summary) = lab_run("2", "kiosk-002: [unreachable]");
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    assert_eq!(state(&summary, "kiosk-001"), "migrated");
    assert_eq!(summary["counts"]["unreachable_at_plan"], 1);
    assert!(summary["set_aside"]["kiosk-002"]["unreachable"].is_string(), "{summary}");
    assert!(ended.stdout.contains("left out by the plan: 1 unreachable"), "{}", ended.stdout);
}

#[test]
fn a_device_that_never_comes_up_is_lost_and_named() {
    let bench = Bench::start(1, "kiosk-001: [never-up]", Pace::test()).unwrap();
    bench
        .home
        .write("quick.yaml", QUICK.replace("late: 2m, lost: 4m", "late: 1s, lost: 2s"))
        .unwrap();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(8), "{}", ended.stderr);
    let summary = bench.home.only_run().unwrap().summary().unwrap();
    assert_eq!(state(&summary, "kiosk-001"), "lost");
    assert_eq!(summary["outcome"], "stopped", "nothing new is begun");
    let is_row = |line: &&str| line.starts_with(" kiosk-001 ") && line.contains(" lost ");
    assert_eq!(ended.stdout.lines().filter(is_row).count(), 1, "{}", ended.stdout);
    assert!(ended.stderr.contains("LOST"), "{}", ended.stderr);
}

#[test]
fn firmware_that_ignores_the_one_shot_flag_costs_nothing() {
    let faults = "kiosk-002: [one-shot-ignored]";
    let bench = Bench::start(3, faults, Pace::test()).unwrap();
    let before = boot_trees(&bench);
    let (code, summary) = migrate(&bench);
    assert_eq!(code, Some(6), "{summary}");
    assert_eq!(state(&summary, "kiosk-001"), "migrated");
    assert_eq!(state(&summary, "kiosk-002"), "failed");
    assert_eq!(state(&summary, "kiosk-003"), "migrated");
    let cause = cause(&summary, "kiosk-002");
    assert!(cause.contains("the firmware ignored the one-shot flag"), "{cause}");
    assert!(cause.ends_with("(undone)"), "{cause}");

    assert_eq!(boot_trees(&bench)["kiosk-002"], before["kiosk-002"]);
    let pi = bench.device("kiosk-002").unwrap();
    assert_eq!(pi.file("/var/lib/migos/image"), None);
    use State::{Booting, Off, Raspbian};
    // Armed twice: the first miss might have been a power cut.
    assert_eq!(pi.life().states, [Off, Booting, Raspbian, Booting, Raspbian, Booting, Raspbian]);
    let registered = bench.lab().api().devices();
    assert_eq!(registered.len(), 2, "{registered:?}");
    assert!(registered.iter().all(|device| device.name != "kiosk-002"), "{registered:?}");
}

#[test]
fn a_device_that_hangs_in_migos_comes_back_by_itself() {
    let bench = Bench::start(1, "kiosk-001: [hangs-in-migos]", Pace::test()).unwrap();
    bench.home.write("quick.yaml", QUICK.replace("contact: 60s", "contact: 3s")).unwrap();
    let before = boot_trees(&bench);
    let (code, summary) = migrate(&bench);
    assert_eq!(code, Some(6), "{summary}");
    assert_eq!(state(&summary, "kiosk-001"), "failed");
    let cause = cause(&summary, "kiosk-001");
    assert!(cause.contains("Raspbian came back instead of MIGOS"), "{cause}");
    assert!(cause.ends_with("(undone)"), "{cause}");

    assert_eq!(boot_trees(&bench), before);
    use State::{Booting, Migos, Off, Raspbian};
    let states = bench.device("kiosk-001").unwrap().life().states;
    let twice = [Booting, Migos, Booting, Raspbian, Booting, Migos, Booting, Raspbian];
    assert_eq!(states, [&[Off, Booting, Raspbian][..], &twice].concat());
}

#[test]
fn a_full_boot_partition_is_refused_before_anything_is_touched() {
    let bench = Bench::start(2, "kiosk-001: [no-space]", Pace::test()).unwrap();
    let before = boot_trees(&bench);
    let (code, summary) = migrate(&bench);
    assert_eq!(code, Some(6), "{summary}");
    assert_eq!(state(&summary, "kiosk-002"), "migrated");
    let refused = &summary["set_aside"]["kiosk-001"]["refused"];
    assert!(refused.to_string().contains("free space in /boot"), "{summary}");

    assert_eq!(boot_trees(&bench)["kiosk-001"], before["kiosk-001"]);
    let life = bench.device("kiosk-001").unwrap().life();
    assert_eq!((life.state, life.boots), (State::Raspbian, 1));
}

#[test]
fn an_upload_that_is_cut_off_goes_on_where_it_was() {
    let bench = Bench::start(2, "kiosk-002: [{ cut-upload: 5000000 }]", Pace::test()).unwrap();
    let (code, summary) = migrate(&bench);
    assert_eq!(code, Some(0), "{summary}");
    for pi in bench.lab().devices() {
        assert_eq!(state(&summary, pi.name()), "migrated");
        assert_eq!(pi.life().states, STRAIGHT);
    }

    let records = bench.home.only_run().unwrap().records().unwrap();
    let (mut retried, mut sent) = (0, BTreeMap::new());
    for record in &records {
        let Event::Device { device, what } = &record.event else { continue };
        match what {
            DeviceEvent::StepRetried { .. } => retried += 1,
            DeviceEvent::StepDone { step, learned } if step.action == Action::SendImage => {
                sent.insert(device.as_str(), learned.bytes_sent.unwrap());
            }
            _ => {}
        }
    }
    assert_eq!(retried, 1);
    let (whole, rest) = (sent["kiosk-001"], sent["kiosk-002"]);
    assert!(rest < whole - 1_000_000, "{rest} of {whole} bytes were sent again");
}

#[test]
fn what_is_migrated_is_left_alone() {
    let bench = Bench::start(2, "", Pace::test()).unwrap();
    assert_eq!(migrate(&bench).0, Some(0));
    let again = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    for pi in bench.lab().devices() {
        assert_eq!(pi.life().states, STRAIGHT);
    }
    assert!(bench.home.only_run().is_ok(), "there is nothing to run");
    assert_eq!(bench.lab().api().devices().len(), 2);
}
