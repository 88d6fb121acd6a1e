//! What a person has to do next, as commands to type.

use crate::states::cause;
use crate::words::plain;
use migos_events::{DeviceState, History, Outcome};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::plan::Plan;
use std::collections::BTreeMap;

/// Who needs hands, what the run waits for, where to look and how to go on, after a run that ended like
/// this or was cut off (`None`); nothing if all is well.
pub(crate) fn to_do(plan: &Plan, history: &History, outcome: Option<Outcome>) -> String {
    let commands = commands(plan, history, outcome);
    let hands = needs_hands(plan, history) + &remarks(history);
    if commands.is_empty() && hands.is_empty() {
        return commands;
    }
    let reason = match outcome {
        Some(Outcome::Stopped) => history.stopped.as_ref().map(|reason| ("stopped", reason)),
        Some(Outcome::Paused) => history.paused.as_ref().map(|reason| ("paused", reason)),
        None | Some(Outcome::Finished | Outcome::Interrupted | Outcome::TakenBack) => None,
    };
    let reason = reason.map(|(word, reason)| entry(word, &plain(reason))).unwrap_or_default();
    let look = entry("look", &format!("migos-fleet status {}", run(history)));
    hands + &reason + &look + &commands
}

/// The change request that a run belongs to.
pub(crate) fn change(history: &History) -> String {
    let Some(change) = &history.change else { return String::new() };
    let approved = change.approved_by.as_ref().map(|name| format!(", approved by {name}"));
    entry("change", &plain(&format!("{}{}", change.id, approved.unwrap_or_default())))
}

/// The command that goes on from here; nothing if all is well.
pub(crate) fn commands(plan: &Plan, history: &History, outcome: Option<Outcome>) -> String {
    let tally = history.tally();
    let resume = format!("migos-fleet resume {}", run(history));
    match outcome {
        Some(Outcome::Finished) if history.unsettled().next().is_some() => {
            entry("try again", &resume)
        }
        Some(Outcome::Finished) if tally.not_migrated() == 0 => String::new(),
        Some(Outcome::TakenBack) if tally.stuck > 0 => {
            entry("once mended", &format!("migos-fleet undo {}", run(history)))
        }
        Some(Outcome::TakenBack) => String::new(),
        Some(Outcome::Finished) => {
            entry("the rest", "migos-fleet migrate makes a new plan; what is done is left alone")
        }
        // A device that balena sees after all is not lost any more.
        Some(Outcome::Stopped) if tally.lost > 0 => {
            entry("look again", &format!("{resume}     balena may see the lost ones yet"))
        }
        None | Some(Outcome::Paused | Outcome::Interrupted | Outcome::Stopped) => {
            if tally.beyond_budget(&plan.budget).is_some() {
                entry("go on", &format!("{resume}     stops again while its budget is exceeded"))
            } else if is_tripped(plan, history) {
                entry(
                    "go on",
                    &format!(
                        "{resume} --forgive \"REASON\"     when you have looked at what failed"
                    ),
                )
            } else {
                entry("go on", &resume)
            }
        }
    }
}

/// True if the gate would stop the run again at once.
fn is_tripped(plan: &Plan, history: &History) -> bool {
    let stage = plan.stages.get(history.stage);
    stage.is_some_and(|stage| {
        history.judged(&stage.devices).beyond_tolerance(&stage.gate.tolerate).is_some()
    })
}

fn run(history: &History) -> &str {
    history.run.as_ref().map_or("RUN", |run| run.0.as_str())
}

/// Devices that a person may have to go to, first those that are known to need it.
fn needs_hands(plan: &Plan, history: &History) -> String {
    let mut causes: BTreeMap<(bool, String), Vec<&DeviceId>> = BTreeMap::new();
    for (id, progress) in &history.devices {
        let lost = match progress.state {
            DeviceState::Stuck(_) => false,
            DeviceState::Lost(_) => true,
            _ => continue,
        };
        let cause = cause(plan, id, progress).unwrap_or_default();
        causes.entry((lost, cause)).or_default().push(id);
    }
    let line = |((lost, cause), devices): ((bool, String), _)| {
        entry(if lost { "lost" } else { "needs hands" }, &format!("{}: {cause}", fold(devices)))
    };
    causes.into_iter().map(line).collect()
}

