//! Who gives the commit: devices of a lab that are attended, that call home through a real sshd, and that commit by
//! themselves, with the real program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "files for tests")]

use migos_events::{DeviceEvent, Event, Record};
use migos_lab::{Pace, State};
use migos_playbooks::step::{Action, Reversal};
use migos_tests::fleet::{Bench, QUICK, STRAIGHT, begins};
use migos_tests::sshd::{Sshd, Userland};
use std::fs;

/// Gives these devices further settings in the lab's inventory.
fn settings(bench: &Bench, devices: &[(&str, &str)]) {
    let path = bench.home.path().join("lab/inventory.yaml");
    let mut text = fs::read_to_string(&path).unwrap();
    for (device, settings) in devices {
        let line = format!("  {device}: {{ ");
        assert!(text.contains(&line), "{text}");
        text = text.replace(&line, &format!("{line}{settings}, "));
    }
    fs::write(path, text).unwrap();
}

/// A bastion, known to the lab's operator; gives what the inventory says of it.
fn bastion(bench: &Bench) -> (Sshd, String) {
    let sshd = Sshd::start(Userland::Debian).unwrap();
    let lab = bench.home.path().join("lab");
    fs::copy(sshd.key(), lab.join("bastion_key")).unwrap();
    let host = format!("[{}]:{}", sshd.address(), sshd.port());
    let known = format!("{host} {}", sshd.host_key("ed25519").unwrap());
    fs::write(lab.join("bastion_hosts"), known).unwrap();
    let settings = format!(
        "handover: call-home, bastion: {{ host: {}, port: {}, user: pi, identity: bastion_key, \
         known_hosts: bastion_hosts }}",
        sshd.address(),
        sshd.port()
    );
    (sshd, settings)
}

/// What the records tell of a device, in order.
fn told<'a>(records: &'a [Record], name: &str) -> Vec<&'a DeviceEvent> {
    let of_device = |record: &'a Record| match &record.event {
        Event::Device { device, what } if device.as_str() == name => Some(what),
        _ => None,
    };
    records.iter().filter_map(of_device).collect()
}

fn steps(records: &[Record], name: &str) -> Vec<Action> {
    let started = |what: &&DeviceEvent| match what {
        DeviceEvent::StepStarted { step } => Some(step.action),
        _ => None,
    };
    told(records, name).iter().filter_map(started).collect()
}

#[test]
fn one_fleet_is_migrated_with_all_three_handovers() {
    let bench = Bench::start(3, "", Pace::test()).unwrap();
    let (sshd, calls_home) = bastion(&bench);
    settings(&bench, &[("kiosk-002", &calls_home), ("kiosk-003", "handover: unattended")]);
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("Handover unattended: kiosk-003"), "{}", ended.stdout);
    let run = bench.home.only_run().unwrap();
    let records = run.records().unwrap();
    for pi in bench.lab().devices() {
        assert_eq!(pi.life().states, STRAIGHT, "{}", pi.name());
    }
    let irreversible = |name: &str| -> Vec<Action> {
        let all = steps(&records, name).into_iter();
        all.filter(|action| action.reversal() == Reversal::PointOfNoReturn).collect()
    };
    assert_eq!(irreversible("kiosk-001"), [Action::Commit]);
    assert_eq!(irreversible("kiosk-002"), [Action::Commit]);
    assert_eq!(irreversible("kiosk-003"), [Action::Release]);
    let unattended = steps(&records, "kiosk-003");
    let place = |action| unattended.iter().position(|taken| *taken == action).unwrap();
    assert!(place(Action::Preregister) < place(Action::WriteJob));
    assert!(place(Action::Release) < place(Action::Arm));

    assert_eq!(run.summary().unwrap()["devices"]["kiosk-003"]["handover"], "unattended");
    let keys = fs::read_to_string(sshd.path("/home/pi/.ssh/authorized_keys")).unwrap();
    assert_eq!(keys, "", "the bastion is closed again");
    let transcript = run.path().join("devices/kiosk-002.log");
    let transcript = fs::read_to_string(transcript).unwrap();
    assert!(transcript.contains("as root, through"), "{transcript}");
}

#[test]
fn a_device_that_may_commit_and_does_not_is_taken_back() {
    let bench = Bench::start(2, "kiosk-001: [hangs-in-migos]", Pace::test()).unwrap();
    bench
        .home
        .write("quick.yaml", QUICK.replace("contact: 60s, commit: 120s", "contact: 5s, commit: 5s"))
        .unwrap();
    settings(&bench, &[("kiosk-001", "handover: unattended")]);
    let before = bench.device("kiosk-001").unwrap().boot_tree();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    let pi = bench.device("kiosk-001").unwrap();
    assert_eq!(pi.boot_tree(), before);
    assert_eq!(pi.state(), State::Raspbian);
    let run = bench.home.only_run().unwrap();
    let summary = run.summary().unwrap();
    assert_eq!(summary["devices"]["kiosk-001"]["state"], "failed", "{summary}");
    assert_eq!(summary["devices"]["kiosk-002"]["state"], "migrated");
    let records = run.records().unwrap();
    let came_back = |what: &&DeviceEvent| matches!(what, DeviceEvent::CameBack { .. });
    assert_eq!(told(&records, "kiosk-001").into_iter().filter(came_back).count(), 1);
    assert!(bench.lab().api().devices().iter().all(|device| device.name != "kiosk-001"));
}

#[test]
fn a_controller_killed_after_the_release_finds_the_device_where_it_went() {
    for action in [Action::Release, Action::Arm, Action::AwaitCommit] {
        let bench = Bench::start(1, "", Pace::test()).unwrap();
        settings(&bench, &[("kiosk-001", "handover: unattended")]);
        let mut process = bench.migrate(&[]).unwrap();
        let is_it = |record: &Record| begins(record, action);
        bench.home.until_record(&mut process, "the step", is_it).unwrap();
        process.kill().unwrap();
        let run = bench.home.only_run().unwrap().name();
        let ended = bench.home.run(&["resume", &run]).unwrap();
        assert_eq!(ended.code, Some(0), "{action:?}: {}", ended.stderr);
        assert_eq!(bench.device("kiosk-001").unwrap().life().states, STRAIGHT, "{action:?}");
    }
}

#[test]
fn a_device_whose_bastion_is_not_known_is_left_as_it_was() {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    let (sshd, calls_home) = bastion(&bench);
    fs::write(bench.home.path().join("lab/bastion_hosts"), "").unwrap();
    settings(&bench, &[("kiosk-001", &calls_home)]);
    let before = bench.device("kiosk-001").unwrap().boot_tree();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert!(ended.code != Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("known-hosts file"), "{}", ended.stderr);
    assert_eq!(bench.device("kiosk-001").unwrap().boot_tree(), before);
    assert!(!sshd.path("/home/pi/.ssh/authorized_keys").exists());
}
