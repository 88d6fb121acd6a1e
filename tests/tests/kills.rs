//! The controller may die at any moment: another one takes up the run and brings it to the same end.
//!
//! A run of one device is killed at each record of its journal in turn, over real SSH and HTTP, and resumed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "kills/controller.rs"]
mod controller;
#[path = "kills/ground.rs"]
mod ground;

use controller::{Controlled, Death};
use ground::Ground;
use migos_engine::journal::Journal;
use migos_events::{DeviceState, Event, History, Outcome, Record};
use migos_inventory::DeviceId;
use migos_lab::State;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs that are carried out at a time.
const AT_A_TIME: usize = 16;

/// More records than a run of one device has.
const MOST: usize = 80;

/// How a run that was killed and resumed came to its end.
struct Told {
    device: DeviceId,
    death: Death,
    /// False if the run was over before so many records were written.
    died: bool,
    outcome: Outcome,
    records: Vec<Record>,
}

impl Told {
    fn state(&self) -> DeviceState {
        let history = History::replay(&self.records).unwrap();
        history.devices.into_values().next().unwrap().state
    }

    /// For people who look why a test failed.
    fn story(&self) -> String {
        let line = |record: &Record| format!("{:>4} {:?}", record.seq, record.event);
        let lines: Vec<String> = self.records.iter().map(line).collect();
        format!("{} killed at {:?}\n{}", self.device, self.death, lines.join("\n"))
    }
}

/// Lets a run die, and resumes it until it ends.
fn kill_and_resume(ground: &Ground, device: &DeviceId, death: Death) -> Told {
    let run = Controlled::new(ground, device);
    let ended = run.carry_on(Some(death));
    let outcome = match ended {
        Some(outcome) => outcome,
        None => run.carry_on(None).expect("nobody kills it a second time"),
    };
    let records = Journal::read(&run.journal()).unwrap();
    Told { device: device.clone(), death, died: ended.is_none(), outcome, records }
}

/// Kills a run at each of its records, in both ways, every run on a device of its own.
fn kill_everywhere(ground: &Ground) -> Vec<Told> {
    let deaths: Vec<Death> = (1..=MOST).flat_map(Death::both).collect();
    let devices = ground.devices();
    assert_eq!(deaths.len(), devices.len());
    let next = AtomicUsize::new(0);
    // Who finds a run over before its death leaves: those after it are over earlier still.
    let work = || {
        let mut told = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(death), Some(device)) = (deaths.get(index), devices.get(index)) else {
                return told;
            };
            let one = kill_and_resume(ground, device, *death);
            let is_over = !one.died;
            told.push(one);
            if is_over {
                return told;
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// Every record of the run was the last one of somebody, and each run has one end.
fn assert_everywhere(told: &[Told]) {
    let reached = told.iter().filter(|told| told.died).map(|told| told.death.record()).max();
    let reached = reached.unwrap();
    assert!(reached > 20 && reached < MOST, "{reached} records are no run of one device");
    for death in (1..=reached).flat_map(Death::both) {
        assert!(told.iter().any(|told| told.death == death), "{death:?}");
    }
    for told in told {
        let resumed = |record: &&Record| matches!(record.event, Event::RunResumed { .. });
        let resumed = told.records.iter().filter(resumed).count();
        assert!(resumed <= 1, "{}", told.story());
        assert_eq!(told.outcome, Outcome::Finished, "{}", told.story());
    }
}

fn assert_all(told: &[Told], holds: impl Fn(&Told) -> Result<(), String>) {
    let judge = |told: &Told| holds(told).err().map(|why| format!("{why}: {}", told.story()));
    let wrong: Vec<String> = told.iter().filter_map(judge).collect();
    assert!(wrong.is_empty(), "{} of {} wrong\n{}", wrong.len(), told.len(), wrong.join("\n\n"));
}

#[test]
fn whenever_the_controller_dies_the_device_is_migrated_once() {
    let ground = Ground::start(MOST * 2, "per-device", "");
    let told = kill_everywhere(&ground);
    assert_everywhere(&told);
    assert_all(&told, |told| {
        if told.state() != DeviceState::Migrated {
            return Err(format!("{:?}", told.state()));
        }
        let registered = ground.registered(&told.device);
        if registered != 1 {
            return Err(format!("registered {registered} times"));
        }
        let life = ground.life(&told.device);
        let times = |state| life.states.iter().filter(|been| **been == state).count();
        if (life.state, times(State::Migos), times(State::BalenaOs)) != (State::BalenaOs, 1, 1) {
            return Err(format!("{life:?}"));
        }
        Ok(())
    });
}

#[test]
fn whenever_the_controller_dies_a_device_that_fails_is_what_it_was() {
    let ground = Ground::start(MOST * 2, "never", "one-shot-ignored");
    let before: BTreeMap<_, _> =
        ground.devices().iter().map(|id| (id, ground.boot_tree(id))).collect();
    let told = kill_everywhere(&ground);
    assert_everywhere(&told);
    assert_all(&told, |told| {
        if !matches!(told.state(), DeviceState::Failed(_)) {
            return Err(format!("{:?}", told.state()));
        }
        if ground.boot_tree(&told.device) != before[&told.device] {
            return Err("its boot partition is another".into());
        }
        let life = ground.life(&told.device);
        if life.state != State::Raspbian || ground.registered(&told.device) != 0 {
            return Err(format!("{life:?}"));
        }
        Ok(())
    });
}
