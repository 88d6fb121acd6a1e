//! The whole fleet over all runs, by the ledger and one question to balena.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_tests::fleet::Bench;
use serde_json::Value;

#[test]
fn a_fleet_is_told_over_all_runs_and_a_failed_device_is_an_ordinary_one() {
    let faults = "kiosk-002: [one-shot-ignored]";
    let bench = Bench::start(3, faults, Pace::test()).unwrap();
    for only in ["kiosk-001", "kiosk-002"] {
        bench.migrate(&["--limit", only]).unwrap().end().unwrap();
    }
    let told = bench.home.run(&["status", "lab/inventory.yaml"]).unwrap();
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let rows: Vec<Vec<&str>> = told
        .stdout
        .lines()
        .skip(2)
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    let row = |kind: &str| rows.iter().find(|row| row.first() == Some(&kind)).cloned();
    assert_eq!(row("done").unwrap(), ["done", "1", "kiosk-001"], "{}", told.stdout);
    assert_eq!(row("not started").unwrap(), ["not started", "1", "kiosk-003"]);
    let failed = row("failed").unwrap();
    assert_eq!(failed[..3], ["failed", "1", "kiosk-002"]);
    assert!(failed[3].starts_with("Raspbian came back instead of MIGOS"), "{failed:?}");

    // The next plan leaves out who is done, and takes who has failed and was taken back.
    let plan = bench.home.run(&["plan", "lab/inventory.yaml", "--format", "json"]).unwrap();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let planned: Vec<&String> = plan["devices"].as_object().unwrap().keys().collect();
    assert_eq!(planned, ["kiosk-002", "kiosk-003"]);

    let only = ["status", "lab/inventory.yaml", "-l", "kiosk-001", "--format", "json"];
    let json: Value = serde_json::from_str(&bench.home.run(&only).unwrap().stdout).unwrap();
    assert_eq!(json["counts"], serde_json::json!({ "done": 1 }));
    assert!(json["devices"]["kiosk-001"]["uuid"].is_string());
}
