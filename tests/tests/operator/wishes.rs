//! `--forgive`, `--until` and `--change`.

use super::{bench, person};
use migos_events::Event;

#[test]
fn failures_are_forgiven_by_name_and_with_a_reason() {
    let two = "stages: [{ name: first, to: 1, gate: { tolerate: 0 } }, { name: all, to: 100%, gate: { tolerate: 3 } }]";
    let one = "stages: [{ name: all, to: 100%, gate: { tolerate: 3 } }]";
    let bench = bench(2, "kiosk-001: [one-shot-ignored]", &[(one, two)]);
    assert_eq!(bench.migrate(&[]).unwrap().end().unwrap().code, Some(5));
    let run = bench.home.only_run().unwrap();
    assert_eq!(
        bench.home.run(&["resume", &run.name()]).unwrap().code,
        Some(5),
        "nothing is forgiven"
    );
    let nothing = bench.home.run(&["resume", &run.name(), "--forgive", " "]).unwrap();
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
    let args = ["resume", &run.name(), "--forgive", "a known old firmware"];
    let ended = bench.home.run(&args).unwrap();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    let forgiven = run.records().unwrap().into_iter().find_map(|record| match record.event {
        Event::Forgiven { by, reason, devices } => Some((by, reason, devices)),
        _ => None,
    });
    let (by, reason, devices) = forgiven.unwrap();
    assert!(person(&by), "{by}");
    assert_eq!(reason, "a known old firmware");
    assert_eq!(devices.iter().map(ToString::to_string).collect::<Vec<_>>(), ["kiosk-001"]);
}

#[test]
fn a_run_goes_up_to_a_stage_and_knows_its_change_request() {
    let two = "stages: [{ name: first, to: 1, gate: { tolerate: 0 } }, { name: all, to: 100%, gate: { tolerate: 3 } }]";
    let one = "stages: [{ name: all, to: 100%, gate: { tolerate: 3 } }]";
    let bench = bench(2, "", &[(one, two)]);
    let wrong = bench.migrate(&["--until", "frist"]).unwrap().end().unwrap();
    assert_eq!(wrong.code, Some(2));
    insta::assert_snapshot!(wrong.stderr.lines().filter(|line| !line.contains("device")).collect::<Vec<_>>().join("\n"), @r"
    error: the plan has no stage `frist`
    hint: its stages are first, all
    ");
    let args = ["--until", "first", "--change", "CHG-4711", "--approved-by", "Anna"];
    let ended = bench.migrate(&args).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stdout.contains("CHG-4711, approved by Anna"), "{}", ended.stdout);
    let run = bench.home.only_run().unwrap();
    let summary = run.summary().unwrap();
    let change = serde_json::json!({ "id": "CHG-4711", "approved_by": "Anna" });
    assert_eq!(summary["change"], change);
    let journalled = run.records().unwrap().into_iter().find_map(|record| match record.event {
        Event::RunStarted { change, .. } => change,
        _ => None,
    });
    assert_eq!(serde_json::to_value(journalled.unwrap()).unwrap(), change);
    let wrong = bench.home.run(&["resume", &run.name(), "--until", "none"]).unwrap();
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    let ended = bench.home.run(&["resume", &run.name()]).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
