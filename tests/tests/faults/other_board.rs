//! A wrong host is never touched: whenever another board takes a device's place, with a copy of its card and all
//! that runs on it, nothing is written to it, it is never armed and never committed.
//!
//! The engine runs in this process, so that the board is swapped exactly when a step has its permit and nothing of
//! it has been done.

use crate::Before;
use migos_events::{CauseKind, DeviceEvent, DeviceState, Event, Outcome, Record};
use migos_inventory::DeviceId;
use migos_lab::State::{BalenaOs, Raspbian};
use migos_lab::{Pace, VirtualPi};
use migos_playbooks::step::Action;
use migos_tests::controller::{Controller, Ground, Listener};
use migos_tests::fleet::Bench;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Every device goes its way, whatever befalls the others.
const POLICY: &str = "\
policy: 1
class: { soak: 0s }
order: inventory
parallel: 16
per_site: 16
prove: never
strategy: auto
allow_rewrite: [\"Pi \"]
stages:
  - { name: all, to: 100%, gate: { tolerate: { failed: 100, refused: 100, stuck: 100 } } }
budget: { failed: 100, stuck: 100, lost: 100 }
arrival: { late: 2m, lost: 4m, poll: 200ms }
dead_man: { contact: 60s, commit: 120s, hung: 3s }
";

/// How often the wrong board is spoken to before the right one comes back, where the engine waits for that: by the
/// step itself, and then by its undo.
const PATIENT: u32 = 4;

/// Before which step the board of each device is swapped.
const SWAPS: [(&str, Action); 13] = [
    ("kiosk-001", Action::Check),
    ("kiosk-002", Action::Lock),
    ("kiosk-003", Action::Backup),
    ("kiosk-004", Action::SendPayload),
    ("kiosk-005", Action::SendImage),
    ("kiosk-006", Action::RewriteConfig),
    ("kiosk-007", Action::WriteJob),
    ("kiosk-008", Action::WriteTryboot),
    ("kiosk-009", Action::Arm),
    ("kiosk-010", Action::Reboot),
    ("kiosk-011", Action::AwaitMigos),
    ("kiosk-012", Action::Configure),
    ("kiosk-013", Action::Commit),
];

/// Boards without one-shot boot.
const FAULTS: &str = "kiosk-006: [old-firmware]\nkiosk-010: [old-firmware]\n";

/// True for the steps that wait until the right board is back on Raspbian, or whose undo does. The undo of the
/// others gives up, since the board is somewhere else: the device is stuck.
fn waits(action: Action) -> bool {
    use Action::{Arm, AwaitMigos, Commit, Configure, Reboot};
    matches!(action, Arm | Reboot | AwaitMigos | Configure | Commit)
}

/// What would tell that a board was touched.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    card: Before,
    reboots: Vec<String>,
}

impl Traces {
    fn on(pi: &VirtualPi) -> Self {
        Traces { card: Before::of(pi), reboots: pi.life().reboots }
    }
}

/// Swaps boards.
#[derive(Default)]
struct Swapper(Mutex<BTreeMap<String, Swapped>>);

/// A device whose board was swapped.
struct Swapped {
    /// When the wrong board came.
    came: Traces,
    /// When it went, if the right one was put back in the middle of the run.
    went: Option<Traces>,
}

impl Swapper {
    fn swapped(&self) -> MutexGuard<'_, BTreeMap<String, Swapped>> {
        self.0.lock().unwrap()
    }

    /// Swaps the board of a device before its step, once.
    fn react(self: &Arc<Self>, record: &Record, lab: &Lab) {
        let Event::Device { device, what: DeviceEvent::StepStarted { step } } = &record.event
        else {
            return;
        };
        let name = device.to_string();
        let is_due = SWAPS.contains(&(device.as_str(), step.action));
        if !is_due || self.swapped().contains_key(&name) {
            return;
        }
        let pi = lab.devices[&name].clone();
        pi.swap_board();
        self.swapped().insert(name.clone(), Swapped { came: Traces::on(&pi), went: None });
        if waits(step.action) {
            let (swapper, until) = (self.clone(), pi.life().connections + PATIENT);
            lab.runtime.spawn(async move {
                pi.until(|life| life.connections >= until).await;
                let went = Some(Traces::on(&pi));
                swapper.swapped().get_mut(&name).unwrap().went = went;
                pi.swap_board();
            });
        }
    }
}

