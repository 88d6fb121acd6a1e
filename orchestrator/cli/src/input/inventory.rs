//! The inventories, the files of settings around them, and the folder that their paths start at.

use super::settings::{self, SettingsFile};
use super::source::{Text, folder, read_all};
use super::ssh_config;
use super::{asks_for_states, records, with_files, with_names};
use crate::args;
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use migos_engine::run::RunDir;
use migos_events::History;
use migos_inventory::ansible::Resolved;
use migos_inventory::{
    DeviceId, Finding, Fleet, Ground, PatternError, Problems, Source, SshConfig, Told,
    VariablesFile, load,
};
use migos_playbooks::window::check_hours;
use std::path::{Path, PathBuf};

/// So many remarks are told by every command; `inventory --check` tells all.
const REMARKS_TOLD: usize = 5;

/// Inventories that were read.
pub(crate) struct LoadedInventory {
    /// Their names, as the user gave them.
    pub(crate) name: String,
    /// The folder that their paths start at.
    pub(crate) base: PathBuf,
    /// The fleet.
    pub(crate) fleet: Fleet,
    /// The devices of this command.
    pub(crate) selection: Vec<DeviceId>,
    /// Who said what.
    loaded: migos_inventory::Loaded,
}

impl LoadedInventory {
    /// Reads them. States that the limit asks for are those of the newest run in this folder.
    pub(crate) fn read(
        args: &args::Inventory,
        runs: &Path,
        printer: Printer,
    ) -> Result<Self, Failure> {
        let read = Self::read_quietly(args, runs)?;
        tell_remarks(&read.loaded, printer);
        Ok(read)
    }

    /// The same for who tells the remarks with other findings.
    pub(crate) fn read_quietly(args: &args::Inventory, runs: &Path) -> Result<Self, Failure> {
        let texts = read_all(&args.inventory)?;
        let shown = folder(args.inventory.first().map_or(Path::new(""), PathBuf::as_path));
        let base = whole(&shown)?;
        let ssh_config = ssh_config::read(args.ssh_config.as_deref())?;
        let settings = settings::read(&base, &shown, &args.inventory)?;
        let loaded = lay_over(&texts, &settings, &base, ssh_config)?;
        let fleet = loaded.fleet.clone();
        let limit = args.limit.as_deref().map(with_files).transpose()?;
        let limit = match limit {
            Some(limit) if asks_for_states(&limit) => Some(by_newest_run(&limit, &fleet, runs)?),
            limit => limit,
        };
        let selection = fleet.select(limit.as_deref()).map_err(|error| bad_pattern(&error))?;
        let names: Vec<_> = args.inventory.iter().map(|path| path.display().to_string()).collect();
        Ok(LoadedInventory { name: names.join(" "), base, fleet, selection, loaded })
    }

    /// Where the settings of a device are from.
    pub(crate) fn explain(&self, id: &DeviceId) -> Vec<Told> {
        self.loaded.explain(id)
    }

    /// What Ansible would say of those that are its own, if there are any.
    pub(crate) fn resolved(&self) -> Option<&Resolved> {
        self.loaded.resolved.as_ref()
    }

    /// What is likely not meant.
    pub(crate) fn check(&self) -> Vec<Finding> {
        self.loaded.check()
    }
}

/// Tells what is left out, a few words of it.
fn tell_remarks(loaded: &migos_inventory::Loaded, printer: Printer) {
    let all = loaded.remarks.iter().map(|remark| migos_report::plain(&remark.on_one_line()));
    for remark in all.take(REMARKS_TOLD) {
        printer.say(&format!("note: {remark}"));
    }
    let more = loaded.remarks.len().saturating_sub(REMARKS_TOLD);
    if more > 0 {
        printer.say(&format!("note: {more} more; see all with: migos-fleet inventory … --check"));
    }
}

fn whole(folder: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(folder).map_err(|error| {
        Failure::at(Kind::Input, format!("failed to find the folder {}", folder.display()), &error)
    })
}

/// Reads all texts, each with the folder that its paths start at.
fn lay_over(
    texts: &[Text],
    settings: &[SettingsFile],
    base: &Path,
    ssh_config: SshConfig,
) -> Result<migos_inventory::Loaded, Failure> {
    let variables: Vec<Vec<VariablesFile<'_>>> = texts
        .iter()
        .map(|text| text.variables.iter().map(|file| file.as_file()).collect())
        .collect();
    let none = Vec::new();
    let files = texts.iter().zip(&variables).map(|(text, own)| (&text.path, &text.text, own));
    let below = settings.iter().map(|file| (&file.path, &file.text, &none));
    let mut named = Vec::new();
    for (path, text, variables) in files.chain(below) {
        let own = whole(&folder(path))?;
        let own = (own != base).then(|| own.display().to_string());
        named.push((path.display().to_string(), text, own, variables));
    }
    let sources: Vec<Source<'_>> = named
        .iter()
        .map(|(name, text, folder, variables)| Source {
            name,
            text,
            folder: folder.as_deref(),
            variables,
        })
        .collect();
    let (inventories, settings) = sources.split_at(texts.len());
    let ground = Ground { settings: settings.to_vec(), ssh_config };
    load(inventories, &ground, &check_hours).map_err(|problems| wrong(&problems, texts.len()))
}

fn wrong(problems: &Problems, inventories: usize) -> Failure {
    let count = problems.0.len();
    let word = if count == 1 { "problem" } else { "problems" };
    let what = if inventories == 1 { "the inventory has" } else { "the inventories have" };
    Failure::new(Kind::Input, format!("{what} {count} {word}\n{problems}"))
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
