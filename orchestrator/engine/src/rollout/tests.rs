#![allow(clippy::unwrap_used, clippy::panic)]
//! Whole rollouts on a virtual clock.

mod any_input;
mod settling;

use super::*;
use crate::sample;
use any_input::{assert_no_permit_after_the_close, assert_within_limits};
use jiff::Timestamp;
use migos_events::{Cause, CauseKind, Learned};
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::step::Action;
use std::collections::BTreeMap;

fn at(seconds: u64) -> Now {
    let wall = Timestamp::UNIX_EPOCH;
    Now { run: Duration::from_secs(seconds), wall }
}

fn rollout(plan: &Arc<CheckedPlan>, past: &[Record]) -> Rollout {
    Rollout::new(plan.clone(), RunId("7f3a2c-01".into()), "0.1.0", past).unwrap()
}

/// How a simulated device behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    FailsAt(Action),
    /// Permitted to commit by itself, it goes back.
    Declines,
    UndoFails,
    SilentInFlash,
    Contradicts,
    NeverArrives,
    ArrivesAsAnother,
}

/// What a simulated device's task is doing.
#[derive(Debug, Clone)]
enum Task {
    Asking(usize),
    Granted(usize),
    Undoing(Vec<StepRef>),
    UndoGranted(Vec<StepRef>),
}

/// A run with simulated devices on a virtual clock.
struct World {
    plan: Arc<CheckedPlan>,
    rollout: Rollout,
    fates: BTreeMap<DeviceId, Fate>,
    tasks: BTreeMap<DeviceId, Task>,
    journal: Vec<Record>,
    ended: Option<Outcome>,
    clock: u64,
}

impl World {
    fn new(plan: Arc<CheckedPlan>, fates: BTreeMap<DeviceId, Fate>, past: Vec<Record>) -> World {
        let clock = past.last().map_or(0, |record| record.elapsed.as_secs());
        let rollout = rollout(&plan, &past);
        let tasks = BTreeMap::new();
        let mut world = World { plan, rollout, fates, tasks, journal: past, ended: None, clock };
        world.input(Input::Begin);
        world
    }

    fn fate(&self, device: &DeviceId) -> Fate {
        self.fates.get(device).copied().unwrap_or(Fate::Arrives)
    }

    fn input(&mut self, input: Input) {
        for effect in self.rollout.handle(input, at(self.clock)) {
            match effect {
                Effect::Record(record) => self.journal.push(record),
                Effect::Launch(device, progress) => {
                    let task = match &progress.state {
                        DeviceState::Running { step, done, .. } => {
                            self.asking(&device, step.n + usize::from(*done))
                        }
                        DeviceState::InMigos => Task::Asking(self.plan.commit_step()),
                        DeviceState::Migrated => self.asking(&device, self.plan.settle_step()),
                        DeviceState::Undoing { .. } => {
                            Task::Undoing(progress.touched.iter().copied().collect())
                        }
                        _ => Task::Asking(0),
                    };
                    assert!(self.tasks.insert(device, task).is_none(), "launched twice");
                    assert_within_limits(&self.rollout);
                    self.rollout.roster.assert_is_as_counted_anew(&self.rollout.history);
                }
                Effect::Grant(device) => {
                    let task = match self.tasks.remove(&device).unwrap() {
                        Task::Asking(n) => Task::Granted(n),
                        Task::Undoing(left) => Task::UndoGranted(left),
                        other => panic!("{device} did not ask: {other:?}"),
                    };
                    self.tasks.insert(device, task);
                }
                Effect::Skip(device) => {
                    let Some(Task::Asking(n)) = self.tasks.remove(&device) else {
                        panic!("no ask")
                    };
                    let task = self.asking(&device, n + 1);
                    self.tasks.insert(device, task);
                }
                Effect::Recall(device) => {
                    let touched = &self.rollout.history().devices[&device].touched;
                    let back = touched.iter().filter(|step| step.action.holds_the_device());
                    let task = Task::Undoing(back.copied().collect());
                    self.tasks.insert(device, task);
                }
                Effect::Check(_) => {}
                Effect::End(outcome) => {
                    assert!(self.tasks.is_empty(), "the run ends with tasks at work");
                    assert!(self.ended.replace(outcome).is_none(), "the run ends twice");
                }
            }
        }
    }