/// The devices of a lab, for a listener that outlives every borrow.
#[derive(Clone)]
struct Lab {
    devices: BTreeMap<String, Arc<VirtualPi>>,
    runtime: Handle,
}

/// Lets a controller carry on a run until it ends; gives how, and where the devices stand.
fn carry_on(
    bench: &Bench,
    controller: &Controller,
    react: impl Fn(&Record) + Send + Sync + 'static,
    take_back: Vec<DeviceId>,
) -> (Outcome, BTreeMap<DeviceId, DeviceState>) {
    let (_orders_to, orders) = mpsc::channel(1);
    let ways = (controller.ssh(), controller.ground().balena().unwrap());
    let work = controller.carry_on(ways, Arc::new(Listener(react)), orders, take_back);
    let (outcome, history) = bench.runtime.block_on(work).unwrap();
    let states = history.devices.into_iter().map(|(id, progress)| (id, progress.state));
    (outcome, states.collect())
}

#[test]
fn another_board_is_not_touched_whenever_it_takes_the_place_of_the_right_one() {
    let bench = Bench::start(SWAPS.len(), FAULTS, Pace::test()).unwrap();
    let devices: BTreeMap<String, Arc<VirtualPi>> =
        bench.lab().devices().map(|pi| (pi.name().to_owned(), pi.clone())).collect();
    let boot_tree = |name: &str| devices[name].boot_tree();
    let before: BTreeMap<&str, _> = SWAPS.map(|(name, _)| (name, boot_tree(name))).into();
    let ground = Arc::new(Ground::of(&bench).unwrap());
    let found = bench.runtime.block_on(ground.look()).unwrap();
    let plan = ground.plan(&found, &ground.fleet().order, POLICY).unwrap().check().unwrap();
    assert_eq!(plan.devices.len(), SWAPS.len(), "{:?}", plan.set_aside);
    let controller = Controller::new(ground, &bench.home.path().join("runs"), plan).unwrap();

    let swapper = Arc::new(Swapper::default());
    let lab = Lab { devices: devices.clone(), runtime: bench.runtime.handle().clone() };
    let swaps = swapper.clone();
    let react = move |record: &Record| swaps.react(record, &lab);
    let (outcome, states) = carry_on(&bench, &controller, react, Vec::new());
    assert_eq!(outcome, Outcome::Finished);

    let mut stuck = Vec::new();
    for (name, action) in SWAPS {
        let (id, pi): (DeviceId, _) = (name.parse().unwrap(), &devices[name]);
        let Swapped { came, went } = swapper.swapped().remove(name).expect(name);
        let went = went.unwrap_or_else(|| Traces::on(pi));
        let writes = went.card.writes - came.card.writes;
        let reboots = &went.reboots[came.reboots.len()..];
        assert!(
            went == came,
            "the wrong board, at {action:?}: {writes} writes, reboots {reboots:?}"
        );
        match &states[&id] {
            // It waited for MIGOS, and the right board came back: it was armed once more.
            DeviceState::Migrated if action == Action::AwaitMigos => {
                assert_eq!(pi.state(), BalenaOs);
            }
            DeviceState::Failed(cause) if waits(action) || action == Action::Check => {
                assert_eq!(cause.kind, CauseKind::Refused, "{action:?}: {cause:?}");
                assert!(cause.message.contains("another "), "{action:?}: {cause:?}");
                assert_eq!((pi.state(), boot_tree(name)), (Raspbian, before[name].clone()));
            }
            DeviceState::Stuck(message) if !waits(action) => {
                assert!(message.contains("another device answers"), "{action:?}: {message}");
                pi.swap_board();
                stuck.push(id);
            }
            other => panic!("{action:?}: {other:?}"),
        }
    }

    // The right boards are back, and a person asks for the rest.
    let (outcome, states) = carry_on(&bench, &controller, |_| {}, stuck.clone());
    assert_eq!(outcome, Outcome::TakenBack);
    for id in stuck {
        assert_eq!(states[&id], DeviceState::Undone, "{id}");
        let pi = &devices[id.as_str()];
        assert_eq!((pi.state(), pi.boot_tree()), (Raspbian, before[id.as_str()].clone()), "{id}");
    }
    let known: Vec<String> =
        bench.lab().api().devices().into_iter().map(|device| device.name).collect();
    assert_eq!(known, ["kiosk-011"], "only who was migrated is known to balena");
}
