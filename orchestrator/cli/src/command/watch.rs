//! `status RUN --watch`: what the run's own terminal shows, in another one; changes nothing.

use super::status::named_or_newest;
use crate::args::Global;
use crate::failure::{Failure, Kind, OrFail};
use crate::input;
use crate::printer::Printer;
use crate::screen::{Screen, TICK};
use crate::wire;
use migos_engine::executor::Observer;
use migos_engine::run::{Held, RunDir};
use migos_events::{History, exit_code};
use migos_report::{Live, RunLines, summary};
use std::fs;
use std::time::Instant;
use tokio::time::sleep;

/// Follows a run until it ends; gives its exit code.
pub(super) async fn run(
    name: Option<&str>,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let run = named_or_newest(name, global)?;
    let name = run.id();
    let plan = run.plan().or_fail(Kind::Input)?;
    let host = wire::person().host;
    let past = input::records(&run)?;
    let mut history = History::replay(&past).or_fail(Kind::Internal)?;
    let style = printer.err_style();
    let lines = RunLines::new(&plan, style, global.verbose > 0);
    let screen = Screen::new(lines, Live::new(&plan, style, !global.no_progress), &past);
    let (mut seen, mut length) = (past.len(), None);
    let started = Instant::now();
    loop {
        // Whether a controller is there is asked first: what it wrote last is then in what is read.
        let held = run.held(&host);
        let now = size(&run);
        if length != now {
            length = now;
            let records = input::records(&run)?;
            for record in records.get(seen..).unwrap_or_default() {
                history.take(record).or_fail(Kind::Internal)?;
                screen.record(record);
            }
            seen = records.len();
        }
        match (history.ended, held) {
            (Some(outcome), Held::Free | Held::Elsewhere(_)) => {
                screen.finish();
                printer.out(&summary(&plan, &history, Some(outcome), printer.out_style()));
                return Ok(exit_code(outcome, &history.tally()));
            }
            (None, Held::Free) => {
                screen.finish();
                let what = format!("no controller is at work on run {name}, and it has not ended");
                let hint = format!("go on with: migos-fleet resume {name}");
                return Err(Failure::new(Kind::NotStarted, what).hint(hint));
            }
            (_, Held::Here(_) | Held::Elsewhere(_)) => {}
        }
        screen.tick(started.elapsed());
        sleep(TICK).await;
    }
}

fn size(run: &RunDir) -> Option<u64> {
    fs::metadata(run.journal()).ok().map(|file| file.len())
}
