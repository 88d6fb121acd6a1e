//! What MIGOS does to the boot files: it puts back what was replaced for it, and makes itself permanent.
//!
//! Which system the next reset boots is told by `config.txt` alone, and that is changed by one rename each
//! time. What the job's folder holds beside it counts only where `config.txt` says that MIGOS is permanent.

mod boot_files;

pub use boot_files::{BootFiles, Mounted};

use migos_contract::{Configuration, JOB_SCHEMA, Job, Strategy, boot_path, job_path};
use sha2::{Digest, Sha256};
use std::io;
use thiserror::Error;

/// Why the boot files are not as they should be.
#[derive(Debug, Error)]
pub enum SwitchError {
    /// A file cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file has to be there.
    #[error("{0} is missing")]
    Missing(String),
    /// A file is not what it was.
    #[error("{0} is damaged")]
    Damaged(String),
    /// The job cannot be read.
    #[error("the job is not understood: {0}")]
    Job(serde_json::Error),
    /// The job is of another time.
    #[error("the job has schema {0}, this ramdisk reads {JOB_SCHEMA}")]
    Schema(u32),
    /// The job says that something was replaced, and not what.
    #[error("the job does not say what to put back")]
    NothingToRestore,
    /// The original could not be put back.
    #[error("the original config.txt could not be put back: {0}")]
    Restore(io::Error),
    /// The commit did not reach the card: the original is in place.
    #[error("the commit could not be written: {0}")]
    Commit(io::Error),
    /// What was committed cannot be read. It holds secrets, so what is found there is not repeated.
    #[error("the commit is not understood, from column {} on", .0.column())]
    Committed(serde_json::Error),
}

/// The path of a file of the job, from the boot partition's root.
pub fn job_file(name: &str) -> String {
    format!("{}/{}/{name}", boot_path::FOLDER, boot_path::JOB)
}

/// The boot files in MIGOS's hands.
pub struct Switch<F> {
    /// The files.
    pub files: F,
}

impl<F: BootFiles> Switch<F> {
    /// Reads the job.
    ///
    /// # Errors
    /// It is missing, or not understood.
    pub fn job(&self) -> Result<Job, SwitchError> {
        let text = self.need(&job_file(job_path::JOB))?;
        let job: Job = serde_json::from_slice(&text).map_err(SwitchError::Job)?;
        match job.schema {
            JOB_SCHEMA => Ok(job),
            other => Err(SwitchError::Schema(other)),
        }
    }

    /// True if every reset boots MIGOS: the commit has been made.
    ///
    /// # Errors
    /// `config.txt` cannot be read.
    pub fn is_permanent(&self, job: &Job) -> Result<bool, SwitchError> {
        let config = self.read(boot_path::CONFIG)?.unwrap_or_default();
        let config = String::from_utf8_lossy(&config);
        let prefix = format!("os_prefix={}/", boot_path::FOLDER);
        Ok(match job.strategy {
            Strategy::OneShot => config.lines().any(|line| line.trim() == prefix),
            Strategy::Rewrite => {
                config.lines().next_back().is_some_and(|line| line == boot_path::COMMITTED_LINE)
            }
        })
    }

    /// What was configured before the commit. Asked only where MIGOS is permanent: elsewhere the file is
    /// left over from a commit that a power cut has undone.
    ///
    /// # Errors
    /// It is missing, or not understood.
    pub fn committed(&self) -> Result<Configuration, SwitchError> {
        let text = self.need(&job_file(job_path::COMMITTED))?;
        serde_json::from_slice(&text).map_err(SwitchError::Committed)
    }

    /// Puts the original `config.txt` back where it was replaced to boot MIGOS, and gives the text that had
    /// replaced it, to be kept in memory until the commit: to save it first would take time in which the
    /// power may go.
    ///
    /// # Errors
    /// The original is missing or damaged, or cannot be put back.
    pub fn restore(&mut self, job: &Job) -> Result<Option<Vec<u8>>, SwitchError> {
        let restore = match (job.strategy, &job.restore) {
            (Strategy::OneShot, _) => return Ok(None),
            (Strategy::Rewrite, None) => return Err(SwitchError::NothingToRestore),
            (Strategy::Rewrite, Some(restore)) => restore,
        };
        let replaced = self.read(boot_path::CONFIG)?.unwrap_or_default();
        // Booted by something else: there is nothing to put back.
        if sha256(&replaced) == restore.sha256 {
            return Ok(None);
        }
        let path = job_file(&restore.config);
        let original = self.need(&path)?;
        if sha256(&original) != restore.sha256 {
            return Err(SwitchError::Damaged(path));
        }
        self.files.put(boot_path::CONFIG, &original).map_err(SwitchError::Restore)?;
        Ok(Some(replaced))
    }

    /// Writes down the commit, then makes MIGOS permanent: from here every reset ends in MIGOS.
    ///
    /// `replaced` is what [`restore`](Self::restore) has given.
    ///
    /// # Errors
    /// The commit did not reach the card. As far as the card still can be written, the next reset boots
    /// what it booted before.
    pub fn commit(
        &mut self,
        configuration: &Configuration,
        replaced: Option<&[u8]>,
    ) -> Result<(), SwitchError> {
        if replaced.is_none() {
            self.need(boot_path::TRYBOOT)?;
        }
        let original = self.need(boot_path::CONFIG)?;
        self.write_commit(configuration, &original, replaced).map_err(|error| {
            self.take_back(&original, replaced.is_none());
            SwitchError::Commit(error)
        })
    }

    fn write_commit(
        &mut self,
        configuration: &Configuration,
        original: &[u8],
        replaced: Option<&[u8]>,
    ) -> io::Result<()> {
        let committed = serde_json::to_vec(configuration)?;
        self.files.put(&job_file(job_path::ORIGINAL_CONFIG), original)?;
        self.files.put(&job_file(job_path::COMMITTED), &committed)?;
        match replaced {
            None => {
                self.files.rename(boot_path::TRYBOOT, boot_path::CONFIG)?;
                self.files.sync()
            }
            Some(text) => {
                let text = [text, b"\n", boot_path::COMMITTED_LINE.as_bytes(), b"\n"].concat();
                self.files.put(boot_path::CONFIG, &text)
            }
        }
    }

    /// Puts everything back after a commit that failed half-way; on a card that takes no more writes there
    /// is nothing else to try.
    fn take_back(&mut self, original: &[u8], one_shot: bool) {
        match self.files.read(boot_path::CONFIG) {
            Ok(Some(config)) if config != original => {
                if one_shot {
                    let _ = self.files.put(boot_path::TRYBOOT, &config);
                }
                let _ = self.files.put(boot_path::CONFIG, original);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SwitchError> {
        self.files.read(path).map_err(|source| SwitchError::Read { path: path.to_owned(), source })
    }

    fn need(&self, path: &str) -> Result<Vec<u8>, SwitchError> {
        self.read(path)?.ok_or_else(|| SwitchError::Missing(path.to_owned()))
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
