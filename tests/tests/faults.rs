//! Every fault of the lab, met by the real program: how each device ends, in which words, and that the boot
//! partition of one that is not migrated is what it was.
//!
//! The faults that `lab_run` tells of in full are not told again here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "faults/all_the_same.rs"]
mod all_the_same;
#[path = "faults/blocked.rs"]
mod blocked;
#[path = "faults/in_the_plan.rs"]
mod in_the_plan;
#[path = "faults/little_memory.rs"]
mod little_memory;
#[path = "faults/old_firmware.rs"]
mod old_firmware;
#[path = "faults/other_board.rs"]
mod other_board;
#[path = "faults/taken_back.rs"]
mod taken_back;
#[path = "faults/tunnel.rs"]
mod tunnel;

use migos_events::{DeviceEvent, Event};
use migos_lab::{Pace, State, VirtualPi};
use migos_payload::digest::Sha256;
use migos_tests::fleet::{Bench, Ended, QUICK, program};
use serde_json::Value;
use std::collections::BTreeMap;

/// What we put onto Raspbian's root file system or into its memory.
const OURS: [&str; 4] = [
    "/var/lib/migos/image",
    "/var/lib/migos/boot/config.txt",
    "/var/lib/migos/lock",
    "/run/systemd/reboot-param",
];

/// A lab with faults, and how its devices were before anything was done.
struct Trial {
    bench: Bench,
    before: BTreeMap<String, Before>,
}

/// A device before anything was done to it.
#[derive(Debug, PartialEq, Eq)]
struct Before {
    boot_tree: BTreeMap<String, Sha256>,
    writes: u64,
}

impl Before {
    fn of(pi: &VirtualPi) -> Self {
        Before { boot_tree: pi.boot_tree(), writes: pi.writes() }
    }
}

/// A run that has ended.
struct Met {
    ended: Ended,
    summary: Value,
}

impl Trial {
    /// Starts a lab with these faults, under a policy in which no number of failures stops a run.
    fn start(devices: usize, faults: &str) -> Self {
        // Some faults pass with time, and building takes some.
        program().unwrap();
        let bench = Bench::start(devices, faults, Pace::test()).unwrap();
        let before = bench.lab().devices().map(|pi| (pi.name().to_owned(), Before::of(pi)));
        let trial = Trial { before: before.collect(), bench };
        trial.policy(&[("tolerate: 3", "tolerate: { failed: 100, refused: 100, stuck: 100 }")]);
        trial
    }

    /// Changes words of the policy.
    fn policy(&self, changes: &[(&str, &str)]) {
        let path = "quick.yaml";
        let mut policy = self.bench.home.read(path).unwrap_or_else(|_| QUICK.to_owned());
        for (from, to) in changes {
            assert!(policy.contains(from), "{from:?} is not in the policy");
            policy = policy.replace(from, to);
        }
        self.bench.home.write(path, policy).unwrap();
    }

    /// Migrates the lab.
    fn meet(&self) -> Met {
        self.met(self.bench.migrate(&[]).unwrap().end().unwrap())
    }

    /// What a run that has ended left behind.
    fn met(&self, ended: Ended) -> Met {
        let summary = self.bench.home.only_run().expect(&ended.stderr).summary().unwrap();
        Met { ended, summary }
    }

    fn device(&self, name: &str) -> &VirtualPi {
        self.bench.device(name).unwrap()
    }

    /// What was said of a device's steps that were tried again.
    fn retries(&self, name: &str) -> Vec<String> {
        let records = self.bench.home.only_run().unwrap().records().unwrap();
        let retry = |event: Event| match event {
            Event::Device { device, what: DeviceEvent::StepRetried { message, .. } } => {
                (device.as_str() == name).then_some(message)
            }
            _ => None,
        };
        records.into_iter().filter_map(|record| retry(record.event)).collect()
    }

    /// The device runs Raspbian, from the boot partition that it had, and nothing of ours is left.
    fn assert_as_before(&self, name: &str) {
        let pi = self.device(name);
        assert_eq!(pi.state(), State::Raspbian, "{name}");
        assert_eq!(pi.boot_tree(), self.before[name].boot_tree, "{name}");
        for path in OURS {
            assert_eq!(pi.file(path), None, "{path} of {name}");
        }
        let known = self.bench.lab().api().devices();
        assert!(known.iter().all(|device| device.name != name), "balena knows {name}");
    }

    /// Nothing was written to the device, and it was never rebooted.
    fn assert_untouched(&self, name: &str) {
        self.assert_as_before(name);
        let (pi, life) = (self.device(name), self.device(name).life());
        assert_eq!(pi.writes(), self.before[name].writes, "{name}");
        assert_eq!((life.boots, life.reboots.len()), (1, 0), "{name}");
    }
}

impl Met {
    fn state(&self, name: &str) -> &str {
        self.summary["devices"][name]["state"].as_str().unwrap_or_default()
    }

    fn cause(&self, name: &str) -> &str {
        self.summary["devices"][name]["cause"].as_str().unwrap_or_default()
    }

    /// Why the plan refuses a device, and what helps.
    fn refusal(&self, name: &str) -> (&str, &str) {
        let refused = &self.summary["set_aside"][name]["refused"];
        let [finding] = refused.as_array().expect(name).as_slice() else { panic!("{refused}") };
        (finding["reason"].as_str().unwrap(), finding["remedy"].as_str().unwrap())
    }
}
