//! `status`: how a run is doing, read from its journal.

use super::resume::open;
use crate::args::{Format, Global};
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use crate::wire::SystemClock;
use migos_engine::journal::Journal;
use migos_engine::port::Clock;
use migos_engine::run::RunDir;
use migos_events::History;
use migos_report::{status, summary_json};

pub(super) fn run(
    name: Option<&str>,
    format: Format,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let run = match name {
        Some(name) => open(name, global)?,
        None => newest(global)?,
    };
    let plan = run.plan().or_fail(Kind::Input)?;
    let records = match run.journal().exists() {
        true => Journal::read(&run.journal()).or_fail(Kind::Internal)?,
        false => Vec::new(),
    };
    let history = History::replay(&records).or_fail(Kind::Internal)?;
    let since = records
        .last()
        .and_then(|record| SystemClock.now().duration_since(record.at).try_into().ok());
    let text = match format {
        Format::Table => status(&plan, &history, run.is_locked(), printer.out_style(), since),
        Format::Json => {
            let json = summary_json(&plan, &history, history.ended);
            serde_json::to_string_pretty(&json).or_fail(Kind::Internal)? + "\n"
        }
    };
    printer.out(&text);
    Ok(0)
}

fn newest(global: &Global) -> Result<RunDir, Failure> {
    let runs = RunDir::list(&global.runs).or_fail(Kind::Internal)?;
    match runs.last() {
        Some(id) => open(&id.0, global),
        None => {
            let what = format!("there is no run in {}", global.runs.display());
            Err(Failure::new(Kind::Usage, what)
                .hint("begin one with: migos-fleet migrate INVENTORY"))
        }
    }
}
