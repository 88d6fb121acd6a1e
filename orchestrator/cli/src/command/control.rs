//! `pause` and `stop`: orders for a controller that is at work in another terminal.

use super::resume::open;
use super::undo;
use crate::args::Global;
use crate::failure::{Failure, Kind, OrFail};
use crate::input;
use crate::printer::Printer;
use crate::wire::{self, SystemClock};
use migos_engine::control::{Request, Wanted};
use migos_engine::port::Clock;
use migos_engine::run::{Held, RunDir};
use migos_events::{DeviceState, Event, History, Outcome, Record};
use migos_inventory::{DeviceId, fold};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long an order may take to be in the journal. A controller looks every second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks into the journal.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn pause(name: &str, global: &Global, printer: Printer) -> Result<u8, Failure> {
    order(&open(name, global)?, Wanted::Pause, printer).await
}

pub(super) async fn stop(
    name: &str,
    undo: bool,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let run = open(name, global)?;
    let nobody = matches!(run.held(&wire::person().host), Held::Free);
    match undo {
        true if nobody => undo::run(name, None, global, printer).await,
        true => order(&run, Wanted::StopAndUndo, printer).await,
        false => order(&run, Wanted::Stop, printer).await,
    }
}

async fn order(run: &RunDir, wanted: Wanted, printer: Printer) -> Result<u8, Failure> {
    let person = wire::person();
    if run.held(&person.host) == Held::Free {
        let what = format!("run {} is not running; there is nothing to {}", run.id(), verb(wanted));
        let hint = format!("see how it stands with: migos-fleet status {}", run.id());
        return Err(Failure::new(Kind::NotStarted, what).hint(hint));
    }
    let before = input::records(run)?;
    if has_come(&since_begin(&before), wanted) {
        printer.say(&format!("run {} is at it already", run.id()));
        printer.say(&now_happens(run, &before)?);
        return Ok(0);
    }
    let request = Request { order: wanted, by: person.to_string(), at: SystemClock.now() };
    request.give(run).or_fail(Kind::Internal)?;
    let asked = Instant::now();
    loop {
        // Whether a controller is there is asked first: what it wrote last is then in what is read.
        let held = run.held(&person.host);
        let records = input::records(run)?;
        if has_come(records.get(before.len()..).unwrap_or_default(), wanted) {
            printer.say(&now_happens(run, &records)?);
            return Ok(0);
        }
        let failed = match held {
            Held::Free => "its controller ended before it took the order".to_owned(),
            _ if asked.elapsed() >= PATIENCE => {
                format!("its controller has not taken the order within {} s", PATIENCE.as_secs())
            }
            Held::Here(_) | Held::Elsewhere(_) => {
                sleep(LOOK).await;
                continue;
            }
        };
        let what = format!("failed to {} run {}: {failed}", verb(wanted), run.id());
        let hint = format!("see how it stands with: migos-fleet status {}", run.id());
        return Err(Failure::new(Kind::NotStarted, what).hint(hint));
    }
}

fn verb(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Pause => "pause",
        Wanted::Stop | Wanted::StopAndUndo => "stop",
    }
}

/// The records of the controller that is at work now.
fn since_begin(records: &[Record]) -> Vec<Record> {
    let begins = |record: &Record| {
        matches!(record.event, Event::RunStarted { .. } | Event::RunResumed { .. })
    };
    let begin = records.iter().rposition(begins).unwrap_or_default();
    records.get(begin..).unwrap_or_default().to_vec()
}

/// True if one of these does what is wanted, or more.
fn has_come(records: &[Record], wanted: Wanted) -> bool {
    records.iter().any(|record| match record.event {
        Event::RunEnded { .. } => true,
        Event::Stopped { undo, .. } => undo || wanted != Wanted::StopAndUndo,
        Event::Paused { .. } | Event::Interrupted => wanted == Wanted::Pause,
        _ => false,
    })
}

/// What becomes of the run and its devices now.
fn now_happens(run: &RunDir, records: &[Record]) -> Result<String, Failure> {
    let history = History::replay(records).or_fail(Kind::Internal)?;
    let id = run.id();
    let of = |wanted: fn(&DeviceState) -> bool| -> Vec<&DeviceId> {
        let devices = history.devices.iter().filter(|(_, progress)| wanted(&progress.state));
        devices.map(|(id, _)| id).collect()
    };
    let back = of(|state| {
        !state.may_be_past_return()
            && matches!(
                state,
                DeviceState::Running { .. } | DeviceState::InMigos | DeviceState::Undoing { .. }
            )
    });
    let past = of(|state| state.may_be_past_return() && !state.is_terminal());
    // Whether the last record is there already is a matter of moments, of which nobody is told.
    let at_rest = back.is_empty() && past.is_empty() && !history.undo_ordered;
    let is_over = at_rest || history.ended.is_some();
    let mut lines = vec![match (history.ended, &history.stopped) {
        (Some(Outcome::Finished), _) => format!("run {id} has finished"),
        (Some(Outcome::TakenBack), _) => format!("run {id} has ended: its devices are taken back"),
        (_, Some(_)) if is_over => format!("run {id} is stopped"),
        (_, None) if is_over => format!("run {id} is paused"),
        (_, Some(_)) if history.undo_ordered => {
            format!("run {id} stops: no new work, and what can be taken back is taken back")
        }
        (_, Some(_)) => format!("run {id} stops: no new work"),
        (_, None) => format!("run {id} pauses: no new work"),
    }];
    if !back.is_empty() {
        lines.push(format!("  given back to Raspbian as they were: {}", fold(back)));
    }
    if !past.is_empty() {
        lines.push(format!("  past the point of no return, and awaited: {}", fold(past)));
    }
    lines.push(match is_over {
        true => format!("  how it stands: migos-fleet status {id}"),
        false => format!("  follow it: migos-fleet status {id} --watch"),
    });
    if history.ended != Some(Outcome::Finished) {
        lines.push(format!("  go on later: migos-fleet resume {id}"));
    }
    Ok(lines.join("\n"))
}
