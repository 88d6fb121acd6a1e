//! `--limit state=…`: devices by how they stand in a run.

use super::bench;
use serde_json::Value;

/// The devices of a JSON document.
fn devices(json: &str) -> Vec<String> {
    let json: Value = serde_json::from_str(json).unwrap();
    json["devices"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn devices_are_chosen_by_their_state() {
    let faults = "kiosk-002: [one-shot-ignored]";
    let bench = bench(3, faults, &[("tolerate: 3", "tolerate: 0"), ("parallel: 8", "parallel: 1")]);
    let inventory = "lab/inventory.yaml";
    let none = bench.home.run(&["plan", inventory, "-l", "state=failed"]).unwrap();
    assert_eq!(none.code, Some(2), "{}", none.stderr);
    assert!(none.stderr.contains("there is none yet"), "{}", none.stderr);

    let ended = bench.migrate(&["-l", "kiosk-[001:002]"]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    let run = bench.home.only_run().unwrap().name();
    let plan = |limit: &str| {
        bench.home.run(&["plan", inventory, "--format", "json", "-l", limit]).unwrap()
    };
    assert_eq!(devices(&plan("state=failed").stdout), ["kiosk-002"]);
    assert_eq!(devices(&plan("state=failed,kiosk-003").stdout), ["kiosk-002", "kiosk-003"]);
    let status = ["status", &run, "--format", "json", "-l", "state=migrated"];
    assert_eq!(devices(&bench.home.run(&status).unwrap().stdout), ["kiosk-001"]);
    let table = bench.home.run(&["status", &run, "-l", "state=failed"]).unwrap().stdout;
    assert!(table.contains("kiosk-002") && !table.contains("kiosk-001"), "{table}");

    let nobody = plan("state=lost");
    assert_eq!(nobody.code, Some(2));
    insta::assert_snapshot!(nobody.stderr.replace(&run, "RUN"), @r"
    error: no device is lost in run RUN
    hint: see how they stand with: migos-fleet status RUN
    ");
    let unknown = bench.home.run(&["undo", &run, "-l", "state=fialed"]).unwrap();
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("there is no state `fialed`"), "{}", unknown.stderr);
}
