//! The controller may die at any moment: another one takes up the run and brings it to the same end.
//!
//! A run of one device is killed at each record of its journal in turn, over real SSH and HTTP, and resumed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "kills/controller.rs"]
mod controller;
#[path = "kills/field.rs"]
mod field;
#[path = "kills/twice.rs"]
mod twice;

use controller::{Controlled, Death};
use field::{Field, Tree};
use migos_events::{DeviceState, Event, History, Outcome, Record};
use migos_inventory::DeviceId;
use migos_lab::State;
use std::ops::ControlFlow;
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
fn kill_and_resume(field: &Field, device: &DeviceId, death: Death) -> Told {
    let run = Controlled::new(field, device);
    let ended = run.carry_on(Some(death), |_| {});
    let outcome = match ended {
        Some(outcome) => outcome,
        None => run.carry_on(None, |_| {}).expect("nobody kills it a second time"),
    };
    let records = run.records();
    Told { device: device.clone(), death, died: ended.is_none(), outcome, records }
}

/// Does something with every device, many at a time. Who breaks off leaves: for the devices after his there is nothing
/// to do either.
fn all_at_once<T: Send>(
    devices: &[DeviceId],
    work: impl Fn(usize, &DeviceId) -> ControlFlow<T, T> + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(device) = devices.get(index) else { return done };
            match work(index, device) {
                ControlFlow::Continue(one) => done.push(one),
                ControlFlow::Break(one) => {
                    done.push(one);
                    return done;
                }
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// Kills a run at each of its records, in both ways, every run on a device of its own.
fn kill_everywhere(field: &Field) -> Vec<Told> {
    let deaths: Vec<Death> = (1..=MOST).flat_map(Death::both).collect();
    assert_eq!(deaths.len(), field.devices().len());
    all_at_once(field.devices(), |index, device| {
        let told = kill_and_resume(field, device, deaths[index]);
        if told.died { ControlFlow::Continue(told) } else { ControlFlow::Break(told) }
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

/// The device was migrated, and balena knows it under one name.
fn is_migrated_once(field: &Field, device: &DeviceId) -> Result<(), String> {
    let registered = field.registered(device);
    if registered != 1 {
        return Err(format!("registered {registered} times"));
    }
    let life = field.pi(device).life();
    let flashed = life.states.iter().filter(|been| **been == State::BalenaOs).count();
    if (life.state, flashed) != (State::BalenaOs, 1) {
        return Err(format!("{life:?}"));
    }
    Ok(())
}

/// The device is what it was, and balena never heard of it.
fn is_as_it_was(field: &Field, device: &DeviceId, before: &Tree) -> Result<(), String> {
    let pi = field.pi(device);
    if pi.boot_tree() != *before {
        return Err("its boot partition is another".into());
    }
    if pi.state() != State::Raspbian || field.registered(device) != 0 {
        return Err(format!("{:?}", pi.life()));
    }
    Ok(())
}

#[test]
fn whenever_the_controller_dies_the_device_is_migrated_once() {
    let field = Field::start(MOST * 2, "prove: per-device", "");
    let told = kill_everywhere(&field);
    assert_everywhere(&told);
    assert_all(&told, |told| {
        if told.state() != DeviceState::Migrated {
            return Err(format!("{:?}", told.state()));
        }
        let life = field.pi(&told.device).life();
        if life.states.iter().filter(|been| **been == State::Migos).count() != 1 {
            return Err(format!("{life:?}"));
        }
        is_migrated_once(&field, &told.device)
    });
}

#[test]
fn whenever_the_controller_dies_a_device_that_fails_is_what_it_was() {
    let field = Field::start(MOST * 2, "prove: never", "one-shot-ignored");
    let before = field.boot_trees();
    let told = kill_everywhere(&field);
    assert_everywhere(&told);
    assert_all(&told, |told| {
        if !matches!(told.state(), DeviceState::Failed(_)) {
            return Err(format!("{:?}", told.state()));
        }
        is_as_it_was(&field, &told.device, &before[&told.device])
    });
}
