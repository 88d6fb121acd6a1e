//! The controller is killed, interrupted, started twice; whoever takes up the run brings it to the same end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_balena::{Authority, Balena, Timeouts, Token};
use migos_engine::port::BalenaApi;
use migos_events::{DeviceEvent, Event, Record};
use migos_lab::{FLEET, Pace, State};
use migos_playbooks::balena::Heartbeat;
use migos_playbooks::step::Action;
use migos_tests::fleet::{Bench, Home, QUICK, Run, WallClock, begins};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// As fast as can be, but for the flash: long enough to be killed in the midst of it.
fn pace() -> Pace {
    Pace { flash: Duration::from_secs(2), heartbeat: Duration::from_secs(2), ..Pace::test() }
}

/// Takes up the only run of a lab until it ends.
fn resume(bench: &Bench) {
    let name = bench.home.only_run().unwrap().name();
    let ended = bench.home.run(&["resume", &name]).unwrap();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

/// Every device is migrated, and balena knows each exactly once, by the uuid that the run chose for it.
fn assert_all_migrated_once(bench: &Bench) {
    let run = bench.home.only_run().unwrap();
    let summary = run.summary().unwrap();
    let mut expected = BTreeMap::new();
    for (name, device) in summary["devices"].as_object().unwrap() {
        assert_eq!(device["state"], "migrated", "{name}: {summary}");
        expected.insert(name.clone(), vec![device["uuid"].as_str().unwrap().to_owned()]);
    }
    assert_eq!(expected.len(), bench.lab().devices().count());
    let mut registered: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for device in bench.lab().api().devices() {
        registered.entry(device.name).or_default().push(device.uuid);
    }
    assert_eq!(registered, expected);
    for pi in bench.lab().devices() {
        let states = pi.life().states;
        let flashed = states.iter().filter(|state| **state == State::BalenaOs).count();
        assert_eq!((flashed, states.last()), (1, Some(&State::BalenaOs)), "{}", pi.name());
    }
}

/// No device was in MIGOS more than once: nothing was done again that had been done.
fn assert_nothing_done_twice(bench: &Bench) {
    use State::{BalenaOs, Booting, Migos, Off, Raspbian};
    for pi in bench.lab().devices() {
        let states = pi.life().states;
        let straight = [Off, Booting, Raspbian, Booting, Migos, Booting, BalenaOs];
        assert_eq!(states, straight, "{}", pi.name());
    }
}

/// Kills the controller as soon as the journal has a record like this, then resumes.
fn killed_and_resumed(faults: &str, what: &str, is_it: impl FnMut(&Record) -> bool) -> Bench {
    let bench = Bench::start(4, faults, pace()).unwrap();
    let mut controller = bench.migrate(&["--parallel", "3"]).unwrap();
    bench.home.until_record(&mut controller, what, is_it).unwrap();
    controller.kill().unwrap();
    resume(&bench);
    assert_all_migrated_once(&bench);
    bench
}

#[test]
fn killed_while_the_first_device_reboots() {
    let bench = killed_and_resumed("", "arm", |record| begins(record, Action::Arm));
    assert_nothing_done_twice(&bench);
}

#[test]
fn killed_while_the_first_device_is_registered() {
    let bench = killed_and_resumed("", "register", |record| begins(record, Action::Register));
    assert_nothing_done_twice(&bench);
}

#[test]
fn killed_at_the_point_of_no_return() {
    let bench = killed_and_resumed("", "commit", |record| begins(record, Action::Commit));
    assert_nothing_done_twice(&bench);
}

#[test]
fn killed_while_the_first_card_is_written() {
    let bench = killed_and_resumed("", "await-flash", |record| begins(record, Action::AwaitFlash));
    assert_nothing_done_twice(&bench);
}

#[test]
fn killed_in_the_midst_of_an_upload() {
    // The retry waits a while; there the device has a part of the image.
    let faults = "kiosk-001: [{ cut-upload: 5000000 }]";
    let is_cut = |record: &Record| {
        matches!(&record.event, Event::Device { what: DeviceEvent::StepRetried { step, .. }, .. }
            if step.action == Action::SendImage)
    };
    let bench = killed_and_resumed(faults, "a cut upload", is_cut);
    assert_nothing_done_twice(&bench);
    let sent = |record: &Record| match &record.event {
        Event::Device { device, what: DeviceEvent::StepDone { step, learned } }
            if step.action == Action::SendImage && device.as_str() == "kiosk-001" =>
        {
            learned.bytes_sent
        }
        _ => None,
    };
    let records = bench.home.only_run().unwrap().records().unwrap();
    let sent: Vec<u64> = records.iter().filter_map(sent).collect();
    assert_eq!(sent.len(), 1);
    assert!(sent[0] < 7_000_000, "what the device had was sent again: {} bytes", sent[0]);
}

#[test]
fn killed_again_and_again() {
    let steps = |run: &Run| {
        let is_done = |record: &&Record| {
            matches!(&record.event, Event::Device { what: DeviceEvent::StepDone { .. }, .. })
        };
        run.records().unwrap_or_default().iter().filter(is_done).count()
    };
    let bench = Bench::start(2, "", pace()).unwrap();
    let mut controller = bench.migrate(&[]).unwrap();
    // After 18 of the 22 steps of two devices at least one card is still to be written.
    for goal in [3, 6, 9, 12, 15, 18] {
        let done = || bench.home.only_run().is_ok_and(|run| steps(&run) >= goal);
        controller.until("three more steps", done).unwrap();
        controller.kill().unwrap();
        let name = bench.home.only_run().unwrap().name();
        controller = bench.home.start(&["resume", &name]).unwrap();
    }
    let ended = controller.end().unwrap();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_all_migrated_once(&bench);
    assert_nothing_done_twice(&bench);
}

#[test]
fn interrupted_and_resumed() {
    let bench = Bench::start(3, "", pace()).unwrap();
    let mut controller = bench.migrate(&["--parallel", "1"]).unwrap();
    let is_arm = |record: &Record| begins(record, Action::Arm);
    bench.home.until_record(&mut controller, "arm", is_arm).unwrap();
    controller.signal("INT").unwrap();
    let ended = controller.end().unwrap();
    assert_eq!(ended.code, Some(130), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("migos-fleet resume "), "{}", ended.stdout);

    // Nobody is left half way.
    for (device, fate) in bench.home.only_run().unwrap().fates().unwrap() {
        let state = bench.device(&device).unwrap().state();
        match fate.as_str() {
            "pending" => assert_eq!(state, State::Raspbian, "{device}"),
            "migrated" => assert_eq!(state, State::BalenaOs, "{device}"),
            other => panic!("{device} is {other} after an interruption"),
        }
    }
    resume(&bench);
    assert_all_migrated_once(&bench);
}

#[test]
fn interrupted_while_a_device_goes_down() {
    // Armed, it reboots into MIGOS whatever anybody says; until then Raspbian still answers.
    let pace = Pace { shutdown: Duration::from_secs(3), ..pace() };
    let bench = Bench::start(2, "", pace).unwrap();
    let mut controller = bench.migrate(&["--parallel", "1"]).unwrap();
    let is_armed = |record: &Record| {
        matches!(&record.event, Event::Device { what: DeviceEvent::StepDone { step, .. }, .. }
            if step.action == Action::Arm)
    };
    bench.home.until_record(&mut controller, "an armed device", is_armed).unwrap();
    controller.signal("INT").unwrap();
    let ended = controller.end().unwrap();
    assert_eq!(ended.code, Some(130), "{}{}", ended.stdout, ended.stderr);

    let life = bench.device("kiosk-001").unwrap().life();
    assert_eq!(life.state, State::Raspbian);
    assert!(life.boots > 1, "the reboot that was asked for is still to come");
    resume(&bench);
    assert_all_migrated_once(&bench);
}

#[test]
fn one_run_has_one_controller() {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    let policy = QUICK.replace("tolerate: 3", "tolerate: 3, soak: 1h");
    bench.home.write("quick.yaml", policy).unwrap();
    let mut first = bench.migrate(&[]).unwrap();
    let is_soak = |record: &Record| matches!(record.event, Event::SoakStarted { .. });
    bench.home.until_record(&mut first, "the soak", is_soak).unwrap();

    let run = bench.home.only_run().unwrap();
    let second = bench.home.run(&["resume", &run.name()]).unwrap();
    assert_eq!((second.code, second.stdout.as_str()), (Some(4), ""));
    let told = second.stderr.replace(&run.name(), "RUN");
    // Who, where and since when.
    let (told, holder) = told
        .split_once(": ")
        .and_then(|(error, rest)| {
            let (what, rest) = rest.split_once(": ")?;
            let (holder, hint) = rest.split_once('\n')?;
            Some((format!("{error}: {what}\n{hint}"), holder.to_owned()))
        })
        .unwrap();
    assert!(holder.contains('@') && holder.contains(", process "), "{holder}");
    insta::assert_snapshot!(told, @r"
    error: another controller is at work on run RUN
    hint: watch it with: migos-fleet status RUN
    ");
    let status = bench.home.run(&["status", &run.name()]).unwrap();
    assert_eq!(status.code, Some(0), "who only looks disturbs nobody: {}", status.stderr);

    first.signal("INT").unwrap();
    assert_eq!(first.end().unwrap().code, Some(130), "the soak is not over");
}

#[test]
fn from_a_second_terminal() {
    let home = Home::new().unwrap();
    home.write("quick.yaml", QUICK).unwrap();
    let mut lab = home.start(&["lab", "up", "--devices", "3"]).unwrap();
    lab.until_says("Ctrl-C ends them").unwrap();

    let arguments = ["lab/inventory.yaml", "--policy", "quick.yaml"];
    let plan = home.run(&[&["plan"], &arguments[..]].concat()).unwrap();
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let mut first = home.start(&[&["migrate", "--yes"], &arguments[..]].concat()).unwrap();
    let is_commit = |record: &Record| begins(record, Action::Commit);
    home.until_record(&mut first, "commit", is_commit).unwrap();
    first.kill().unwrap();
    let status = home.run(&["status"]).unwrap();
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    let run = home.only_run().unwrap();
    assert!(status.stdout.contains(&format!("migos-fleet resume {}", run.name())), "{status:?}");
    let second = home.run(&["resume", &run.name()]).unwrap();
    assert_eq!(second.code, Some(0), "{}{}", second.stdout, second.stderr);

    let text = home.read("lab/inventory.yaml").unwrap();
    let (_, api) = text.split_once("api: \"").unwrap();
    let (api, _) = api.split_once('"').unwrap();
    let token = Token::new(home.read("lab/token").unwrap().trim()).unwrap();
    let clock = Arc::new(WallClock);
    let balena =
        Balena::new(api, Authority::Public, token, "test", Timeouts::default(), clock).unwrap();
    let fleets = [FLEET.parse().unwrap()];
    let seen = Runtime::new().unwrap().block_on(balena.sightings(&fleets)).unwrap();
    let mut registered: Vec<&str> = seen.iter().map(|device| device.name.as_str()).collect();
    registered.sort_unstable();
    assert_eq!(registered, ["kiosk-001", "kiosk-002", "kiosk-003"]);
    assert!(seen.iter().all(|device| device.heartbeat == Heartbeat::Online), "{seen:?}");

    lab.signal("TERM").unwrap();
    assert_eq!(lab.end().unwrap().code, Some(0));
}