    fn asking(&self, device: &DeviceId, from: usize) -> Task {
        Task::Asking(self.plan.next_step(device, from).unwrap_or(self.plan.steps.len()))
    }

    /// Lets one device's task do one thing.
    fn work(&mut self, device: &DeviceId) {
        let Some(task) = self.tasks.get(device).cloned() else { return };
        let fate = self.fate(device);
        let said = match task {
            Task::Asking(n) if n >= self.plan.steps.len() => return self.end_task(device),
            Task::Asking(n) => Said::Ask(n),
            Task::Granted(n) => {
                let action = self.plan.steps[n].action;
                if action == Action::AwaitBalena {
                    return self.end_task(device);
                }
                let cause = Cause { kind: CauseKind::Step, message: "no".into() };
                match fate {
                    Fate::SilentInFlash if action == Action::AwaitFlash => {
                        self.input(Input::Said(device.clone(), Said::Lost("silent".into())));
                        return self.end_task(device);
                    }
                    Fate::Contradicts if action == Action::AwaitFlash => {
                        let said = Said::Contradicted("Raspbian answers".into());
                        self.input(Input::Said(device.clone(), said));
                        return self.end_task(device);
                    }
                    Fate::Declines if action == Action::AwaitCommit => {
                        self.fail(device, n, cause.clone());
                        Said::CameBack(n, cause)
                    }
                    Fate::FailsAt(bad) if bad == action => self.fail(device, n, cause),
                    Fate::UndoFails if action == Action::Arm => self.fail(device, n, cause),
                    _ => {
                        let task = self.asking(device, n + 1);
                        self.tasks.insert(device.clone(), task);
                        Said::Done(n, Learned::default())
                    }
                }
            }
            Task::Undoing(left) => match left.last() {
                Some(step) => Said::AskUndo(*step),
                None => {
                    self.input(Input::Said(device.clone(), Said::Undone));
                    return self.end_task(device);
                }
            },
            Task::UndoGranted(mut left) => {
                let step = left.pop().unwrap();
                if fate == Fate::UndoFails && step.action == Action::WriteJob {
                    self.input(Input::Said(device.clone(), Said::Stuck("no way back".into())));
                    return self.end_task(device);
                }
                self.tasks.insert(device.clone(), Task::Undoing(left));
                Said::UndoDone(step)
            }
        };
        self.input(Input::Said(device.clone(), said));
    }

    fn fail(&mut self, device: &DeviceId, n: usize, cause: Cause) -> Said {
        let touched = self.rollout.history().devices[device].touched.iter().copied().collect();
        self.tasks.insert(device.clone(), Task::Undoing(touched));
        Said::Failed(n, cause)
    }

    fn end_task(&mut self, device: &DeviceId) {
        self.tasks.remove(device);
        self.input(Input::TaskEnded(device.clone()));
    }

    /// A poll of balena: everybody who has arrived is well.
    fn poll(&mut self) {
        let seen = |(id, _): (&DeviceId, _)| Seen {
            device: id.clone(),
            uuid: DeviceUuid("ab".repeat(16)),
            sight: match self.fate(id) {
                Fate::NeverArrives | Fate::SilentInFlash => Sight::Silent,
                Fate::ArrivesAsAnother => Sight::Unwell("it runs something else".into()),
                _ => Sight::Well { os_version: "balenaOS 6.0.24".into(), vpn: true },
            },
        };
        let seen = self.plan.devices.iter().map(seen).collect();
        self.input(Input::Seen(seen));
    }

    /// One second: every task does one thing, then balena is asked.
    fn second(&mut self) {
        self.clock += 1;
        for device in self.tasks.keys().cloned().collect::<Vec<_>>() {
            self.work(&device);
        }
        self.poll();
    }

