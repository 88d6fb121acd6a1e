//! `status`: how a run is doing, read from its journal.

use super::resume::open;
use crate::args::{Format, Global};
use crate::failure::{Failure, Kind, OrFail};
use crate::input;
use crate::printer::Printer;
use crate::wire::{self, SystemClock};
use migos_engine::port::Clock;
use migos_engine::run::{Held, RunDir};
use migos_events::History;
use migos_inventory::{DeviceId, select_from};
use migos_report::{status, summary_json};

pub(super) fn run(
    name: Option<&str>,
    limit: Option<&str>,
    format: Format,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let run = named_or_newest(name, global)?;
    let plan = run.plan().or_fail(Kind::Input)?;
    let records = input::records(&run)?;
    let history = History::replay(&records).or_fail(Kind::Internal)?;
    let all: Vec<DeviceId> = plan.devices.keys().cloned().collect();
    let id = &run.id().0;
    let limit = limit.map(input::with_files).transpose()?;
    let limit = limit
        .as_deref()
        .map(|limit| input::with_names(limit, &all, Some((id, &history))))
        .transpose()?;
    let chosen = select_from(&all, limit.as_deref())
        .map_err(|error| Failure::of(Kind::Usage, &error).hint(error.hint()))?;
    let since = records
        .last()
        .and_then(|record| SystemClock.now().duration_since(record.at).try_into().ok());
    let text = match format {
        Format::Table => {
            let alive = run.held(&wire::person().host) != Held::Free;
            status(&plan, &history, alive, printer.out_style(), since, &chosen)
        }
        Format::Json => {
            let mut json = summary_json(&plan, &history, history.ended);
            if let Some(devices) = json["devices"].as_object_mut() {
                devices.retain(|name, _| chosen.iter().any(|id| id.as_str() == name));
            }
            serde_json::to_string_pretty(&json).or_fail(Kind::Internal)? + "\n"
        }
    };
    printer.out(&text);
    Ok(0)
}

/// The run of this name, or the newest one.
pub(super) fn named_or_newest(name: Option<&str>, global: &Global) -> Result<RunDir, Failure> {
    if let Some(name) = name {
        return open(name, global);
    }
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
