//! The dispatcher: owns the rollout core, and is the only one who writes the journal.
//!
//! Tasks send what they say; the dispatcher takes all that has come in, lets the core decide, writes the
//! records with one flush, and only then answers.

use crate::executor::{self, Answer, Link, Message, World};
use crate::journal::{Journal, JournalError};
use crate::ledger::Ledger;
use crate::poller::poll_balena;
use crate::port::{BalenaApi, Transport};
use crate::rollout::{Effect, Input, Now, Order, Rollout};
use crate::run::FileError;
use futures::future::BoxFuture;
use migos_events::{
    CheckVerdict, Event, History, LedgerEntry, LedgerState, Outcome, Progress, Record, RunId,
};
use migos_inventory::DeviceId;
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::estimate::Measured;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::Instrument;

/// Messages that may wait; a task that sends more waits itself.
const QUEUE: usize = 1024;

/// Why a run ended without an outcome. Devices are where the journal says.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// The journal could not be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The ledger or a secret could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A run that is about to be carried out, or carried on.
pub struct Dispatch<T: Transport, B: BalenaApi> {
    /// What the tasks share.
    pub world: Arc<World<T, B>>,
    /// The core, with all that has happened so far.
    pub rollout: Rollout,
    /// The journal.
    pub journal: Journal,
    /// The fleet ledger.
    pub ledger: Ledger,
    /// The run's name.
    pub run: RunId,
    /// What a person orders.
    pub orders: mpsc::Receiver<Order>,
    /// Who is asked about stages with a check.
    pub checks: Arc<dyn GateCheck>,
}

/// Asks the command that judges a stage.
pub trait GateCheck: Send + Sync + 'static {
    /// What the command of this stage says about it, and what it wrote. Given up when dropped.
    fn ask(&self, stage: usize, history: &History) -> BoxFuture<'static, (CheckVerdict, String)>;
}

/// How often the core is told that time has passed.
const TICK: Duration = Duration::from_secs(1);

/// Carries a run to its end, a pause, a stop or an interruption.
///
/// # Errors
/// [`DispatchError`], when what happens cannot be written down any more.
pub async fn dispatch<T: Transport, B: BalenaApi>(
    dispatch: Dispatch<T, B>,
) -> Result<(Outcome, History), DispatchError> {
    let Dispatch { world, rollout, journal, ledger, run, mut orders, checks } = dispatch;
    let (to, mut messages) = mpsc::channel(QUEUE);
    let (sights_to, mut sights) = mpsc::channel(1);
    let before = rollout.history().elapsed;
    let uuids = uuids(&world)?;
    let mut desk = Desk {
        uuids: uuids.iter().map(|(uuid, device)| (device.clone(), uuid.clone())).collect(),
        world,
        rollout,
        journal,
        ledger,
        run,
        to,
        tasks: JoinSet::new(),
        devices: BTreeMap::new(),
        closing: watch::Sender::new(false),
        waiting: BTreeMap::new(),
        checks,
        asked: JoinSet::new(),
        started: Instant::now(),
        before,
    };
    let poller = poll_balena(desk.world.clone(), uuids, sights_to);
    // Dropped, and so ended, with this function.
    let mut helpers = JoinSet::new();
    helpers.spawn(poller);

    let mut orders_open = true;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut inputs = vec![Input::Begin];
    loop {
        if let Some(outcome) = desk.take(std::mem::take(&mut inputs)).await? {
            desk.ledger.fold()?;
            return Ok((outcome, desk.rollout.history().clone()));
        }
        tokio::select! {
            Some(message) = messages.recv() => {
                inputs.push(desk.open(message));
                while inputs.len() < QUEUE && let Ok(message) = messages.try_recv() {
                    inputs.push(desk.open(message));
                }
            }
            Some(ended) = desk.tasks.join_next_with_id() => {
                // What it said last comes before its end.
                while let Ok(message) = messages.try_recv() {
                    inputs.push(desk.open(message));
                }
                inputs.extend(desk.task_ended(ended));
            }
            Some(sight) = sights.recv() => inputs.push(sight),
            Some(checked) = desk.asked.join_next() => match checked {
                Ok(checked) => inputs.push(checked),
                Err(error) => tracing::error!(%error, "a check broke down"),
            },
            _ = ticks.tick() => inputs.push(Input::Tick),
            order = orders.recv(), if orders_open => match order {
                Some(order) => inputs.push(Input::Order(order)),
                None => orders_open = false,
            },
        }
    }
}

