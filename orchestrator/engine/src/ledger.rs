//! The fleet ledger: what became of each device, over all runs, by serial number.
//!
//! What is new is appended to a second file, so that an entry costs the same in a large fleet as in a small one. Once
//! that file is the larger of the two, and at the end of a run, both are folded into one.

use crate::run::{FileError, write_whole};
use migos_events::LedgerEntry;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The ledger's file, in the folder that holds all runs.
const LEDGER: &str = "devices.json";

/// A file of news that is smaller than this is not folded before its run ends.
const FEW_NEWS: u64 = 64 * 1024;

/// Entries by serial number.
type Entries = BTreeMap<String, LedgerEntry>;

/// The fleet ledger.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// The ledger of the runs in this folder.
    pub fn of(runs: &Path) -> Ledger {
        Ledger { path: runs.join(LEDGER) }
    }

    /// All entries by serial number; none if there is no ledger yet.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(&self) -> Result<BTreeMap<String, LedgerEntry>, FileError> {
        let lock = self.path.with_extension("lock");
        // Nobody has made an entry yet, or the folder was copied without the lock.
        let Ok(held) = File::open(&lock) else { return self.read_both() };
        held.lock_shared().map_err(|source| FileError::Read { path: lock, source })?;
        self.read_both()
    }

    /// Enters what became of devices, and returns when it is on the disk; other runs may do the same at the same time.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn enter(&self, entries: BTreeMap<String, LedgerEntry>) -> Result<(), FileError> {
        if entries.is_empty() {
            return Ok(());
        }
        let _held = self.lock()?;
        let path = self.news();
        let damaged = |source| FileError::Damaged { path: path.clone(), source };
        let mut line = serde_json::to_vec(&entries).map_err(damaged)?;
        line.push(b'\n');
        let size = append(&path, &line)
            .map_err(|source| FileError::Write { path: path.clone(), source })?;
        let folded = fs::metadata(&self.path).map_or(0, |file| file.len());
        match size > folded.max(FEW_NEWS) {
            true => self.fold_held(),
            false => Ok(()),
        }
    }

    /// Makes one file of all entries, for people and for backups.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn fold(&self) -> Result<(), FileError> {
        if !self.news().exists() {
            return Ok(());
        }
        let _held = self.lock()?;
        self.fold_held()
    }

    /// News that were folded already and are read once more change nothing.
    fn fold_held(&self) -> Result<(), FileError> {
        let damaged = |source| FileError::Damaged { path: self.path.clone(), source };
        let text = serde_json::to_vec_pretty(&self.read_both()?).map_err(damaged)?;
        write_whole(&self.path, &text, 0o644)?;
        let path = self.news();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FileError::Write { path, source })
            }
            _ => Ok(()),
        }
    }

    fn news(&self) -> PathBuf {
        self.path.with_extension("jsonl")
    }

    fn lock(&self) -> Result<File, FileError> {
        let lock = self.path.with_extension("lock");
        let failed = |source| FileError::Write { path: lock.clone(), source };
        let held = File::options().create(true).append(true).open(&lock).map_err(failed)?;
        held.lock().map_err(failed)?;
        Ok(held)
    }

    fn read_both(&self) -> Result<Entries, FileError> {
        let damaged = |path: &Path, source| FileError::Damaged { path: path.to_owned(), source };
        let mut all = match read_if_there(&self.path)? {
            Some(text) => {
                serde_json::from_slice(&text).map_err(|source| damaged(&self.path, source))?
            }
            None => Entries::new(),
        };
        let path = self.news();
        for line in read_if_there(&path)?.unwrap_or_default().split_inclusive(|byte| *byte == b'\n')
        {
            // A last line that was torn by a crash: nothing was done on its account.
            if line.last() == Some(&b'\n') {
                let news: Entries =
                    serde_json::from_slice(line).map_err(|source| damaged(&path, source))?;
                all.extend(news);
            }
        }
        Ok(all)
    }
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

/// Appends a whole line, and gives the size of the file. A last line that was torn by a crash is cut off.
fn append(path: &Path, line: &[u8]) -> io::Result<u64> {
    let mut file = File::options().create(true).read(true).append(true).open(path)?;
    let mut size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.seek(SeekFrom::Start(size - 1))?;
        file.read_exact(&mut last)?;
    }
    if last != *b"\n" {
        let text = fs::read(path)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        size = whole as u64;
        file.set_len(size)?;
    }
    file.write_all(line)?;
    file.sync_data()?;
    if size == 0
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(size + line.len() as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    #![allow(clippy::disallowed_methods, reason = "a ledger that was torn on purpose")]
    use super::*;
    use jiff::Timestamp;
    use migos_events::{LedgerState, RunId};
    use migos_inventory::DeviceId;
    use migos_playbooks::balena::DeviceUuid;

    fn entry(name: &str, state: LedgerState) -> LedgerEntry {
        LedgerEntry {
            device: DeviceId::new(name).unwrap(),
            uuid: DeviceUuid("ab".repeat(16)),
            run: RunId("7f3a2c-01".into()),
            state,
            crossed: true,
            at: Timestamp::UNIX_EPOCH,
            cause: None,
            measured: None,
        }
    }

    fn enter(ledger: &Ledger, serial: &str, state: LedgerState) {
        ledger.enter([(serial.to_owned(), entry("k-1", state))].into()).unwrap();
    }

    #[test]
    fn entries_of_several_runs_stand_beside_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(folder.path());
        assert!(ledger.read().unwrap().is_empty());
        enter(&ledger, "1", LedgerState::Committed);
        enter(&ledger, "2", LedgerState::Committed);
        enter(&ledger, "1", LedgerState::Migrated);
        let all = ledger.read().unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all["1"].state, LedgerState::Migrated);
    }

    #[test]
    fn it_is_one_file_once_it_is_folded() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(folder.path());
        enter(&ledger, "1", LedgerState::Started);
        ledger.fold().unwrap();
        enter(&ledger, "2", LedgerState::Started);
        enter(&ledger, "1", LedgerState::Migrated);
        let news = std::fs::read(folder.path().join("devices.jsonl")).unwrap();
        let all = ledger.read().unwrap();
        ledger.fold().unwrap();
        assert!(!folder.path().join("devices.jsonl").exists());
        assert_eq!(ledger.read().unwrap(), all);
        // As a crash between the two steps of folding leaves it.
        std::fs::write(folder.path().join("devices.jsonl"), news).unwrap();
        assert_eq!(ledger.read().unwrap(), all);
    }

    #[test]
    fn many_entries_are_folded_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(folder.path());
        let mut folds = 0;
        for number in 0..2000 {
            enter(&ledger, &number.to_string(), LedgerState::Started);
            folds += usize::from(!folder.path().join("devices.jsonl").exists());
        }
        assert!((1..6).contains(&folds), "{folds}");
        assert_eq!(ledger.read().unwrap().len(), 2000);
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(folder.path());
        enter(&ledger, "1", LedgerState::Started);
        enter(&ledger, "2", LedgerState::Started);
        let path = folder.path().join("devices.jsonl");
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 3]).unwrap();
        assert_eq!(ledger.read().unwrap().len(), 1);
        enter(&ledger, "3", LedgerState::Started);
        assert_eq!(Vec::from_iter(ledger.read().unwrap().into_keys()), ["1", "3"]);
    }
}