/// Devices that have arrived, and for which something is left to do on balena.
fn remarks(history: &History) -> String {
    let mut remarks: BTreeMap<&str, Vec<&DeviceId>> = BTreeMap::new();
    for (id, remark) in history.unsettled() {
        remarks.entry(remark).or_default().push(id);
    }
    let line = |(remark, devices): (&str, Vec<&DeviceId>)| {
        entry("arrived, but", &format!("{}: {}", fold(devices), plain(remark)))
    };
    remarks.into_iter().map(line).collect()
}

fn entry(word: &str, text: &str) -> String {
    let word = format!("{word}:");
    format!(" {word:<12} {text}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::sample::{self, Story, step};
    use migos_events::{Cause, CauseKind, DeviceEvent};
    use migos_playbooks::balena::DeviceUuid;
    use migos_playbooks::step::Action;

    #[test]
    fn what_is_left_to_do_after_an_arrival_is_told_with_how_to_try_again() {
        let mut story = Story::begin();
        let uuid = DeviceUuid("5e91c2a7".repeat(4));
        story
            .steps("kiosk-001", Action::AwaitBalena)
            .device(
                "kiosk-001",
                DeviceEvent::Migrated { uuid, os_version: "balenaOS 6.0.24".into() },
            )
            .device(
                "kiosk-001",
                DeviceEvent::Unsettled {
                    step: step(Action::Settle),
                    message: "not moved to acme/field: balena refused the token".into(),
                },
            );
        let text = to_do(&sample::plan(), &story.history(), Some(Outcome::Finished));
        insta::assert_snapshot!(text, @r###"
        arrived, but: kiosk-001: not moved to acme/field: balena refused the token
        look:        migos-fleet status 7f3a2c-01
        try again:   migos-fleet resume 7f3a2c-01
        "###);
    }

    #[test]
    fn who_needs_hands_comes_first() {
        let mut story = Story::begin();
        story
            .steps("kiosk-061", Action::AwaitBalena)
            .device("kiosk-061", DeviceEvent::Lost { message: "silent".into() });
        for name in ["kiosk-001", "kiosk-003"] {
            let cause = Cause { kind: CauseKind::Step, message: "no room".into() };
            story.steps(name, Action::SendImage);
            story.device(name, DeviceEvent::StepFailed { step: step(Action::SendImage), cause });
            story.device(name, DeviceEvent::Stuck { message: "the card is read-only".into() });
        }
        let text = to_do(&sample::plan(), &story.history(), Some(Outcome::Interrupted));
        insta::assert_snapshot!(text, @r###"
        needs hands: kiosk-[001,003]: the card is read-only
        lost:        kiosk-061: silent
        look:        migos-fleet status 7f3a2c-01
        go on:       migos-fleet resume 7f3a2c-01     stops again while its budget is exceeded
        "###);
    }

    #[test]
    fn after_an_undo_that_succeeded_there_is_nothing_to_do() {
        let mut story = Story::with(1, 0, 0);
        story.steps("kiosk-002", Action::SendPayload);
        story.device("kiosk-002", DeviceEvent::UndoOrdered);
        story.takes_back("kiosk-002", Action::SendPayload);
        story.device("kiosk-002", DeviceEvent::Undone);
        let history = story.history();
        assert_eq!(history.tally().undone, 1);
        assert_eq!(to_do(&sample::plan(), &history, Some(Outcome::TakenBack)), "");
    }

    #[test]
    fn a_run_that_ended_in_part_is_followed_by_a_new_plan() {
        let mut story = Story::with(1, 0, 0);
        story.fails("kiosk-002", Action::SendImage, CauseKind::Step, "no room");
        let text = to_do(&sample::plan(), &story.history(), Some(Outcome::Finished));
        insta::assert_snapshot!(text, @r###"
        look:        migos-fleet status 7f3a2c-01
        the rest:    migos-fleet migrate makes a new plan; what is done is left alone
        "###);
    }
}
