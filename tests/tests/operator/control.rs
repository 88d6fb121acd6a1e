//! `pause`, `stop`, `stop --undo` and the file STOP.

use super::{bench, person, reason, soaking};
use migos_lab::State;
use migos_playbooks::step::Action;
use migos_tests::fleet::begins;
use std::fs;

#[test]
fn a_run_is_paused_from_another_terminal_and_resumed() {
    let (bench, run) = soaking();
    let name = bench.home.only_run().unwrap().name();
    let told = bench.home.run(&["pause", &name]).unwrap();
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    insta::assert_snapshot!(told.stderr.replace(&name, "RUN"), @r"
    run RUN is paused
      how it stands: migos-fleet status RUN
      go on later: migos-fleet resume RUN
    ");
    let ended = run.end().unwrap();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    let reason = reason(&bench);
    assert!(person(reason.strip_suffix(" asked for it").unwrap()), "{reason}");

    let again = bench.home.run(&["pause", &name]).unwrap();
    assert_eq!(again.code, Some(4));
    insta::assert_snapshot!(again.stderr.replace(&name, "RUN"), @r"
    error: run RUN is not running; there is nothing to pause
    hint: see how it stands with: migos-fleet status RUN
    ");
    let stop = bench.home.run(&["stop", &name]).unwrap();
    assert_eq!(stop.code, Some(4));
    assert!(stop.stderr.contains("is not running; there is nothing to stop"), "{}", stop.stderr);

    // The order was for the controller that is gone.
    let mut run = bench.home.start(&["resume", &name]).unwrap();
    let resumed = |record: &migos_events::Record| {
        matches!(record.event, migos_events::Event::RunResumed { .. })
    };
    bench.home.until_record(&mut run, "the resumed run", resumed).unwrap();
    let stopped = bench.home.run(&["stop", &name]).unwrap();
    assert_eq!(stopped.code, Some(0), "{}", stopped.stderr);
    assert_eq!(run.end().unwrap().code, Some(7));
    let orders = fs::read_to_string(bench.home.only_run().unwrap().path().join("control")).unwrap();
    assert_eq!(orders.lines().count(), 2, "{orders}");
}

#[test]
fn a_file_pauses_and_keeps_the_run_paused() {
    let (bench, run) = soaking();
    let folder = bench.home.only_run().unwrap();
    let stop = folder.path().join("STOP");
    fs::File::create(&stop).unwrap();
    assert_eq!(run.end().unwrap().code, Some(5));
    assert_eq!(reason(&bench), "the file STOP in the run's folder asked for it");
    let refused = bench.home.run(&["resume", &folder.name()]).unwrap();
    assert_eq!(refused.code, Some(4));
    insta::assert_snapshot!(refused.stderr.replace(&folder.name(), "RUN"), @r"
    error: run RUN is kept paused by the file runs/RUN/STOP
    hint: when it may go on: rm runs/RUN/STOP
    ");
    fs::remove_file(&stop).unwrap();
    let mut run = bench.home.start(&["resume", &folder.name()]).unwrap();
    let records = folder.records().unwrap().len();
    run.until("the resumed run", || folder.records().unwrap().len() > records).unwrap();
    run.signal("INT").unwrap();
    assert_eq!(run.end().unwrap().code, Some(130));
}

#[test]
fn a_run_is_stopped_and_what_can_be_taken_back_is() {
    let bench = bench(2, "", &[("parallel: 8", "parallel: 1")]);
    let before = bench.device("kiosk-001").unwrap().boot_tree();
    let mut run = bench.migrate(&[]).unwrap();
    let sends = |record: &migos_events::Record| begins(record, Action::SendPayload);
    bench.home.until_record(&mut run, "the payload", sends).unwrap();
    let name = bench.home.only_run().unwrap().name();
    let told = bench.home.run(&["stop", &name, "--undo"]).unwrap();
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(
        told.stderr.contains("can be taken back is") || told.stderr.contains("is stopped"),
        "{}",
        told.stderr
    );
    let ended = run.end().unwrap();
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    // It may have been beyond the point of no return before the order came.
    for (name, fate) in bench.home.only_run().unwrap().fates().unwrap() {
        let state = bench.device(&name).unwrap().state();
        match fate.as_str() {
            "migrated" => assert_eq!(state, State::BalenaOs, "{name}"),
            "undone" | "pending" => assert_eq!(state, State::Raspbian, "{name}"),
            other => panic!("{name} is {other}"),
        }
        if name == "kiosk-001" && fate != "migrated" {
            assert_eq!(bench.device(&name).unwrap().boot_tree(), before);
        }
    }
    // Without a controller the same words do what `undo` does.
    let undone = bench.home.run(&["stop", &name, "--undo"]).unwrap();
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert!(undone.stderr.contains("nothing to undo"), "{}", undone.stderr);
}
