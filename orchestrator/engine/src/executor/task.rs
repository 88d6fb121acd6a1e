//! The way of one device's task through its steps, forwards and back.

use super::undo::{DARK_PAUSE, GivenUp, LEFT_DARK, TakingBack, UndoPatience};
use super::{Device, World};
use crate::action::{self, Failure};
use crate::port::{BalenaApi, Transport};
use crate::rollout::Said;
use migos_events::{Cause, CauseKind, DeviceState, Learned, Progress, StepRef, Then};
use migos_inventory::DeviceId;
use migos_playbooks::plan::CheckedPlan;
use migos_playbooks::step::{Action, Reversal, Step};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

/// What a task sends to the dispatcher.
pub(crate) struct Message {
    pub(crate) device: DeviceId,
    pub(crate) said: Said,
    /// Where the answer goes, if the task waits for one.
    pub(crate) reply: Option<oneshot::Sender<Answer>>,
}

/// What the dispatcher answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Do it; it is in the journal.
    Go,
    /// It is not needed: go on with the next step.
    Skip,
    /// Go back to Raspbian and end.
    Return,
}

/// The task's line to the dispatcher.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) device: DeviceId,
    pub(crate) to: mpsc::Sender<Message>,
    /// True once the run is paused, stopped or interrupted.
    pub(crate) closing: watch::Receiver<bool>,
}

/// The dispatcher is gone: nothing may be done any more.
struct Gone;

impl Link {
    pub(crate) async fn note(&self, message: String) {
        let _ = self.say(Said::Noted(message)).await;
    }

    async fn say(&self, said: Said) -> Result<(), Gone> {
        let message = Message { device: self.device.clone(), said, reply: None };
        self.to.send(message).await.map_err(|_| Gone)
    }

    async fn ask(&self, said: Said) -> Result<Answer, Gone> {
        let (reply, answer) = oneshot::channel();
        let message = Message { device: self.device.clone(), said, reply: Some(reply) };
        self.to.send(message).await.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Returns when the run is paused, stopped or interrupted.
    async fn closed(&self) {
        // A dispatcher that is gone shows at the next word to it.
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }
}

/// Works on one device from where it stands to its end.
pub(crate) async fn run<T: Transport, B: BalenaApi>(
    world: Arc<World<T, B>>,
    progress: Progress,
    link: Link,
) {
    let device =
        match Device::new(link.device.clone(), world, progress.learned.clone(), link.clone()) {
            Ok(device) => device,
            // The core sees a task that ended in the middle, and pauses the run.
            Err(message) => return link.note(message).await,
        };
    let permitted = progress.state.may_be_past_return();
    let mut task = Task { device, link, touched: progress.touched.clone(), permitted };
    task.device.locked = task.touched.iter().any(|step| step.action == Action::Lock);
    // An error is a dispatcher that is gone; whatever the task knew is in the journal already.
    let _ = task.run(&progress.state).await;
}

struct Task<T: Transport, B: BalenaApi> {
    device: Device<T, B>,
    link: Link,
    /// Steps that were started and can be taken back.
    touched: BTreeSet<StepRef>,
    /// True once the permit to cross the point of no return was given.
    permitted: bool,
}

impl<T: Transport, B: BalenaApi> Task<T, B> {
    async fn run(mut self, state: &DeviceState) -> Result<(), Gone> {
        let from = match state {
            DeviceState::Running { step, done, .. } => step.n + usize::from(*done),
            DeviceState::InMigos => self.plan().commit_step(),
            DeviceState::Migrated => self.plan().settle_step(),
            DeviceState::Undoing { then, .. } => return self.take_back(then).await,
            _ => 0,
        };
        self.device.taken_up = matches!(state, DeviceState::Running { done: false, .. });
        let mut next = self.next_step(from);
        while let Some((n, step)) = next.clone() {
            match self.link.ask(Said::Ask(n)).await? {
                Answer::Go => {}
                Answer::Skip => {
                    next = self.next_step(n + 1);
                    continue;
                }
                Answer::Return => return self.take_back(&Then::Wait).await,
            }
            if step.action == Action::AwaitBalena {
                break;
            }
            self.permitted |= step.reversal == Reversal::PointOfNoReturn;
            if step.reversal == Reversal::Undo {
                self.touched.insert(StepRef { n, action: step.action });
            }
            match self.perform(n, &step).await? {
                Performed::Done => {
                    self.touched.retain(|earlier| !step.action.settles(earlier.action));
                    next = self.next_step(n + 1);
                }
                // Asked for once more, the step is not permitted any more: the device is recalled.
                Performed::BrokenOff => {}
                // It has arrived, and so it stays.
                Performed::Failed(failure) if step.action == Action::Settle => {
                    let message = failure.message().to_owned();
                    return self.link.say(Said::Unsettled(n, message)).await;
                }
                Performed::Failed(Failure::Stuck(message)) => {
                    return self.link.say(Said::Stuck(message)).await;
                }
                Performed::Failed(Failure::Lost(message)) => {
                    return self.link.say(Said::Lost(message)).await;
                }
                Performed::Failed(Failure::Contradiction(message)) => {
                    return self.link.say(Said::Contradicted(message)).await;
                }
                Performed::Failed(failure) if self.commits_by_itself(step.action) => {
                    let cause = cause(step.action, &failure);
                    if let Err(why) = self.bring_back(step.action).await {
                        if step.action == Action::AwaitCommit {
                            let message = format!("{}; {}", failure.message(), why.message());
                            return self.link.say(Said::Lost(message)).await;
                        }
                        // It may be on its way already: the step that waits for its commit finds out.
                        self.link.note(failure.message().to_owned()).await;
                        self.device.may_have_left = true;
                        self.link.say(Said::Done(n, Learned::default())).await?;
                        next = self.next_step(n + 1);
                        continue;
                    }
                    self.link.say(Said::CameBack(n, cause.clone())).await?;
                    return self.take_back(&Then::Fail(cause)).await;
                }
                Performed::Failed(failure) => {
                    let cause = cause(step.action, &failure);
                    self.link.say(Said::Failed(n, cause.clone())).await?;
                    return self.take_back(&Then::Fail(cause)).await;
                }
            }
            self.device.taken_up = false;
        }
        self.device.hang_up().await;
        Ok(())
    }

