//! What a sequence of records amounts to.

use crate::event::{Change, CheckVerdict, DeviceEvent, Event, Learned, Record, RunId, StepRef};
use crate::outcome::Outcome;
use crate::state::{DeviceState, IllegalTransition};
use crate::tally::{Counted, Tally};
use jiff::Timestamp;
use migos_inventory::DeviceId;
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::estimate::Estimate;
use migos_playbooks::plan::Class;
use migos_playbooks::span::Span;
use migos_playbooks::step::{Action, Reversal};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the records of a run amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The run's name, once it has started.
    pub run: Option<RunId>,
    /// The number of records.
    pub records: u64,
    /// How long the run has been going.
    pub elapsed: Duration,
    /// Every device that something happened to.
    pub devices: BTreeMap<DeviceId, Progress>,
    /// The stage that is being worked on, by index.
    pub stage: usize,
    /// How far that stage is.
    pub stage_progress: StageProgress,
    /// What the run waits for, if it is paused.
    pub paused: Option<String>,
    /// Why the run was stopped, if it was.
    pub stopped: Option<String>,
    /// How the run ended, unless a controller is at work or was cut off.
    pub ended: Option<Outcome>,
    /// True if whatever can be taken back is to be taken back.
    pub undo_ordered: bool,
    /// True if balena did not answer when last asked.
    pub balena_away: bool,
    /// When a window opens, if nothing can start before.
    pub window_opens: Option<Timestamp>,
    /// When of the run the last of those that were away is given up, if only they are waited for.
    pub stragglers_until: Option<Duration>,
    /// Devices that gates do not count any more, since a person has looked at what became of them.
    pub forgiven: BTreeSet<DeviceId>,
    /// Classes whose first device has shown that others may follow.
    pub open_classes: BTreeSet<Class>,
    /// The change request that the run belongs to.
    pub change: Option<Change>,
    to_migrate: u32,
    refused_at_plan: u32,
    unreachable_at_plan: u32,
    /// The devices that something happened to, counted.
    counts: Tally,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StageProgress {
    /// It has not begun.
    #[default]
    Waiting,
    /// Its devices are being migrated.
    Started,
    /// All have ended; they must stay well since this moment of the run.
    Soaking(Duration),
    /// Since this moment of the run something is not well, or cannot be seen.
    SoakBroken(Duration),
    /// The command that judges it has let it pass.
    Checked,
    /// Only a person's word is missing.
    AtInstructions,
}

impl StageProgress {
    /// What it is once there are devices to be migrated again: whether they stay well is seen anew.
    fn gone_on(self) -> StageProgress {
        match self {
            StageProgress::Waiting => StageProgress::Waiting,
            StageProgress::Started
            | StageProgress::Soaking(_)
            | StageProgress::SoakBroken(_)
            | StageProgress::Checked
            | StageProgress::AtInstructions => StageProgress::Started,
        }
    }
}

/// What has happened to one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Where it is.
    pub state: DeviceState,
    /// Since when of the run.
    pub since: Duration,
    /// When of the run it started last.
    pub started: Duration,
    /// Steps that were started and not taken back; a failure takes back all of them.
    pub touched: BTreeSet<StepRef>,
    /// What its steps found out.
    pub learned: Learned,
    /// Its uuid on balena, once it was seen there.
    pub uuid: Option<DeviceUuid>,
    /// The last step that was started.
    pub last_step: Option<StepRef>,
    /// True once one-shot boot has been proven on it in this run.
    pub proven: bool,
    /// True once MIGOS has answered on it in this run, or must have run.
    pub was_in_migos: bool,
    /// True once what was seen of it contradicted what was known.
    pub contradicted: bool,
    /// When of the run it was away for the first time.
    pub away_since: Option<Duration>,
    /// When of the run it left Raspbian for MIGOS.
    pub left: Option<Duration>,
    /// When of the run it was permitted to cross the point of no return.
    pub crossed: Option<Duration>,
    /// When of the run its card was written.
    pub flashed: Option<Duration>,
    /// True once all is done that comes after its arrival.
    pub settled: bool,
    /// Why that was not done, if it was tried in vain.
    pub remark: Option<String>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress {
            state: DeviceState::Pending,
            since: Duration::ZERO,
            started: Duration::ZERO,
            touched: BTreeSet::new(),
            learned: Learned::default(),
            uuid: None,
            last_step: None,
            proven: false,
            was_in_migos: false,
            contradicted: false,
            away_since: None,
            left: None,
            crossed: None,
            flashed: None,
            settled: false,
            remark: None,
        }
    }
}