    fn run(&mut self) -> Outcome {
        for _ in 0..10_000 {
            if let Some(outcome) = self.ended {
                return outcome;
            }
            self.second();
        }
        panic!("the run does not end: {:?}", self.rollout.history());
    }

    fn ends(&self) -> Vec<DeviceState> {
        self.plan.devices.keys().map(|id| self.rollout.state(id).clone()).collect()
    }
}

fn fates(list: &[(usize, Fate)]) -> BTreeMap<DeviceId, Fate> {
    list.iter().map(|(n, fate)| (sample::id(*n), *fate)).collect()
}

#[test]
fn a_fleet_without_trouble_is_migrated_stage_by_stage() {
    let plan = Arc::new(sample::plan(12));
    let mut world = World::new(plan, BTreeMap::new(), Vec::new());
    assert_eq!(world.run(), Outcome::Finished);
    assert!(world.ends().iter().all(|state| *state == DeviceState::Migrated));
    let passed = world.journal.iter().filter(|r| matches!(r.event, Event::StagePassed { .. }));
    assert_eq!(passed.count(), 3);
}

#[test]
fn a_failure_in_the_canary_pauses_before_the_next_stage() {
    let plan = Arc::new(sample::plan(12));
    let canary = plan.stages[0].devices[0].clone();
    let mut world =
        World::new(plan, BTreeMap::from([(canary, Fate::FailsAt(Action::SendImage))]), Vec::new());
    assert_eq!(world.run(), Outcome::Paused);
    let tally = world.rollout.history().tally();
    assert_eq!((tally.failed, tally.pending), (1, 11));
    let paused = world.rollout.history().paused.clone();
    assert_eq!(paused.as_deref(), Some("gate canary: 1 failed, 0 tolerated"));
}

#[test]
fn a_lost_or_stuck_device_stops_the_run() {
    for (fate, expected) in [
        (Fate::NeverArrives, (1, 0)),
        (Fate::SilentInFlash, (1, 0)),
        (Fate::ArrivesAsAnother, (0, 1)),
        (Fate::UndoFails, (0, 1)),
    ] {
        let plan = Arc::new(sample::plan(12));
        let canary = plan.stages[0].devices[0].clone();
        let mut world = World::new(plan, BTreeMap::from([(canary, fate)]), Vec::new());
        assert_eq!(world.run(), Outcome::Stopped, "{fate:?}");
        let tally = world.rollout.history().tally();
        assert_eq!((tally.lost, tally.stuck), expected, "{fate:?}");
    }
}

#[test]
fn an_interrupted_run_recalls_who_can_go_back_and_resumes_to_the_same_end() {
    let plan = Arc::new(sample::plan(12));
    for interrupt_after in 1..90 {
        let mut world = World::new(plan.clone(), BTreeMap::new(), Vec::new());
        for _ in 0..interrupt_after {
            world.second();
        }
        world.input(Input::Order(Order::Interrupt));
        let outcome = world.run();
        assert!(matches!(outcome, Outcome::Interrupted | Outcome::Finished));
        let at_rest =
            |state: &DeviceState| matches!(state, DeviceState::Pending | DeviceState::Migrated);
        assert!(world.ends().iter().all(at_rest), "{:?}", world.ends());
        if outcome == Outcome::Interrupted {
            let mut resumed = World::new(plan.clone(), BTreeMap::new(), world.journal);
            assert_eq!(resumed.run(), Outcome::Finished);
        }
    }
}

/// Invariant 5, for the core: every prefix of a journal, resumed, reaches the same end.
#[test]
fn every_prefix_of_a_journal_resumes_to_the_same_end() {
    let plan = Arc::new(sample::plan(8));
    let fates =
        fates(&[(3, Fate::FailsAt(Action::WriteJob)), (5, Fate::FailsAt(Action::AwaitMigos))]);
    let mut whole = World::new(plan.clone(), fates.clone(), Vec::new());
    let outcome = whole.run();
    for cut in 0..whole.journal.len() {
        if matches!(whole.journal[cut].event, Event::RunEnded { .. }) {
            continue;
        }
        let past = whole.journal[..cut].to_vec();
        let mut resumed = World::new(plan.clone(), fates.clone(), past);
        assert_eq!(resumed.run(), outcome, "cut at {cut}");
        assert_eq!(resumed.ends(), whole.ends(), "cut at {cut}");
    }
}

