//! The core under arbitrary inputs.

use super::*;
use migos_events::CheckVerdict;
use migos_playbooks::step::{ACTIONS, Reversal};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn any_input(devices: usize) -> impl Strategy<Value = Input> {
    let device = (0..devices + 1).prop_map(sample::id);
    let cause = Just(Cause { kind: CauseKind::Step, message: "no".into() });
    const STEPS: usize = ACTIONS.len();
    let step = (0..STEPS + 1).prop_map(|n| StepRef { n, action: ACTIONS[n.min(STEPS - 1)].0 });
    let said = prop_oneof![
        4 => (0..STEPS + 1).prop_map(Said::Ask),
        4 => (0..STEPS + 1).prop_map(|n| Said::Done(n, Learned::default())),
        1 => (0..STEPS + 1, cause.clone()).prop_map(|(n, cause)| Said::Failed(n, cause)),
        1 => (0..STEPS + 1, cause).prop_map(|(n, cause)| Said::CameBack(n, cause)),
        1 => (0..STEPS + 1).prop_map(|n| Said::Retried(n, "again".into())),
        1 => step.clone().prop_map(Said::AskUndo),
        1 => step.prop_map(Said::UndoDone),
        1 => Just(Said::Undone),
        1 => Just(Said::Stuck("stuck".into())),
        1 => Just(Said::Lost("lost".into())),
        1 => Just(Said::Contradicted("no".into())),
    ];
    let sight = prop_oneof![
        any::<bool>().prop_map(|vpn| Sight::Well { os_version: "balenaOS 6.0.24".into(), vpn }),
        Just(Sight::Unwell("another".into())),
        Just(Sight::Silent),
    ];
    let verdict =
        prop_oneof![Just(CheckVerdict::Pass), Just(CheckVerdict::Unsure), Just(CheckVerdict::Fail)];
    let seen = (device.clone(), sight).prop_map(|(device, sight)| {
        let uuid = DeviceUuid("ab".repeat(16));
        Input::Seen(vec![Seen { device, uuid, sight }])
    });
    prop_oneof![
        20 => (device.clone(), said).prop_map(|(device, said)| Input::Said(device, said)),
        1 => device.prop_map(Input::TaskEnded),
        3 => seen,
        1 => Just(Input::Begin),
        1 => Just(Input::BalenaAway("503".into())),
        1 => Just(Input::Tick),
        1 => (0..3usize, verdict)
            .prop_map(|(stage, verdict)| Input::Checked(stage, verdict, String::new())),
        1 => prop_oneof![Just(Order::Pause("a".into())), Just(Order::Stop("a".into())), Just(Order::StopAndUndo("a".into())), Just(Order::Interrupt)]
            .prop_map(Input::Order),
    ]
}

/// The device that this record permits to cross the point of no return.
fn permitted(record: &Record) -> Option<&DeviceId> {
    match &record.event {
        Event::Device { what: DeviceEvent::StepStarted { step }, device }
            if step.action.reversal() == Reversal::PointOfNoReturn =>
        {
            Some(device)
        }
        _ => None,
    }
}

/// Invariant 3.
pub(super) fn assert_within_limits(rollout: &Rollout) {
    let plan = &rollout.plan;
    let is_arriving =
        |id: &DeviceId| matches!(rollout.state(id), DeviceState::Arriving | DeviceState::Late);
    let flies = |id: &&DeviceId| rollout.roster.has_task(id) || is_arriving(id);
    let flying: Vec<_> = plan.devices.keys().filter(flies).collect();
    assert!(flying.len() <= plan.parallel as usize);
    let mut sites: BTreeMap<_, u32> = BTreeMap::new();
    for id in &flying {
        *sites.entry(&plan.devices[*id].site).or_default() += 1;
    }
    assert!(sites.values().all(|count| *count <= plan.per_site));
    for stage in &plan.stages {
        let count = flying.iter().filter(|id| stage.devices.contains(id)).count();
        assert!(count <= stage.parallel as usize);
    }
}

/// A step that was begun before may be begun again.
pub(super) fn assert_no_permit_after_the_close(journal: &[Record]) {
    let closes = |event: &Event| {
        matches!(event, Event::Paused { .. } | Event::Stopped { .. } | Event::Interrupted)
    };
    let mut closed = false;
    let mut before = BTreeSet::new();
    for record in journal {
        closed |= closes(&record.event);
        if let Some(device) = permitted(record) {
            assert!(!before.insert(device) || !closed, "{device} is permitted after the close");
        }
    }
}

/// Whoever may commit by itself is left alone until it is back, or given up.
pub(super) fn assert_nobody_is_undone_with_a_permit(journal: &[Record]) {
    let mut released = BTreeSet::new();
    for record in journal {
        let Event::Device { device, what } = &record.event else { continue };
        match what {
            DeviceEvent::StepStarted { step } if step.action == Action::Release => {
                released.insert(device);
            }
            DeviceEvent::CameBack { .. } | DeviceEvent::Stuck { .. } => {
                released.remove(device);
            }
            DeviceEvent::UndoStarted { .. } | DeviceEvent::Recalled { .. } => {
                assert!(!released.contains(device), "{device} may commit while it is undone");
            }
            _ => {}
        }
    }
}

proptest! {
    /// Invariants 2 and 4: whatever comes in, the records replay to the very state of the core, and no
    /// permit for the point of no return follows a pause, a stop or an interruption. After each input the roster
    /// counts what a look at all devices finds.
    #[test]
    fn any_inputs_leave_a_legal_state(inputs in prop::collection::vec(any_input(4), 0..400)) {
        let plan = Arc::new(sample::plan_with_handovers(4));
        let mut core = rollout(&plan, &[]);
        let mut journal = Vec::new();
        let inputs = std::iter::once(Input::Begin).chain(inputs);
        for (second, input) in inputs.enumerate() {
            for effect in core.handle(input, at(second as u64)) {
                if let Effect::Record(record) = effect {
                    journal.push(record);
                }
            }
            core.roster.assert_is_as_counted_anew(core.history());
        }
        prop_assert_eq!(&History::replay(&journal).unwrap(), core.history());
        assert_no_permit_after_the_close(&journal);
        assert_nobody_is_undone_with_a_permit(&journal);
    }
}
