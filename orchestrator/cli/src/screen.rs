//! What a run says while it goes on.

use migos_engine::executor::Observer;
use migos_events::Record;
use migos_inventory::DeviceId;
use migos_report::{Live, RunLines};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often the live area is drawn anew.
pub(crate) const TICK: Duration = Duration::from_millis(300);

/// The screen of a run: lines that stay, and a live area below them.
pub(crate) struct Screen(Mutex<Parts>);

struct Parts {
    lines: RunLines,
    live: Live,
}

impl Screen {
    /// A screen that goes on after these records.
    pub(crate) fn new(mut lines: RunLines, mut live: Live, past: &[Record]) -> Self {
        for record in past {
            lines.record(record);
            live.record(record, &[]);
        }
        Screen(Mutex::new(Parts { lines, live }))
    }

    /// So much time has gone by since the screen was made.
    pub(crate) fn tick(&self, elapsed: Duration) {
        self.with(|parts| parts.live.tick(elapsed));
    }

    /// Takes the live area away.
    pub(crate) fn finish(&self) {
        self.with(|parts| parts.live.finish());
    }

    fn with(&self, act: impl FnOnce(&mut Parts)) {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Observer for Screen {
    fn record(&self, record: &Record) {
        self.with(|parts| {
            let lines = parts.lines.record(record);
            parts.live.record(record, &lines);
        });
    }

    fn progress(&self, device: &DeviceId, done: u64, total: u64) {
        self.with(|parts| parts.live.progress(device, done, total));
    }
}
