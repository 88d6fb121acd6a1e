//! The rollout core: all decisions of a run, without I/O.
//!
//! [`Rollout::handle`] takes an [`Input`] and gives [`Effect`]s. Whatever it decides it first says as a
//! record; its own state *is* the [`History`] of these records, so a resumed run knows exactly what an
//! uninterrupted one knows. It is total: an input that makes no sense is ignored.

mod arrival;
mod class;
mod gate;
mod hours;
mod messages;
mod roster;
mod settle;
mod sights;
mod stage;
mod straggler;

pub use gate::{Soak, Verdict, judge};
pub use messages::{Effect, Forgiveness, Input, Now, Order, Said, Seen, Sight, Wishes};

use hours::Calendar;
use migos_events::{
    DeviceEvent, DeviceState, Event, History, Outcome, Progress, Record, ReplayError, RunId,
    StepRef, Then,
};
use migos_inventory::DeviceId;
use migos_playbooks::plan::{CheckedPlan, SetAside};
use migos_playbooks::policy::Prove;
use migos_playbooks::step::{Action, Reversal, When};
use roster::Roster;
use sights::Sights;
use std::sync::Arc;
use std::time::Duration;

/// What the run is heading for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// No controller has taken it up yet.
    NotBegun,
    Going,
    /// No starts and no permits; what is past the point of no return is carried to its end.
    Closing(Outcome),
    Ended,
}

/// The rollout core.
#[derive(Debug)]
pub struct Rollout {
    plan: Arc<CheckedPlan>,
    run: RunId,
    controller: String,
    history: History,
    mode: Mode,
    /// Where each device stands.
    roster: Roster,
    /// What balena has told of them.
    sights: Sights,
    /// When their windows open.
    calendar: Calendar,
    /// The stage whose check has been asked and has not answered.
    checking: Option<usize>,
    /// True until balena has been asked about devices that an earlier controller gave up.
    look_first: bool,
    /// Nothing else is done than to give devices back as they were.
    only_gives_back: bool,
    /// What this controller was asked for besides.
    wishes: Wishes,
}

impl Rollout {
    /// A run of this plan with these records; a fresh one has none.
    ///
    /// # Errors
    /// [`ReplayError`], if the records cannot be this run's.
    pub fn new(
        plan: Arc<CheckedPlan>,
        run: RunId,
        controller: &str,
        past: &[Record],
    ) -> Result<Self, ReplayError> {
        let history = History::replay(past)?;
        let look_first = history.tally().lost > 0;
        let roster = Roster::new(&plan, &history);
        let sights = Sights::of(&roster);
        Ok(Rollout {
            plan,
            run,
            controller: controller.to_owned(),
            history,
            mode: Mode::NotBegun,
            roster,
            sights,
            calendar: Calendar::default(),
            checking: None,
            look_first,
            only_gives_back: false,
            wishes: Wishes::default(),
        })
    }

    /// The same run, but only to give these devices back as they were.
    #[must_use]
    pub fn taking_back(mut self, devices: Vec<DeviceId>) -> Self {
        self.only_gives_back = !devices.is_empty();
        self.roster.give_back(&devices);
        self
    }

    /// The same run, with what a person wants besides.
    #[must_use]
    pub fn wishing(mut self, wishes: Wishes) -> Self {
        self.wishes = wishes;
        self
    }

    /// What has happened so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// True once there are no new permits before the point of no return.
    pub fn is_closing(&self) -> bool {
        matches!(self.mode, Mode::Closing(_) | Mode::Ended)
    }

    /// Takes an input; gives what is to be done about it.
    pub fn handle(&mut self, input: Input, now: Now) -> Vec<Effect> {
        let mut turn = Turn { rollout: self, now, effects: Vec::new() };
        match input {
            Input::Begin if turn.rollout.mode == Mode::NotBegun => turn.begin(),
            Input::Begin => {}
            _ if turn.rollout.mode == Mode::NotBegun => {}
            Input::Said(device, said) => turn.said(device, said),
            Input::TaskEnded(device) => turn.task_ended(&device),
            Input::Order(order) => turn.order(order),
            Input::Seen(seen) => turn.seen(seen),
            Input::SeenOtherwise(changes) => turn.seen_otherwise(changes),
            Input::BalenaAway(message) => turn.balena_away(message),
            Input::Checked(stage, verdict, message) => turn.checked(stage, verdict, message),
            Input::Tick => {}
        }
        turn.advance();
        turn.effects
    }

    fn state(&self, device: &DeviceId) -> &DeviceState {
        self.history.devices.get(device).map_or(&DeviceState::Pending, |progress| &progress.state)
    }
}

