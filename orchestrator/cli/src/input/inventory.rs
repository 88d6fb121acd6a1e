//! The inventory, and the folder that its paths start at.

use super::{asks_for_states, read_text, records, with_names};
use crate::args;
use crate::failure::{Failure, Kind, OrFail};
use migos_engine::run::RunDir;
use migos_events::History;
use migos_inventory::{DeviceId, Fleet, PatternError, parse_with};
use migos_playbooks::window::check_hours;
use std::io::Read;
use std::path::{Path, PathBuf};

/// An inventory that was read.
pub(crate) struct LoadedInventory {
    /// Its name, as the user gave it.
    pub(crate) name: String,
    /// The folder that its paths start at.
    pub(crate) base: PathBuf,
    /// The fleet.
    pub(crate) fleet: Fleet,
    /// The devices of this command.
    pub(crate) selection: Vec<DeviceId>,
}

impl LoadedInventory {
    /// Reads it. States that the limit asks for are those of the newest run in this folder.
    pub(crate) fn read(args: &args::Inventory, runs: &Path) -> Result<Self, Failure> {
        let name = args.inventory.display().to_string();
        let text = if name == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| {
                Failure::at(Kind::Input, "failed to read the inventory from standard input", &error)
            })?;
            text
        } else {
            read_text(&args.inventory, "the inventory")?
        };
        let base = match args.inventory.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let base = std::path::absolute(base).map_err(|error| {
            Failure::at(Kind::Input, format!("failed to find the folder of {name}"), &error)
        })?;
        let fleet = parse_with(&name, &text, &check_hours).map_err(|problems| {
            let count = problems.0.len();
            let word = if count == 1 { "problem" } else { "problems" };
            Failure::new(Kind::Input, format!("the inventory has {count} {word}\n{problems}"))
        })?;
        let limit = match args.limit.as_deref() {
            Some(limit) if asks_for_states(limit) => Some(by_newest_run(limit, &fleet, runs)?),
            limit => limit.map(str::to_owned),
        };
        let selection = fleet.select(limit.as_deref()).map_err(|error| bad_pattern(&error))?;
        Ok(LoadedInventory { name, base, fleet, selection })
    }
}

fn by_newest_run(limit: &str, fleet: &Fleet, runs: &Path) -> Result<String, Failure> {
    let Some(newest) = RunDir::list(runs).or_fail(Kind::Internal)?.pop() else {
        return with_names(limit, &fleet.order, None);
    };
    let run = RunDir::open(runs, &newest.0).or_fail(Kind::Internal)?;
    let history = History::replay(&records(&run)?).or_fail(Kind::Internal)?;
    // What the run had nothing to do with is not of it, in whatever state.
    let plan = run.plan().or_fail(Kind::Input)?;
    let known: Vec<DeviceId> =
        fleet.order.iter().filter(|id| plan.devices.contains_key(*id)).cloned().collect();
    with_names(limit, &known, Some((&newest.0, &history)))
}

fn bad_pattern(error: &PatternError) -> Failure {
    Failure::of(Kind::Usage, error).hint(error.hint())
}
