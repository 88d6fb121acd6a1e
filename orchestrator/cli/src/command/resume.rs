//! `resume`: goes on with a run that is paused, or whose controller is gone.

use super::rollout::{Ready, carry_out, finish};
use super::stock::Stock;
use crate::args::Global;
use crate::failure::{Failure, Kind, OrFail};
use crate::input::Sources;
use crate::printer::Printer;
use crate::wire;
use migos_engine::journal::Journal;
use migos_engine::run::{RunDir, RunError, RunLock};
use migos_events::{History, Outcome};

pub(super) async fn run(name: &str, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let run = open(name, global)?;
    let plan = run.plan().or_fail(Kind::Input)?;
    let lock = locked(&run)?;
    let records = match run.journal().exists() {
        true => Journal::read(&run.journal()).or_fail(Kind::Internal)?,
        false => Vec::new(),
    };
    let history = History::replay(&records).or_fail(Kind::Internal)?;
    if history.ended == Some(Outcome::Finished) && history.tally().lost == 0 {
        printer.say(&format!("run {name} has finished; there is nothing to resume"));
        return finish(&run, &plan, &history, Outcome::Finished, printer);
    }
    let sources = Sources::load(&run)?;
    let stock = Stock::again(&plan, &sources)?;
    let balena = wire::balena(&plan.api, &sources.base, sources.token.as_ref())?;
    carry_out(
        Ready { run, lock, plan, sources, stock, balena, take_back: Vec::new() },
        global,
        printer,
    )
    .await
}

/// Takes a run for this controller.
pub(super) fn locked(run: &RunDir) -> Result<RunLock, Failure> {
    run.lock().map_err(|error| {
        let failure = Failure::of(Kind::NotStarted, &error);
        failure.hint(format!("watch it with: migos-fleet status {}", run.id()))
    })
}

/// Opens a run by its name; an unknown one is told with the names there are.
pub(super) fn open(name: &str, global: &Global) -> Result<RunDir, Failure> {
    RunDir::open(&global.runs, name).map_err(|error| {
        let failure = Failure::of(Kind::Usage, &error);
        match (&error, RunDir::list(&global.runs)) {
            (RunError::NoSuchRun { .. }, Ok(runs)) if !runs.is_empty() => {
                let names: Vec<String> = runs.iter().map(ToString::to_string).collect();
                failure.hint(format!("the runs here are {}", names.join(", ")))
            }
            _ => failure.hint("give the folder of the runs with --runs"),
        }
    })
}
