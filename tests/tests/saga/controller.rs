//! A run of a whole lab, each device of which is an experiment of its own.

use super::refusing::{Refusals, Refusing};
use migos_engine::rollout::Order;
use migos_events::{DeviceState, History, Outcome, Record};
use migos_inventory::DeviceId;
use migos_lab::{Pace, State, VirtualPi};
use migos_payload::digest::Sha256;
use migos_playbooks::plan::{Boot, CheckedPlan, Plan};
use migos_playbooks::span::Span;
use migos_tests::controller::{Controller, Ground, Listener};
use migos_tests::fleet::Bench;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// All at once, each device proves its one-shot boot, and whatever goes wrong stops nobody else.
const POLICY: &str = "\
policy: 1
order: inventory
parallel: 64
per_site: 64
prove: per-device
stages:
  - name: all
    to: 100%
    gate: { tolerate: { failed: 100%, unreachable: 100%, refused: 100%, stuck: 100%, lost: 100% } }
budget: { failed: 9999, stuck: 9999, lost: 9999 }
arrival: { late: 30s, lost: 60s, poll: 200ms }
";

/// A device that was cut off is looked for again after so long: a virtual Pi boots in an instant.
const PAUSE: Span = Span(Duration::from_millis(200));

/// What a migration puts on the root file system: all of it is gone when it has been taken back.
const OURS: [&str; 5] = [
    "/var/lib/migos/image",
    "/var/lib/migos/image.part",
    "/var/lib/migos/boot/config.txt",
    "/var/lib/migos/lock",
    "/var/lib/migos/lock.new",
];

/// How the devices of a lab boot MIGOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// By the firmware's flag, which each device proves first.
    OneShot,
    /// By a rewritten `config.txt`, since their firmware is of a time before that flag.
    Rewrite,
}

impl Way {
    fn fault(self) -> &'static str {
        match self {
            Way::OneShot => "",
            Way::Rewrite => "old-firmware",
        }
    }

    fn policy(self) -> String {
        let own = match self {
            Way::OneShot => "dead_man: { contact: 20s, commit: 40s, hung: 2s }",
            // Who comes up in MIGOS behind the controller's back returns by himself, and is waited for.
            Way::Rewrite => {
                "dead_man: { contact: 5s, commit: 40s, hung: 2s }\n\
                 strategy: rewrite\nallow_rewrite: [\"Pi \"]"
            }
        };
        format!("{POLICY}{own}\n")
    }

    fn is_that_of(self, boot: &Boot) -> bool {
        match self {
            Way::OneShot => matches!(boot, Boot::OneShot { proof: Some(_), .. }),
            Way::Rewrite => matches!(boot, Boot::Rewrite { .. }),
        }
    }
}

/// A run of a whole lab, each device of which is an experiment of its own.
pub(crate) struct Saga {
    pub(crate) bench: Bench,
    pub(crate) refusals: Arc<Refusals>,
    controller: Controller,
    trees: BTreeMap<DeviceId, BTreeMap<String, Sha256>>,
}

