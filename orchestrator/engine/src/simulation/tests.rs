#![allow(clippy::unwrap_used, clippy::panic)]
//! Whole runs under random policies and faults.

use super::*;
use crate::rollout::{Forgiveness, Order};
use crate::sample;
use migos_events::{CauseKind, DeviceState, exit_code};
use migos_playbooks::plan::{Handover, Plan};
use migos_playbooks::policy::{Arrival, Budget, ClassRule, OnTrip, Prove, Stragglers};
use migos_playbooks::span::Span;
use migos_playbooks::step::Action;
use migos_playbooks::window::Window;
use proptest::prelude::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// The sample plan, with the times of the field.
fn plan(devices: usize, change: impl FnOnce(&mut Plan)) -> CheckedPlan {
    let sample = match devices % 2 {
        0 => sample::plan_with_proof(devices),
        _ => sample::plan_with_handovers(devices),
    };
    let mut plan = Plan::clone(&sample);
    plan.arrival = Arrival {
        late: Span::seconds(20 * 60),
        lost: Span::seconds(2 * 3600),
        poll: Span::seconds(15),
        heartbeat: Span::seconds(600),
        release: Default::default(),
        stable: Span::default(),
    };
    for device in plan.devices.values_mut() {
        device.estimate.to_commit = Span::seconds(9 * 60);
        device.estimate.to_well = Span::seconds(9 * 60);
    }
    change(&mut plan);
    plan.id = plan.digest().unwrap();
    plan.check().unwrap()
}

/// What a policy may say.
#[derive(Debug, Clone)]
struct Limits {
    parallel: u32,
    per_site: u32,
    of_stage: u32,
    failures: u32,
    tolerate: u32,
    class_soak: u64,
    soak: u64,
    stragglers: u64,
    stops: bool,
    window: Option<(u8, u8)>,
}

impl Limits {
    fn apply(&self, plan: &mut Plan) {
        plan.parallel = self.parallel;
        plan.per_site = self.per_site;
        plan.class =
            ClassRule { soak: Span::seconds(60 * self.class_soak), failures: self.failures };
        plan.stragglers =
            Stragglers { wait: Span::seconds(3600 * self.stragglers), retry: Span::seconds(1800) };
        plan.budget = Budget { failed: None, stuck: self.tolerate, lost: self.tolerate };
        for stage in &mut plan.stages {
            stage.parallel = self.of_stage;
            stage.gate.soak = Span::seconds(60 * self.soak);
            stage.gate.on_trip = if self.stops { OnTrip::Stop } else { OnTrip::Pause };
            let tolerate = &mut stage.gate.tolerate;
            tolerate.failed = self.tolerate;
            tolerate.unreachable = self.tolerate;
            tolerate.stuck = self.tolerate;
            tolerate.lost = self.tolerate;
        }
        let window = self.window.and_then(|(from, hours)| {
            let to = (from + hours) % 24;
            Window::new("daily", &format!("{from:02}:00"), &format!("{to:02}:30"), "UTC").ok()
        });
        for device in plan.devices.values_mut() {
            device.window = window.clone();
        }
    }

    /// As many devices may end badly as there are: no end depends on when another device ended.
    fn tolerant(mut self) -> Limits {
        (self.tolerate, self.failures) = (1000, 1000);
        self
    }
}

prop_compose! {
    fn any_limits()(
        parallel in 1..6u32,
        per_site in 1..4u32,
        of_stage in 1..6u32,
        failures in 1..4u32,
        tolerate in 0..3u32,
        class_soak in 0..40u64,
        soak in 0..90u64,
        stragglers in prop_oneof![Just(0), Just(6u64)],
        stops in any::<bool>(),
        window in prop::option::weighted(0.3, (0..24u8, 1..23u8)),
    ) -> Limits {
        Limits { parallel, per_site, of_stage, failures, tolerate, class_soak, soak, stragglers, stops, window }
    }
}

/// What goes wrong with a device by itself, whenever its turn comes.
fn any_lasting_fault() -> impl Strategy<Value = Behaviour> {
    let fails = prop_oneof![
        Just(Action::Check),
        Just(Action::Backup),
        Just(Action::SendImage),
        Just(Action::WriteJob),
        Just(Action::Arm),
        Just(Action::Commit),
    ];
    prop_oneof![
        3 => (fails, any::<bool>()).prop_map(|(at, undo_fails)| Behaviour {
            fails: vec![failing(at)],
            undo_fails,
            ..Behaviour::default()
        }),
        1 => Just(Behaviour { never_arrives: true, ..Behaviour::default() }),
        1 => Just(Behaviour { silent_in_flash: true, ..Behaviour::default() }),
        1 => Just(Behaviour { arrives_as_another: true, ..Behaviour::default() }),
    ]
}

/// The same, and what depends on when it happens.
fn any_fault() -> impl Strategy<Value = Behaviour> {
    let period = (0..20_000u64, 1..20_000u64).prop_map(|(from, length)| Period {
        from: Duration::from_secs(from),
        to: Duration::from_secs(from + length),
    });
    prop_oneof![
        2 => any_lasting_fault(),
        1 => (0..300u64).prop_map(|late| Behaviour { late: minutes(late), ..Behaviour::default() }),
        1 => Just(Behaviour { contradicts: 1, ..Behaviour::default() }),
        3 => prop::collection::vec(period, 1..4)
            .prop_map(|away| Behaviour { away, ..Behaviour::default() }),
    ]
}

fn failing(at: Action) -> Failing {
    Failing { at, kind: CauseKind::Step, message: "no".into(), times: None }
}

fn any_faults(
    fault: impl Strategy<Value = Behaviour>,
) -> impl Strategy<Value = BTreeMap<DeviceId, Behaviour>> {
    prop::collection::btree_map((0..14usize).prop_map(sample::id), fault, 0..5)
}

