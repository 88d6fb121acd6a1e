//! Refusals that a person may overrule: a site that lets nothing through to balena, a card without room for a lifeboat.

use crate::Trial;
use migos_tests::fleet::STRAIGHT;
use serde_json::Value;

#[test]
fn a_site_that_blocks_balena_is_refused_unless_a_person_knows_better() {
    let trial = Trial::start(2, "kiosk-001: [blocked]\n");
    let plan = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "--format", "json"];
    let planned = trial.bench.home.run(&plan).unwrap();
    let planned: Value = serde_json::from_str(&planned.stdout).unwrap();
    let finding = &planned["set_aside"]["kiosk-001"]["refused"][0];
    assert_eq!(finding["check"], "api-reach");
    let reason = finding["reason"].as_str().unwrap();
    assert!(reason.starts_with("it does not reach balena's API at 127.0.0.1:"), "{reason}");

    let allowed = trial.bench.migrate(&["--allow", "api-reach"]).unwrap();
    let met = trial.met(allowed.end().unwrap());
    assert_eq!(met.ended.code, Some(0), "{}", met.ended.stderr);
    let said = "Allowed: api-reach. It lets through 1 device: kiosk-001.";
    assert!(met.ended.stdout.contains(said), "{}", met.ended.stdout);
    for name in ["kiosk-001", "kiosk-002"] {
        assert_eq!(met.state(name), "migrated");
        assert_eq!(trial.device(name).life().states, STRAIGHT, "{name}");
    }
}

#[test]
fn a_card_without_room_for_a_lifeboat_is_flashed_only_if_a_person_says_so() {
    let trial = Trial::start(2, "kiosk-001: [small-card]\n");
    let plan = |more: &[&str]| -> Value {
        let plan = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "--format", "json"];
        let planned = trial.bench.home.run(&[&plan, more].concat()).unwrap();
        serde_json::from_str(&planned.stdout).unwrap()
    };
    assert_eq!(plan(&[])["set_aside"]["kiosk-001"]["refused"][0]["check"], "lifeboat");
    let allowed = ["--allow", "no-lifeboat"];
    let devices = &plan(&allowed)["devices"];
    assert_eq!(devices["kiosk-001"]["no_lifeboat"], true);
    assert_eq!(devices["kiosk-002"]["no_lifeboat"], Value::Null);
    // MIGOS goes back to Raspbian unless the job says so, too.
    let met = trial.met(trial.bench.migrate(&allowed).unwrap().end().unwrap());
    assert_eq!(met.ended.code, Some(0), "{}", met.ended.stderr);
    assert_eq!(trial.device("kiosk-001").life().states, STRAIGHT);
}
