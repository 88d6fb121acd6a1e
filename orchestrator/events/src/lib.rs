//! What is said: events, records, device state and its legal transitions, tallies, replay.
//!
//! - An [`Event`] is said once, when it happens; a [`Record`] is an event with its place and time. The
//!   journal holds one record a line.
//! - [`DeviceState::next`] is the one checked state machine. The live run and every reader of a journal go
//!   through it, so they cannot disagree.
//! - A [`History`] is what a sequence of records amounts to; a [`Tally`] counts it, and the tally and the
//!   [`Outcome`] alone decide the exit code.

mod event;
mod history;
mod ledger;
mod outcome;
mod state;
mod tally;

pub use event::{
    Cause, CauseKind, Change, CheckVerdict, DeviceEvent, Event, Learned, Record, RunId, StepRef,
};
pub use history::{History, Progress, ReplayError, StageProgress};
pub use ledger::{LedgerEntry, LedgerState};
pub use outcome::{Outcome, exit_code};
pub use state::{DeviceState, IllegalTransition, Then};
pub use tally::{Counted, Tally};
