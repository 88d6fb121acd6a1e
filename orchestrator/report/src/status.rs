//! One run at a glance: where it is, what it waits for, and what came of whom.

use crate::Style;
use crate::grid::columns;
use crate::next::commands;
use crate::states::{cause, ended, label, progress, rank};
use crate::words::{Tone, duration, many, paint, plain};
use migos_events::{DeviceState, History, Outcome, StageProgress};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::plan::{Plan, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The status of a run. `controller_alive` tells whether a controller is at work on it now;
/// `since_last_record` is the time since its last record, if known; `devices` are those that are listed.
pub fn status(
    plan: &Plan,
    history: &History,
    controller_alive: bool,
    style: Style,
    since_last_record: Option<Duration>,
    devices: &[DeviceId],
) -> String {
    // The run's time stands still while no controller is at work.
    let since = since_last_record.filter(|_| controller_alive).unwrap_or_default();
    let now = history.elapsed.saturating_add(since);
    let mut text = heading(plan, history, controller_alive, now, style);
    text += &stage_line(plan, history);
    if let Some(reason) = &history.stopped {
        text += &format!("  stopped: {}\n", plain(reason));
    }
    for what in waits_for(plan, history, controller_alive, now) {
        text += &format!("  waits for: {what}\n");
    }
    let crossed = past_return(plan, history);
    if !controller_alive && !crossed.is_empty() {
        let names = fold(crossed);
        text += &format!("  past the point of no return, and no controller watches: {names}\n");
    }
    text += "\n";
    text += &states(plan, history, devices, style);
    text += &failures(plan, history, devices, style);
    let next = commands(plan, history, history.ended);
    if !controller_alive && !next.is_empty() {
        text += &format!("\n{next}");
    }
    text
}

fn heading(
    plan: &Plan,
    history: &History,
    controller_alive: bool,
    now: Duration,
    style: Style,
) -> String {
    let (tone, state) = match (controller_alive, history.ended) {
        (true, _) if history.stopped.is_some() => (Tone::Bad, "stopping"),
        (true, _) if history.paused.is_some() => (Tone::Wait, "pausing"),
        (true, _) => (Tone::Good, "running"),
        (false, Some(Outcome::Finished)) => (Tone::Good, "finished"),
        (false, Some(Outcome::Paused)) => (Tone::Wait, "paused"),
        (false, Some(Outcome::Stopped)) => (Tone::Bad, "stopped"),
        (false, Some(Outcome::Interrupted)) => (Tone::Wait, "interrupted"),
        (false, Some(Outcome::TakenBack)) => (Tone::Good, "taken back"),
        (false, None) => (Tone::Bad, "cut off: its controller is gone"),
    };
    let run = history.run.as_ref().map_or("not started", |run| run.0.as_str());
    format!(
        "{}  plan {}  {}  after {}  {} of {} ended\n",
        paint(style, Tone::Plain, &format!("Run {run}")),
        plan.id.short(),
        paint(style, tone, state),
        duration(now),
        ended(&history.tally()),
        many(plan.devices.len(), "device"),
    )
}

fn stage_line(plan: &Plan, history: &History) -> String {
    let Some(stage) = plan.stages.get(history.stage) else {
        return "  all stages are done\n".to_owned();
    };
    let states: Vec<_> = stage.devices.iter().map(|id| progress(history, id).state).collect();
    let all = many(states.len(), "device");
    let ended = states.iter().filter(|state| state.is_terminal()).count();
    let (number, stages) = (history.stage + 1, plan.stages.len());
    format!("  stage {} ({number} of {stages}): {ended} of {all} ended\n", stage.name)
}

/// What must happen before it goes on, how long that takes, and what happens then.
fn waits_for(plan: &Plan, history: &History, controller_alive: bool, now: Duration) -> Vec<String> {
    let mut waits = Vec::new();
    if let Some(reason) = &history.paused {
        waits.push(format!("a person, who resumes: {}", plain(reason)));
    }
    if !controller_alive {
        return waits;
    }
    if history.balena_away {
        waits.push("balena, which does not answer; until it does nothing is concluded".to_owned());
    }
    if history.paused.is_none() && history.stopped.is_none() {
        if let Some(opens) = history.window_opens {
            waits.push(format!("a window, which opens at {opens}"));
        }
        let stage = plan.stages.get(history.stage);
        waits.extend(stage.and_then(|stage| stage_waits_for(stage, history, now)));
    }
    let crossed = past_return(plan, history);
    if !crossed.is_empty() {
        let (late, lost, names) = (plan.arrival.late, plan.arrival.lost, fold(crossed));
        waits.push(format!("{names} to arrive at balena; late after {late}, lost after {lost}"));
    }
    waits
}

/// Devices that can only be carried to their end, and have not come there.
fn past_return<'a>(plan: &'a Plan, history: &History) -> Vec<&'a DeviceId> {
    let crossed = |id: &&DeviceId| {
        let state = progress(history, id).state;
        state.may_be_past_return() && !state.is_terminal()
    };
    plan.devices.keys().filter(crossed).collect()
}