impl Saga {
    /// A lab of so many devices, and a plan for all of them.
    pub(crate) fn start(devices: usize, way: Way) -> Saga {
        let faults = (1..=devices).map(|number| format!("kiosk-{number:03}: [{}]\n", way.fault()));
        let bench = Bench::start(devices, &faults.collect::<String>(), Pace::test()).unwrap();
        let ground = Arc::new(Ground::of(&bench).unwrap());
        let found = bench.runtime.block_on(ground.look()).unwrap();
        let plan = ground.plan(&found, &ground.fleet().order, &way.policy()).unwrap();
        assert_eq!(plan.devices.len(), devices, "{:?}", plan.set_aside);
        assert!(plan.devices.values().all(|device| way.is_that_of(&device.boot)));
        let runs = bench.home.path().join("runs");
        let controller = Controller::new(ground, &runs, experiments(plan)).unwrap();
        let trees = controller.plan.devices.keys().map(|id| {
            let pi = bench.device(id.as_str()).unwrap();
            (id.clone(), pi.boot_tree())
        });
        let trees = trees.collect();
        Saga { bench, refusals: Arc::default(), controller, trees }
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = (&DeviceId, &Arc<VirtualPi>)> {
        let devices = self.controller.plan.devices.keys();
        devices.map(|id| (id, self.bench.device(id.as_str()).unwrap()))
    }

    /// Carries the run out and hears every record as it is on the disk and nothing has come of it yet.
    pub(crate) fn carry_out(
        &self,
        hear: impl Fn(&Record) + Send + Sync + 'static,
    ) -> BTreeMap<DeviceId, DeviceState> {
        // Nobody orders anything.
        let (_orders_to, orders) = mpsc::channel(1);
        let (outcome, history) = self.carry(Vec::new(), orders, hear);
        assert_eq!(outcome, Outcome::Finished);
        history.devices.into_iter().map(|(id, progress)| (id, progress.state)).collect()
    }

    /// Carries the run out until all devices are held at a call, then interrupts it: they go back, and what lies on
    /// their cards stays there.
    pub(crate) fn interrupt_when_held(&self) {
        let (orders_to, orders) = mpsc::channel(1);
        let (refusals, devices) = (self.refusals.clone(), self.trees.len());
        // The line to the controller stays open when the order has been given.
        let _line = orders_to.clone();
        self.bench.runtime.spawn(async move {
            refusals.are_held(devices).await;
            orders_to.send(Order::Interrupt).await.unwrap();
        });
        let (outcome, history) = self.carry(Vec::new(), orders, |_| {});
        assert_eq!(outcome, Outcome::Interrupted);
        for (id, progress) in history.devices {
            assert_eq!(progress.state, DeviceState::Pending, "{id}");
        }
    }

    /// Takes these devices back, as a person would who has changed his mind.
    pub(crate) fn take_back(
        &self,
        devices: Vec<DeviceId>,
        hear: impl Fn(&Record) + Send + Sync + 'static,
    ) -> BTreeMap<DeviceId, DeviceState> {
        let (_orders_to, orders) = mpsc::channel(1);
        let (outcome, history) = self.carry(devices, orders, hear);
        assert_eq!(outcome, Outcome::TakenBack);
        history.devices.into_iter().map(|(id, progress)| (id, progress.state)).collect()
    }

    fn carry(
        &self,
        take_back: Vec<DeviceId>,
        orders: mpsc::Receiver<Order>,
        hear: impl Fn(&Record) + Send + Sync + 'static,
    ) -> (Outcome, History) {
        let real = self.controller.ssh();
        let transport = Refusing { real, refusals: self.refusals.clone() };
        let balena = self.controller.ground().balena().unwrap();
        let observer = Arc::new(Listener(hear));
        let work = self.controller.carry_on((transport, balena), observer, orders, take_back);
        self.bench.runtime.block_on(work).unwrap()
    }

    /// What is wrong with a device that is to be as it was before the run.
    pub(crate) fn differences(&self, device: &DeviceId) -> Vec<String> {
        let pi = self.bench.device(device.as_str()).unwrap();
        let mut found = Vec::new();
        if pi.state() != State::Raspbian {
            found.push(format!("it is {:?}", pi.state()));
        }
        let (before, now) = (&self.trees[device], pi.boot_tree());
        let paths: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let changed = paths.into_iter().filter(|path| before.get(*path) != now.get(*path));
        found.extend(changed.map(|path| format!("{path} is not what it was")));
        let left = OURS.iter().filter(|path| pi.file(path).is_some());
        found.extend(left.map(|path| format!("{path} is left")));
        let known = self.bench.lab().api().devices();
        if known.iter().any(|known| known.name == device.as_str()) {
            found.push("balena knows it".to_owned());
        }
        found
    }
}

/// The same plan, with pauses to match the lab's pace, and each device a class of its own, so that none waits for another.
fn experiments(mut plan: Plan) -> CheckedPlan {
    plan.devices.iter_mut().for_each(|(id, device)| device.class.kernel = id.to_string());
    plan.steps.iter_mut().for_each(|step| step.retry.pause = PAUSE);
    plan.id = plan.digest().unwrap();
    plan.check().unwrap()
}
