//! Rules of the house that hold for every run, held against whole runs over real SSH and HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "invariants/controller.rs"]
mod controller;
#[path = "invariants/secrets.rs"]
mod secrets;
#[path = "invariants/watch.rs"]
mod watch;

use controller::{Controlled, Heard, STYLE};
use jiff::Timestamp;
use migos_engine::rollout::Order;
use migos_events::{DeviceEvent, DeviceState, Event, History, Outcome, Record, RunId, StepRef};
use migos_inventory::DeviceId;
use migos_lab::{NetworkKind, Pace, State};
use migos_payload::digest::Sha256;
use migos_playbooks::plan::{Plan, PlanId};
use migos_playbooks::step::{ACTIONS, Action};
use migos_report::RunLines;
use migos_tests::fleet::Bench;
use secrets::{all_of, told_in};
use std::time::Duration;
use watch::{Seen, Verb, judge};

fn assert_permitted(seen: &Seen, used: &[Verb]) {
    assert!(seen.violations.is_empty(), "{}", seen.violations.join("\n"));
    for verb in used {
        assert!(seen.verbs.contains_key(verb), "{verb:?} was never used: {:?}", seen.verbs);
    }
}

/// What was heard live is what the journal says, and what is printed from it.
fn assert_recorded(controlled: &Controlled<'_>, heard: &Heard, records: &[Record]) {
    assert_eq!(heard.lines, printed(&controlled.controller.plan, records, true));
    for (heard, read) in heard.records.iter().zip(records) {
        assert_eq!(heard, read);
    }
    assert_eq!(heard.records.len(), records.len());
}

/// What is printed for these records.
fn printed(plan: &Plan, records: &[Record], verbose: bool) -> Vec<String> {
    let mut lines = RunLines::new(plan, STYLE, verbose);
    records.iter().flat_map(|record| lines.record(record)).collect()
}

#[test]
fn nothing_is_done_before_its_permit_is_on_the_disk() {
    let faults = "kiosk-002: [one-shot-ignored]\nkiosk-003: [{ cut-upload: 5000000 }]\n";
    let bench = Bench::start(4, faults, Pace::test()).unwrap();
    let controlled = Controlled::new(&bench);
    let (outcome, heard) = controlled.carry_on(|_| None);
    assert_eq!(outcome, Outcome::Finished);

    use Verb::{Arm, Commit, Configure, Register, Remove, Send, Write};
    let seen = controlled.watch.seen();
    assert_permitted(&seen, &[Send, Write, Arm, Register, Configure, Commit, Remove]);
    assert_eq!(seen.verbs[&Arm], 5, "once each, and the one that ignored it once more");
    assert_eq!(seen.verbs[&Commit], 3, "not the one that never was in MIGOS");

    let records = controlled.controller.records().unwrap();
    let history = History::replay(&records).unwrap();
    assert_eq!((history.tally().migrated, history.tally().failed), (3, 1));
    assert_recorded(&controlled, &heard, &records);
}

/// Interrupts a run at the first record like this, lets another controller end it, and gives what the watch had
/// seen until the interruption.
fn interrupted(bench: &Bench, is_it: fn(&DeviceEvent) -> bool) -> Seen {
    let controlled = Controlled::new(bench);
    let (outcome, mut heard) = controlled.carry_on(move |record| match &record.event {
        Event::Device { what, .. } if is_it(what) => Some(Order::Interrupt),
        _ => None,
    });
    assert_eq!(outcome, Outcome::Interrupted);
    let until_then = controlled.watch.seen();
    let records = controlled.controller.records().unwrap();
    for (device, progress) in History::replay(&records).unwrap().devices {
        let state = bench.device(device.as_str()).unwrap().state();
        match progress.state {
            DeviceState::Pending => assert_eq!(state, State::Raspbian, "{device}"),
            DeviceState::Migrated => assert_eq!(state, State::BalenaOs, "{device}"),
            other => panic!("{device} was left {other:?}"),
        }
    }

    let (outcome, more) = controlled.carry_on(|_| None);
    assert_eq!(outcome, Outcome::Finished, "{}", more.lines.join("\n"));
    heard.lines.extend(more.lines);
    heard.records.extend(more.records);
    let records = controlled.controller.records().unwrap();
    let tally = History::replay(&records).unwrap().tally();
    assert_eq!(tally.migrated as usize, bench.lab().devices().count());
    assert_permitted(&controlled.watch.seen(), &[Verb::Configure, Verb::Commit]);
    assert_recorded(&controlled, &heard, &records);
    until_then
}

