//! One simulated controller: the core, the tasks of its devices, its poller and its clock.

use super::circumstances::{Deed, Moment};
use super::sky::Sky;
use super::task::{
    Next, Permitted, TakenBack, Task, Way, Work, learned, taken_up, to_be_taken_back,
};
use super::{Ended, Errand, Simulation, SimulationError};
use crate::rollout::{Effect, Input, Now, Rollout, Said};
use migos_events::{
    CheckVerdict, DeviceEvent, DeviceState, Event, Progress, Record, ReplayError, StepRef, Then,
};
use migos_inventory::DeviceId;
use migos_playbooks::step::{Action, Reversal};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the core is told at least that time has passed.
const TICK: Duration = Duration::from_secs(60);

/// How long the command of a stage takes to answer.
const CHECK: Duration = Duration::from_secs(5);

/// More happenings than this, and something goes in a circle.
const MOST: u64 = 50_000_000;

/// What happens at a moment.
#[derive(Debug, Clone)]
enum Happening {
    Begin,
    /// A task does something, unless it is about something else by then.
    Task(DeviceId, u64, Next),
    Poll,
    Tick,
    Checked(usize),
    Deed(Moment, Deed),
}

pub(super) struct Controller<'a> {
    world: &'a mut Simulation,
    rollout: Rollout,
    tasks: BTreeMap<DeviceId, Task>,
    sky: Sky,
    /// What is to happen, by moment, and in the order in which it was decided.
    agenda: BTreeMap<(Duration, u64), Happening>,
    number: u64,
    /// The clock when it began, and how long the run had been going then.
    begun: Duration,
    before: Duration,
    closed: bool,
    ended: Option<Ended>,
}

impl<'a> Controller<'a> {
    pub(super) fn new(world: &'a mut Simulation, errand: Errand) -> Result<Self, ReplayError> {
        let rollout = Rollout::new(world.plan.clone(), world.run_id(), "0.1.0", &world.journal)?
            .wishing(errand.wishes)
            .taking_back(errand.take_back);
        let mut controller = Controller {
            sky: Sky::over(world.bodies.keys()),
            begun: world.clock,
            before: rollout.history().elapsed,
            world,
            rollout,
            tasks: BTreeMap::new(),
            agenda: BTreeMap::new(),
            number: 0,
            closed: false,
            ended: None,
        };
        controller.after(Duration::ZERO, Happening::Begin);
        controller.after(Duration::ZERO, Happening::Poll);
        controller.after(TICK, Happening::Tick);
        for (moment, deed) in controller.world.deeds.clone() {
            if let Moment::At(at) = moment
                && at >= controller.begun
            {
                controller.after(at - controller.begun, Happening::Deed(moment, deed));
            }
        }
        Ok(controller)
    }

    pub(super) fn live(mut self, limit: Duration) -> Result<Ended, SimulationError> {
        let last = self.begun.saturating_add(limit);
        while self.ended.is_none() {
            let Some(((at, _), happening)) = self.agenda.pop_first() else {
                return Err(SimulationError::Stalled);
            };
            if at > last || self.number > MOST {
                return Err(SimulationError::Endless(at - self.begun));
            }
            self.world.clock = at;
            self.happen(happening);
        }
        self.ended.ok_or(SimulationError::Stalled)
    }

    fn after(&mut self, span: Duration, happening: Happening) {
        self.number += 1;
        // What is to happen at the end of all time never does.
        if let Some(at) = self.world.clock.checked_add(span) {
            self.agenda.insert((at, self.number), happening);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Begin => self.input(Input::Begin),
            Happening::Tick => {
                self.input(Input::Tick);
                self.after(TICK, Happening::Tick);
            }
            Happening::Poll => {
                let seen = self.poll();
                self.input(seen);
                self.after(self.world.plan.arrival.poll.0, Happening::Poll);
            }
            Happening::Checked(stage) => {
                let answers = self.world.circumstances.checks.get_mut(&stage);
                let answer = answers.filter(|it| !it.is_empty()).map(|it| it.remove(0));
                let (verdict, message) = answer.unwrap_or((CheckVerdict::Pass, String::new()));
                self.input(Input::Checked(stage, verdict, message));
            }
            Happening::Deed(moment, deed) => {
                // Each is done once: a controller that is taken up in the same moment is not killed again.
                let done = |it: &(Moment, Deed)| it.0 == moment && it.1 == deed;
                let index = self.world.deeds.iter().position(done);
                index.map(|index| self.world.deeds.remove(index));
                match deed {
                    Deed::Order(order) => self.input(Input::Order(order)),
                    Deed::Kill => self.ended = Some(Ended::Killed),
                }
            }
            Happening::Task(device, turn, next) => {
                if self.tasks.get(&device).is_some_and(|task| task.turn == turn) {
                    self.work(device, next);
                }
            }
        }
    }