fn stage_waits_for(stage: &Stage, history: &History, now: Duration) -> Option<String> {
    let then =
        if stage.gate.pause.is_some() { "a person decides" } else { "the next stage begins" };
    match history.stage_progress {
        StageProgress::Waiting => None,
        StageProgress::Started => {
            let open = |id: &&DeviceId| !progress(history, id).state.is_terminal();
            let open = stage.devices.iter().filter(open).count();
            (open > 0).then(|| format!("{} of stage {} to end", many(open, "device"), stage.name))
        }
        StageProgress::Soaking(since) => {
            let (soak, gone) = (stage.gate.soak, duration(now.saturating_sub(since)));
            Some(format!(
                "all migrated devices to stay well for {soak}, {gone} so far; then {then}"
            ))
        }
        StageProgress::SoakBroken(since) => {
            let (soak, gone) = (stage.gate.soak, duration(now.saturating_sub(since)));
            Some(format!(
                "all to be well again, for {gone} so far; then the soak of {soak} begins anew"
            ))
        }
        StageProgress::Checked => None,
        StageProgress::AtInstructions => {
            let instructions = stage.gate.pause.as_deref().unwrap_or_default();
            Some(format!("a person, who resumes: {}", plain(instructions)))
        }
    }
}

/// One row per state, with the devices in it.
fn states(plan: &Plan, history: &History, devices: &[DeviceId], style: Style) -> String {
    let mut states: BTreeMap<(usize, String), Vec<&DeviceId>> = BTreeMap::new();
    for id in devices {
        let state = progress(history, id).state;
        states.entry((rank(&state), label(plan, id, &state))).or_default().push(id);
    }
    let row = |((_, state), devices): ((usize, String), Vec<&DeviceId>)| {
        vec![state, format!("{:>4}", devices.len()), fold(devices)]
    };
    columns(style, states.into_iter().map(row).collect())
}

