//! What a device costs does not grow with its fleet: eight times the devices take about eight times the work.
//!
//! It is a test binary of its own. Work is told by the processor time of one thread, and the margin is wide: what looks
//! at all devices for each of them would take sixty-four times the work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use migos_engine::simulation::{
    Behaviour, Circumstances, Ended, Errand, Pace, Period, Simulation, predict,
};
use migos_events::{History, Outcome};
use migos_inventory::DeviceId;
use migos_lab::Pace as LabPace;
use migos_payload::digest::Sha256;
use migos_playbooks::facts::{FactsFile, Probed};
use migos_playbooks::plan::CheckedPlan;
use migos_playbooks::policy::Policy;
use migos_report::{Style, Told, run_html, status, summary, summary_json};
use migos_tests::fleet::Bench;
use migos_tests::scenario::{Group, plan};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

const FEW: usize = 250;
const MANY: usize = 8 * FEW;

/// More than eight, for what grows with a logarithm and what a busy computer adds; far less than sixty-four.
const MOST: u32 = 20;

const NOON: Timestamp = Timestamp::UNIX_EPOCH;

/// A fleet of so many devices, so many to a site.
fn fleet(devices: usize, of_site: usize, policy: &str) -> CheckedPlan {
    let group = |site: usize| Group {
        names: format!("pi-[{:05}:{:05}]", site * of_site, (site + 1) * of_site - 1),
        site: Some(format!("site-{site:04}")),
        board: ["3B", "3B+", "4B"][site % 3].to_owned(),
        unattended: false,
    };
    let groups: Vec<Group> = (0..devices / of_site).map(group).collect();
    plan(&groups, &Policy::parse("policy", policy).unwrap()).unwrap()
}

/// The kernel counts in steps of some milliseconds.
const ENOUGH: Duration = Duration::from_millis(100);

/// The processor time that this thread takes for something, done as often as it takes to tell.
fn work(act: impl Fn()) -> Duration {
    let so_far = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
    };
    let (before, mut rounds) = (so_far(), 0);
    loop {
        act();
        rounds += 1;
        let spent = so_far() - before;
        if spent >= ENOUGH {
            return spent / rounds;
        }
    }
}

/// Fails if many devices take much more work for each than few do.
fn assert_in_step(what: &str, act: impl Fn(usize)) {
    act(FEW);
    let few = (0..3).map(|_| work(|| act(FEW))).min().unwrap();
    let many = work(|| act(MANY));
    assert!(many < few * MOST, "{what}: {FEW} devices take {few:?}, {MANY} take {many:?}");
}

#[test]
fn a_prediction() {
    let careful = Policy::shipped("careful").unwrap();
    assert_in_step("many sites", |devices| {
        let prediction = predict(&fleet(devices, 10, careful), NOON).unwrap();
        assert_eq!(prediction.devices.len(), devices);
    });
    // There is always a site without room, and there are always others behind it.
    let crowded =
        careful.replace("parallel: 8", "parallel: 64").replace("parallel: 24", "parallel: 64");
    assert_in_step("few sites", |devices| {
        let prediction = predict(&fleet(devices, FEW / 10, &crowded), NOON).unwrap();
        assert_eq!(prediction.devices.len(), devices);
    });
}

#[test]
fn a_prediction_through_closed_windows() {
    let nights = Policy::shipped("swift").unwrap().to_owned()
        + "window: { days: mon-sun, from: \"01:00\", to: \"03:00\", zone: UTC }\n";
    assert_in_step("nights", |devices| {
        let prediction = predict(&fleet(devices, 10, &nights), NOON).unwrap();
        assert_eq!(prediction.devices.len(), devices);
    });
}

