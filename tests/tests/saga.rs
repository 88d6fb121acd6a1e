//! A migration is a saga: cut off anywhere, it ends with the device as it was, or migrated; never between.
//!
//! Each device of a lab is an experiment of its own, and all of them are carried out at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The tables of what was tried are for people.
#![allow(clippy::print_stdout)]

#[path = "saga/controller.rs"]
mod controller;
#[path = "saga/power.rs"]
mod power;
#[path = "saga/refusing.rs"]
mod refusing;

use controller::Saga;
use migos_events::{DeviceEvent, DeviceState, Event, Outcome};
use migos_inventory::DeviceId;
use migos_lab::State;
use migos_playbooks::step::Action;
use power::{Cut, Cuts, Profile};
use std::collections::BTreeMap;

/// What a migration puts on the root file system: all of it is gone when it has been taken back.
const OURS: [&str; 3] =
    ["/var/lib/migos/image", "/var/lib/migos/image.part", "/var/lib/migos/boot/config.txt"];

/// So many devices at once are in flight.
const CROWD: usize = 60;

fn assert_as_it_was(saga: &Saga, device: &DeviceId, what: &str) {
    let pi = saga.bench.device(device.as_str()).unwrap();
    assert_eq!(pi.state(), State::Raspbian, "{what}");
    assert!(saga.has_its_boot_files(device), "{what}: {:?}", pi.boot_tree().keys());
    assert_eq!(saga.found(device, &OURS), [""; 0], "{what}");
}

#[test]
fn a_call_that_fails_anywhere_leaves_the_device_as_it_was() {
    let saga = Saga::start(CROWD);
    for (call, (id, _)) in saga.devices().enumerate() {
        saga.refusals.refuse(id, call);
    }
    let states = saga.carry_out(|_| {});

    let mut ends: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (id, pi) in saga.devices() {
        let refused = saga.refusals.refused(id);
        let what = format!("{id}: {refused:?}, {:?}", states[id]);
        let place = match (refused, &states[id]) {
            (Some(_), DeviceState::Failed(_)) => {
                assert_as_it_was(&saga, id, &what);
                0
            }
            // While a reboot is waited for, the lock is renewed until it is held.
            (None | Some("lock"), DeviceState::Migrated) => {
                assert_eq!(pi.state(), State::BalenaOs, "{what}");
                1
            }
            _ => panic!("{what}"),
        };
        ends.entry(refused.unwrap_or("none")).or_default()[place] += 1;
    }
    println!("refused call      as it was  migrated");
    for (verb, [failed, migrated]) in &ends {
        println!("{verb:<16} {failed:>10} {migrated:>9}");
    }
    for verb in ["lock", "backup", "pack", "write", "arm", "reboot", "send", "configure", "none"] {
        assert!(ends.contains_key(verb), "no {verb} was refused: {ends:?}");
    }
    assert_eq!(ends.values().flatten().sum::<usize>(), CROWD);
}

#[test]
fn taken_back_twice_is_taken_back_once() {
    let saga = Saga::start(8);
    // From the proof's files to the configuration: each has something else to take back.
    for (place, (id, _)) in saga.devices().enumerate() {
        saga.refusals.refuse(id, 5 * place + 3);
    }
    let states = saga.carry_out(|_| {});
    let failed = states.iter().filter(|(_, state)| matches!(state, DeviceState::Failed(_)));
    let failed: Vec<DeviceId> = failed.map(|(id, _)| id.clone()).collect();
    assert!(failed.len() > 4, "{states:?}");
    for time in 1..=2 {
        let (outcome, history) = saga.take_back(failed.clone());
        assert_eq!(outcome, Outcome::TakenBack);
        for id in &failed {
            let state = &history.devices[id].state;
            assert_eq!(*state, DeviceState::Undone, "{id}, time {time}");
            assert_as_it_was(&saga, id, &format!("{id}, time {time}"));
        }
    }
}

#[test]
fn a_power_cut_at_any_write_ends_in_raspbian_or_in_balena_os() {
    let profile = Profile::take();
    println!("{profile}");
    let mut waiting = profile.cuts();
    let injected = waiting.len();
    let mut ends: BTreeMap<(Action, &str), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    while !waiting.is_empty() {
        let saga = Saga::start(CROWD.min(waiting.len().max(profile.kinds())));
        let mut chosen: BTreeMap<DeviceId, Cut> = BTreeMap::new();
        for (place, (id, _)) in saga.devices().enumerate() {
            let fits = waiting.iter().position(|cut| profile.has(place, cut));
            if let Some(index) = fits {
                chosen.insert(id.clone(), waiting.remove(index));
            }
        }
        let cuts = Cuts::new(&saga, chosen);
        let hearing = cuts.clone();
        let states = saga.carry_out(move |record| {
            if let Event::Device { device, what: DeviceEvent::StepStarted { step } } = &record.event
            {
                hearing.begins(device, step.action);
            }
        });
        for (id, cut) in cuts.all() {
            match end_of(&saga, id, cut, &states[id]) {
                Ok(end) => *ends.entry((cut.action, end)).or_default() += 1,
                Err(what) => wrong.push(what),
            }
        }
    }
    println!("power cut in step   then                                      devices");
    for ((action, end), count) in &ends {
        println!("{:<19} {end:<40} {count:>8}", format!("{action:?}"));
    }
    assert!(wrong.is_empty(), "{} of {injected}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(ends.values().sum::<usize>(), injected);
}

/// What became of a device whose power was cut; an error is what never may be.
fn end_of(
    saga: &Saga,
    id: &DeviceId,
    cut: &Cut,
    state: &DeviceState,
) -> Result<&'static str, String> {
    let pi = saga.bench.device(id.as_str()).unwrap();
    let states = pi.life().states;
    let wrong = |why: &str| {
        let kind = format!("{} {:?}", pi.model().name, pi.release());
        Err(format!("{id} ({kind}), {cut:?}: {why}; {state:?}; {states:?}"))
    };
    // The first state is `Off` too: that was before the lab's start.
    let Some(at) = states.iter().skip(1).position(|state| *state == State::Off) else {
        return wrong("its power was not cut");
    };
    let next = states[at + 1..].iter().find(|s| !matches!(s, State::Off | State::Booting));
    let past_return = cut.action == Action::Commit;
    match (next, state) {
        (Some(State::Raspbian), DeviceState::Migrated) if !past_return => {
            Ok("back on Raspbian, migrated after a retry")
        }
        (Some(State::Raspbian), DeviceState::Failed(_)) => {
            if pi.state() != State::Raspbian || !saga.has_its_boot_files(id) {
                return wrong("it is not what it was");
            }
            if !saga.found(id, &OURS).is_empty() {
                return wrong("something of ours is left");
            }
            Ok("back on Raspbian, failed and undone")
        }
        (Some(State::Migos), DeviceState::Migrated) if past_return => Ok("in MIGOS, migrated"),
        (Some(State::BalenaOs), DeviceState::Migrated) if past_return => {
            Ok("in balenaOS, migrated")
        }
        _ => wrong("neither what it was nor migrated"),
    }
}
