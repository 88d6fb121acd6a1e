//! What people do with a run from another terminal: pause, stop, forgive, take over; and whom it tells.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "locks and journals that others have written")]

#[path = "operator/capacity.rs"]
mod capacity;
#[path = "operator/choose.rs"]
mod choose;
#[path = "operator/control.rs"]
mod control;
#[path = "operator/full_disk.rs"]
mod full_disk;
#[path = "operator/hooks.rs"]
mod hooks;
#[path = "operator/lock.rs"]
mod lock;
#[path = "operator/watch.rs"]
mod watch;
#[path = "operator/wishes.rs"]
mod wishes;

use migos_events::{Event, Record};
use migos_lab::Pace;
use migos_tests::fleet::{Bench, Process, QUICK};

/// A lab whose policy has these words in the place of others.
fn bench(devices: usize, faults: &str, changes: &[(&str, &str)]) -> Bench {
    let bench = Bench::start(devices, faults, Pace::test()).unwrap();
    let mut policy = QUICK.to_owned();
    for (from, to) in changes {
        assert!(policy.contains(from), "{from:?} is not in the policy");
        policy = policy.replace(from, to);
    }
    bench.home.write("quick.yaml", policy).unwrap();
    bench
}

/// A run that soaks for longer than anybody waits.
fn soaking() -> (Bench, Process) {
    let bench = bench(1, "", &[("tolerate: 3", "tolerate: 3, soak: 1h")]);
    let mut run = bench.migrate(&[]).unwrap();
    let is_soak = |record: &Record| matches!(record.event, Event::SoakStarted { .. });
    bench.home.until_record(&mut run, "the soak", is_soak).unwrap();
    (bench, run)
}

/// Why the only run of a lab was paused or stopped last.
fn reason(bench: &Bench) -> String {
    let records = bench.home.only_run().unwrap().records().unwrap();
    let reason = records.into_iter().rev().find_map(|record| match record.event {
        Event::Paused { reason, .. } | Event::Stopped { reason, .. } => Some(reason),
        _ => None,
    });
    reason.unwrap()
}

/// Who and where this is, as the program says it.
fn person(told: &str) -> bool {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    told.split_once('@').is_some_and(|(user, at)| !user.is_empty() && at == host.trim())
}
