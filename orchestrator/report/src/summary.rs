//! The end of a run on one page.

use crate::Style;
use crate::grid::table;
use crate::next::{change, to_do};
use crate::states::{board, cause, ended, label, own_time, progress, rank, site, tally_words};
use crate::words::{Tone, counts, duration, line, plain};
use migos_events::{History, Outcome, Progress, Tally};
use migos_inventory::{DeviceId, fold};
use migos_playbooks::plan::{DevicePlan, Plan};
use std::collections::BTreeMap;

/// More devices than this are told by class and result, not one by one: a page has so many lines.
const MOST_ROWS: usize = 40;

/// A table of all devices of a run, its numbers in words, and what to do next; `outcome` is how the run
/// ended, `None` if it has not.
pub fn summary(plan: &Plan, history: &History, outcome: Option<Outcome>, style: Style) -> String {
    let mut text = match plan.devices.len() {
        0 => String::new(),
        1..=MOST_ROWS => by_device(plan, history, style),
        _ => by_class(plan, history, style),
    };
    let tally = history.tally();
    let mut numbers = format!("{}/{}: {}", ended(&tally), plan.devices.len(), tally_words(&tally));
    let left_out = [(tally.refused_at_plan, "refused"), (tally.unreachable_at_plan, "unreachable")];
    if left_out.iter().any(|(count, _)| *count > 0) {
        numbers += &format!("; left out by the plan: {}", counts(left_out));
    }
    text += &line(style, tone(outcome, &tally), "Summary", Some(history.elapsed), &numbers);
    text += "\n";
    text += &change(history);
    text += &to_do(plan, history, outcome);
    text
}

fn tone(outcome: Option<Outcome>, tally: &Tally) -> Tone {
    match outcome {
        _ if tally.needs_hands() => Tone::Bad,
        Some(Outcome::Finished) if tally.not_migrated() == 0 => Tone::Good,
        Some(Outcome::TakenBack) => Tone::Good,
        Some(Outcome::Stopped) => Tone::Bad,
        None | Some(Outcome::Finished | Outcome::Paused | Outcome::Interrupted) => Tone::Wait,
    }
}

fn by_device(plan: &Plan, history: &History, style: Style) -> String {
    let row = |id: &DeviceId| {
        let progress = progress(history, id);
        let uuid = progress.uuid.as_ref().map(|uuid| plain(uuid.short()));
        vec![
            id.to_string(),
            board(plan, id),
            site(plan, id),
            label(plan, id, &progress.state),
            own_time(&progress, history.elapsed).map(duration).unwrap_or_default(),
            uuid.or_else(|| cause(plan, id, &progress)).unwrap_or_default() + &remark(&progress),
        ]
    };
    let header = ["device", "board", "site", "result", "time", "balena uuid, or cause"];
    table(style, &header, &[4], plan.devices.keys().map(row).collect())
}

/// What devices have in common that share a row: the rank and words of their state, class and cause.
type Row = (usize, String, String, String);

/// One row for all devices of a class that came to the same end for the same reason.
fn by_class(plan: &Plan, history: &History, style: Style) -> String {
    let mut rows: BTreeMap<Row, Vec<&DeviceId>> = BTreeMap::new();
    for (id, device) in &plan.devices {
        let progress = progress(history, id);
        let cause = cause(plan, id, &progress).unwrap_or_default() + &remark(&progress);
        let state = label(plan, id, &progress.state);
        rows.entry((rank(&progress.state), state, class_words(device), cause))
            .or_default()
            .push(id);
    }
    let row = |((_, result, class, cause), devices): (Row, Vec<&DeviceId>)| {
        let times =
            devices.iter().filter_map(|id| own_time(&progress(history, id), history.elapsed));
        let longest = times.max().map(duration).unwrap_or_default();
        vec![result, devices.len().to_string(), class, fold(devices), longest, cause]
    };
    let header = ["result", "number", "class", "devices", "longest", "cause"];
    table(style, &header, &[1, 4], rows.into_iter().map(row).collect())
}

/// What is left to do on balena for a device that has arrived, to be added to a cell.
pub(crate) fn remark(progress: &Progress) -> String {
    let remark = progress.remark.as_ref();
    remark.map(|remark| format!(" arrived, but: {}", plain(remark))).unwrap_or_default()
}

