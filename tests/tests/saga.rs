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
#[path = "saga/table.rs"]
mod table;

use controller::{Saga, Way};
use migos_events::DeviceState;
use migos_inventory::DeviceId;
use migos_lab::State;
use migos_playbooks::step::Action;
use power::{CROWD, Course, Moment, Scene};
use refusing::Refusal;
use std::collections::BTreeMap;
use table::{End, Table};

/// Calls that change a device, on its way to the commit.
const VERBS: [&str; 8] = ["lock", "backup", "pack", "write", "arm", "reboot", "send", "configure"];

#[test]
fn a_call_that_fails_anywhere_leaves_the_device_as_it_was() {
    let saga = Saga::start(CROWD, Way::OneShot);
    // How many calls there are depends on how often a reboot is looked for: the last devices see to it that every
    // verb is among them.
    let verbs = VERBS.map(Refusal::Verb);
    let calls = (0..CROWD - verbs.len()).map(Refusal::Call);
    for ((id, _), refusal) in saga.devices().zip(calls.chain(verbs)) {
        saga.refusals.refuse(id, refusal);
    }
    let states = saga.carry_out(|_| {});

    let mut ends: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (id, pi) in saga.devices() {
        let refused = saga.refusals.refused(id);
        let what = format!("{id}: {refused:?}, {:?}", states[id]);
        let place = match (refused, &states[id]) {
            (Some(_), DeviceState::Failed(_)) => {
                assert_eq!(saga.differences(id), [""; 0], "{what}");
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
    for verb in VERBS {
        assert!(ends.get(verb).is_some_and(|[failed, _]| *failed > 0), "{verb}: {ends:?}");
    }
}

#[test]
fn taken_back_twice_is_taken_back_once() {
    let saga = Saga::start(8, Way::OneShot);
    // From the proof's files to the configuration: each has something else to take back.
    for (place, (id, _)) in saga.devices().enumerate() {
        saga.refusals.refuse(id, Refusal::Call(5 * place + 3));
    }
    let states = saga.carry_out(|_| {});
    let failed = states.iter().filter(|(_, state)| matches!(state, DeviceState::Failed(_)));
    let failed: Vec<DeviceId> = failed.map(|(id, _)| id.clone()).collect();
    assert!(failed.len() > 4, "{states:?}");
    for time in 1..=2 {
        let states = saga.take_back(failed.clone(), |_| {});
        for id in &failed {
            assert_eq!(states[id], DeviceState::Undone, "{id}, time {time}");
            assert_eq!(saga.differences(id), [""; 0], "{id}, time {time}");
        }
    }
}

/// Until the commit is complete Raspbian comes back, and the device goes on or is taken back; after it, MIGOS comes
/// back and goes on.
fn of_the_commit(next: State, end: End) -> bool {
    match next {
        State::Raspbian => end == End::AsItWas,
        State::Migos | State::BalenaOs => end == End::Migrated,
        State::Off | State::Booting | State::Dark => false,
    }
}

#[test]
fn under_one_shot_a_power_cut_at_any_write_ends_in_raspbian_or_in_balena_os() {
    let scene = Scene { way: Way::OneShot, course: Course::Migrated, tries: |_| true };
    let table = Table::of(&scene, |moment, next, end| match moment {
        Moment::Doing(Action::Commit) => of_the_commit(next, end),
        _ => next == State::Raspbian,
    });
    table.assert_told(&scene, "one-shot");
}

#[test]
fn under_rewrite_a_power_cut_at_any_write_ends_in_raspbian_or_in_balena_os() {
    let scene = Scene {
        way: Way::Rewrite,
        course: Course::Migrated,
        // What comes before is as under one-shot.
        tries: |moment| moment.action() >= Action::RewriteConfig,
    };
    let table = Table::of(&scene, |moment, next, end| match moment {
        Moment::Doing(Action::Commit) => of_the_commit(next, end),
        // Until MIGOS has put config.txt back it may come up again, and then puts it back.
        _ => matches!(next, State::Raspbian | State::Migos),
    });
    let in_migos = [Action::RewriteConfig, Action::AwaitMigos].map(Moment::Doing).map(|moment| {
        [End::AsItWas, End::Migrated].map(|end| table.count(moment, State::Migos, end))
    });
    table.assert_told(&scene, "rewrite");
    assert!(in_migos.iter().all(|ends| *ends != [0, 0]), "{in_migos:?}");
}

#[test]
fn a_power_cut_at_any_write_of_an_undo_leaves_the_device_as_it_was() {
    let course = Course::FailsAt("configure");
    let tries = |moment| matches!(moment, Moment::Undoing(_));
    let scene = Scene { way: Way::OneShot, course, tries };
    let table = Table::of(&scene, |_, next, end| (next, end) == (State::Raspbian, End::AsItWas));
    table.assert_told(&scene, "undo");
}

#[test]
fn a_power_cut_while_config_txt_is_put_back_leaves_the_device_as_it_was() {
    let course = Course::FailsAt("reboot");
    let tries =
        |moment| matches!(moment, Moment::Undoing(action) if action >= Action::RewriteConfig);
    let scene = Scene { way: Way::Rewrite, course, tries };
    let table = Table::of(&scene, |_, next, end| {
        matches!(next, State::Raspbian | State::Migos) && end == End::AsItWas
    });
    table.assert_told(&scene, "undo of rewrite");
}

#[test]
fn a_power_cut_while_a_person_has_it_taken_back_leaves_the_device_as_it_was() {
    let course = Course::TakenBackFrom("configure");
    let tries = |moment| matches!(moment, Moment::Undoing(_));
    let scene = Scene { way: Way::Rewrite, course, tries };
    let table = Table::of(&scene, |_, next, end| (next, end) == (State::Raspbian, End::AsItWas));
    table.assert_told(&scene, "undo by order");
}