/// Records that cannot have been written by this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A record is missing or doubled.
    #[error("record {found} stands where record {expected} must")]
    Sequence {
        /// The number expected.
        expected: u64,
        /// The number found.
        found: u64,
    },
    /// Something happened to a device that cannot have.
    #[error("record {seq} about {device} is impossible")]
    Transition {
        /// The record's number.
        seq: u64,
        /// The device.
        device: DeviceId,
        /// What is impossible.
        source: Box<IllegalTransition>,
    },
}

impl Progress {
    /// Takes an event that happened at this moment of the run.
    ///
    /// # Errors
    /// [`IllegalTransition`]; nothing is changed then.
    pub fn apply(&mut self, event: &DeviceEvent, at: Duration) -> Result<(), IllegalTransition> {
        let next = self.state.next(event)?;
        if next != self.state {
            self.since = at;
        }
        match event {
            DeviceEvent::StepStarted { step } => {
                if self.state == DeviceState::Pending || self.state.is_away() {
                    self.started = at;
                }
                match step.action.reversal() {
                    Reversal::Undo => _ = self.touched.insert(*step),
                    Reversal::PointOfNoReturn => _ = self.crossed.get_or_insert(at),
                    Reversal::Nothing | Reversal::Stays => {}
                }
                if matches!(step.action, Action::Arm | Action::Reboot) {
                    self.left = Some(at);
                }
                self.last_step = Some(*step);
            }
            DeviceEvent::StepDone { step, learned } => {
                self.learned.add(learned);
                self.touched.retain(|earlier| !step.action.settles(earlier.action));
                self.proven |= step.action == Action::ProveGone;
                self.was_in_migos |= step.action == Action::AwaitMigos;
                if step.action == Action::AwaitFlash {
                    self.flashed = Some(at);
                }
                if step.action == Action::Settle {
                    self.settled = true;
                    self.remark = None;
                }
            }
            DeviceEvent::Failed { .. } if next.is_away() => _ = self.away_since.get_or_insert(at),
            DeviceEvent::CameBack { .. } => self.crossed = None,
            // It was about to start.
            DeviceEvent::Recalled { .. } if self.state == DeviceState::Pending => self.started = at,
            DeviceEvent::Unsettled { message, .. } => self.remark = Some(message.clone()),
            DeviceEvent::Contradicted { .. } => self.contradicted = true,
            DeviceEvent::UndoDone { step } => _ = self.touched.remove(step),
            DeviceEvent::Migrated { uuid, .. } => {
                self.uuid = Some(uuid.clone());
                self.was_in_migos = true;
            }
            _ => {}
        }
        self.state = next;
        Ok(())
    }
}

impl Progress {
    /// What its way took, once it is migrated.
    pub fn took(&self) -> Option<Estimate> {
        let (DeviceState::Migrated, Some(crossed)) = (&self.state, self.crossed) else {
            return None;
        };
        let since = |later: Duration, earlier: Duration| Span(later.saturating_sub(earlier));
        let flashed = self.flashed.unwrap_or(self.since);
        Some(Estimate {
            to_reboot: since(self.left.unwrap_or(crossed), self.started),
            to_commit: since(crossed, self.started),
            to_well: since(self.since, crossed),
            flash: since(flashed, crossed),
            measured: true,
        })
    }
}

