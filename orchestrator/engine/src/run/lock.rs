//! Who works on a run: a lock that the kernel gives back when a controller dies, and in its file who has it.
//!
//! The kernel's lock is seen on one computer only. Where the folder of runs is shared, the name in the file counts:
//! each controller has a token of its own, and one whose token is not there any more ends.

use super::{RunDir, RunError, folder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock is tried again that somebody may only have looked at.
const TRIES: u32 = 5;

/// How long between two such tries.
const BETWEEN: Duration = Duration::from_millis(20);

/// How long a controller on another computer has to see that it was replaced. It looks every second.
const NOTICE: Duration = Duration::from_secs(3);

/// A controller that works on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The login of the person who started it.
    pub user: String,
    /// The computer.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
    /// What no other controller has.
    pub token: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder { user, host, pid, since, .. } = self;
        write!(f, "{user}@{host}, process {pid}, since {since:.0}")
    }
}

/// Whether a controller is at work on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// None is.
    Free,
    /// One on this computer is; it may not have said yet who it is.
    Here(Option<Holder>),
    /// One on another computer is, or was cut off there.
    Elsewhere(Holder),
}

/// Held while a controller works on a run; released when dropped, and by the kernel if the controller dies.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    path: PathBuf,
    holder: Holder,
}

impl RunLock {
    /// False once another controller has taken over: this one must end at once, and write nothing any more.
    pub fn is_ours(&self) -> bool {
        // A file that cannot be read, or is just being written, says nothing about others.
        read(&self.path).is_none_or(|holder| holder.token == self.holder.token)
    }

    /// The controller that has taken over, if one has.
    pub fn other(&self) -> Option<Holder> {
        read(&self.path).filter(|holder| holder.token != self.holder.token)
    }

    fn enter(mut file: File, path: PathBuf, holder: Holder) -> io::Result<RunLock> {
        let text = serde_json::to_vec(&holder)?;
        file.set_len(0)?;
        file.write_all(&text)?;
        file.sync_data()?;
        Ok(RunLock { file, path, holder })
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if self.is_ours() {
            // Should it stay, it is known here by the kernel's lock, and elsewhere it is taken over.
            let _ = self.file.set_len(0);
        }
    }
}

impl RunDir {
    /// Takes the run for this controller.
    ///
    /// # Errors
    /// [`RunError::Locked`] if another controller has it, [`RunError::LockedElsewhere`] if that is, or was, on
    /// another computer.
    pub fn lock(&self, holder: Holder) -> Result<RunLock, RunError> {
        let (file, path) = self.lock_file()?;
        if !try_lock(&file).map_err(folder(&path))? {
            return Err(self.locked(read(&path)));
        }
        match read(&path) {
            Some(other) if other.host != holder.host => Err(self.elsewhere(other)),
            _ => RunLock::enter(file, path.clone(), holder).map_err(folder(&path)),
        }
    }

    /// Takes the run for this controller, also from one on another computer; returns when that has had time to
    /// notice.
    ///
    /// # Errors
    /// [`RunError::Locked`] if a controller on this computer has it, or the other one does not let go.
    pub async fn take_over(&self, holder: Holder) -> Result<RunLock, RunError> {
        let other = match self.lock(holder.clone()) {
            Err(RunError::LockedElsewhere { holder: other, .. }) => *other,
            Err(RunError::Locked { holder: Some(other), .. }) if other.host != holder.host => {
                *other
            }
            done => return done,
        };
        let (file, path) = self.lock_file()?;
        let lock = RunLock::enter(file, path.clone(), holder).map_err(folder(&path))?;
        tokio::time::sleep(NOTICE).await;
        // Somebody else may have done the same meanwhile.
        if let Some(faster) = lock.other() {
            return Err(self.elsewhere(faster));
        }
        match try_lock(&lock.file).map_err(folder(&path))? {
            true => Ok(lock),
            false => Err(self.locked(Some(other))),
        }
    }

    /// Whether a controller is at work on the run, as seen from this computer.
    pub fn held(&self, host: &str) -> Held {
        let path = self.lock_path();
        let Ok(file) = File::open(&path) else { return Held::Free };
        // Many may look at once, and a controller that begins just then tries again.
        let is_held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        match read(&path) {
            Some(holder) if holder.host != host => Held::Elsewhere(holder),
            holder if is_held => Held::Here(holder),
            _ => Held::Free,
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.path().join("lock")
    }

    fn lock_file(&self) -> Result<(File, PathBuf), RunError> {
        let path = self.lock_path();
        let file = File::options().create(true).append(true).open(&path).map_err(folder(&path))?;
        Ok((file, path))
    }

    fn locked(&self, holder: Option<Holder>) -> RunError {
        RunError::Locked { run: self.id().clone(), holder: holder.map(Box::new) }
    }

    fn elsewhere(&self, holder: Holder) -> RunError {
        RunError::LockedElsewhere { run: self.id().clone(), holder: Box::new(holder) }
    }
}

fn try_lock(file: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

fn read(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sample;

    fn holder(host: &str, token: &str) -> Holder {
        let (user, token) = ("anna".to_owned(), token.to_owned());
        Holder { user, host: host.to_owned(), pid: 7, since: Timestamp::UNIX_EPOCH, token }
    }

    #[test]
    fn one_run_has_one_controller() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path(), &sample::plan(1)).unwrap();
        let first = holder("here", "a");
        let lock = run.lock(first.clone()).unwrap();
        let error = run.lock(holder("here", "b")).unwrap_err();
        let told = "another controller is at work on run";
        assert!(error.to_string().starts_with(told), "{error}");
        let who = "anna@here, process 7, since 1970-01-01T00:00:00Z";
        assert!(error.to_string().ends_with(who), "{error}");
        assert_eq!(run.held("here"), Held::Here(Some(first.clone())));
        assert_eq!(run.held("there"), Held::Elsewhere(first));
        drop(lock);
        assert_eq!(run.held("there"), Held::Free);
    }

    #[tokio::test(start_paused = true)]
    async fn a_controller_on_another_computer_is_only_replaced_on_purpose_and_notices() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path(), &sample::plan(1)).unwrap();
        let (file, path) = run.lock_file().unwrap();
        // No kernel tells this computer of a lock on that one.
        let there = RunLock::enter(file, path, holder("there", "a")).unwrap();
        let refused = run.lock(holder("here", "b"));
        assert!(matches!(refused, Err(RunError::LockedElsewhere { .. })), "{refused:?}");
        assert!(there.is_ours());
        let here = run.take_over(holder("here", "b")).await.unwrap();
        assert!(!there.is_ours());
        drop(there);
        assert!(here.is_ours(), "who was replaced leaves the file alone");
        assert_eq!(run.held("here"), Held::Here(Some(holder("here", "b"))));
    }

    #[tokio::test]
    async fn what_a_controller_on_this_computer_has_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path(), &sample::plan(1)).unwrap();
        let lock = run.lock(holder("here", "a")).unwrap();
        let refused = run.take_over(holder("here", "b")).await;
        assert!(matches!(refused, Err(RunError::Locked { .. })), "{refused:?}");
        assert!(lock.is_ours());
    }

    #[test]
    fn a_controller_that_died_here_leaves_nothing_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path(), &sample::plan(1)).unwrap();
        let (file, path) = run.lock_file().unwrap();
        let died = RunLock::enter(file.try_clone().unwrap(), path, holder("here", "a")).unwrap();
        std::mem::forget(died);
        assert_eq!(run.held("here"), Held::Free);
        assert!(run.lock(holder("here", "b")).unwrap().is_ours());
    }
}