fn class_words(device: &DevicePlan) -> String {
    plain(&format!("Pi {}, {}", device.class.board, device.class.os))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::sample::{self, Story};
    use migos_events::CauseKind;
    use migos_playbooks::step::Action;

    const STYLE: Style = Style { color: false, width: 110 };

    fn summary_of(story: &Story, outcome: Outcome) -> String {
        summary(&sample::plan(), &story.history(), Some(outcome), STYLE)
    }

    #[test]
    fn a_stopped_run_names_the_lost_device_first() {
        insta::assert_snapshot!(summary_of(&Story::stopped(), Outcome::Stopped), @r###"
         device      board   site    result          time   balena uuid, or cause
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────
         kiosk-001   3B+     north   not started
         kiosk-002   3B+     north   migrated      5m 20s   5e91c2a
         kiosk-003   3B+     north   away            3.0s   step 1 check: connect timeout after 15 s (nothing was
                                                            changed)
         kiosk-061   4B      south   failed        1m 23s   step 5 send-image: no space left on device (undone)
         kiosk-062   4B      south   lost          2h 04m   not seen by balena for 2h
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────
             Summary [   2h 41m] 4/5: 1 migrated, 1 lost, 1 failed (undone), 1 away, 1 not started; left out by the plan: 3 refused, 1 unreachable
         lost:        kiosk-062: not seen by balena for 2h
         stopped:     1 lost, 0 allowed in the whole run
         look:        migos-fleet status 7f3a2c-01
         look again:  migos-fleet resume 7f3a2c-01     balena may see the lost ones yet
        "###);
    }

    #[test]
    fn when_all_is_well_there_is_nothing_to_do() {
        let mut plan = sample::plan();
        plan.devices.retain(|id, _| id.as_str() == "kiosk-002");
        plan.set_aside.clear();
        let mut story = Story::with(1, 0, 0);
        story.migrated("kiosk-002", "5e91c2a7");
        let text = summary(&plan, &story.history(), Some(Outcome::Finished), STYLE);
        insta::assert_snapshot!(text, @r###"
         device      board   site    result       time   balena uuid, or cause
        ───────────────────────────────────────────────────────────────────────
         kiosk-002   3B+     north   migrated   5m 20s   5e91c2a
        ───────────────────────────────────────────────────────────────────────
             Summary [   5m 20s] 1/1: 1 migrated
        "###);
    }

    #[test]
    fn a_paused_run_says_how_to_go_on() {
        insta::assert_snapshot!(summary_of(&Story::paused(), Outcome::Paused), @r###"
         device      board   site    result          time   balena uuid, or cause
        ──────────────────────────────────────────────────────────────────────────
         kiosk-001   3B+     north   not started
         kiosk-002   3B+     north   migrated      5m 20s   5e91c2a
         kiosk-003   3B+     north   not started
         kiosk-061   4B      south   not started
         kiosk-062   4B      south   not started
        ──────────────────────────────────────────────────────────────────────────
             Summary [  35m 20s] 1/5: 1 migrated, 4 not started; left out by the plan: 3 refused, 1 unreachable
         paused:      Check the canary, then resume.
         look:        migos-fleet status 7f3a2c-01
         go on:       migos-fleet resume 7f3a2c-01
        "###);
    }

    #[test]
    fn after_an_undo_only_the_stuck_are_left_to_do() {
        insta::assert_snapshot!(summary_of(&Story::taken_back(), Outcome::TakenBack), @r###"
         device      board   site    result          time   balena uuid, or cause
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────
         kiosk-001   3B+     north   not started
         kiosk-002   3B+     north   undone        3m 40s
         kiosk-003   3B+     north   stuck         1m 03s   the boot partition is not what it was: new.txt is new
         kiosk-061   4B      south   not started
         kiosk-062   4B      south   not started
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────
             Summary [   3m 43s] 2/5: 1 stuck, 1 undone, 3 not started; left out by the plan: 3 refused, 1 unreachable
         needs hands: kiosk-003: the boot partition is not what it was: new.txt is new
         look:        migos-fleet status 7f3a2c-01
         once mended: migos-fleet undo 7f3a2c-01
        "###);
    }

    #[test]
    fn a_large_run_is_told_by_class_and_result() {
        let mut plan = sample::plan();
        let copies: Vec<_> = ["kiosk-001", "kiosk-061"]
            .iter()
            .flat_map(|name| {
                (0..30).map(move |n| (format!("{}{n:02}", name.replace("kiosk-0", "pi-")), *name))
            })
            .map(|(name, of)| (sample::id(&name), plan.devices[of].clone()))
            .collect();
        plan.devices = copies.into_iter().collect();
        let mut story = Story::with(60, 0, 0);
        for name in ["pi-0100", "pi-0101", "pi-0103", "pi-6100"] {
            story.migrated(name, "5e91c2a7");
        }
        story.fails("pi-0102", Action::SendImage, CauseKind::Step, "no space left on device");
        story.fails("pi-0104", Action::SendImage, CauseKind::Step, "no space left on device");
        story.steps("pi-0105", Action::WriteJob);
        let text = summary(&plan, &story.history(), Some(Outcome::Interrupted), STYLE);
        insta::assert_snapshot!(text, @r###"
         result             number   class                 devices               longest   cause
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────
         failed                  2   Pi 3B+, raspbian 10   pi-[0102,0104]         1m 23s   step 5 send-image: no
                                                                                           space left on device
                                                                                           (undone)
         step 6 write-job        1   Pi 3B+, raspbian 10   pi-0105                1m 40s
         migrated                3   Pi 3B+, raspbian 10   pi-[0100-0101,0103]    5m 20s
         migrated                1   Pi 4B, debian 12      pi-6100                5m 20s
         not started            24   Pi 3B+, raspbian 10   pi-[0106-0129]
         not started            29   Pi 4B, debian 12      pi-[6101-6129]
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────
             Summary [  25m 46s] 6/60: 4 migrated, 2 failed (undone), 1 under way, 53 not started
         look:        migos-fleet status 7f3a2c-01
         go on:       migos-fleet resume 7f3a2c-01
        "###);
    }
}
