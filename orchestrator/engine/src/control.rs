//! What people order of a running controller, from another terminal: lines in a file of the run's folder.

use crate::rollout::Order;
use crate::run::{FileError, RunDir};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What a person wants of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// No new work until somebody resumes.
    Pause,
    /// No new work any more.
    Stop,
    /// The same, and whatever can be taken back is taken back.
    StopAndUndo,
}

/// A person's order: one line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What is wanted.
    pub order: Wanted,
    /// Who wants it: `user@host`.
    pub by: String,
    /// When it was asked for, by that computer's clock.
    pub at: Timestamp,
}

impl Request {
    /// Puts the order where the run's controller finds it; on the disk when this returns.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn give(&self, run: &RunDir) -> Result<(), FileError> {
        let path = requests(run);
        let damaged = |source| FileError::Damaged { path: path.clone(), source };
        let mut line = serde_json::to_vec(self).map_err(damaged)?;
        line.push(b'\n');
        let mut write = || -> io::Result<()> {
            let mut file = File::options().create(true).read(true).append(true).open(&path)?;
            file.lock()?;
            // What was cut off there stays a line of its own, which nobody understands.
            if !ends_a_line(&mut file)? {
                line.insert(0, b'\n');
            }
            file.write_all(&line)?;
            file.sync_all()?;
            File::open(run.path())?.sync_all()
        };
        write().map_err(|source| FileError::Write { path: path.clone(), source })
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The file of orders.
fn requests(run: &RunDir) -> PathBuf {
    run.path().join("control")
}

/// The file that pauses a run when it is there, and keeps it from being resumed.
pub fn stop_file(run: &RunDir) -> PathBuf {
    run.path().join("STOP")
}

/// Reads what is ordered from now on; each order is told once.
#[derive(Debug)]
pub struct Control {
    requests: PathBuf,
    /// Bytes of the file that were read.
    read: u64,
    stop: PathBuf,
    /// True once the file that pauses was seen, until it is gone.
    stopped: bool,
}

impl Control {
    /// Orders that were given before were for an earlier controller.
    pub fn from_now(run: &RunDir) -> Control {
        let requests = requests(run);
        let read = length(&requests);
        Control { requests, read, stop: stop_file(run), stopped: false }
    }

    /// What has been ordered since the last time.
    pub fn poll(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        let stopped = self.stop.exists();
        if stopped && !self.stopped {
            orders.push(Order::Pause("the file STOP in the run's folder".to_owned()));
        }
        self.stopped = stopped;
        match self.lines() {
            Ok(lines) => orders.extend(lines.lines().filter_map(order)),
            Err(error) => tracing::warn!(%error, "failed to read what is ordered"),
        }
        orders
    }

    /// The whole lines that were added.
    fn lines(&mut self) -> io::Result<String> {
        // Whoever removes the file takes back no order, and gives none.
        self.read = self.read.min(length(&self.requests));
        if length(&self.requests) == self.read {
            return Ok(String::new());
        }
        let mut file = File::open(&self.requests)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        text.truncate(whole);
        self.read += whole as u64;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

fn order(line: &str) -> Option<Order> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    match serde_json::from_str(line) {
        Ok(Request { order: Wanted::Pause, by, .. }) => Some(Order::Pause(by)),
        Ok(Request { order: Wanted::Stop, by, .. }) => Some(Order::Stop(by)),
        Ok(Request { order: Wanted::StopAndUndo, by, .. }) => Some(Order::StopAndUndo(by)),
        Err(error) => {
            tracing::warn!(%error, "an order that is not understood");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    #![allow(clippy::disallowed_methods, reason = "files that were damaged on purpose")]
    use super::*;
    use crate::sample;

    fn request(order: Wanted) -> Request {
        Request { order, by: "anna@ops".to_owned(), at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn each_order_is_told_once_and_those_before_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path(), &sample::plan(1)).unwrap();
        request(Wanted::Stop).give(&run).unwrap();
        let mut control = Control::from_now(&run);
        assert_eq!(control.poll(), []);
        request(Wanted::Pause).give(&run).unwrap();
        request(Wanted::StopAndUndo).give(&run).unwrap();
        let by = || "anna@ops".to_owned();
        assert_eq!(control.poll(), [Order::Pause(by()), Order::StopAndUndo(by())]);
        assert_eq!(control.poll(), []);
        let line = std::fs::read_to_string(requests(&run)).unwrap();
        let first = r#"{"order":"stop","by":"anna@ops","at":"1970-01-01T00:00:00Z"}"#;
        assert_eq!(line.lines().next(), Some(first));
    }

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path(), &sample::plan(1)).unwrap();
        let mut control = Control::from_now(&run);
        std::fs::write(requests(&run), r#"{"order":"pau"#).unwrap();
        assert_eq!(control.poll(), []);
        request(Wanted::Stop).give(&run).unwrap();
        assert_eq!(control.poll(), [Order::Stop("anna@ops".to_owned())]);
    }

    #[test]
    fn the_file_stop_is_told_when_it_appears() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path(), &sample::plan(1)).unwrap();
        let mut control = Control::from_now(&run);
        std::fs::write(stop_file(&run), "").unwrap();
        assert_eq!(control.poll().len(), 1);
        assert_eq!(control.poll(), []);
    }
}
