//! Five hundred devices, one in twenty with a fault of its own, under the default policy.

use jiff::Timestamp;
use migos_engine::rollout::{Forgiveness, Wishes};
use migos_engine::simulation::{
    Behaviour, Circumstances, Ended, Errand, Failing, Period, Simulation,
};
use migos_events::{CauseKind, DeviceState, Outcome};
use migos_inventory::DeviceId;
use migos_payload::digest::Sha256;
use migos_playbooks::policy::Policy;
use migos_playbooks::step::Action;
use migos_tests::scenario::{Group, plan};
use std::collections::BTreeMap;
use std::time::Duration;

/// A fault, and the state in which it leaves its device once all is over.
fn fault(number: u64) -> (Behaviour, &'static str) {
    let fails = |at, kind| {
        let message = "it does not work".to_owned();
        Behaviour {
            fails: vec![Failing { at, kind, message, times: None }],
            ..Behaviour::default()
        }
    };
    match number % 9 {
        0 => (fails(Action::Backup, CauseKind::Step), "failed"),
        1 => (fails(Action::SendImage, CauseKind::Unreachable), "unreachable"),
        2 => (fails(Action::Check, CauseKind::Refused), "refused"),
        3 => (fails(Action::AwaitMigos, CauseKind::Step), "failed"),
        4 => {
            let stuck = fails(Action::WriteTryboot, CauseKind::Step);
            (Behaviour { undo_fails: true, ..stuck }, "stuck")
        }
        5 => (Behaviour { never_arrives: true, ..Behaviour::default() }, "lost"),
        6 => (Behaviour { arrives_as_another: true, ..Behaviour::default() }, "stuck"),
        7 => {
            let away = vec![Period::from(Duration::ZERO)];
            (Behaviour { away, ..Behaviour::default() }, "away")
        }
        _ => {
            let late = Duration::from_secs(3000);
            (Behaviour { late, contradicts: 1, ..Behaviour::default() }, "migrated")
        }
    }
}

fn word(state: &DeviceState) -> &'static str {
    match state {
        DeviceState::Migrated => "migrated",
        DeviceState::Stuck(_) => "stuck",
        DeviceState::Lost(_) => "lost",
        DeviceState::Failed(cause) => match cause.kind {
            CauseKind::Step => "failed",
            CauseKind::Unreachable => "unreachable",
            CauseKind::Refused => "refused",
            CauseKind::Away => "away",
        },
        _ => "something else",
    }
}

/// A number for a device, the same at each run.
fn draw(device: &DeviceId, what: &str) -> u64 {
    let digest = Sha256::of(format!("7 {what} {device}").as_bytes()).to_string();
    u64::from_str_radix(&digest[..12], 16).unwrap()
}

#[test]
fn five_hundred_devices_end_as_their_faults_say() {
    let groups: Vec<Group> = (0..50)
        .map(|site| Group {
            names: format!("kiosk-[{:03}:{:03}]", site * 10, site * 10 + 9),
            site: Some(format!("site-{site:02}")),
            board: ["3B", "3B+", "4B"][site % 3].to_owned(),
            unattended: false,
        })
        .collect();
    // What the whole run may lose is no matter of forgiveness, so it is wider here; all else is the default.
    let text = Policy::shipped("careful").unwrap();
    let wider = text.replace("failed: 5, stuck: 0, lost: 0", "failed: 99, stuck: 99, lost: 99");
    assert_ne!(text, wider);
    let plan = plan(&groups, &Policy::parse("careful", &wider).unwrap()).unwrap();
    let mut expected: BTreeMap<DeviceId, &str> =
        plan.devices.keys().map(|id| (id.clone(), "migrated")).collect();
    let mut circumstances = Circumstances::default();
    for id in plan.devices.keys().filter(|id| draw(id, "faulty") % 20 == 0) {
        let (behaviour, state) = fault(draw(id, "fault"));
        circumstances.devices.insert(id.clone(), behaviour);
        expected.insert(id.clone(), state);
    }
    assert!(circumstances.devices.len() > 15, "{}", circumstances.devices.len());
    let mut simulation = Simulation::new(plan, circumstances, Timestamp::UNIX_EPOCH);
    let mut controllers = 0;
    loop {
        let forgive = (controllers > 0)
            .then(|| Forgiveness { by: "anna".into(), reason: "looked at it".into() });
        let wishes = Wishes { forgive, ..Wishes::default() };
        let limit = Duration::from_secs(30 * 24 * 3600);
        let ended = simulation.carry_out(Errand { wishes, ..Errand::default() }, limit).unwrap();
        controllers += 1;
        assert!(controllers < 100, "it is never finished");
        match ended {
            Ended::Outcome(Outcome::Finished) => break,
            Ended::Outcome(Outcome::Paused) => {}
            other => panic!("{other:?}"),
        }
    }
    let history = simulation.history().unwrap();
    let found: BTreeMap<DeviceId, &str> =
        history.devices.iter().map(|(id, it)| (id.clone(), word(&it.state))).collect();
    assert_eq!(found, expected);
    assert_eq!(simulation.breaches(), Vec::<String>::new());
    assert!(controllers > 3, "nobody was ever asked");
}
