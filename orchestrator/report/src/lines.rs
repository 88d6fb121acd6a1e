//! The lines of a run: what is printed, once and for good, when something happens.

use crate::Style;
use crate::plan::at_once;
use crate::states::{
    board, cause, ended, own_time, progress, site, step_name, tally_words, tone, word,
};
use crate::words::{Tone, duration, line, many, plain};
use migos_events::{CheckVerdict, DeviceEvent, Event, History, Progress, Record, Tally};
use migos_inventory::{DeviceId, fold};
use migos_payload::size::ByteCount;
use migos_playbooks::plan::Plan;
use migos_playbooks::step::{Action, Reversal};
use std::time::Duration;

/// Turns the records of a run into lines, one record after the other from the first on.
///
/// The lines depend on the plan and the records only. When a run is taken up again, the earlier records
/// are given first and their lines are not printed.
#[derive(Debug)]
pub struct RunLines {
    plan: Plan,
    style: Style,
    verbose: bool,
    history: History,
    /// The widest name, board and site, so that the details stand below each other.
    widths: [usize; 3],
}

impl RunLines {
    /// Lines for a run of this plan; `verbose` adds each step of each device.
    pub fn new(plan: &Plan, style: Style, verbose: bool) -> Self {
        let widest = |of: fn(&Plan, &DeviceId) -> String| {
            plan.devices.keys().map(|id| of(plan, id).chars().count()).max().unwrap_or(0)
        };
        let widths = [widest(|_, id| id.to_string()), widest(board), widest(site)];
        RunLines { plan: plan.clone(), style, verbose, history: History::default(), widths }
    }

    /// The whole lines that this record adds; most add none.
    pub fn record(&mut self, record: &Record) -> Vec<String> {
        // A record that cannot be is refused where the journal is read; here it is only told.
        _ = self.history.take(record);
        match &record.event {
            Event::Device { device, what } => self.device(device, what).into_iter().collect(),
            event => self.run(event).into_iter().collect(),
        }
    }

    fn run(&self, event: &Event) -> Option<String> {
        let now = Some(self.history.elapsed);
        let (tone, word, time, rest) = match event {
            Event::RunStarted { run, devices, .. } => {
                let devices = many(*devices as usize, "device");
                let stages = many(self.plan.stages.len(), "stage");
                (Tone::Plain, "Starting", None, format!("run {run}: {devices} in {stages}"))
            }
            Event::RunResumed { .. } => {
                let run = self.history.run.as_ref().map(ToString::to_string).unwrap_or_default();
                (Tone::Plain, "Resuming", None, format!("run {run}: {}", self.so_far()))
            }
            Event::StageStarted { stage } => (Tone::Plain, "Stage", None, self.stage_words(*stage)),
            Event::SoakStarted { stage } => {
                let (name, soak) = (self.stage_name(*stage), self.soak(*stage));
                let migrated = many(self.history.tally().migrated as usize, "migrated device");
                (Tone::Plain, "Soak", now, format!("{name}: {migrated} must stay well for {soak}"))
            }
            Event::SoakBroken { stage, reason } => {
                let text = format!(
                    "{}: begins again when all is well: {}",
                    self.stage_name(*stage),
                    plain(reason)
                );
                (Tone::Wait, "Soak", now, text)
            }
            Event::StagePassed { stage } => {
                let text =
                    format!("{}: passed: {}", self.stage_name(*stage), self.stage_tally(*stage));
                (Tone::Good, "Gate", now, text)
            }
            Event::Paused { reason, gate: Some(stage) } => {
                let text = format!("gate {}: {}", self.stage_name(*stage), plain(reason));
                (Tone::Wait, "Paused", now, text)
            }
            Event::Paused { reason, gate: None } => (Tone::Wait, "Paused", now, plain(reason)),
            Event::Stopped { reason, undo } => {
                let after = if *undo { "; what can be taken back is taken back" } else { "" };
                (Tone::Bad, "Stopped", now, format!("{}{after}", plain(reason)))
            }
            Event::GateChecked { stage, verdict, message } => {
                let (tone, word) = match verdict {
                    CheckVerdict::Pass => (Tone::Good, "passes"),
                    CheckVerdict::Unsure => (Tone::Wait, "is unsure"),
                    CheckVerdict::Fail => (Tone::Bad, "fails"),
                };
                let name = self.stage_name(*stage);
                (tone, "Check", now, said(format!("{name}: {word}"), message))
            }
            Event::ClassOpened { class } => {
                (Tone::Good, "Class", now, format!("{class}: others may follow"))
            }
            Event::ClassSetAside { class, devices, reason } => {
                let aside = format!("{class}: {} set aside", fold(devices));
                (Tone::Bad, "Class", now, said(aside, reason))
            }
            Event::WindowClosed { opens } => {
                (Tone::Wait, "Window", now, format!("closed; the next device starts at {opens}"))
            }
            Event::WindowOpened => (Tone::Good, "Window", now, "open".to_owned()),
            Event::StragglersAwaited { devices, until } => {
                let left = duration(until.saturating_sub(self.history.elapsed));
                let names = fold(devices);
                (Tone::Wait, "Away", now, format!("{names}: waited for, for {left} at most"))
            }
            Event::Forgiven { by, reason, devices } => {
                let names = match devices.len() {
                    0 => "nothing".to_owned(),
                    _ => fold(devices),
                };
                let text = format!("{names}, by {}: {}", plain(by), plain(reason));
                (Tone::Wait, "Forgiven", now, text)
            }
            Event::Interrupted => {
                let text =
                    "no new work; devices past the point of no return are carried to their end";
                (Tone::Wait, "Interrupted", now, text.to_owned())
            }
            Event::BalenaAway { message } => {
                let text =
                    format!("does not answer, nothing is concluded meanwhile: {}", plain(message));
                (Tone::Wait, "balena", now, text)
            }
            Event::BalenaBack => (Tone::Good, "balena", now, "answers again".to_owned()),
            Event::RunEnded { .. } | Event::Device { .. } | Event::Unknown => return None,
        };
        Some(line(self.style, tone, word, time, &rest))
    }