    fn poll(&mut self) -> Input {
        let now = self.world.clock;
        if self.world.circumstances.balena_away.iter().any(|period| period.holds(now)) {
            return Input::BalenaAway("connection refused".into());
        }
        let heartbeat = self.world.plan.arrival.heartbeat.0;
        Input::SeenOtherwise(self.sky.look(&self.world.bodies, now, heartbeat))
    }

    fn now(&self) -> Now {
        let run = self.before + (self.world.clock - self.begun);
        let wall = self.world.start.checked_add(self.world.clock).unwrap_or(self.world.start);
        Now { run, wall }
    }

    fn input(&mut self, input: Input) {
        for effect in self.rollout.handle(input, self.now()) {
            match effect {
                Effect::Record(record) => self.write(record),
                Effect::Launch(device, progress) => self.launch(device, &progress),
                Effect::Grant(device) => self.granted(&device),
                Effect::Skip(device) => self.skipped(&device),
                Effect::Recall(device) => self.go_back(&device, &Then::Wait),
                Effect::Check(stage) => self.after(CHECK, Happening::Checked(stage)),
                Effect::End(outcome) => {
                    if !self.tasks.is_empty() {
                        self.blame("the run ends with tasks at work".into());
                    }
                    self.ended = Some(Ended::Outcome(outcome));
                }
            }
        }
        if self.rollout.is_closing() && !self.closed {
            self.closed = true;
            self.break_off();
        }
    }

    fn write(&mut self, record: Record) {
        if let Event::Device { device, what } = &record.event {
            let (plan, now) = (self.world.plan.clone(), self.world.clock);
            if let Some(body) = self.world.bodies.get_mut(device) {
                let before = body.crossed;
                body.live_through(&plan, device, what, now);
                if body.crossed != before {
                    self.sky.changed(device);
                }
            }
        }
        if let Event::Device { device, what: DeviceEvent::StepStarted { step } } = &record.event
            && !self.world.deeds.is_empty()
        {
            let moment = Moment::Begins(device.clone(), step.action);
            let deed = self.world.deeds.iter().find(|(when, _)| *when == moment).cloned();
            if let Some((moment, deed)) = deed {
                self.after(Duration::ZERO, Happening::Deed(moment, deed));
            }
        }
        match &mut self.world.forecast {
            Some(forecast) => forecast.take(&record),
            None => self.world.journal.push(record),
        }
    }

    /// The last of these steps is taken back, since this moment.
    fn take_back(&mut self, device: &DeviceId, steps: Vec<StepRef>, begun: Duration) {
        let state = self.rollout.history().devices.get(device).map(|it| &it.state);
        let ordered = matches!(state, Some(DeviceState::Undoing { then: Then::Rest, .. }));
        let (plan, now, closing) = (self.world.plan.clone(), self.world.clock, self.closed);
        let body = self.world.body(device);
        let way = steps.last().zip(body).map(|(step, body)| {
            TakenBack { plan: &plan, step: *step, begun, now, ordered, closing }.perform(body)
        });
        self.set(device, Work::TakingBack(steps, begun), way.unwrap_or_default());
    }

    /// A device that has no permit to cross does not finish its step when the run closes: it asks once more. One that is
    /// being taken back is not waited for as long.
    fn break_off(&mut self) {
        let taking_back: Vec<(DeviceId, Vec<StepRef>, Duration)> = self
            .tasks
            .iter()
            .filter_map(|(id, task)| match &task.work {
                Work::TakingBack(steps, begun) => Some((id.clone(), steps.clone(), *begun)),
                _ => None,
            })
            .collect();
        for (device, steps, begun) in taking_back {
            self.take_back(&device, steps, begun);
        }
        let broken: Vec<(DeviceId, usize)> = self
            .tasks
            .iter()
            .filter_map(|(id, task)| match task.work {
                Work::Performing(n) if !task.permitted => Some((id.clone(), n)),
                _ => None,
            })
            .collect();
        for (device, n) in broken {
            self.set(&device, Work::Forwards(n), vec![(Duration::ZERO, Next::Ask(n))]);
        }
    }

    fn launch(&mut self, device: DeviceId, progress: &Progress) {
        let work = taken_up(&self.world.plan, progress);
        let permitted = progress.state.may_be_past_return();
        let task = Task { work: work.clone(), permitted, turn: 0 };
        if self.tasks.insert(device.clone(), task).is_some() {
            self.blame(format!("{device} is launched twice"));
        }
        match work {
            Work::Forwards(n) => self.forwards(&device, n),
            work => self.set(&device, work, vec![(Duration::ZERO, Next::AskUndo)]),
        }
    }

    /// The task is about this now, and does that next.
    fn set(&mut self, device: &DeviceId, work: Work, way: Way) {
        let Some(task) = self.tasks.get_mut(device) else { return };
        // Unique over all tasks of a device, so that nothing of an earlier one happens to a later one.
        task.turn = self.number + 1;
        task.work = work;
        let turn = task.turn;
        for (span, next) in way {
            self.after(span, Happening::Task(device.clone(), turn, next));
        }
    }