    fn plan(&self) -> &CheckedPlan {
        &self.device.world.plan
    }

    fn next_step(&self, from: usize) -> Option<(usize, Step)> {
        let n = self.plan().next_step(&self.device.id, from)?;
        Some((n, self.plan().steps.get(n)?.clone()))
    }

    /// Performs a step, with its tries and within its limit. Before the point of no return it is broken off
    /// when the run closes: nobody shall wait hours for an upload after Ctrl-C.
    async fn perform(&mut self, n: usize, step: &Step) -> Result<Performed, Gone> {
        let link = self.link.clone();
        tokio::select! {
            performed = self.perform_to_the_end(n, step) => return performed,
            () = link.closed(), if !self.permitted => {}
        }
        self.device.drop_session();
        Ok(Performed::BrokenOff)
    }

    async fn perform_to_the_end(&mut self, n: usize, step: &Step) -> Result<Performed, Gone> {
        let deadline = Instant::now() + step.limit.0;
        let mut pause = step.retry.pause.0;
        let mut tries = 1;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let tried = timeout(left, action::perform(step, &mut self.device)).await;
            let failure = match tried {
                Ok(Ok(learned)) => {
                    self.device.learned.add(&learned);
                    self.link.say(Said::Done(n, learned)).await?;
                    return Ok(Performed::Done);
                }
                Ok(Err(failure)) => failure,
                Err(_) => self.device.out_of_time(step),
            };
            self.device.drop_session();
            let message = match failure {
                Failure::Transient(message) if tries < step.retry.times => message,
                other => return Ok(Performed::Failed(other)),
            };
            self.link.say(Said::Retried(n, message)).await?;
            sleep(self.jittered(pause)).await;
            pause = pause.saturating_mul(2);
            tries += 1;
        }
    }

    /// Between a half and the whole of a pause: a site whose link comes back is not asked by all at once.
    fn jittered(&self, pause: Duration) -> Duration {
        let mut random = [0; 1];
        self.device.world.entropy.fill(&mut random);
        pause.mul_f64(0.5 + f64::from(random[0]) / 512.0)
    }

