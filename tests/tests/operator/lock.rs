//! A run that a controller on another computer has.

use super::soaking;
use std::fs;

/// What a controller on another computer writes into the lock of a run that it has.
const THERE: &str =
    r#"{"user":"anna","host":"ops-2","pid":4711,"since":"2026-11-23T10:00:00Z","token":"00ff"}"#;

#[test]
fn a_run_is_taken_over_only_on_purpose() {
    let (bench, run) = soaking();
    run.kill().unwrap();
    let run = bench.home.only_run().unwrap();
    fs::write(run.path().join("lock"), THERE).unwrap();
    let refused = bench.home.run(&["resume", &run.name()]).unwrap();
    assert_eq!(refused.code, Some(4));
    insta::assert_snapshot!(refused.stderr.replace(&run.name(), "RUN"), @r"
    error: a controller on another computer has run RUN: anna@ops-2, process 4711, since 2026-11-23T10:00:00Z
    hint: if that controller is gone for good: migos-fleet resume RUN --take-over
    ");
    let records = run.records().unwrap().len();
    let mut taken = bench.home.start(&["resume", &run.name(), "--take-over"]).unwrap();
    taken.until("the resumed run", || run.records().unwrap().len() > records).unwrap();
    taken.signal("INT").unwrap();
    assert_eq!(taken.end().unwrap().code, Some(130));
    assert_eq!(fs::read_to_string(run.path().join("lock")).unwrap(), "", "nobody has it");
}

#[test]
fn a_controller_that_was_replaced_ends_at_once_and_writes_nothing() {
    let (bench, first) = soaking();
    let run = bench.home.only_run().unwrap();
    let records = run.records().unwrap();
    fs::write(run.path().join("lock"), THERE).unwrap();
    let ended = first.end().unwrap();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(ended.stderr.contains("has taken over run"), "{}", ended.stderr);
    assert!(ended.stderr.contains("anna@ops-2, process 4711"), "{}", ended.stderr);
    assert_eq!(run.records().unwrap(), records);
    assert_eq!(fs::read_to_string(run.path().join("lock")).unwrap(), THERE);
    assert!(!run.path().join("summary.json").exists());
}