    /// To the first step from this one on that the device takes.
    fn forwards(&mut self, device: &DeviceId, from: usize) {
        let (n, next) = match self.world.plan.next_step(device, from) {
            Some(n) => (n, Next::Ask(n)),
            None => (from, Next::Ends(None)),
        };
        self.set(device, Work::Forwards(n), vec![(Duration::ZERO, next)]);
    }

    fn go_back(&mut self, device: &DeviceId, then: &Then) {
        let steps = self.rollout.history().devices.get(device);
        let steps = steps.map(|progress| to_be_taken_back(progress, then)).unwrap_or_default();
        self.set(device, Work::Back(steps), vec![(Duration::ZERO, Next::AskUndo)]);
    }

    fn granted(&mut self, device: &DeviceId) {
        match self.tasks.get(device).map(|task| task.work.clone()) {
            Some(Work::Forwards(n)) => {
                let crosses = self
                    .action(n)
                    .is_some_and(|action| action.reversal() == Reversal::PointOfNoReturn);
                if let Some(task) = self.tasks.get_mut(device) {
                    task.permitted |= crosses;
                }
                let way = self.with_body(device, n, |step, body| step.perform(body));
                self.set(device, Work::Performing(n), way.unwrap_or_default());
            }
            Some(Work::Back(steps)) => self.take_back(device, steps, self.world.clock),
            work => self.blame(format!("{device} is granted what it did not ask for: {work:?}")),
        }
    }

    fn skipped(&mut self, device: &DeviceId) {
        match self.tasks.get(device).map(|task| task.work.clone()) {
            Some(Work::Forwards(n)) => self.forwards(device, n + 1),
            work => self.blame(format!("{device} is told to skip: {work:?}")),
        }
    }

    fn action(&self, n: usize) -> Option<Action> {
        self.world.plan.steps.get(n).map(|step| step.action)
    }

    /// Does something with a device and the step that it is permitted.
    fn with_body<T>(
        &mut self,
        device: &DeviceId,
        n: usize,
        act: impl FnOnce(Permitted<'_>, &mut super::Body) -> T,
    ) -> Option<T> {
        let past_return = self.tasks.get(device).is_some_and(|task| task.permitted);
        let (plan, now) = (self.world.plan.clone(), self.world.clock);
        let pace = self.world.circumstances.pace;
        let (step, device_plan) = (plan.steps.get(n)?, plan.devices.get(device)?);
        let permitted =
            Permitted { plan: &plan, device: device_plan, n, step, past_return, now, pace };
        Some(act(permitted, self.world.body(device)?))
    }

    /// A task does the next thing.
    fn work(&mut self, device: DeviceId, next: Next) {
        match next {
            Next::Ask(n) => self.say(&device, Said::Ask(n)),
            Next::Retried(n, message) => self.say(&device, Said::Retried(n, message)),
            Next::Done(n) => {
                let learned = self.action(n).map(learned).unwrap_or_default();
                self.say(&device, Said::Done(n, learned));
                self.forwards(&device, n + 1);
            }
            Next::Fails(said) => {
                self.say(&device, said);
                let state = self.rollout.history().devices.get(&device).map(|it| it.state.clone());
                match state {
                    Some(DeviceState::Undoing { then, .. }) => self.go_back(&device, &then),
                    state => self.blame(format!("{device} cannot fail: {state:?}")),
                }
            }
            Next::AskUndo => match self.tasks.get(&device).map(|task| task.work.clone()) {
                Some(Work::Back(steps)) => match steps.last() {
                    Some(step) => self.say(&device, Said::AskUndo(*step)),
                    None => self.end(&device, Some(Said::Undone)),
                },
                work => self.blame(format!("{device} asks to take back: {work:?}")),
            },
            Next::UndoDone => {
                if let Some(Work::TakingBack(mut steps, _)) =
                    self.tasks.get(&device).map(|task| task.work.clone())
                {
                    let step = steps.pop();
                    self.set(&device, Work::Back(steps), vec![(Duration::ZERO, Next::AskUndo)]);
                    if let Some(step) = step {
                        self.say(&device, Said::UndoDone(step));
                    }
                }
            }
            Next::Notes(message) => self.say(&device, Said::Noted(message)),
            Next::Ends(said) => self.end(&device, said),
        }
    }

    fn say(&mut self, device: &DeviceId, said: Said) {
        self.input(Input::Said(device.clone(), said));
    }

    fn end(&mut self, device: &DeviceId, last_word: Option<Said>) {
        if let Some(said) = last_word {
            self.say(device, said);
        }
        self.tasks.remove(device);
        self.input(Input::TaskEnded(device.clone()));
    }

    fn blame(&mut self, what: String) {
        self.world.breaches.push(what);
    }
}