    fn device(&self, device: &DeviceId, what: &DeviceEvent) -> Option<String> {
        let progress = progress(&self.history, device);
        let step = |step| step_name(&self.plan, device, step);
        let why = || cause(&self.plan, device, &progress).unwrap_or_default();
        let loud = word(&progress.state).to_uppercase();
        if !self.verbose && is_away_again(what, &progress) {
            return None;
        }
        let (tone, word, detail) = match what {
            DeviceEvent::Migrated { uuid, .. } => {
                (tone(&progress.state), loud.as_str(), format!("balena {}", plain(uuid.short())))
            }
            DeviceEvent::Failed { .. } | DeviceEvent::Stuck { .. } | DeviceEvent::Lost { .. } => {
                (tone(&progress.state), loud.as_str(), why())
            }
            DeviceEvent::Late => {
                let arrival = self.plan.arrival;
                let text = format!("not seen for {}, lost after {}", arrival.late, arrival.lost);
                (Tone::Wait, "Late", text)
            }
            DeviceEvent::StepRetried { step: at, message } => {
                (Tone::Wait, "Retry", format!("{}: {}", step(*at), plain(message)))
            }
            DeviceEvent::Noted { message } => (Tone::Plain, "Noted", plain(message)),
            DeviceEvent::Unsettled { message, .. } => {
                (Tone::Wait, "Remark", format!("arrived, but: {}", plain(message)))
            }
            DeviceEvent::Contradicted { message } => (Tone::Bad, "Look", plain(message)),
            DeviceEvent::Recalled { reason } => {
                (Tone::Wait, "Recalled", said("goes back to Raspbian".to_owned(), reason))
            }
            DeviceEvent::WentBack => {
                (Tone::Plain, "Returned", "on Raspbian, waits for its turn".to_owned())
            }
            DeviceEvent::SetAside { reason } => (Tone::Bad, "Aside", plain(reason)),
            DeviceEvent::Readmitted => (Tone::Wait, "Aside", "not any more".to_owned()),
            DeviceEvent::UndoOrdered => (Tone::Wait, "Undo", "ordered by a person".to_owned()),
            DeviceEvent::Undone => {
                (tone(&progress.state), loud.as_str(), "as it was before the run".to_owned())
            }
            _ if !self.verbose => return None,
            DeviceEvent::StepSkipped { step: at } => {
                (Tone::Plain, "Skips", step(*at) + ", its class has shown it")
            }
            DeviceEvent::StepStarted { step: at } => {
                let no_return = at.action.reversal() == Reversal::PointOfNoReturn;
                let note = if no_return { ", the point of no return" } else { "" };
                (Tone::Plain, "Begins", step(*at) + note)
            }
            DeviceEvent::StepDone { step: at, learned } => {
                let sent = learned.bytes_sent.map(|bytes| format!(", {} sent", ByteCount(bytes)));
                (Tone::Plain, "Done", step(*at) + &sent.unwrap_or_default())
            }
            DeviceEvent::StepFailed { step: at, cause }
            | DeviceEvent::CameBack { step: at, cause } => {
                (Tone::Bad, "Fails", format!("{}: {}", step(*at), plain(&cause.message)))
            }
            DeviceEvent::CommitAsked => {
                (Tone::Plain, "Asks", "to cross the point of no return".to_owned())
            }
            DeviceEvent::UndoStarted { step: at } => (Tone::Plain, "Undoes", step(*at)),
            DeviceEvent::UndoDone { step: at } => (Tone::Plain, "Undid", step(*at)),
        };
        let time = match what {
            // It is pending again, but this is the time that it took.
            DeviceEvent::WentBack => progress.since.saturating_sub(progress.started),
            _ => own_time(&progress, self.history.elapsed).unwrap_or(Duration::ZERO),
        };
        let [name, board_width, site_width] = self.widths;
        let board = board(&self.plan, device);
        let site = site(&self.plan, device);
        let rest = format!("{device:<name$}  {board:<board_width$}  {site:<site_width$}  {detail}");
        Some(line(self.style, tone, word, Some(time), &rest))
    }

