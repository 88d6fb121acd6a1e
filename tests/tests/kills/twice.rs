//! Performed twice is performed once, and taken back twice is taken back once, for every step.
//!
//! A step that is done and whose record is torn is performed again by the next controller. What it leaves on the card
//! the second time is held against what it left the first time.

use super::controller::{Controlled, Death};
use super::field::{Field, Tree};
use super::{MOST, all_at_once, is_as_it_was, is_migrated_once};
use migos_events::{DeviceEvent, Event, Record};
use migos_inventory::DeviceId;
use migos_lab::VirtualPi;
use migos_payload::digest::Sha256;
use migos_playbooks::step::{ACTIONS, Action, Reversal, When};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const REWRITE: &str = "strategy: rewrite\nallow_rewrite: [\"Pi \"]";

/// A step that was performed, or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    Performed(Action),
    TakenBack(Action),
}

impl Done {
    fn of(record: &Record) -> Option<Done> {
        let Event::Device { what, .. } = &record.event else { return None };
        match what {
            DeviceEvent::StepDone { step, .. } => Some(Done::Performed(step.action)),
            DeviceEvent::UndoDone { step } => Some(Done::TakenBack(step.action)),
            _ => None,
        }
    }
}

/// What is on the card: the boot partition, and what we keep on the root file system.
fn left(pi: &VirtualPi) -> Tree {
    let mut left = pi.boot_tree();
    for name in ["image", "image.part", "boot/config.txt"] {
        let path = format!("/var/lib/migos/{name}");
        left.extend(pi.file(&path).map(|bytes| (path, Sha256::of(&bytes))));
    }
    left
}

/// What a torn record told.
enum Torn {
    /// There was no such record: the run was over before.
    None,
    /// Something else than that a step was done.
    Other,
    /// This was done, and has been done again.
    Done(Done),
}

/// Has whatever a record tells done once more by another controller.
fn do_again(field: &Field, device: &DeviceId, record: usize) -> Result<Torn, String> {
    let run = Controlled::new(field, device);
    let pi = field.pi(device).clone();
    let last: Arc<Mutex<Option<(Done, Tree)>>> = Arc::default();
    let (first, of, heard) = (last.clone(), pi.clone(), AtomicUsize::new(0));
    let ended = run.carry_on(Some(Death::Before(record)), move |told| {
        if heard.fetch_add(1, Ordering::Relaxed) + 1 == record {
            *first.lock().unwrap() = Done::of(told).map(|done| (done, left(&of)));
        }
    });
    if ended.is_some() {
        return Ok(Torn::None);
    }
    let torn = last.lock().unwrap().take();
    let wanted = torn.as_ref().map(|(done, _)| *done);
    let again: Arc<Mutex<Option<Tree>>> = Arc::default();
    let second = again.clone();
    run.carry_on(None, move |told| {
        if wanted.is_some() && Done::of(told) == wanted {
            second.lock().unwrap().get_or_insert_with(|| left(&pi));
        }
    });
    let Some((done, once)) = torn else { return Ok(Torn::Other) };
    let Some(twice) = again.lock().unwrap().take() else {
        return Err(format!("{done:?} was not done again"));
    };
    let differences = differences(done, &once, &twice);
    if !differences.is_empty() {
        return Err(format!("{done:?}: {}", differences.join(", ")));
    }
    Ok(Torn::Done(done))
}

/// The files that a step has left otherwise the second time.
fn differences(done: Done, once: &Tree, twice: &Tree) -> Vec<String> {
    // MIGOS is at work besides: it puts config.txt back when it comes up, and from the commit on it writes the card.
    let may_change = |path: &str| match done {
        Done::Performed(Action::Reboot) => path == "config.txt",
        Done::Performed(action) => action >= Action::Commit,
        Done::TakenBack(_) => false,
    };
    let paths: BTreeSet<&String> = once.keys().chain(twice.keys()).collect();
    let changed = paths.into_iter().filter(|path| once.get(*path) != twice.get(*path));
    changed.filter(|path| !may_change(path)).cloned().collect()
}