#[test]
fn nobody_crosses_after_an_interruption() {
    let bench = Bench::start(2, "", Pace::test()).unwrap();
    // The first device is in MIGOS, and three permits away from the point of no return.
    let seen = interrupted(
        &bench,
        |what| matches!(what, DeviceEvent::StepDone { step, .. } if step.action == Action::AwaitMigos),
    );
    assert_permitted(&seen, &[Verb::Arm, Verb::Abort]);
    assert!(!seen.verbs.contains_key(&Verb::Commit), "{:?}", seen.verbs);
}

#[test]
fn who_has_crossed_at_an_interruption_is_carried_to_the_end() {
    let bench = Bench::start(4, "", Pace::test()).unwrap();
    let seen = interrupted(
        &bench,
        |what| matches!(what, DeviceEvent::StepStarted { step } if step.action == Action::Commit),
    );
    assert_permitted(&seen, &[Verb::Commit]);
}

#[test]
fn what_the_program_prints_live_is_what_the_journal_prints() {
    let bench = Bench::start(3, "kiosk-003: [one-shot-ignored]", Pace::test()).unwrap();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    let run = bench.home.only_run().unwrap();
    let plan = std::fs::read_to_string(run.path().join("plan.json")).unwrap();
    let printed = printed(&Plan::from_json(&plan).unwrap(), &run.records().unwrap(), false);
    // Before the run there is the probing; on the way there may be how it stands; after it, where its page is.
    let others = ["     Running ", "the report is in "];
    let is_of_the_run = |line: &&str| !others.iter().any(|other| line.starts_with(other));
    let lines = ended.stderr.lines().skip_while(|line| !line.contains("Starting run"));
    assert_eq!(lines.filter(is_of_the_run).collect::<Vec<_>>(), printed);
}

#[test]
fn no_secret_leaves_its_folder() {
    let faults = "kiosk-001: [one-shot-ignored]\nkiosk-002: [{ slow-boot: 2s }]\n";
    let wifi = [("kiosk-003".to_owned(), NetworkKind::Wifi)].into();
    let bench = Bench::with_networks(3, faults, wifi, Pace::test()).unwrap();
    bench.home.write("lab/office", OFFICE).unwrap();
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    let inventory = inventory.replacen("\ndefaults:", "\ndefaults:\n  keyfiles: [office]", 1);
    bench.home.write("lab/inventory.yaml", inventory).unwrap();
    let facts = ["probe", "lab/inventory.yaml", "-vvv", "-o", "runs/facts.json"];
    let facts = bench.home.run(&facts).unwrap();
    let mut first = bench.migrate(&["-vvv"]).unwrap();
    let is_commit = |record: &Record| migos_tests::fleet::begins(record, Action::Commit);
    bench.home.until_record(&mut first, "commit", is_commit).unwrap();
    first.signal("INT").unwrap();
    let first = first.end().unwrap();
    let run = bench.home.only_run().unwrap();
    let second = bench.home.run(&["-vvv", "resume", &run.name()]).unwrap();
    assert_eq!(second.code, Some(6), "{}", second.stderr);
    let status = bench.home.run(&["status", &run.name(), "--format", "json"]).unwrap();
    let args = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "-o", "runs/plan.json"];
    let plan = bench.home.run(&args).unwrap();
    let detail =
        ["plan", "lab/inventory.yaml", "--detail", "kiosk-003", "--html", "runs/plan.html"];
    let detail = bench.home.run(&detail).unwrap();
    let report = bench.home.run(&["report", &run.name(), "--format", "json"]).unwrap();
    let archive = bench.home.path().join("runs/export.tar.gz");
    let export = ["run", "export", &run.name(), "-o", archive.to_str().unwrap()];
    let export = bench.home.run(&export).unwrap();
    assert_eq!(export.code, Some(0), "{}", export.stderr);
    unpack(&archive);

    let secrets = all_of(&bench, &run);
    let names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    for wanted in ["kiosk-003.json: office, psk", "kiosk-003.json: wpa_supplicant.conf, psk"] {
        assert!(names.contains(&wanted), "{wanted} is looked for: {names:?}");
    }
    for (name, ended) in [
        ("probe", facts),
        ("migrate", first),
        ("resume", second),
        ("status", status),
        ("plan", plan),
        ("detail", detail),
        ("report", report),
        ("export", export),
    ] {
        for text in [&ended.stdout, &ended.stderr] {
            assert!(!text.is_empty() || name != "migrate", "{name} says something");
            assert_eq!(told_in(&secrets, text.as_bytes()), [""; 0], "what {name} says");
        }
    }
    let mut looked_at = 0;
    for (path, bytes) in secrets::files(&bench.home.path().join("runs")) {
        if path.starts_with(run.path().join("secrets")) || path == archive {
            continue;
        }
        looked_at += 1;
        assert_eq!(told_in(&secrets, &bytes), [""; 0], "{}", path.display());
    }
    assert!(looked_at > 8, "the run, its transcripts, its log, a plan: {looked_at} files");
}