/// Devices that ended badly, by cause.
fn failures(plan: &Plan, history: &History, devices: &[DeviceId], style: Style) -> String {
    let mut causes: BTreeMap<(usize, String), Vec<&DeviceId>> = BTreeMap::new();
    let chosen: BTreeSet<&DeviceId> = devices.iter().collect();
    for (id, progress) in history.devices.iter().filter(|(id, _)| chosen.contains(id)) {
        let Some(why) = cause(plan, id, progress) else { continue };
        let words = match &progress.state {
            DeviceState::Lost(_) => format!("lost: {why}"),
            DeviceState::Stuck(_) => format!("stuck: {why}"),
            _ => why,
        };
        causes.entry((rank(&progress.state), words)).or_default().push(id);
    }
    if causes.is_empty() {
        return String::new();
    }
    let rows = causes.into_iter().map(|((_, why), devices)| vec![fold(devices), why]);
    format!("\n{}\n{}", paint(style, Tone::Plain, "Failures"), columns(style, rows.collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::sample::{self, Story};
    use migos_events::Event;
    use migos_playbooks::step::Action;

    const STYLE: Style = Style { color: false, width: 110 };
    const AN_HOUR: Option<Duration> = Some(Duration::from_secs(3600));

    fn all() -> Vec<DeviceId> {
        sample::plan().devices.keys().cloned().collect()
    }

    fn status_of(story: &Story, alive: bool) -> String {
        status(&sample::plan(), &story.history(), alive, STYLE, AN_HOUR, &all())
    }

    #[test]
    fn a_paused_run_waits_for_a_person() {
        insta::assert_snapshot!(status_of(&Story::paused(), false), @r###"
        Run 7f3a2c-01  plan 64879f  paused  after 35m 20s  1 of 5 devices ended
          stage canary (1 of 2): 1 of 1 device ended
          waits for: a person, who resumes: Check the canary, then resume.

          migrated        1  kiosk-002
          not started     4  kiosk-[001,003,061-062]

         go on:       migos-fleet resume 7f3a2c-01
        "###);
    }

    #[test]
    fn a_stopped_run_tells_why_and_of_whom() {
        insta::assert_snapshot!(status_of(&Story::stopped(), false), @r###"
        Run 7f3a2c-01  plan 64879f  stopped  after 2h 41m  4 of 5 devices ended
          stage rest (2 of 2): 3 of 4 devices ended
          stopped: 1 lost, 0 allowed in the whole run

          lost            1  kiosk-062
          failed          1  kiosk-061
          away            1  kiosk-003
          migrated        1  kiosk-002
          not started     1  kiosk-001

        Failures
          kiosk-062  lost: not seen by balena for 2h
          kiosk-061  step 5 send-image: no space left on device (undone)
          kiosk-003  step 1 check: connect timeout after 15 s (nothing was changed)

         look again:  migos-fleet resume 7f3a2c-01     balena may see the lost ones yet
        "###);
    }

    #[test]
    fn a_soak_tells_how_long_it_has_gone() {
        let mut story = Story::begin();
        story.migrated("kiosk-002", "5e91c2a7");
        story.add(Event::SoakStarted { stage: 0 }).later(60);
        story.add(Event::BalenaAway { message: "connection refused".into() });
        let quiet = Some(Duration::from_secs(120));
        let text = status(&sample::plan(), &story.history(), true, STYLE, quiet, &all());
        insta::assert_snapshot!(text, @r###"
        Run 7f3a2c-01  plan 64879f  running  after 8m 20s  1 of 5 devices ended
          stage canary (1 of 2): 1 of 1 device ended
          waits for: balena, which does not answer; until it does nothing is concluded
          waits for: all migrated devices to stay well for 30m, 3m 00s so far; then a person decides

          migrated        1  kiosk-002
          not started     4  kiosk-[001,003,061-062]
        "###);
    }

    #[test]
    fn a_run_that_was_taken_back_says_so() {
        insta::assert_snapshot!(status_of(&Story::taken_back(), false), @r###"
        Run 7f3a2c-01  plan 64879f  taken back  after 3m 43s  2 of 5 devices ended
          stage canary (1 of 2): 1 of 1 device ended

          stuck           1  kiosk-003
          undone          1  kiosk-002
          not started     3  kiosk-[001,061-062]

        Failures
          kiosk-003  stuck: the boot partition is not what it was: new.txt is new

         once mended: migos-fleet undo 7f3a2c-01
        "###);
    }

    #[test]
    fn a_run_whose_controller_is_gone_can_be_taken_up_again() {
        let mut story = Story::begin();
        story.steps("kiosk-002", Action::AwaitBalena);
        insta::assert_snapshot!(status_of(&story, false), @r###"
        Run 7f3a2c-01  plan 64879f  cut off: its controller is gone  after 4m 20s  0 of 5 devices ended
          stage canary (1 of 2): 0 of 1 device ended
          past the point of no return, and no controller watches: kiosk-002

          arriving at balena     1  kiosk-002
          not started            4  kiosk-[001,003,061-062]

         go on:       migos-fleet resume 7f3a2c-01
        "###);
    }
}
