//! The inventories, the files of settings around them, and the folder that their paths start at.

use super::ansible_cfg::{Asks, FoundCfg};
use super::settings::{self, SettingsFile};
use super::source::{Text, Texts, folder, read_all};
use super::ssh_config;
use super::variables::Variables;
use super::{asks_for_states, records, with_files, with_names};
use crate::args;
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use migos_engine::run::RunDir;
use migos_events::History;
use migos_inventory::ansible::Resolved;
use migos_inventory::{
    DeviceId, Finding, Fleet, Ground, Loaded, PatternError, Problem, Problems, Refused, Source,
    SshConfig, Surroundings, Told, VariablesFile, load,
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
    /// The passwords that `ansible.cfg` wants to be asked for.
    pub(crate) asks: Asks,
    /// Who said what.
    loaded: Loaded,
}

impl LoadedInventory {
    /// Reads them. States that the limit asks for are those of the newest run in this folder.
    pub(crate) fn read(
        args: &args::Inventory,
        runs: &Path,
        printer: Printer,
    ) -> Result<Self, Failure> {
        let read = Self::read_quietly(args, runs, printer)?;
        tell_remarks(&read.loaded.remarks, printer);
        Ok(read)
    }

    /// The same for who tells the remarks with other findings. On inventories that cannot be used they are told here.
    pub(crate) fn read_quietly(
        args: &args::Inventory,
        runs: &Path,
        printer: Printer,
    ) -> Result<Self, Failure> {
        let mut cfg = None;
        let named = match args.inventory.as_slice() {
            [] => cfg.insert(FoundCfg::read()?).inventories()?,
            named => named.to_vec(),
        };
        let Texts { texts, variables_here } = read_all(&named)?;
        let shown = folder(named.first().map_or(Path::new(""), PathBuf::as_path));
        let base = whole(&shown)?;
        let ssh_config = ssh_config::read(args.ssh_config.as_deref())?;
        let of_ansible = texts.iter().any(Text::is_of_ansible);
        let read = Read {
            settings: settings::read(&base, &shown, &named)?,
            cfg: if of_ansible { Some(cfg.map_or_else(FoundCfg::read, Ok)?) } else { None },
            variables_here,
            texts,
            base,
        };
        let loaded = read.lay_over(ssh_config)?.map_err(|refused| {
            tell_remarks(&refused.remarks, printer);
            wrong(&refused.problems, read.texts.len())
        })?;
        let asks = read.cfg.as_ref().map(FoundCfg::asks).unwrap_or_default();
        let fleet = loaded.fleet.clone();
        let limit = args.limit.as_deref().map(with_files).transpose()?;
        let limit = match limit {
            Some(limit) if asks_for_states(&limit) => Some(by_newest_run(&limit, &fleet, runs)?),
            limit => limit,
        };
        let selection = fleet.select(limit.as_deref()).map_err(|error| bad_pattern(&error))?;
        let names: Vec<_> = named.iter().map(|path| path.display().to_string()).collect();
        let (name, base) = (names.join(" "), read.base);
        Ok(LoadedInventory { name, base, fleet, selection, asks, loaded })
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
fn tell_remarks(remarks: &[Problem], printer: Printer) {
    let all = remarks.iter().map(|remark| migos_report::plain(&remark.on_one_line()));
    for remark in all.take(REMARKS_TOLD) {
        printer.say(&format!("note: {remark}"));
    }
    let more = remarks.len().saturating_sub(REMARKS_TOLD);
    if more > 0 {
        printer.say(&format!("note: {more} more; see all with: migos-fleet inventory … --check"));
    }
}

fn whole(folder: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(folder).map_err(|error| {
        Failure::at(Kind::Input, format!("failed to find the folder {}", folder.display()), &error)
    })
}

fn as_files(variables: &[Variables]) -> Vec<VariablesFile<'_>> {
    variables.iter().map(Variables::as_file).collect()
}

/// All that was read.
struct Read {
    texts: Vec<Text>,
    /// The folder that paths start at.
    base: PathBuf,
    settings: Vec<SettingsFile>,
    cfg: Option<FoundCfg>,
    /// Files of variables in the current folder.
    variables_here: Vec<Variables>,
}

impl Read {
    /// Lays all of it over each other, each text with the folder that its paths start at.
    fn lay_over(&self, ssh_config: SshConfig) -> Result<Result<Loaded, Refused>, Failure> {
        let mut named = Vec::new();
        for text in &self.texts {
            let folder = self.other_folder(&folder(&text.path))?;
            named.push((text.path.display().to_string(), folder, as_files(&text.variables)));
        }
        for file in &self.settings {
            let folder = self.other_folder(&folder(&file.path))?;
            named.push((file.path.display().to_string(), folder, Vec::new()));
        }
        let texts = self.texts.iter().map(|text| (text.text.as_str(), text.is_list));
        let texts = texts.chain(self.settings.iter().map(|file| (file.text.as_str(), false)));
        let sources: Vec<Source<'_>> = named
            .iter()
            .zip(texts)
            .map(|((name, folder, variables), (text, is_list))| Source {
                name,
                text,
                folder: folder.as_deref(),
                variables,
                is_list,
            })
            .collect();
        let (inventories, settings) = sources.split_at(self.texts.len());
        let cfg_folder = self.cfg.as_ref().and_then(FoundCfg::folder);
        let cfg_folder = cfg_folder.map(|folder| self.other_folder(&folder)).transpose()?.flatten();
        let here = self.other_folder(Path::new("."))?;
        let variables = as_files(&self.variables_here);
        let ansible = Surroundings {
            cfg: self.cfg.as_ref().map(|found| found.cfg.clone()).unwrap_or_default(),
            cfg_folder: cfg_folder.as_deref(),
            here: here.as_deref(),
            variables: &variables,
        };
        let ground = Ground { settings: settings.to_vec(), ssh_config, ansible };
        Ok(load(inventories, &ground, &check_hours))
    }

    /// The whole path of a folder that is not the base.
    fn other_folder(&self, folder: &Path) -> Result<Option<String>, Failure> {
        let own = whole(folder)?;
        Ok((own != self.base).then(|| own.display().to_string()))
    }
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