/// Has everything done again that the records of a run tell; says what that was.
fn do_everything_again(
    field: &Field,
    ends_well: impl Fn(&DeviceId) -> Result<(), String> + Sync,
) -> BTreeSet<Done> {
    let told = all_at_once(field.devices(), |index, device| {
        let torn = do_again(field, device, index + 1);
        let is_over = matches!(torn, Ok(Torn::None));
        let told = torn.and_then(|torn| ends_well(device).map(|()| torn));
        let told = told.map_err(|why| format!("{device}, record {}: {why}", index + 1));
        if is_over { ControlFlow::Break(told) } else { ControlFlow::Continue(told) }
    });
    let wrong: Vec<&String> = told.iter().filter_map(|told| told.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let done = |torn| if let Torn::Done(done) = torn { Some(done) } else { None };
    told.into_iter().filter_map(Result::ok).filter_map(done).collect()
}

/// The steps of a device that boots MIGOS in one of these ways. When balena sees it, nobody has done anything.
fn steps(ways: &[When]) -> impl Iterator<Item = Action> {
    let fits = |when| matches!(when, When::Always | When::Ordered) || ways.contains(&when);
    let acts = ACTIONS.into_iter().filter(|(action, _)| *action != Action::AwaitBalena);
    acts.filter(move |(_, when)| fits(*when)).map(|(action, _)| action)
}

fn assert_performed_twice(policy: &str, fault: &str, ways: &[When]) {
    let field = Field::start(MOST, policy, fault);
    let again = do_everything_again(&field, |device| is_migrated_once(&field, device));
    assert_eq!(again, steps(ways).map(Done::Performed).collect());
}

/// All that is left to be taken back by a device that fails in this step.
fn assert_taken_back_twice(policy: &str, faults: &str, ways: &[When], fails: Action) {
    let policy = format!("{policy}\ndead_man: {{ contact: 1s, commit: 40s, hung: 10s }}");
    let field = Field::start(MOST, &policy, faults);
    let before = field.boot_trees();
    let again = do_everything_again(&field, |device| is_as_it_was(&field, device, &before[device]));
    let taken_back = again.into_iter().filter(|done| matches!(done, Done::TakenBack(_)));
    let begun = steps(ways).filter(|action| *action <= fails);
    let undone = begun.filter(|action| action.reversal() == Reversal::Undo);
    assert_eq!(taken_back.collect::<BTreeSet<_>>(), undone.map(Done::TakenBack).collect());
}

#[test]
fn under_one_shot_performed_twice_is_performed_once() {
    assert_performed_twice("prove: per-device", "", &[When::Proof, When::OneShot]);
}

#[test]
fn after_an_update_performed_twice_is_performed_once() {
    let policy = "prove: never\nallow_update: [\"Pi \"]";
    let field = Field::start(MOST, policy, "old-firmware");
    let again = do_everything_again(&field, |device| is_migrated_once(&field, device));
    // Not every kind of device needs it, so that not every record of every kind was torn.
    for action in [Action::UpdateFirmware, Action::UpdateReboot, Action::UpdateSeen] {
        assert!(again.contains(&Done::Performed(action)), "{action:?}: {again:?}");
    }
}

#[test]
fn under_rewrite_performed_twice_is_performed_once() {
    assert_performed_twice(REWRITE, "old-firmware", &[When::Rewrite]);
}

#[test]
fn under_one_shot_taken_back_twice_is_taken_back_once() {
    // The proof is over and has nothing left to be taken back.
    let ways = [When::OneShot];
    assert_taken_back_twice("prove: per-device", "hangs-in-migos", &ways, Action::AwaitMigos);
}

#[test]
fn in_a_proof_taken_back_twice_is_taken_back_once() {
    let ways = [When::Proof];
    assert_taken_back_twice("prove: per-device", "one-shot-ignored", &ways, Action::ProveSeen);
}

#[test]
fn under_rewrite_taken_back_twice_is_taken_back_once() {
    let faults = "hangs-in-migos, old-firmware";
    assert_taken_back_twice(REWRITE, faults, &[When::Rewrite], Action::AwaitMigos);
}
