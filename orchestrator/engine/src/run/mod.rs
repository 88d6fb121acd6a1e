//! A run's folder: its plan, its journal, its lock, its secrets.

mod file;
mod lock;
mod secrets;

pub use file::{FileError, write_whole};
pub use lock::{Held, Holder, RunLock};
pub use secrets::{DeviceSecrets, Secrets};

use migos_events::RunId;
use migos_inventory::DeviceId;
use migos_playbooks::plan::{CheckedPlan, Plan, PlanCheckError};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    id: RunId,
}

/// Why a run's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A folder could not be made or listed.
    #[error("failed to use {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no such run.
    #[error("there is no run {id} in {}", runs.display())]
    NoSuchRun {
        /// The name.
        id: String,
        /// Where runs are.
        runs: PathBuf,
    },
    /// Another controller is at work on it.
    #[error("another controller is at work on run {run}{}", by(holder.as_deref()))]
    Locked {
        /// The run.
        run: RunId,
        /// That controller, if it has said already who it is.
        holder: Option<Box<Holder>>,
    },
    /// A controller on another computer is at work on it, or was cut off there.
    #[error("a controller on another computer has run {run}: {holder}")]
    LockedElsewhere {
        /// The run.
        run: RunId,
        /// That controller.
        holder: Box<Holder>,
    },
    /// Its plan is damaged.
    #[error("failed to use the plan of run {id}")]
    Plan {
        /// The run.
        id: RunId,
        /// Why.
        source: PlanCheckError,
    },
}

impl RunDir {
    /// Makes the folder of a new run: the plan's short id and the next free number.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn create(runs: &Path, plan: &CheckedPlan) -> Result<RunDir, RunError> {
        fs::create_dir_all(runs).map_err(folder(runs))?;
        let mut number = 1;
        let (id, path) = loop {
            let id = RunId(format!("{}-{number:02}", plan.id.short()));
            let path = runs.join(&id.0);
            match fs::create_dir(&path) {
                Ok(()) => break (id, path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(RunError::Folder { path, source }),
            }
        };
        let run = RunDir { path, id };
        let devices = run.path.join("devices");
        fs::create_dir(&devices).map_err(folder(&devices))?;
        let text = plan.to_json().map_err(|source| run.bad_plan(PlanCheckError::Read(source)))?;
        write_whole(&run.path.join("plan.json"), text.as_bytes(), 0o644)?;
        Ok(run)
    }

    /// Opens the folder of a run that there is.
    ///
    /// # Errors
    /// [`RunError::NoSuchRun`].
    pub fn open(runs: &Path, id: &str) -> Result<RunDir, RunError> {
        let path = runs.join(id);
        let named = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !named || !path.join("plan.json").is_file() {
            return Err(RunError::NoSuchRun { id: id.to_owned(), runs: runs.to_owned() });
        }
        Ok(RunDir { path, id: RunId(id.to_owned()) })
    }

    /// The names of all runs, oldest first.
    ///
    /// # Errors
    /// [`RunError::Folder`]; a folder that does not exist has no runs.
    pub fn list(runs: &Path) -> Result<Vec<RunId>, RunError> {
        let entries = match fs::read_dir(runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(RunError::Folder { path: runs.to_owned(), source }),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(folder(runs))?;
            let plan = entry.path().join("plan.json");
            if let (Ok(name), Ok(made)) = (entry.file_name().into_string(), fs::metadata(plan)) {
                found.push((made.modified().ok(), RunId(name)));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// The run's name.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// The transcript of one device.
    pub fn transcript(&self, device: &DeviceId) -> PathBuf {
        self.path.join("devices").join(format!("{device}.log"))
    }

    /// The folder for backups of boot partitions; for its owner alone, since they may hold secrets.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn backups(&self) -> Result<PathBuf, RunError> {
        let path = self.path.join("backups");
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(RunError::Folder { path, source })
            }
            _ => Ok(path),
        }
    }

    /// The run's secrets; the folder is for its owner alone.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn secrets(&self) -> Result<Secrets, RunError> {
        let path = self.path.join("secrets");
        Ok(Secrets::open(&path)?)
    }

    /// The run's plan.
    ///
    /// # Errors
    /// [`RunError::Plan`].
    pub fn plan(&self) -> Result<CheckedPlan, RunError> {
        let path = self.path.join("plan.json");
        let text = file::read_text(&path)?;
        Plan::from_json(&text).and_then(Plan::check).map_err(|source| self.bad_plan(source))
    }

    fn bad_plan(&self, source: PlanCheckError) -> RunError {
        RunError::Plan { id: self.id.clone(), source }
    }
}

fn by(holder: Option<&Holder>) -> String {
    holder.map(|holder| format!(": {holder}")).unwrap_or_default()
}

fn folder(path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_owned();
    move |source| RunError::Folder { path, source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;

    #[test]
    fn runs_of_one_plan_are_numbered_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let plan = sample::plan(3);
        let first = RunDir::create(&runs, &plan).unwrap();
        let second = RunDir::create(&runs, &plan).unwrap();
        assert_eq!(first.id().0, format!("{}-01", plan.id.short()));
        assert_eq!(RunDir::list(&runs).unwrap().len(), 2);
        let found = RunDir::open(&runs, &second.id().0).unwrap();
        assert_eq!(found.plan().unwrap(), plan);
        let error = RunDir::open(&runs, "../etc").unwrap_err();
        assert!(matches!(error, RunError::NoSuchRun { .. }));
    }
}