/// Carries out a run in which every tenth device is away for hours.
fn carried_out(devices: usize) -> Simulation {
    let plan = fleet(devices, 10, Policy::shipped("steady").unwrap());
    let away = vec![Period { from: Duration::ZERO, to: Duration::from_secs(20 * 3600) }];
    let behaviour = Behaviour { away, ..Behaviour::default() };
    let tenth = plan.devices.keys().step_by(10).map(|id| (id.clone(), behaviour.clone()));
    let circumstances =
        Circumstances { devices: tenth.collect(), pace: Pace::Planned, ..Circumstances::default() };
    let mut simulation = Simulation::new(plan, circumstances, NOON);
    let limit = Duration::from_secs(100 * 24 * 3600);
    let ended = simulation.carry_out(Errand::default(), limit).unwrap();
    assert_eq!(ended, Ended::Outcome(Outcome::Finished));
    assert_eq!(simulation.history().unwrap().tally().migrated as usize, devices);
    simulation
}

#[test]
fn a_run_with_stragglers() {
    assert_in_step("a run", |devices| _ = carried_out(devices));
}

#[test]
fn everything_that_is_told_of_a_run() {
    const STYLE: Style = Style { color: false, width: 100 };
    let runs: BTreeMap<usize, Simulation> =
        [FEW, MANY].map(|devices| (devices, carried_out(devices))).into();
    let transcripts = BTreeMap::new();
    let told_of = |what: &str, tell: &dyn Fn(&CheckedPlan, &History, &Told<'_>) -> String| {
        assert_in_step(what, |devices| {
            let run = &runs[&devices];
            let history = run.history().unwrap();
            let told = Told { records: run.journal(), prediction: None, transcripts: &transcripts };
            assert!(!tell(run.plan(), &history, &told).is_empty());
        });
    };
    told_of("the page", &|plan, history, told| run_html(plan, history, told));
    told_of("the summary", &|plan, history, _| summary(plan, history, history.ended, STYLE));
    told_of("the numbers", &|plan, history, _| {
        summary_json(plan, history, history.ended).to_string()
    });
    told_of("the status", &|plan, history, _| {
        let all: Vec<DeviceId> = plan.devices.keys().cloned().collect();
        status(plan, history, true, STYLE, None, &all)
    });
}

#[test]
fn ten_thousand_devices_are_planned_from_saved_facts() {
    const DEVICES: usize = 10_000;
    let bench = Bench::start(8, "", LabPace::test()).unwrap();
    let home = &bench.home;
    let probed = home.run(&["probe", "lab/inventory.yaml", "-o", "facts.json"]).unwrap();
    assert_eq!(probed.code, Some(0), "{}", probed.stderr);
    let mut facts: FactsFile = serde_json::from_str(&home.read("facts.json").unwrap()).unwrap();
    let kinds: Vec<Probed> = facts.devices.values().cloned().collect();
    facts.devices.clear();
    for (number, kind) in (0..DEVICES).zip(kinds.iter().cycle()) {
        let Probed::Facts(mut one) = kind.clone() else { panic!("{kind:?}") };
        let name = format!("pi-{number:04}");
        let digest = Sha256::of(name.as_bytes()).to_string();
        one.serial = format!("00000000{}", &digest[..8]);
        one.machine_id = digest[16..48].to_owned();
        one.hostname.clone_from(&name);
        facts.devices.insert(DeviceId::new(name).unwrap(), Probed::Facts(one));
    }
    home.write("many.json", serde_json::to_vec(&facts).unwrap()).unwrap();
    let inventory = home.read("lab/inventory.yaml").unwrap();
    let (mut inventory, _) =
        inventory.split_once("groups:").map(|(head, _)| (head.to_owned(), ())).unwrap();
    inventory += "groups:\n";
    for site in 0..DEVICES / 20 {
        let (first, last) = (site * 20, site * 20 + 19);
        writeln!(
            inventory,
            "  s{site}: {{ site: s{site}, devices: [\"pi-[{first:04}:{last:04}]\"] }}"
        )
        .unwrap();
    }
    home.write("lab/many.yaml", inventory).unwrap();
    let args = ["plan", "lab/many.yaml", "--facts", "many.json", "-o", "plan.json", "--strict"];
    let ended = home.start(&args).unwrap().end_within(Duration::from_secs(900)).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("migrate  10000  pi-[0000-9999]"), "{}", ended.stdout);
    assert!(ended.stdout.contains("if begun now and all goes well"), "{}", ended.stdout);
}