    /// Takes steps back, the last one first: after a failure all that were begun, at a recall only those that
    /// hold the device, and by a person's order whatever may have been done, however long ago.
    async fn take_back(mut self, then: &Then) -> Result<(), Gone> {
        let mut steps: Vec<StepRef> = match then {
            Then::Fail(_) => self.touched.iter().copied().collect(),
            Then::Wait => {
                self.touched.iter().copied().filter(|step| step.action.holds_the_device()).collect()
            }
            Then::Rest => self.all_that_can_be_taken_back(),
        };
        steps.sort();
        steps.reverse();
        self.device.taking_back = true;
        for step in steps {
            self.link.ask(Said::AskUndo(step)).await?;
            if let Err(given_up) = self.undo(step).await {
                let why = match given_up {
                    GivenUp::Dark(_) if *then != Then::Rest && self.link.is_closing() => {
                        self.link.note(LEFT_DARK.to_owned()).await;
                        return Ok(());
                    }
                    GivenUp::Dark(message) => message,
                    GivenUp::Failed(failure) => failure.message().to_owned(),
                    GivenUp::Hangs(limit) => {
                        format!(
                            "not done after {} s{}",
                            limit.as_secs(),
                            self.device.last_failure()
                        )
                    }
                };
                let name = self.plan().steps.get(step.n).map_or("", |step| step.id.0.as_str());
                let message = format!("{name} could not be taken back: {why}");
                return self.link.say(Said::Stuck(message)).await;
            }
            self.link.say(Said::UndoDone(step)).await?;
        }
        self.device.hang_up().await;
        self.link.say(Said::Undone).await
    }

    fn all_that_can_be_taken_back(&self) -> Vec<StepRef> {
        let steps = self.plan().steps.iter().enumerate();
        let plan = self.device.plan();
        let registered = self.device.learned.balena_id.is_some();
        steps
            .filter(|(_, step)| step.reversal == Reversal::Undo && plan.takes(step))
            .filter(|(_, step)| !registers(step.action) || registered)
            .map(|(n, step)| StepRef { n, action: step.action })
            .collect()
    }

    /// True from its permit on until it is known to have committed.
    fn commits_by_itself(&self, action: Action) -> bool {
        self.permitted && action <= Action::AwaitCommit && action != Action::Commit
    }

    /// Makes sure that a released device is back on Raspbian for good, so that steps may be taken back.
    async fn bring_back(&mut self, action: Action) -> Result<(), Failure> {
        self.device.taking_back = true;
        if action == Action::Release {
            // Nothing has been told to boot MIGOS yet.
            return Ok(());
        }
        let deadline = Instant::now() + UndoPatience::of(Action::Arm, self.plan()).most;
        let mut pause = super::Patience::default();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let failure = match timeout(left, action::bring_back(&mut self.device)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Failed("it does not come back".into()),
            };
            self.device.drop_session();
            if Instant::now() >= deadline || !matches!(failure, Failure::Transient(_)) {
                self.device.taking_back = false;
                return Err(failure);
            }
            pause.pause().await;
        }
    }

    /// Takes a step back, and waits for a device that does not answer.
    async fn undo(&mut self, step: StepRef) -> Result<(), GivenUp> {
        let action = step.action;
        let Some(step) = self.plan().steps.get(step.n).cloned() else { return Ok(()) };
        let mut undo = TakingBack::begin(UndoPatience::of(action, self.plan()), now());
        let mut pause = super::Patience::default();
        loop {
            let closing = self.link.is_closing();
            let limit = undo.limit(now(), closing)?;
            let tried = timeout(limit, action::undo(&step, &mut self.device)).await;
            let failure = match tried {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(failure)) => failure,
                Err(_) => {
                    self.device.drop_session();
                    return Err(undo.cut_off(limit));
                }
            };
            self.device.drop_session();
            if let Some(news) = undo.failed(failure, now())? {
                self.link.note(news).await;
            }
            if undo.is_long() && !closing {
                let _ = timeout(DARK_PAUSE, self.link.closed()).await;
            } else {
                pause.pause().await;
            }
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// What came of a step.
enum Performed {
    Done,
    Failed(Failure),
    /// The run closed in the middle of it.
    BrokenOff,
}

fn registers(action: Action) -> bool {
    matches!(action, Action::Register | Action::Preregister)
}

fn cause(action: Action, failure: &Failure) -> Cause {
    let kind = match failure {
        Failure::Refused(_) => CauseKind::Refused,
        Failure::Transient(_) if action == Action::Check => CauseKind::Away,
        Failure::Transient(_) if !registers(action) => CauseKind::Unreachable,
        _ => CauseKind::Step,
    };
    Cause { kind, message: failure.message().to_owned() }
}
