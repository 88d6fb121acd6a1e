//! The program against Pis under QEMU: real kernels, a real OpenSSH, real FATs, real reboots.
//!
//! Each test lays out Pis of its own; as many run side by side as there are processors. What a card holds is read from
//! outside, with the Pi off, and held against what device and program say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// What the program says is for people.
#![allow(clippy::print_stdout)]

mod cuts;
mod given_back;
mod handovers;
mod migrated;

use migos_events::{DeviceEvent, Event, Record};
use migos_payload::device_config::CONFIG_JSON;
use migos_playbooks::step::Action;
use migos_tests::emulated::{Card, EmulatedPi, Ground, Tree, tell};
use migos_tests::fleet::{Ended, Process};
use serde_json::Value;

/// True for the record that this step is done.
fn done(record: &Record, action: Action) -> bool {
    matches!(
        &record.event,
        Event::Device { what: DeviceEvent::StepDone { step, .. }, .. } if step.action == action
    )
}

/// True once the journal of the only run has a record like this.
fn is_recorded(ground: &Ground, is_it: impl Fn(&Record) -> bool) -> bool {
    let records = ground.home.only_run().and_then(|run| run.records());
    records.is_ok_and(|records| records.iter().any(is_it))
}

/// Waits for the program's end, says what it said, and checks its exit code and how each device ended.
fn ends(ground: &Ground, process: Process, code: i32, fate: &str) -> Ended {
    let ended = ground.end(process).unwrap();
    println!("{}", ended.stderr);
    for pi in &ground.pis {
        println!("{}", tell(&pi.life()));
    }
    assert_eq!(ended.code, Some(code), "{}{}\n{}", ended.stdout, ended.stderr, ground.story());
    for (name, found) in ground.home.only_run().unwrap().fates().unwrap() {
        assert_eq!(found, fate, "{name}");
    }
    ended
}

/// Holds a boot partition, from outside, against what it was. The Pi's power is cut for that.
fn assert_is_as_it_was(pi: &EmulatedPi, before: &Tree) {
    pi.cut_power().unwrap();
    let after = pi.card().boot_tree().unwrap();
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (path, content) in before {
        assert!(after[path] == *content, "{path} differs");
    }
}

/// Holds a card, from outside, against the image, and gives the device's own configuration. The Pi's power is cut for
/// that.
fn assert_is_the_image(pi: &EmulatedPi, raw: &[u8]) -> Value {
    pi.cut_power().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stock = Card::balena_os(pi.model(), folder.path()).unwrap();
    let (start, end) = stock.boot_extent().unwrap();
    let found = pi.card().bytes(0, raw.len()).unwrap();
    let (start, end) = (usize::try_from(start).unwrap(), usize::try_from(end).unwrap());
    assert!(found[..start] == raw[..start], "what is before the boot partition");
    // balenaOS has mounted its state and its data since.
    let (state, data) = (39 << 20, 56 << 20);
    assert!(found[end..state] == raw[end..state], "both roots, and the table between");
    assert_eq!(data, raw.len());

    let (before, mut after) = (stock.boot_tree().unwrap(), pi.card().boot_tree().unwrap());
    for (path, content) in &before {
        assert!(after.remove(path).as_ref() == Some(content), "{path} differs");
    }
    let config = after.remove(CONFIG_JSON).expect("the configuration");
    after.retain(|path, _| !path.starts_with("migos"));
    assert!(after.is_empty(), "{:?}", after.keys());
    serde_json::from_slice(&config).unwrap()
}