struct Desk<T: Transport, B: BalenaApi> {
    world: Arc<World<T, B>>,
    rollout: Rollout,
    journal: Journal,
    ledger: Ledger,
    run: RunId,
    uuids: BTreeMap<DeviceId, DeviceUuid>,
    to: mpsc::Sender<Message>,
    tasks: JoinSet<()>,
    /// The device that each task works on.
    devices: BTreeMap<task::Id, DeviceId>,
    closing: watch::Sender<bool>,
    waiting: BTreeMap<DeviceId, oneshot::Sender<Answer>>,
    checks: Arc<dyn GateCheck>,
    /// Checks that have not answered.
    asked: JoinSet<Input>,
    started: Instant,
    before: Duration,
}

impl<T: Transport, B: BalenaApi> Desk<T, B> {
    fn open(&mut self, message: Message) -> Input {
        if let Some(reply) = message.reply {
            self.waiting.insert(message.device.clone(), reply);
        }
        Input::Said(message.device, message.said)
    }

    fn now(&self) -> Now {
        Now { run: self.before + self.started.elapsed(), wall: self.world.clock.now() }
    }

    /// Lets the core decide about inputs; writes first, acts then.
    async fn take(&mut self, inputs: Vec<Input>) -> Result<Option<Outcome>, DispatchError> {
        let mut records = Vec::new();
        let mut acts = Vec::new();
        for input in inputs {
            let now = self.now();
            for effect in self.rollout.handle(input, now) {
                match effect {
                    Effect::Record(record) => records.push(record),
                    act => acts.push(act),
                }
            }
        }
        if !records.is_empty() {
            self.journal.append(&records).await?;
            self.enter(&records)?;
            records.iter().for_each(|record| self.world.observer.record(record));
        }
        self.closing.send_replace(self.rollout.is_closing());
        let mut outcome = None;
        for act in acts {
            match act {
                Effect::Record(_) => {}
                Effect::Launch(device, progress) => self.launch(device, *progress),
                Effect::Grant(device) => self.answer(&device, Answer::Go),
                Effect::Skip(device) => self.answer(&device, Answer::Skip),
                Effect::Recall(device) => self.answer(&device, Answer::Return),
                Effect::Check(stage) => {
                    let answer = self.checks.ask(stage, self.rollout.history());
                    self.asked.spawn(async move {
                        let (verdict, message) = answer.await;
                        Input::Checked(stage, verdict, message)
                    });
                }
                Effect::End(ended) => outcome = Some(ended),
            }
        }
        Ok(outcome)
    }

    fn launch(&mut self, device: DeviceId, progress: Progress) {
        let span = tracing::info_span!("device", name = %device);
        let (to, closing) = (self.to.clone(), self.closing.subscribe());
        let link = Link { device: device.clone(), to, closing };
        let work = executor::run(self.world.clone(), progress, link);
        let task = self.tasks.spawn(work.instrument(span));
        self.devices.insert(task.id(), device);
    }

    fn task_ended(&mut self, ended: Result<(task::Id, ()), task::JoinError>) -> Option<Input> {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "a device's task broke down");
                error.id()
            }
        };
        self.devices.remove(&id).map(Input::TaskEnded)
    }

    fn answer(&mut self, device: &DeviceId, answer: Answer) {
        if let Some(reply) = self.waiting.remove(device) {
            // A task that is gone does not wait for its answer.
            let _ = reply.send(answer);
        }
    }

    /// Enters into the fleet ledger what a later plan must know.
    fn enter(&self, records: &[Record]) -> Result<(), FileError> {
        let mut entries = BTreeMap::new();
        for record in records {
            let Event::Device { device, what } = &record.event else { continue };
            let Some((state, cause)) = LedgerState::after(what) else { continue };
            let uuid = self.uuids.get(device);
            let (Some(uuid), Some(plan)) = (uuid, self.world.plan.devices.get(device)) else {
                continue;
            };
            let progress = self.rollout.history().devices.get(device);
            let entry = LedgerEntry {
                device: device.clone(),
                uuid: uuid.clone(),
                run: self.run.clone(),
                state,
                crossed: progress.is_some_and(|it| it.crossed.is_some()),
                at: record.at,
                cause,
                // A device that proved one-shot boot has taken longer than the others of its class will.
                measured: progress
                    .filter(|it| !it.proven)
                    .and_then(Progress::took)
                    .map(|took| Measured { class: plan.class.clone(), took }),
            };
            entries.insert(plan.serial.clone(), entry);
        }
        self.ledger.enter(entries)
    }
}

/// The uuids of all devices of the run; made now, where they are not made yet.
fn uuids<T: Transport, B: BalenaApi>(
    world: &World<T, B>,
) -> Result<BTreeMap<DeviceUuid, DeviceId>, FileError> {
    let uuid = |id: &DeviceId| {
        let secrets = world.secrets.device(id, &*world.entropy)?;
        Ok((secrets.uuid, id.clone()))
    };
    world.plan.devices.keys().map(uuid).collect()
}