#[test]
fn a_device_that_declines_to_commit_is_taken_back_from_every_prefix() {
    let plan = Arc::new(sample::plan_with_handovers(9));
    let fates = fates(&[(5, Fate::Declines)]);
    let mut whole = World::new(plan.clone(), fates.clone(), Vec::new());
    assert_eq!(whole.run(), Outcome::Finished);
    let tally = whole.rollout.history().tally();
    assert_eq!((tally.migrated, tally.failed), (8, 1));
    for cut in 0..whole.journal.len() - 1 {
        let past = whole.journal[..cut].to_vec();
        let mut resumed = World::new(plan.clone(), fates.clone(), past);
        assert_eq!(resumed.run(), Outcome::Finished, "cut at {cut}");
        assert_eq!(resumed.ends(), whole.ends(), "cut at {cut}");
    }
}

/// Invariant 2 for the unattended: the run may close at any moment, and whoever has a permit then goes on.
#[test]
fn a_pause_comes_before_the_release_or_waits_for_the_end() {
    let plan = Arc::new(sample::plan_with_handovers(9));
    for second in 0..120 {
        let mut world = World::new(plan.clone(), BTreeMap::new(), Vec::new());
        for _ in 0..second {
            world.second();
        }
        world.input(Input::Order(Order::Pause("anna@ops".to_owned())));
        world.run();
        for state in world.ends() {
            assert!(matches!(state, DeviceState::Pending | DeviceState::Migrated), "{state:?}");
        }
        assert_no_permit_after_the_close(&world.journal);
    }
}

#[test]
fn a_silent_balena_is_never_a_devices_failure() {
    let plan = Arc::new(sample::plan(2));
    let mut world = World::new(plan, BTreeMap::new(), Vec::new());
    for _ in 0..500 {
        world.clock += 1;
        for device in world.tasks.keys().cloned().collect::<Vec<_>>() {
            world.work(&device);
        }
        world.input(Input::BalenaAway("503".into()));
    }
    assert_eq!(world.ended, None);
    assert_eq!(world.rollout.history().tally().lost, 0);
    assert_eq!(world.run(), Outcome::Finished);
}

#[test]
fn the_last_task_hangs_up_before_the_run_ends() {
    let plan = Arc::new(sample::plan(1));
    let mut world = World::new(plan, BTreeMap::new(), Vec::new());
    let device = sample::id(0);
    while *world.rollout.state(&device) != DeviceState::Arriving {
        world.clock += 1;
        world.work(&device);
    }
    for _ in 0..60 {
        world.clock += 1;
        world.poll();
    }
    assert_eq!(*world.rollout.state(&device), DeviceState::Migrated);
    assert_eq!(world.ended, None, "its task is still there");
    world.end_task(&device);
    assert_eq!(world.ended, Some(Outcome::Finished));
}

#[test]
fn the_time_of_a_device_recalled_before_its_first_step_counts_from_there() {
    let plan = Arc::new(sample::plan(4));
    let mut core = rollout(&plan, &[]);
    core.handle(Input::Begin, at(0));
    let device = sample::id(0);
    core.handle(Input::Order(Order::Pause("a".into())), at(60));
    core.handle(Input::Said(device.clone(), Said::Ask(0)), at(60));
    let progress = &core.history().devices[&device];
    assert!(matches!(progress.state, DeviceState::Undoing { .. }));
    assert_eq!(progress.started, Duration::from_secs(60));
}