/// The handling of one input.
struct Turn<'a> {
    rollout: &'a mut Rollout,
    now: Now,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    /// Says an event. False, and nothing is said, if it cannot happen.
    fn say(&mut self, event: Event) -> bool {
        let history = &mut self.rollout.history;
        // The run's time never falls behind what is written already, and is no finer than what is written:
        // a resumed run knows exactly what an uninterrupted one knows.
        let milliseconds = u64::try_from(self.now.run.as_millis()).unwrap_or(u64::MAX);
        let elapsed = Duration::from_millis(milliseconds).max(history.elapsed);
        let record = Record { seq: history.records, at: self.now.wall, elapsed, event };
        let taken = history.take(&record).is_ok();
        if taken {
            self.rollout.roster.note(&record, &self.rollout.history);
            self.effects.push(Effect::Record(record));
        }
        taken
    }

    fn say_of(&mut self, device: &DeviceId, what: DeviceEvent) -> bool {
        self.say(Event::Device { device: device.clone(), what })
    }

    fn begin(&mut self) {
        self.rollout.mode = Mode::Going;
        let rollout = &mut *self.rollout;
        let controller = rollout.controller.clone();
        if rollout.history.records > 0 {
            self.say(Event::RunResumed { controller });
            self.forgive();
        } else {
            let aside = |wanted: fn(&SetAside) -> bool| {
                let count = rollout.plan.set_aside.values().filter(|why| wanted(why)).count();
                u32::try_from(count).unwrap_or(u32::MAX)
            };
            let event = Event::RunStarted {
                run: rollout.run.clone(),
                plan: rollout.plan.id,
                controller,
                devices: u32::try_from(rollout.plan.devices.len()).unwrap_or(u32::MAX),
                refused: aside(|why| matches!(why, SetAside::Refused(_))),
                unreachable: aside(|why| matches!(why, SetAside::Unreachable(_))),
                change: rollout.wishes.change.clone(),
            };
            self.say(event);
        }
        if self.rollout.only_gives_back {
            self.rollout.mode = Mode::Closing(Outcome::TakenBack);
            return;
        }
        // Whatever an earlier controller left on its way is taken up where it stands.
        let left: Vec<_> = self
            .rollout
            .history
            .devices
            .iter()
            .filter(|(_, progress)| {
                matches!(
                    progress.state,
                    DeviceState::Running { .. }
                        | DeviceState::InMigos
                        | DeviceState::Undoing { .. }
                )
            })
            .map(|(device, progress)| (device.clone(), progress.clone()))
            .collect();
        for (device, progress) in left {
            self.launch(device, progress);
        }
    }

    fn forgive(&mut self) {
        let Some(Forgiveness { by, reason }) = self.rollout.wishes.forgive.take() else { return };
        let history = &self.rollout.history;
        let counts = |id: &DeviceId, state: &DeviceState| match state {
            DeviceState::SetAside(_) => true,
            state => state.ended_badly() && !history.forgiven.contains(id),
        };
        let devices = history.devices.iter().filter(|(id, progress)| counts(id, &progress.state));
        let devices = devices.map(|(id, _)| id.clone()).collect();
        self.say(Event::Forgiven { by, reason, devices });
    }

    fn launch(&mut self, device: DeviceId, progress: Progress) {
        self.rollout.roster.set_task(&device, true);
        self.effects.push(Effect::Launch(device, Box::new(progress)));
    }

    fn said(&mut self, device: DeviceId, said: Said) {
        if !self.rollout.roster.has_task(&device) {
            return;
        }
        let steps = &self.rollout.plan.steps;
        let step = |n: usize| steps.get(n).map(|step| StepRef { n, action: step.action });
        let event = match said {
            Said::Ask(n) => return self.ask(&device, n),
            Said::AskUndo(step) => {
                if self.say_of(&device, DeviceEvent::UndoStarted { step }) {
                    self.effects.push(Effect::Grant(device));
                }
                return;
            }
            Said::Undone => match self.rollout.state(&device) {
                DeviceState::Undoing { then: Then::Fail(cause), .. } => {
                    DeviceEvent::Failed { cause: cause.clone() }
                }
                DeviceState::Undoing { then: Then::Rest, .. } => DeviceEvent::Undone,
                _ => DeviceEvent::WentBack,
            },
            Said::Retried(n, message) => match step(n) {
                Some(step) => DeviceEvent::StepRetried { step, message },
                None => return,
            },
            Said::Done(n, learned) => match step(n) {
                Some(step) => DeviceEvent::StepDone { step, learned },
                None => return,
            },
            Said::Failed(n, cause) => match step(n) {
                Some(step) => DeviceEvent::StepFailed { step, cause },
                None => return,
            },
            Said::Unsettled(n, message) => match step(n) {
                Some(step) => DeviceEvent::Unsettled { step, message },
                None => return,
            },
            Said::CameBack(n, cause) => match step(n) {
                Some(step) => DeviceEvent::CameBack { step, cause },
                None => return,
            },
            Said::UndoDone(step) => DeviceEvent::UndoDone { step },
            Said::Noted(message) => DeviceEvent::Noted { message },
            Said::Stuck(message) => DeviceEvent::Stuck { message },
            Said::Lost(message) => DeviceEvent::Lost { message },
            Said::Contradicted(message) => return self.contradicted(&device, message),
        };
        self.say_of(&device, event);
    }

    /// A person is asked to look, and the run goes on with `resume`; should it be the same then, the device is
    /// given up.
    fn contradicted(&mut self, device: &DeviceId, message: String) {
        let again = self.rollout.history.devices.get(device).is_some_and(|it| it.contradicted);
        if again {
            self.say_of(device, DeviceEvent::Stuck { message });
        } else if self.say_of(device, DeviceEvent::Contradicted { message: message.clone() }) {
            let reason = format!("{device}: {message}; look at it, then resume");
            self.close(Outcome::Paused, Event::Paused { reason, gate: None });
        }
    }

    fn ask(&mut self, device: &DeviceId, n: usize) {
        if self.rollout.plan.next_step(device, n) != Some(n) {
            return;
        }
        let Some(step) = self.rollout.plan.steps.get(n) else { return };
        let is_proof = step.when == When::Proof;
        let is_commit = step.action == Action::Commit;
        let step = StepRef { n, action: step.action };
        let past_return = self.rollout.state(device).may_be_past_return();
        if is_commit && !past_return {
            self.say_of(device, DeviceEvent::CommitAsked);
        }
        // One proof serves the class, but a proof that was begun is brought to its end.
        let skip = is_proof
            && self.rollout.plan.prove == Prove::PerClass
            && self.rollout.roster.is_proven(device)
            && self.rollout.mode == Mode::Going;
        if skip && self.say_of(device, DeviceEvent::StepSkipped { step }) {
            self.effects.push(Effect::Skip(device.clone()));
        } else if past_return || self.may_go_on(device, step) {
            if self.say_of(device, DeviceEvent::StepStarted { step }) {
                self.effects.push(Effect::Grant(device.clone()));
            }
        } else {
            let reason = match self.rollout.mode {
                Mode::Going => self.why_it_may_not_cross(device),
                _ => String::new(),
            };
            if self.say_of(device, DeviceEvent::Recalled { reason }) {
                self.effects.push(Effect::Recall(device.clone()));
            }
        }
    }

    fn may_go_on(&self, device: &DeviceId, step: StepRef) -> bool {
        let crosses = step.action.reversal() == Reversal::PointOfNoReturn;
        self.rollout.mode == Mode::Going && (!crosses || self.may_cross_now(device))
    }

    fn task_ended(&mut self, device: &DeviceId) {
        if !self.rollout.roster.has_task(device) {
            return;
        }
        self.rollout.roster.set_task(device, false);
        let left_alone = matches!(
            self.rollout.state(device),
            DeviceState::Running { .. } | DeviceState::InMigos | DeviceState::Undoing { .. }
        );
        if left_alone {
            // Only a fault of this program ends a task there. The journal knows where the device is.
            let reason = format!("the work on {device} ended unexpectedly");
            self.close(Outcome::Paused, Event::Paused { reason, gate: None });
        }
    }

    fn order(&mut self, order: Order) {
        let by_person = |who: String| format!("{who} asked for it");
        match order {
            Order::Pause(who) => {
                let event = Event::Paused { reason: by_person(who), gate: None };
                self.close(Outcome::Paused, event);
            }
            Order::Stop(who) => {
                let event = Event::Stopped { reason: by_person(who), undo: false };
                self.close(Outcome::Stopped, event);
            }
            Order::StopAndUndo(who) => {
                let is_open = !matches!(self.rollout.mode, Mode::NotBegun | Mode::Ended);
                if is_open
                    && !self.rollout.history.undo_ordered
                    && self.say(Event::Stopped { reason: by_person(who), undo: true })
                {
                    self.rollout.mode = Mode::Closing(Outcome::Stopped);
                }
            }
            Order::Interrupt => self.close(Outcome::Interrupted, Event::Interrupted),
        }
    }

    /// Ends new work. A weaker outcome never replaces a stronger one.
    fn close(&mut self, outcome: Outcome, event: Event) {
        let strength = |outcome| match outcome {
            Outcome::Finished | Outcome::TakenBack => 0,
            Outcome::Paused => 1,
            Outcome::Interrupted => 2,
            Outcome::Stopped => 3,
        };
        let stronger = match self.rollout.mode {
            Mode::Going => true,
            Mode::Closing(now) => strength(outcome) > strength(now),
            Mode::NotBegun | Mode::Ended => false,
        };
        if stronger && self.say(event) {
            self.rollout.mode = Mode::Closing(outcome);
        }
    }
}

#[cfg(test)]
mod tests;
