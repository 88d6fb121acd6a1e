//! `resume`: goes on with a run that is paused, or whose controller is gone.

use super::rollout::{Ready, carry_out, finish};
use super::stock::Stock;
use crate::args::{Global, Resume};
use crate::capacity::Capacity;
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, Sources};
use crate::printer::Printer;
use crate::wire;
use migos_engine::control::stop_file;
use migos_engine::rollout::{Forgiveness, Wishes};
use migos_engine::run::{RunDir, RunError, RunLock};
use migos_events::{History, Outcome};
use migos_playbooks::plan::Plan;

pub(super) async fn run(args: &Resume, global: &Global, printer: Printer) -> Result<u8, Failure> {
    let name = args.run.as_str();
    let run = open(name, global)?;
    let plan = run.plan().or_fail(Kind::Input)?;
    let until = args.until.as_deref().map(|stage| stage_named(&plan, stage)).transpose()?;
    let stop = stop_file(&run);
    if stop.exists() {
        let what = format!("run {name} is kept paused by the file {}", stop.display());
        let hint = format!("when it may go on: rm {}", stop.display());
        return Err(Failure::new(Kind::NotStarted, what).hint(hint));
    }
    let lock = locked(&run, args.take_over).await?;
    let records = input::records(&run)?;
    let history = History::replay(&records).or_fail(Kind::Internal)?;
    if history.ended == Some(Outcome::Finished)
        && history.tally().lost == 0
        && history.unsettled().next().is_none()
    {
        printer.say(&format!("run {name} has finished; there is nothing to resume"));
        return finish(&run, &plan, &history, Outcome::Finished, printer);
    }
    let forgive = args.forgive.clone();
    let by = wire::person().to_string();
    let forgive = forgive.map(|reason| Forgiveness { by, reason });
    let wishes = Wishes { until, forgive, change: None };
    let sources = Sources::load(&run)?;
    let stock = Stock::again(&plan, &sources)?;
    let balena =
        wire::balena(&plan.api, &sources.base, sources.token.as_ref(), sources.ca.as_deref())?;
    Capacity::here().check_plan(&plan, printer)?;
    carry_out(
        Ready { run, lock, plan, sources, stock, balena, take_back: Vec::new(), wishes },
        global,
        printer,
    )
    .await
}

/// The index of a stage; an unknown one is told with the names there are.
pub(super) fn stage_named(plan: &Plan, name: &str) -> Result<usize, Failure> {
    plan.stages.iter().position(|stage| stage.name == name).ok_or_else(|| {
        let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        Failure::new(Kind::Usage, format!("the plan has no stage `{name}`"))
            .hint(format!("its stages are {}", names.join(", ")))
    })
}

/// Takes a run for this controller; if wanted, also from one on another computer.
pub(super) async fn locked(run: &RunDir, take_over: bool) -> Result<RunLock, Failure> {
    let holder = wire::holder()?;
    let locked = match take_over {
        true => run.take_over(holder).await,
        false => run.lock(holder),
    };
    locked.map_err(|error| {
        let id = run.id();
        let failure = Failure::of(Kind::NotStarted, &error);
        match error {
            RunError::LockedElsewhere { .. } => failure.hint(format!(
                "if that controller is gone for good: migos-fleet resume {id} --take-over"
            )),
            _ => failure.hint(format!("watch it with: migos-fleet status {id}")),
        }
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