fn any_deed() -> impl Strategy<Value = (Moment, Deed)> {
    let deed = prop_oneof![
        Just(Deed::Order(Order::Pause("a".into()))),
        Just(Deed::Order(Order::Stop("a".into()))),
        Just(Deed::Order(Order::StopAndUndo("a".into()))),
        Just(Deed::Order(Order::Interrupt)),
        Just(Deed::Kill),
    ];
    ((0..15_000u64).prop_map(|at| Moment::At(Duration::from_secs(at))), deed)
}

/// Carries a run on until it is finished, or does not get on any more; a person forgives whatever is asked.
fn to_the_end(simulation: &mut Simulation) -> Ended {
    let mut ended = Ended::Killed;
    for turn in 0..60 {
        let forgive =
            (turn > 0).then(|| Forgiveness { by: "anna".into(), reason: "looked at it".into() });
        let wishes = Wishes { forgive, ..Wishes::default() };
        let before = simulation.journal().len();
        ended = simulation.carry_out(Errand { wishes, ..Errand::default() }, DAY * 30).unwrap();
        let nothing_new = simulation.journal().len() <= before + 4;
        let is_over = ended == Ended::Outcome(Outcome::Finished) || nothing_new;
        if is_over && ended != Ended::Killed {
            break;
        }
    }
    ended
}

fn start() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn ends(simulation: &Simulation) -> Vec<DeviceState> {
    let history = simulation.history().unwrap();
    let state = |id| history.devices.get(id).map_or(DeviceState::Pending, |it| it.state.clone());
    simulation.plan().devices.keys().map(state).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the policy, whatever goes wrong and whoever intervenes: every controller ends within bounded time, no
    /// rule is broken, and at the end every device is at rest or nothing can be done for it.
    #[test]
    fn every_run_ends_and_keeps_the_rules(
        devices in 1..14usize,
        limits in any_limits(),
        faults in any_faults(any_fault()),
        dark in prop::option::of((0..20_000u64, 1..20_000u64)),
        deeds in prop::collection::vec(any_deed(), 0..3),
    ) {
        let plan = plan(devices, |plan| limits.apply(plan));
        let dark = dark.map(|(from, length)| Period {
            from: Duration::from_secs(from),
            to: Duration::from_secs(from + length),
        });
        let circumstances = Circumstances {
            devices: faults,
            balena_away: dark.into_iter().collect(),
            deeds,
            ..Circumstances::default()
        };
        let mut simulation = Simulation::new(plan, circumstances, start());
        let ended = to_the_end(&mut simulation);
        prop_assert_eq!(simulation.breaches(), Vec::<String>::new());
        let history = simulation.history().unwrap();
        let Ended::Outcome(outcome) = ended else { panic!("killed to the end") };
        if outcome == Outcome::Finished {
            prop_assert_eq!(history.tally().open(), 0);
            let is_whole = history.tally().migrated as usize == devices;
            prop_assert_eq!(exit_code(outcome, &history.tally()) == 0, is_whole);
        }
    }

    /// A controller killed after any record is followed by another one that brings every device to the same end.
    #[test]
    fn any_prefix_of_a_journal_is_carried_on_to_the_same_end(
        devices in 1..10usize,
        limits in any_limits(),
        faults in any_faults(any_lasting_fault()),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 6),
    ) {
        let plan = plan(devices, |plan| Limits { window: None, ..limits.tolerant() }.apply(plan));
        let circumstances = Circumstances { devices: faults, ..Circumstances::default() };
        let fresh = Simulation::new(plan, circumstances, start());
        let mut whole = fresh.clone();
        let ended = whole.carry_out(Errand::default(), DAY * 30).unwrap();
        prop_assert_eq!(ended, Ended::Outcome(Outcome::Finished));
        for cut in cuts {
            let at = cut.index(whole.journal().len());
            let past = whole.journal()[..at].to_vec();
            let mut cut_off = fresh.clone().after(past);
            let ended = cut_off.carry_out(Errand::default(), DAY * 30).unwrap();
            prop_assert_eq!(ended, Ended::Outcome(Outcome::Finished), "cut at {}", at);
            prop_assert_eq!(ends(&cut_off), ends(&whole), "cut at {}", at);
            prop_assert_eq!(cut_off.breaches(), Vec::<String>::new());
        }
    }
}

#[test]
fn what_is_predicted_is_what_the_estimates_add_up_to() {
    let one = |plan: &mut Plan| {
        plan.prove = Prove::Never;
        for device in plan.devices.values_mut() {
            device.handover = Handover::Attended;
        }
        for stage in &mut plan.stages {
            stage.gate.soak = Span::seconds(3600);
        }
    };
    let prediction = predict(&plan(1, one), start()).unwrap();
    let names: Vec<&str> = prediction.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["canary", "early", "rest"]);
    // Nine minutes and nine minutes, as balena is asked every 15 s; then an hour.
    let canary = prediction.stages[0].takes;
    assert!(canary >= minutes(78) && canary <= minutes(79), "{canary:?}");
    assert_eq!(prediction.pauses, 0);
    let two = predict(&plan(2, one), start()).unwrap();
    assert!(two.whole > prediction.whole);
}

#[test]
fn hours_of_soak_are_over_at_once() {
    let plan = plan(3, |plan| {
        for stage in &mut plan.stages {
            stage.gate.soak = Span::seconds(8 * 3600);
        }
    });
    let mut simulation = Simulation::new(plan, Circumstances::default(), start());
    let ended = simulation.carry_out(Errand::default(), DAY * 2).unwrap();
    assert_eq!(ended, Ended::Outcome(Outcome::Finished));
    assert!(simulation.clock() > Duration::from_secs(16 * 3600));
}
