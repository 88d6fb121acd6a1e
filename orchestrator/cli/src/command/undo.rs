//! `undo`: gives devices before the point of no return back exactly as they were, also weeks later.

use super::resume::{locked, open};
use super::rollout::{Ready, carry_out};
use super::stock::Stock;
use crate::args::Global;
use crate::capacity::Capacity;
use crate::failure::{Failure, Kind, OrFail};
use crate::input::{self, Sources};
use crate::printer::Printer;
use crate::wire;
use migos_engine::rollout::Wishes;
use migos_events::{DeviceState, History, Progress};
use migos_inventory::{DeviceId, select_from};
use std::collections::BTreeMap;

pub(super) async fn run(
    name: &str,
    limit: Option<&str>,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let run = open(name, global)?;
    let plan = run.plan().or_fail(Kind::Input)?;
    let lock = locked(&run, false).await?;
    let records = input::records(&run)?;
    let history = History::replay(&records).or_fail(Kind::Internal)?;
    let all: Vec<DeviceId> = plan.devices.keys().cloned().collect();
    let limit = limit.map(input::with_files).transpose()?;
    let limit = limit
        .as_deref()
        .map(|limit| input::with_names(limit, &all, Some((name, &history))))
        .transpose()?;
    let chosen = select_from(&all, limit.as_deref())
        .map_err(|error| Failure::of(Kind::Usage, &error).hint(error.hint()))?;
    let can = |progress: &Progress| {
        let past = progress.state.may_be_past_return();
        progress.last_step.is_some() && !past && progress.state != DeviceState::Undone
    };
    let progress: &BTreeMap<_, _> = &history.devices;
    let (take_back, gone): (Vec<_>, Vec<_>) = chosen
        .into_iter()
        .filter(|id| progress.get(id).is_some_and(|it| it.last_step.is_some()))
        .partition(|id| progress.get(id).is_some_and(can));
    let past =
        gone.iter().filter(|id| progress.get(*id).is_some_and(|it| it.state.may_be_past_return()));
    let past: Vec<&DeviceId> = past.collect();
    if !past.is_empty() {
        let names = migos_inventory::fold(past.iter().copied());
        printer.say(&format!("past the point of no return, and left alone: {names}"));
    }
    if take_back.is_empty() {
        printer.say(
            "nothing to undo: on no other device of these was anything done that is not undone",
        );
        return Ok(0);
    }
    let sources = Sources::load(&run)?;
    let stock = Stock::default();
    let balena =
        wire::balena(&plan.api, &sources.base, sources.token.as_ref(), sources.ca.as_deref())?;
    let wishes = Wishes::default();
    let ready = Ready { run, lock, plan, sources, stock, balena, take_back, wishes };
    Capacity::here().check_plan(&ready.plan, printer)?;
    carry_out(ready, global, printer).await
}
