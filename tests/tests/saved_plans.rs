//! A saved plan is carried out on the devices that are still as it has them, and on no others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::ToSpan;
use migos_engine::port::Clock;
use migos_inventory::DeviceId;
use migos_lab::Pace;
use migos_playbooks::plan::Plan;
use migos_tests::fleet::{Bench, WallClock};

const MIGRATE: [&str; 5] = ["migrate", "lab/inventory.yaml", "--yes", "--plan", "plan.json"];

/// A lab whose plan is saved, and that plan.
fn planned(devices: usize) -> (Bench, Plan) {
    let bench = Bench::start(devices, "", Pace::lab()).unwrap();
    let planned = bench.home.run(&["plan", "lab/inventory.yaml", "-o", "plan.json"]).unwrap();
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    let plan = Plan::from_json(&bench.home.read("plan.json").unwrap()).unwrap();
    (bench, plan)
}

/// The devices of the last stage, and those of the first.
fn last_and_first(plan: &Plan) -> (&[DeviceId], &[DeviceId]) {
    (&plan.stages.last().unwrap().devices, &plan.stages.first().unwrap().devices)
}

#[test]
fn who_has_changed_is_refused_with_the_difference() {
    let (bench, plan) = planned(5);
    let (last, _) = last_and_first(&plan);
    let [read_only, swapped] = [&last[0], &last[1]];
    bench.device(read_only.as_str()).unwrap().set_boot_read_only(true);
    bench.device(swapped.as_str()).unwrap().swap_board();
    let ended = bench.home.run(&MIGRATE).unwrap();
    assert_eq!(ended.code, Some(6), "{}{}", ended.stdout, ended.stderr);
    let short = plan.id.short();
    assert!(ended.stdout.contains(&format!("plan {short} without what has changed since")));
    let run = bench.home.only_run().unwrap();
    let counts = &run.summary().unwrap()["counts"];
    assert_eq!((&counts["migrated"], &counts["refused_at_plan"]), (&3.into(), &2.into()));
    let why = |device: &DeviceId| run.summary().unwrap()["set_aside"][device.as_str()].to_string();
    let since = format!("changed since plan {short} was made: ");
    assert!(why(read_only).contains(&since), "{}", why(read_only));
    assert!(why(read_only).contains("boot partition was"), "{}", why(read_only));
    assert!(why(swapped).contains("serial number was"), "{}", why(swapped));
}

#[test]
fn without_a_canary_nothing_starts() {
    let (bench, plan) = planned(4);
    let (_, canary) = last_and_first(&plan);
    bench.device(canary[0].as_str()).unwrap().swap_board();
    let ended = bench.home.run(&MIGRATE).unwrap();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let expected = "all devices of the stage canary have changed since the plan was made";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("serial number was"), "{}", ended.stderr);
    assert!(bench.home.only_run().is_err(), "no run was begun");
}

#[test]
fn an_old_plan_is_refused() {
    let (bench, mut plan) = planned(1);
    plan.facts_read = WallClock.now() - (24 * 15).hours();
    plan.id = plan.digest().unwrap();
    bench.home.write("plan.json", plan.to_json().unwrap()).unwrap();
    let ended = bench.home.run(&MIGRATE).unwrap();
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("plan.json is 15 days old; one is good for 14"),
        "{}",
        ended.stderr
    );
}