/// A connection that an operator adds.
const OFFICE: &str = "[connection]\nid=office\ntype=wifi\n[wifi]\nssid=office\n\
                      [wifi-security]\nkey-mgmt=wpa-psk\npsk=what the office keeps\n";

/// Unpacks an archive beside itself, so that what is in it is looked at too.
fn unpack(archive: &std::path::Path) {
    let folder = archive.with_extension("unpacked");
    let file = std::fs::File::open(archive).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(folder).unwrap();
}

#[test]
fn the_search_for_secrets_finds_them_where_they_are() {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    assert_eq!(bench.migrate(&[]).unwrap().end().unwrap().code, Some(0));
    let run = bench.home.only_run().unwrap();
    let secrets = all_of(&bench, &run);
    let kept = ["lab/token", "lab/operator_key"].map(|name| bench.home.path().join(name));
    let kept = kept.map(|path| std::fs::read(path).unwrap());
    let in_folder = secrets::files(&run.path().join("secrets"));
    let all = in_folder.into_iter().map(|(_, bytes)| bytes).chain(kept).collect::<Vec<_>>();
    let found = told_in(&secrets, &all.join(&b"\n"[..]));
    let names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(found, names);
    assert_eq!(told_in(&secrets, &[b"x", secrets[0].raw().as_slice(), b"y"].concat()).len(), 1);
}

/// Records as a journal has them.
fn journal(events: Vec<Event>) -> Vec<Record> {
    let record =
        |(seq, event)| Record { seq, at: Timestamp::UNIX_EPOCH, elapsed: Duration::ZERO, event };
    (0..).zip(events).map(record).collect()
}

#[test]
fn the_watch_notices_what_is_not_permitted() {
    let kiosk: DeviceId = "kiosk-001".parse().unwrap();
    let of_kiosk = |what| Event::Device { device: kiosk.clone(), what };
    let step = |wanted: Action| {
        let n = ACTIONS.iter().position(|(action, _)| *action == wanted).unwrap();
        StepRef { n, action: wanted }
    };
    let begun = |action| of_kiosk(DeviceEvent::StepStarted { step: step(action) });
    let done = |action| {
        let learned = migos_events::Learned::default();
        of_kiosk(DeviceEvent::StepDone { step: step(action), learned })
    };
    let started = Event::RunStarted {
        run: RunId("7f3a2c-01".into()),
        plan: PlanId(Sha256::of(b"plan")),
        controller: "test".into(),
        devices: 1,
        refused: 0,
        unreachable: 0,
        change: None,
    };
    let mut events = vec![started, begun(Action::Check), done(Action::Check)];
    let judged = |events: &[Event], verb| judge(&journal(events.to_vec()), &kiosk, verb).is_ok();
    assert!(!judged(&events, Verb::Send), "its step has not begun");
    events.push(begun(Action::SendPayload));
    assert!(judged(&events, Verb::Send));
    assert!(!judged(&events, Verb::Arm), "the step of another verb has begun");
    events.push(done(Action::SendPayload));
    assert!(!judged(&events, Verb::Send), "its step is over");

    let rest = [
        Action::SendImage,
        Action::WriteJob,
        Action::WriteTryboot,
        Action::Arm,
        Action::AwaitMigos,
        Action::Register,
        Action::Configure,
    ];
    events.extend(rest.into_iter().flat_map(|action| [begun(action), done(action)]));
    assert!(!judged(&events, Verb::Commit));
    let asked = [&events[..], &[of_kiosk(DeviceEvent::CommitAsked)]].concat();
    assert!(!judged(&asked, Verb::Commit));
    assert!(judged(&[&asked[..], &[begun(Action::Commit)]].concat(), Verb::Commit));
    let paused = Event::Paused { reason: "a person asked for it".into(), gate: None };
    for closing in
        [paused, Event::Interrupted, Event::Stopped { reason: String::new(), undo: false }]
    {
        let late = [&asked[..], &[closing.clone(), begun(Action::Commit)]].concat();
        assert!(!judged(&late, Verb::Commit), "{closing:?} stands before the permit");
        let resumed = Event::RunResumed { controller: "test".into() };
        let taken_up =
            [&events[..], &[closing, resumed], &asked[asked.len() - 1..], &[begun(Action::Commit)]];
        assert!(judged(&taken_up.concat(), Verb::Commit), "a later controller may");
    }
}
