//! A controller that dies when it is told to.

use super::field::Field;
use migos_engine::executor::Observer;
use migos_engine::run::write_whole;
use migos_events::{Outcome, Record};
use migos_inventory::DeviceId;
use migos_tests::controller::Controller;
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
    /// All has been done that its record of this number tells, and that record is torn in half.
    Before(usize),
}

impl Death {
    /// Both deaths that follow a record, counted from 1.
    pub(crate) fn both(record: usize) -> [Death; 2] {
        [Death::After(record), Death::Within(record)]
    }

    /// The records that are heard of at most.
    pub(crate) fn record(self) -> usize {
        match self {
            Death::After(record) | Death::Within(record) | Death::Before(record) => record,
        }
    }

    /// The whole records that it leaves; nothing for a death that tears none.
    fn leaves(self) -> Option<usize> {
        match self {
            Death::After(_) => None,
            Death::Within(record) => Some(record),
            Death::Before(record) => Some(record - 1),
        }
    }
}

/// Hears the records of a journal and brings death.
struct Reaper<F> {
    hear: F,
    death: Option<Death>,
    heard: AtomicUsize,
    now: Notify,
}

impl<F: Fn(&Record) + Send + Sync + 'static> Observer for Reaper<F> {
    fn record(&self, record: &Record) {
        (self.hear)(record);
        let heard = self.heard.fetch_add(1, Ordering::Relaxed) + 1;
        match self.death {
            Some(Death::After(record)) if heard == record => self.now.notify_one(),
            // Nothing of the controller goes on after this, not even what it does without waiting.
            Some(Death::Within(record) | Death::Before(record)) if heard == record => {
                resume_unwind(Box::new("killed"))
            }
            _ => {}
        }
    }

    fn progress(&self, _device: &DeviceId, _done: u64, _total: u64) {}
}

/// A run of one device.
pub(crate) struct Controlled(Controller);

impl Controlled {
    /// A new run.
    pub(crate) fn new(field: &Field, device: &DeviceId) -> Self {
        Controlled(field.run(device))
    }

    /// All records that are on the disk.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.0.records().unwrap()
    }

    /// Lets a new controller take up the run until it ends, and hears its records; `None` if it died before.
    pub(crate) fn carry_on(
        &self,
        death: Option<Death>,
        hear: impl Fn(&Record) + Send + Sync + 'static,
    ) -> Option<Outcome> {
        // With this runtime goes all that the controller has begun: its tasks and its connections.
        let controller = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (heard, now) = (AtomicUsize::new(0), Notify::new());
        let reaper = Arc::new(Reaper { hear, death, heard, now });
        let killed = reaper.clone();
        // Nobody orders anything.
        let (_orders_to, orders) = mpsc::channel(1);
        let ways = (self.0.ssh(), self.0.ground().balena().unwrap());
        let life = async {
            tokio::select! {
                biased;
                () = killed.now.notified() => None,
                ended = self.0.carry_on(ways, reaper, orders, Vec::new()) => Some(ended.unwrap().0),
            }
        };
        let ended = catch_unwind(AssertUnwindSafe(|| controller.block_on(life)));
        drop(controller);
        let is_dead = death.is_some_and(|it| it.record() == killed.heard.load(Ordering::Relaxed));
        match (ended, death.and_then(Death::leaves)) {
            (Ok(ended), _) => ended,
            (Err(_), Some(whole)) if is_dead => {
                self.tear(whole);
                None
            }
            (Err(panic), _) => resume_unwind(panic),
        }
    }

    fn journal(&self) -> PathBuf {
        self.0.run.journal()
    }

    /// Leaves so many records in the journal, and half of one that was being written.
    fn tear(&self, whole: usize) {
        let text = fs::read(self.journal()).unwrap();
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let further = lines.get(whole).or(lines.last()).unwrap();
        let torn = [&lines[..whole].concat(), &further[..further.len() / 2]].concat();
        write_whole(&self.journal(), &torn, 0o600).unwrap();
    }
}
