//! A controller that dies when it is told to.

use super::ground::{Ground, SystemEntropy};
use migos_balena::Balena;
use migos_engine::dispatcher::{Dispatch, dispatch};
use migos_engine::executor::{Observer, SeenOnBalena, World};
use migos_engine::journal::Journal;
use migos_engine::ledger::Ledger;
use migos_engine::port::Transport;
use migos_engine::rollout::Rollout;
use migos_engine::run::{RunDir, write_whole};
use migos_events::{Outcome, Record};
use migos_inventory::DeviceId;
use migos_playbooks::plan::CheckedPlan;
use migos_ssh::Ssh;
use migos_tests::fleet::WallClock;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime;
use tokio::sync::{Notify, mpsc};

/// When and how a controller dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// It has written this many records, and begun with what follows from the last one.
    After(usize),
    /// It has written this many records and half of a further one, and nothing has followed from the last one.
    Within(usize),
}

impl Death {
    /// Both deaths at a record, counted from 1.
    pub(crate) fn both(record: usize) -> [Death; 2] {
        [Death::After(record), Death::Within(record)]
    }

    /// The records that it has written, at least.
    pub(crate) fn record(self) -> usize {
        match self {
            Death::After(record) | Death::Within(record) => record,
        }
    }
}

/// Hears the records of a journal and brings death.
struct Reaper {
    death: Option<Death>,
    heard: AtomicUsize,
    now: Notify,
}

impl Observer for Reaper {
    fn record(&self, _record: &Record) {
        let heard = self.heard.fetch_add(1, Ordering::Relaxed) + 1;
        match self.death {
            Some(Death::After(record)) if heard == record => self.now.notify_one(),
            // Nothing of the controller goes on after this, not even what it does without waiting.
            Some(Death::Within(record)) if heard == record => resume_unwind(Box::new("killed")),
            _ => {}
        }
    }

    fn progress(&self, _device: &DeviceId, _done: u64, _total: u64) {}
}

/// A run of one device.
pub(crate) struct Controlled<'a> {
    ground: &'a Ground,
    device: DeviceId,
    plan: Arc<CheckedPlan>,
    run: RunDir,
}

impl<'a> Controlled<'a> {
    /// A new run.
    pub(crate) fn new(ground: &'a Ground, device: &DeviceId) -> Self {
        let plan = ground.plan(device);
        let run = RunDir::create(&ground.runs(device), &plan).unwrap();
        Controlled { ground, device: device.clone(), plan: Arc::new(plan), run }
    }

    /// The run's journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.run.journal()
    }

    /// Lets a new controller take up the run until it ends; `None` if it died before.
    pub(crate) fn carry_on(&self, death: Option<Death>) -> Option<Outcome> {
        let _lock = self.run.lock().unwrap();
        // With this runtime goes all that the controller has begun: its tasks and its connections.
        let controller = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reaper = Arc::new(Reaper { death, heard: AtomicUsize::new(0), now: Notify::new() });
        let killed = reaper.clone();
        let life = async {
            tokio::select! {
                biased;
                () = killed.now.notified() => None,
                outcome = self.control(reaper) => Some(outcome),
            }
        };
        let ended = catch_unwind(AssertUnwindSafe(|| controller.block_on(life)));
        drop(controller);
        match (ended, death) {
            (Ok(ended), _) => ended,
            (Err(_), Some(Death::Within(record)))
                if killed.heard.load(Ordering::Relaxed) == record =>
            {
                self.tear(record);
                None
            }
            (Err(panic), _) => resume_unwind(panic),
        }
    }

    async fn control(&self, observer: Arc<Reaper>) -> Outcome {
        let (journal, past) = Journal::open(&self.run.journal()).unwrap();
        let run = self.run.id().clone();
        let rollout = Rollout::new(self.plan.clone(), run.clone(), "test", &past).unwrap();
        let (_orders_to, orders) = mpsc::channel(1);
        let world = Arc::new(self.world(observer));
        let ledger = Ledger::of(&self.ground.runs(&self.device));
        let work = dispatch(Dispatch { world, rollout, journal, ledger, run, orders });
        work.await.unwrap().0
    }

    fn world(&self, observer: Arc<Reaper>) -> World<Ssh, Balena> {
        let ssh = self.ground.ssh(&self.ground.runs(&self.device));
        let secrets = self.run.secrets().unwrap();
        let run_key = ssh.key_pair(&secrets.run_key(&SystemEntropy).unwrap());
        World {
            run: self.run.id().clone(),
            plan: self.plan.clone(),
            backups: self.run.backups().unwrap(),
            transport: ssh,
            balena: self.ground.balena(),
            targets: [(self.device.clone(), self.ground.target(&self.device))].into(),
            payloads: self.ground.payloads.clone(),
            images: self.ground.images.clone(),
            secrets,
            run_key: Arc::new(run_key),
            clock: Arc::new(WallClock),
            entropy: Arc::new(SystemEntropy),
            observer,
            seen: SeenOnBalena::default(),
        }
    }

    /// Leaves so many records in the journal, and half of one that was being written.
    fn tear(&self, record: usize) {
        let text = fs::read(self.run.journal()).unwrap();
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let further = lines.get(record).unwrap_or(&lines[record - 1]);
        let torn = [&lines[..record].concat(), &further[..further.len() / 2]].concat();
        write_whole(&self.run.journal(), &torn, 0o600).unwrap();
    }
}
