//! What a plan predicts is what a rollout takes, once earlier runs have shown how fast devices of its classes are.
//!
//! It is a test binary of its own, so that nothing else runs beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_events::Record;
use migos_tests::fleet::{Ended, Home};
use std::time::Duration;

/// How long the plan says that the run takes.
fn predicted(ended: &Ended) -> Duration {
    let (_, text) = ended.stdout.split_once("done ").unwrap();
    let (text, _) = text.split_once(" after its start").unwrap();
    humantime::parse_duration(&text.trim().replace(".0s", "s")).expect(text)
}

#[test]
fn what_is_predicted_is_what_it_takes() {
    let home = Home::new().unwrap();
    let run = |seed: &str| {
        let ended = home.run(&["lab", "run", "--devices", "24", "--seed", seed]).unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended
    };
    let first = run("1");
    assert!(first.stdout.contains("both assumed until one of its class"), "{}", first.stdout);
    let older = home.only_run().unwrap();
    // The same boards and systems in other devices.
    std::fs::rename(older.path(), home.path().join("older")).unwrap();
    let second = run("31");
    assert!(second.stdout.contains("what devices of the same class or board took"));
    let records: Vec<Record> = home.only_run().unwrap().records().unwrap();
    let took = records.last().unwrap().elapsed;
    let predicted = predicted(&second);
    assert!(predicted.abs_diff(took) <= took / 5, "predicted {predicted:?}, took {took:?}");
}
