//! Commands of the policy: `check` judges a stage, `on_event` is told what happens.

use super::{bench, reason};
use migos_events::{CheckVerdict, Event};
use serde_json::Value;

const GATE: &str = "gate: { tolerate: 3 }";

#[test]
fn a_check_that_is_unsure_pauses_and_one_that_passes_lets_the_run_end() {
    let gate = "gate: { tolerate: 3, check: \"sh ./verify.sh\" }";
    let bench = bench(1, "", &[(GATE, gate)]);
    let script = "cat > told.json; echo the shop is closed; exit $(cat code)";
    bench.home.write("lab/verify.sh", script).unwrap();
    bench.home.write("lab/code", "75").unwrap();
    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert_eq!(reason(&bench), "gate all: its check is unsure: the shop is closed");
    let told: Value = serde_json::from_str(&bench.home.read("lab/told.json").unwrap()).unwrap();
    assert_eq!(told["devices"]["kiosk-001"]["state"], "migrated");

    let name = bench.home.only_run().unwrap().name();
    for (code, exit, verdict) in [
        ("3", 5, CheckVerdict::Fail),
        ("127", 5, CheckVerdict::Unsure),
        ("0", 0, CheckVerdict::Pass),
    ] {
        bench.home.write("lab/code", code).unwrap();
        let ended = bench.home.run(&["resume", &name]).unwrap();
        assert_eq!(ended.code, Some(exit), "{code}: {}", ended.stderr);
        let records = bench.home.only_run().unwrap().records().unwrap();
        let said = records.into_iter().rev().find_map(|record| match record.event {
            Event::GateChecked { verdict, .. } => Some(verdict),
            _ => None,
        });
        assert_eq!(said, Some(verdict), "{code}");
    }
}

#[test]
fn a_command_is_told_of_a_pause_and_of_the_end() {
    let gate = "gate: { tolerate: 3, pause: Look at it. }";
    let first =
        ("policy: 1\n", "policy: 1\non_event: \"cat >> ./told; echo 'no bell' >&2; exit 1\"\n");
    let bench = bench(1, "", &[(GATE, gate), first]);
    assert_eq!(bench.migrate(&[]).unwrap().end().unwrap().code, Some(5));
    let run = bench.home.only_run().unwrap();
    assert_eq!(bench.home.run(&["resume", &run.name()]).unwrap().code, Some(0));
    let told = bench.home.read("lab/told").unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = told.iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["paused", "ended", "stage-done", "finished"]);
    assert_eq!(told[0]["reason"], "Look at it.");
    assert_eq!((&told[1]["outcome"], &told[1]["exit_code"]), (&"paused".into(), &5.into()));
    assert_eq!((&told[2]["stage"], &told[3]["exit_code"]), (&"all".into(), &0.into()));
    assert_eq!(told[3]["counts"]["migrated"], 1);
    assert!(told.iter().all(|it| it["run"] == run.name().as_str()), "{told:?}");
    let log = std::fs::read_to_string(run.path().join("controller.log")).unwrap();
    assert!(log.contains("on_event failed") && log.contains("no bell"), "{log}");
}
