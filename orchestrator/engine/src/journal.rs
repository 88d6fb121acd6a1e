//! The journal: one record a line, on disk before anything that follows from it.

use migos_events::Record;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Arc<File>,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It could not be opened or read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be written; nothing that depends on the record was done.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is no record.
    #[error("{} line {line} is damaged", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

impl Journal {
    /// Opens a journal to go on writing it, or begins one. A last line that was torn by a crash is cut off:
    /// nothing was done on its account.
    ///
    /// # Errors
    /// [`JournalError::Line`] for any other damage.
    pub fn open(path: &Path) -> Result<(Journal, Vec<Record>), JournalError> {
        let failed = |source| JournalError::Read { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().create(true).read(true).append(true).open(path).map_err(failed)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let (records, whole) = parse(path, &text)?;
        if whole < text.len() {
            file.set_len(whole as u64).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        Ok((Journal { path: path.to_owned(), file: Arc::new(file) }, records))
    }

    /// Reads a journal that somebody else may be writing.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(path: &Path) -> Result<Vec<Record>, JournalError> {
        let failed = |source| JournalError::Read { path: path.to_owned(), source };
        let text = std::fs::read(path).map_err(failed)?;
        parse(path, &text).map(|(records, _)| records)
    }

    /// Appends records and returns when they are on the disk.
    ///
    /// # Errors
    /// [`JournalError::Write`]; the run must end then.
    pub async fn append(&self, records: &[Record]) -> Result<(), JournalError> {
        let failed = |source| JournalError::Write { path: self.path.clone(), source };
        let mut text = Vec::new();
        for record in records {
            serde_json::to_writer(&mut text, record).map_err(|error| failed(error.into()))?;
            text.push(b'\n');
        }
        let file = self.file.clone();
        let write = move || (&*file).write_all(&text).and_then(|()| file.sync_data());
        match tokio::task::spawn_blocking(write).await {
            Ok(written) => written.map_err(failed),
            Err(error) => Err(failed(io::Error::other(error))),
        }
    }
}

/// The records, and how many bytes of the text they are.
fn parse(path: &Path, text: &[u8]) -> Result<(Vec<Record>, usize), JournalError> {
    let mut records = Vec::new();
    let mut whole = 0;
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.last() != Some(&b'\n') {
            break;
        }
        let record = serde_json::from_slice(line).map_err(|source| JournalError::Line {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        records.push(record);
        whole += line.len();
    }
    Ok((records, whole))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    #![allow(clippy::disallowed_methods, reason = "journals that were damaged on purpose")]
    use super::*;
    use jiff::Timestamp;
    use migos_events::Event;
    use std::time::Duration;

    fn record(seq: u64) -> Record {
        let event = Event::BalenaBack;
        Record { seq, at: Timestamp::UNIX_EPOCH, elapsed: Duration::from_millis(seq), event }
    }

    #[tokio::test]
    async fn what_was_appended_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (journal, past) = Journal::open(&path).unwrap();
        assert!(past.is_empty());
        journal.append(&[record(0), record(1)]).await.unwrap();
        let (journal, past) = Journal::open(&path).unwrap();
        assert_eq!(past, [record(0), record(1)]);
        journal.append(&[record(2)]).await.unwrap();
        assert_eq!(Journal::read(&path).unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_torn_last_line_is_cut_off_wherever_it_was_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (journal, _) = Journal::open(&path).unwrap();
        journal.append(&[record(0), record(1)]).await.unwrap();
        let text = std::fs::read(&path).unwrap();
        let first = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for end in first..text.len() {
            std::fs::write(&path, &text[..end]).unwrap();
            assert_eq!(Journal::read(&path).unwrap(), [record(0)], "a reader changes nothing");
            let (journal, past) = Journal::open(&path).unwrap();
            assert_eq!(past, [record(0)]);
            journal.append(&[record(1)]).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), text);
        }
    }

    #[test]
    fn any_other_damage_is_an_error_that_names_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "{}\n{}\n").unwrap();
        let error = Journal::open(&path).unwrap_err();
        assert!(error.to_string().ends_with("journal.jsonl line 1 is damaged"), "{error}");
    }
}
