//! The fleet ledger: what became of each device, over all runs, by serial number.

use crate::run::{FileError, write_whole};
use migos_events::LedgerEntry;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The ledger's file, in the folder that holds all runs.
const LEDGER: &str = "devices.json";

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
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(source) => return Err(FileError::Read { path: self.path.clone(), source }),
        };
        let damaged = |source| FileError::Damaged { path: self.path.clone(), source };
        serde_json::from_str(&text).map_err(damaged)
    }

    /// Enters what became of devices; other runs may do the same at the same time.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn enter(&self, entries: BTreeMap<String, LedgerEntry>) -> Result<(), FileError> {
        if entries.is_empty() {
            return Ok(());
        }
        let lock = self.path.with_extension("lock");
        let failed = |source| FileError::Write { path: lock.clone(), source };
        let held = File::options().create(true).append(true).open(&lock).map_err(failed)?;
        held.lock().map_err(failed)?;
        let mut all = self.read()?;
        all.extend(entries);
        let damaged = |source| FileError::Damaged { path: self.path.clone(), source };
        let text = serde_json::to_vec_pretty(&all).map_err(damaged)?;
        write_whole(&self.path, &text, 0o644)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::Timestamp;
    use migos_events::{LedgerState, RunId};
    use migos_inventory::DeviceId;
    use migos_playbooks::balena::DeviceUuid;

    #[test]
    fn entries_of_several_runs_stand_beside_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(folder.path());
        assert!(ledger.read().unwrap().is_empty());
        let entry = |name: &str, state| LedgerEntry {
            device: DeviceId::new(name).unwrap(),
            uuid: DeviceUuid("ab".repeat(16)),
            run: RunId("7f3a2c-01".into()),
            state,
            crossed: true,
            at: Timestamp::UNIX_EPOCH,
            cause: None,
            measured: None,
        };
        ledger.enter([("1".to_owned(), entry("k-1", LedgerState::Committed))].into()).unwrap();
        ledger.enter([("2".to_owned(), entry("k-2", LedgerState::Committed))].into()).unwrap();
        ledger.enter([("1".to_owned(), entry("k-1", LedgerState::Migrated))].into()).unwrap();
        let all = ledger.read().unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all["1"].state, LedgerState::Migrated);
    }
}