#[test]
fn a_contradiction_pauses_and_what_still_is_one_then_needs_hands() {
    let plan = Arc::new(sample::plan(4));
    let canary = plan.stages[0].devices[0].clone();
    let odd = BTreeMap::from([(canary.clone(), Fate::Contradicts)]);
    let mut world = World::new(plan.clone(), odd.clone(), Vec::new());
    assert_eq!(world.run(), Outcome::Paused);
    assert_eq!(world.rollout.history().tally().in_flight, 1);
    let past = world.journal;
    let mut better = World::new(plan.clone(), BTreeMap::new(), past.clone());
    assert_eq!(better.run(), Outcome::Finished);
    let mut still = World::new(plan, odd, past);
    assert_eq!(still.run(), Outcome::Stopped);
    assert!(matches!(still.rollout.state(&canary), DeviceState::Stuck(_)));
}

#[test]
fn a_lost_device_that_turns_up_lets_the_run_go_on() {
    let plan = Arc::new(sample::plan(4));
    let canary = plan.stages[0].devices[0].clone();
    let dark = BTreeMap::from([(canary, Fate::NeverArrives)]);
    let mut world = World::new(plan.clone(), dark, Vec::new());
    assert_eq!(world.run(), Outcome::Stopped);
    let mut resumed = World::new(plan, BTreeMap::new(), world.journal);
    assert_eq!(resumed.run(), Outcome::Finished);
    assert_eq!(resumed.rollout.history().tally().migrated, 4);
}

#[test]
fn the_first_of_a_class_goes_alone_and_proves_for_all() {
    let plan = Arc::new(sample::plan_with_proof(8));
    let mut world = World::new(plan.clone(), BTreeMap::new(), Vec::new());
    while world.ended.is_none() {
        let open = world.rollout.history().devices.values().any(|it| it.was_in_migos);
        assert!(open || world.tasks.len() <= 1, "a second device before the first was in MIGOS");
        world.second();
    }
    let count = |wanted: fn(&DeviceEvent) -> bool| {
        let is_it = |r: &&Record| matches!(&r.event, Event::Device { what, .. } if wanted(what));
        world.journal.iter().filter(is_it).count()
    };
    let proofs = count(
        |what| matches!(what, DeviceEvent::StepDone { step, .. } if step.action == Action::ProveGone),
    );
    let skips = count(|what| matches!(what, DeviceEvent::StepSkipped { .. }));
    assert_eq!((proofs, skips), (1, 7 * 5));
    assert_eq!(world.ended, Some(Outcome::Finished));
}

#[test]
fn devices_are_given_back_by_order_and_others_left_alone() {
    let plan = Arc::new(sample::plan(8));
    let mut world = World::new(plan.clone(), BTreeMap::new(), Vec::new());
    for _ in 0..25 {
        world.second();
    }
    let past = world.journal.clone();
    let migrated = world.rollout.history().tally().migrated;
    let all = plan.devices.keys().cloned().collect();
    let mut back = World {
        rollout: rollout(&plan, &past).taking_back(all),
        tasks: BTreeMap::new(),
        ..World::new(plan.clone(), BTreeMap::new(), past)
    };
    back.ended = None;
    back.input(Input::Begin);
    assert_eq!(back.run(), Outcome::TakenBack);
    let tally = back.rollout.history().tally();
    assert!(tally.migrated >= migrated && tally.undone > 0 && tally.pending == 0, "{tally:?}");
}

#[test]
fn a_device_that_balena_does_not_name_any_more_is_not_well() {
    let mut plan = migos_playbooks::plan::Plan::clone(&sample::plan(2));
    plan.stages[0].gate.soak = migos_playbooks::span::Span::seconds(5);
    plan.id = plan.digest().unwrap();
    let plan = Arc::new(plan.check().unwrap());
    let canary = plan.stages[0].devices[0].clone();
    let mut world = World::new(plan, BTreeMap::new(), Vec::new());
    while *world.rollout.state(&canary) != DeviceState::Migrated {
        world.second();
    }
    for _ in 0..60 {
        world.clock += 1;
        world.work(&canary);
        world.input(Input::Seen(Vec::new()));
    }
    assert_eq!(world.ended, Some(Outcome::Paused));
    let reason = world.rollout.history().paused.clone().unwrap();
    assert!(reason.ends_with(&format!("{canary} is not well")), "{reason}");
}