impl History {
    /// Replays records from the first on.
    ///
    /// # Errors
    /// [`ReplayError`] names the record that cannot be.
    pub fn replay<'a>(
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<History, ReplayError> {
        let mut history = History::default();
        for record in records {
            history.take(record)?;
        }
        Ok(history)
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// [`ReplayError`]; nothing is changed then.
    pub fn take(&mut self, record: &Record) -> Result<(), ReplayError> {
        if record.seq != self.records {
            return Err(ReplayError::Sequence { expected: self.records, found: record.seq });
        }
        match &record.event {
            Event::Device { device, what } => self.apply(device, what, record)?,
            Event::ClassSetAside { devices, reason, .. } => {
                let what = DeviceEvent::SetAside { reason: reason.clone() };
                for device in devices {
                    self.apply(device, &what, record)?;
                }
            }
            Event::ClassOpened { class } => _ = self.open_classes.insert(class.clone()),
            Event::Forgiven { devices, .. } => {
                for device in devices {
                    let state = self.devices.get(device).map(|progress| &progress.state);
                    if matches!(state, Some(DeviceState::SetAside(_))) {
                        self.apply(device, &DeviceEvent::Readmitted, record)?;
                        self.stage_progress = self.stage_progress.gone_on();
                    } else {
                        self.forgiven.insert(device.clone());
                    }
                }
            }
            Event::WindowClosed { opens } => self.window_opens = Some(*opens),
            Event::WindowOpened => self.window_opens = None,
            Event::StragglersAwaited { until, .. } => self.stragglers_until = Some(*until),
            Event::GateChecked { verdict: CheckVerdict::Pass, .. } => {
                self.stage_progress = StageProgress::Checked;
            }
            Event::RunStarted { run, devices, refused, unreachable, change, .. } => {
                self.run = Some(run.clone());
                self.change.clone_from(change);
                self.to_migrate = *devices;
                self.refused_at_plan = *refused;
                self.unreachable_at_plan = *unreachable;
            }
            Event::RunResumed { .. } => {
                self.paused = None;
                self.stopped = None;
                self.undo_ordered = false;
                self.window_opens = None;
                self.stragglers_until = None;
                self.ended = None;
            }
            Event::StageStarted { stage } => {
                self.stage = *stage;
                self.stage_progress = StageProgress::Started;
            }
            Event::SoakStarted { .. } => {
                self.stage_progress = StageProgress::Soaking(record.elapsed);
            }
            Event::SoakBroken { .. } => {
                self.stage_progress = StageProgress::SoakBroken(record.elapsed);
            }
            Event::StagePassed { stage } => {
                self.stage = stage + 1;
                self.stage_progress = StageProgress::Waiting;
            }
            Event::Paused { reason, gate } => {
                self.paused = Some(reason.clone());
                if gate.is_some() {
                    self.stage_progress = StageProgress::AtInstructions;
                }
            }
            Event::Stopped { reason, undo } => {
                self.stopped = Some(reason.clone());
                self.undo_ordered |= undo;
            }
            Event::RunEnded { outcome } => self.ended = Some(*outcome),
            Event::BalenaAway { .. } => self.balena_away = true,
            Event::BalenaBack => self.balena_away = false,
            Event::GateChecked { .. } | Event::Interrupted | Event::Unknown => {}
        }
        self.records += 1;
        self.elapsed = record.elapsed;
        Ok(())
    }

    fn apply(
        &mut self,
        device: &DeviceId,
        what: &DeviceEvent,
        record: &Record,
    ) -> Result<(), ReplayError> {
        let applied = match self.devices.get_mut(device) {
            Some(progress) => {
                let before = Counted::of(&progress.state);
                let applied = progress.apply(what, record.elapsed);
                self.counts.remove(before);
                self.counts.count(&progress.state);
                applied
            }
            None => {
                let mut progress = Progress::default();
                let applied = progress.apply(what, record.elapsed);
                if applied.is_ok() {
                    self.counts.count(&progress.state);
                    self.devices.insert(device.clone(), progress);
                }
                applied
            }
        };
        applied.map_err(|source| ReplayError::Transition {
            seq: record.seq,
            device: device.clone(),
            source: Box::new(source),
        })
    }

    /// Counts these devices as gates do: without those that a person has forgiven.
    pub fn judged<'a>(&self, devices: impl IntoIterator<Item = &'a DeviceId>) -> Tally {
        let state = |id| self.devices.get(id).map_or(&DeviceState::Pending, |it| &it.state);
        let states = devices.into_iter().map(|id| (id, state(id)));
        let counted =
            states.filter(|(id, state)| !(state.ended_badly() && self.forgiven.contains(*id)));
        Tally::of(counted.map(|(_, state)| state))
    }

    /// Devices that have arrived and for which something is left to do, with what it is.
    pub fn unsettled(&self) -> impl Iterator<Item = (&DeviceId, &str)> {
        self.devices.iter().filter_map(|(id, progress)| Some((id, progress.remark.as_deref()?)))
    }

    /// Counts all devices of the run, those included that nothing has happened to yet.
    pub fn tally(&self) -> Tally {
        let mut tally = self.counts;
        let known = u32::try_from(self.devices.len()).unwrap_or(u32::MAX);
        tally.pending += self.to_migrate.saturating_sub(known);
        tally.refused_at_plan = self.refused_at_plan;
        tally.unreachable_at_plan = self.unreachable_at_plan;
        tally
    }
}
