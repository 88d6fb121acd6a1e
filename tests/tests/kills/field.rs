//! What all runs share: a lab, and what was found in it.

use migos_inventory::DeviceId;
use migos_lab::{Pace, VirtualPi};
use migos_payload::digest::Sha256;
use migos_playbooks::plan::CheckedPlan;
use migos_tests::controller::{Controller, Found, Ground};
use migos_tests::fleet::Bench;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who is not heard of for so long in a lab is broken, on the busiest computer too.
const ARRIVAL: &str = "arrival: { late: 30s, lost: 60s, poll: 200ms }";
const DEAD_MAN: &str = "dead_man: { contact: 20s, commit: 40s, hung: 10s }";

/// The files of a boot partition.
pub(crate) type Tree = BTreeMap<String, Sha256>;

/// A lab, each device of which has runs of its own.
pub(crate) struct Field {
    bench: Bench,
    ground: Arc<Ground>,
    found: Found,
    policy: String,
}

impl Field {
    /// Starts a lab whose devices all have this fault, or none, and probes it. `policy` is what is special in it.
    pub(crate) fn start(devices: usize, policy: &str, fault: &str) -> Self {
        let faults = (1..=devices).map(|number| format!("kiosk-{number:03}: [{fault}]\n"));
        let bench = Bench::start(devices, &faults.collect::<String>(), Pace::test()).unwrap();
        let dead_man = if policy.contains("dead_man:") { "" } else { DEAD_MAN };
        let policy = format!(
            "policy: 1\nclass: {{ soak: 0s }}\norder: inventory\nparallel: 1\n{policy}\n\
             stages: [{{ name: all, to: 100%, gate: {{ tolerate: 1 }} }}]\n{ARRIVAL}\n{dead_man}\n"
        );
        let ground = Arc::new(Ground::of(&bench).unwrap());
        let found = bench.runtime.block_on(ground.look()).unwrap();
        Field { bench, ground, found, policy }
    }

    /// A new run of one device.
    pub(crate) fn run(&self, device: &DeviceId) -> Controller {
        let runs = self.bench.home.path().join("runs").join(device.as_str());
        Controller::new(self.ground.clone(), &runs, self.plan(device)).unwrap()
    }

    fn plan(&self, device: &DeviceId) -> CheckedPlan {
        let selection = std::slice::from_ref(device);
        let plan = self.ground.plan(&self.found, selection, &self.policy).unwrap();
        assert!(plan.devices.contains_key(device), "{:?}", plan.set_aside);
        plan.check().unwrap()
    }

    /// The devices, in order.
    pub(crate) fn devices(&self) -> &[DeviceId] {
        &self.ground.fleet().order
    }

    /// A device as the lab knows it.
    pub(crate) fn pi(&self, device: &DeviceId) -> &Arc<VirtualPi> {
        self.bench.device(device.as_str()).unwrap()
    }

    /// How often balena knows a device.
    pub(crate) fn registered(&self, device: &DeviceId) -> usize {
        let known = self.bench.lab().api().devices();
        known.iter().filter(|known| known.name == device.as_str()).count()
    }

    /// The boot partitions of all devices.
    pub(crate) fn boot_trees(&self) -> BTreeMap<DeviceId, Tree> {
        self.devices().iter().map(|id| (id.clone(), self.pi(id).boot_tree())).collect()
    }
}