    fn stage_name(&self, stage: usize) -> &str {
        self.plan.stages.get(stage).map_or("", |stage| stage.name.as_str())
    }

    fn soak(&self, stage: usize) -> String {
        self.plan.stages.get(stage).map(|stage| stage.gate.soak.to_string()).unwrap_or_default()
    }

    fn stage_words(&self, stage: usize) -> String {
        let Some(stage) = self.plan.stages.get(stage) else { return String::new() };
        let devices = many(stage.devices.len(), "device");
        let words = match at_once(&self.plan, stage) {
            none if none.is_empty() => devices,
            at_once => format!("{devices}, {at_once}"),
        };
        format!("{}: {words}", stage.name)
    }

    fn stage_tally(&self, stage: usize) -> String {
        let devices = self.plan.stages.get(stage).map_or(&[][..], |stage| &stage.devices);
        let states: Vec<_> = devices.iter().map(|id| progress(&self.history, id).state).collect();
        tally_words(&Tally::of(&states))
    }

    /// `4/96: 4 migrated, 92 not started`.
    fn so_far(&self) -> String {
        let tally = self.history.tally();
        format!("{}/{}: {}", ended(&tally), self.plan.devices.len(), tally_words(&tally))
    }
}

/// True if nothing else is said than that a device, which people know to be away, still is.
fn is_away_again(what: &DeviceEvent, progress: &Progress) -> bool {
    match what {
        DeviceEvent::StepRetried { step, .. } => {
            step.action == Action::Check && progress.away_since.is_some()
        }
        DeviceEvent::Failed { .. } => {
            progress.state.is_away() && progress.away_since != Some(progress.since)
        }
        _ => false,
    }
}

