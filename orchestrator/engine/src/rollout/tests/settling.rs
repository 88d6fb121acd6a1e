//! What is left to do for devices that have arrived.

use super::*;
use migos_inventory::FleetSlug;
use migos_playbooks::plan::{Destination, Plan};

/// The sample plan with devices that move on to another fleet.
fn moving(devices: usize) -> Arc<CheckedPlan> {
    let mut plan = Plan::clone(&sample::plan(devices));
    for device in plan.devices.values_mut() {
        let slug = FleetSlug::new("acme/field").unwrap();
        device.identity.move_to = Some(Destination { slug, id: 2 });
    }
    plan.id = plan.digest().unwrap();
    Arc::new(plan.check().unwrap())
}

fn is_settled(world: &World) -> bool {
    world.rollout.history().devices.values().all(|it| it.settled && it.remark.is_none())
}

#[test]
fn who_has_arrived_is_settled_before_the_run_ends() {
    let mut world = World::new(moving(12), BTreeMap::new(), Vec::new());
    assert_eq!(world.run(), Outcome::Finished);
    assert!(is_settled(&world));
    assert_eq!(world.rollout.history().tally().migrated, 12);
}

#[test]
fn who_is_not_settled_is_migrated_and_another_controller_tries_again() {
    let plan = moving(6);
    let mut world = World::new(plan.clone(), BTreeMap::new(), Vec::new());
    assert_eq!(world.run(), Outcome::Finished);
    let mut journal = world.journal;
    for record in &mut journal {
        if let Event::Device { what, .. } = &mut record.event
            && let DeviceEvent::StepDone { step, .. } = what
            && step.action == Action::Settle
        {
            *what = DeviceEvent::Unsettled { step: *step, message: "401".into() };
        }
    }
    let history = History::replay(&journal).unwrap();
    assert_eq!((history.tally().migrated, history.unsettled().count()), (6, 6));

    let mut again = World::new(plan, BTreeMap::new(), journal);
    assert_eq!(again.run(), Outcome::Finished);
    assert!(is_settled(&again));
}