/// What happened, and what was said about it, if anything.
fn said(what: String, message: &str) -> String {
    match message {
        "" => what,
        message => format!("{what}: {}", plain(message)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::sample::{self, Story};
    use migos_events::{Cause, CauseKind};

    const STYLE: Style = Style { color: false, width: 120 };

    fn lines(records: &[Record], verbose: bool) -> String {
        let mut lines = RunLines::new(&sample::plan(), STYLE, verbose);
        records.iter().flat_map(|record| lines.record(record)).map(|line| line + "\n").collect()
    }

    #[test]
    fn a_run_with_a_failure_and_a_lost_device() {
        insta::assert_snapshot!(lines(&Story::stopped().records, false), @r###"
        Starting run 7f3a2c-01: 5 devices in 2 stages
           Stage canary: 1 device
        MIGRATED [   5m 20s] kiosk-002  3B+  north  balena 5e91c2a
            Soak [   5m 20s] canary: 1 migrated device must stay well for 30m
          Paused [  35m 20s] gate canary: Check the canary, then resume.
        Resuming run 7f3a2c-01: 1/5: 1 migrated, 4 not started
            Gate [  35m 20s] canary: passed: 1 migrated
           Stage rest: 4 devices, 4 at a time
          FAILED [   1m 23s] kiosk-061  4B   south  step 5 send-image: no space left on device (undone)
          balena [  36m 43s] does not answer, nothing is concluded meanwhile: connection refused
          balena [  37m 13s] answers again
           Retry [     4.0s] kiosk-001  3B+  north  step 1 check: connection reset
        Recalled [    13.0s] kiosk-001  3B+  north  goes back to Raspbian
        Returned [    15.0s] kiosk-001  3B+  north  on Raspbian, waits for its turn
            Late [  24m 20s] kiosk-062  4B   south  not seen for 20m, lost after 2h
            AWAY [     3.0s] kiosk-003  3B+  north  step 1 check: connect timeout after 15 s (nothing was changed)
            LOST [   2h 04m] kiosk-062  4B   south  not seen by balena for 2h
         Stopped [   2h 41m] 1 lost, 0 allowed in the whole run
        "###);
    }

    #[test]
    fn told_verbosely_each_step_has_its_lines() {
        let mut story = Story::begin();
        story.fails("kiosk-002", Action::WriteJob, CauseKind::Refused, "config.txt is another one");
        insta::assert_snapshot!(lines(&story.records, true), @r###"
        Starting run 7f3a2c-01: 5 devices in 2 stages
           Stage canary: 1 device
          Begins [     0.0s] kiosk-002  3B+  north  step 1 check
            Done [    20.0s] kiosk-002  3B+  north  step 1 check
          Begins [    20.0s] kiosk-002  3B+  north  step 2 lock
            Done [    40.0s] kiosk-002  3B+  north  step 2 lock
          Begins [    40.0s] kiosk-002  3B+  north  step 3 backup
            Done [   1m 00s] kiosk-002  3B+  north  step 3 backup
          Begins [   1m 00s] kiosk-002  3B+  north  step 4 send-payload
            Done [   1m 20s] kiosk-002  3B+  north  step 4 send-payload
          Begins [   1m 20s] kiosk-002  3B+  north  step 5 send-image
            Done [   1m 40s] kiosk-002  3B+  north  step 5 send-image, 164 MB sent
          Begins [   1m 40s] kiosk-002  3B+  north  step 6 write-job
           Fails [   1m 43s] kiosk-002  3B+  north  step 6 write-job: config.txt is another one
          Undoes [   1m 43s] kiosk-002  3B+  north  step 6 write-job
           Undid [   1m 43s] kiosk-002  3B+  north  step 6 write-job
          Undoes [   1m 43s] kiosk-002  3B+  north  step 5 send-image
           Undid [   1m 43s] kiosk-002  3B+  north  step 5 send-image
          Undoes [   1m 43s] kiosk-002  3B+  north  step 4 send-payload
           Undid [   1m 43s] kiosk-002  3B+  north  step 4 send-payload
          Undoes [   1m 43s] kiosk-002  3B+  north  step 3 backup
           Undid [   1m 43s] kiosk-002  3B+  north  step 3 backup
          Undoes [   1m 43s] kiosk-002  3B+  north  step 2 lock
           Undid [   1m 43s] kiosk-002  3B+  north  step 2 lock
         REFUSED [   1m 43s] kiosk-002  3B+  north  step 6 write-job: config.txt is another one (undone)
        "###);
    }

    #[test]
    fn what_can_happen_to_a_device_at_its_worst() {
        let mut story = Story::begin();
        let cause = Cause { kind: CauseKind::Step, message: "no room".into() };
        story.steps("kiosk-002", Action::Arm);
        story.device("kiosk-002", DeviceEvent::Noted { message: "fan is loud".into() });
        story.device(
            "kiosk-002",
            DeviceEvent::StepFailed { step: sample::step(Action::Arm), cause },
        );
        let message = "migos/ cannot be removed: read-only file system".into();
        story.later(4000).device("kiosk-002", DeviceEvent::Stuck { message });
        story.add(Event::SoakBroken { stage: 0, reason: "kiosk-001 is offline".into() });
        story.add(Event::Interrupted).add(Event::Unknown);
        insta::assert_snapshot!(lines(&story.records, false), @r###"
           Starting run 7f3a2c-01: 5 devices in 2 stages
              Stage canary: 1 device
              Noted [   2m 20s] kiosk-002  3B+  north  fan is loud
              STUCK [   1h 09m] kiosk-002  3B+  north  migos/ cannot be removed: read-only file system
               Soak [   1h 09m] canary: begins again when all is well: kiosk-001 is offline
        Interrupted [   1h 09m] no new work; devices past the point of no return are carried to their end
        "###);
    }

    #[test]
    fn what_a_person_takes_back() {
        let records = Story::taken_back().records;
        insta::assert_snapshot!(lines(&records, false), @r###"
           Starting run 7f3a2c-01: 5 devices in 2 stages
              Stage canary: 1 device
           Recalled [   2m 40s] kiosk-002  3B+  north  goes back to Raspbian
           Returned [   2m 40s] kiosk-002  3B+  north  on Raspbian, waits for its turn
             FAILED [    43.0s] kiosk-003  3B+  north  step 3 backup: no space left on device (undone)
        Interrupted [   3m 23s] no new work; devices past the point of no return are carried to their end
           Resuming run 7f3a2c-01: 1/5: 1 failed (undone), 4 not started
               Undo [   3m 28s] kiosk-002  3B+  north  ordered by a person
               Undo [    48.0s] kiosk-003  3B+  north  ordered by a person
             UNDONE [   3m 40s] kiosk-002  3B+  north  as it was before the run
              STUCK [   1m 03s] kiosk-003  3B+  north  the boot partition is not what it was: new.txt is new
        "###);
    }

    #[test]
    fn a_device_knows_its_steps_by_its_own_numbers() {
        let plan = sample::plan_with_proof();
        let number =
            |name, action| crate::states::step_name(&plan, &sample::id(name), sample::step(action));
        assert_eq!(number("kiosk-001", Action::SendPayload), "step 9 send-payload");
        assert_eq!(number("kiosk-061", Action::SendPayload), "step 4 send-payload");
        let mut story = Story::begin();
        story.steps("kiosk-002", Action::Backup);
        let [backup, skipped] = [Action::Backup, Action::ProveWrite].map(sample::step);
        let learned = Default::default();
        story.device("kiosk-002", DeviceEvent::StepDone { step: backup, learned });
        story.device("kiosk-002", DeviceEvent::StepSkipped { step: skipped });
        let mut lines = RunLines::new(&plan, STYLE, true);
        let said: Vec<_> = story.records.iter().flat_map(|record| lines.record(record)).collect();
        insta::assert_snapshot!(said.last().unwrap(), @"       Skips [    40.0s] kiosk-002  3B+  north  step 4 prove-write, its class has shown it");
    }

    #[test]
    fn a_recorded_run_reads_as_it_did_live() {
        let records = Story::stopped().records;
        let mut live = RunLines::new(&sample::plan(), STYLE, true);
        let printed: Vec<_> = records.iter().map(|record| live.record(record)).collect();
        // The journal is read back from disk, by one who was not there.
        let journal: Vec<String> =
            records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let mut replay = RunLines::new(&sample::plan(), STYLE, true);
        let read = journal.iter().map(|line| serde_json::from_str::<Record>(line).unwrap());
        let again: Vec<_> = read.map(|record| replay.record(&record)).collect();
        assert_eq!(again, printed);
        assert!(printed.iter().flatten().all(|line| !line.contains('\n')));
    }
}
