//! Verbs for large files, sent in pieces that survive a lost connection: `part`, `receive`,
//! `settle`.

use std::sync::Arc;

use super::files::make_folders_for;
use super::{Outcome, absolute, answer, code, ended, fs_failure, number};
use crate::card::{FileSystem, FsError};
use crate::mounts::Remounted;
use crate::raspbian::Raspbian;
use crate::server::{Answer, Program, Run};

/// `part PATH`
pub(super) fn part(system: &Raspbian, path: &str) -> Outcome {
    absolute(path)?;
    let partial = format!("{path}.part");
    for (word, name) in [("whole", path), ("part", partial.as_str())] {
        let found = system.pi.on(name, |files, inner| Ok(files.content(inner, system.pool())));
        if let Ok(Some(content)) = found {
            let size = content.bytes().len();
            return Ok(format!("{word} {size} {}\n", content.sha256()).into_bytes());
        }
    }
    Ok(b"none\n".to_vec())
}

/// `receive PATH OFFSET SIZE`, the bytes from OFFSET on standard input
pub(super) fn receive(system: &Arc<Raspbian>, path: &str, offset: &str, size: &str) -> Run {
    match Receive::open(system, path, offset, size) {
        Ok(receive) => Run::Reading(Box::new(receive)),
        Err(failure) => ended(Err(failure)),
    }
}

struct Receive {
    system: Arc<Raspbian>,
    /// The partial file.
    partial: String,
    /// Where the next piece belongs. It is kept here and not taken from the file's end: the tail of
    /// an upload that was cut off may still arrive on another connection.
    position: usize,
    size: u64,
    _writable: Option<Remounted>,
}

impl Receive {
    fn open(system: &Arc<Raspbian>, path: &str, offset: &str, size: &str) -> Result<Self, Answer> {
        let (offset, size) = (number(offset, 10)?, number(size, 10)?);
        let partial = format!("{}.part", absolute(path)?);
        let writable = system.hands.remount(path);
        let is_there = system
            .hands
            .change(&partial, |files, inner| {
                make_folders_for(files, inner)?;
                Ok(files.bytes(inner).map_or(0, |bytes| bytes.len() as u64))
            })
            .map_err(|error| fs_failure(&partial, error))?;
        let keep =
            usize::try_from(offset).ok().filter(|_| offset <= is_there).ok_or_else(|| {
                Answer::fail(code::DAMAGED, format!("shorter than {offset} bytes: {partial}"))
            })?;
        system
            .hands
            .change(&partial, |files, inner| files.open(inner, keep))
            .map_err(|error| fs_failure(&partial, error))?;
        Ok(Self { system: Arc::clone(system), partial, position: keep, size, _writable: writable })
    }
}

impl Program for Receive {
    /// Every piece is on the card before the next one is taken, so that a cut loses nothing that
    /// came.
    fn take(&mut self, input: &[u8]) -> Option<Answer> {
        let position = self.position;
        self.position += input.len();
        let write = |files: &mut FileSystem, inner: &str| files.write_at(inner, position, input);
        let written = self.system.hands.change(&self.partial, write);
        written.err().map(|error| fs_failure(&self.partial, error))
    }

    fn end(self: Box<Self>) -> Answer {
        let Self { system, partial, size, .. } = *self;
        let found = system.pi.on(&partial, |files, inner| {
            files.bytes(inner).map(|bytes| bytes.len() as u64).ok_or(FsError::NotFound)
        });
        answer(match found {
            Ok(found) if found == size => Ok(Vec::new()),
            Ok(found) => Err(Answer::fail(
                code::DAMAGED,
                format!("{found} bytes instead of {size}: {partial}"),
            )),
            Err(error) => Err(fs_failure(&partial, error)),
        })
    }
}

/// `settle PATH SIZE SHA256`
pub(super) fn settle(system: &Raspbian, path: &str, size: &str, sha256: &str) -> Outcome {
    let partial = format!("{}.part", absolute(path)?);
    let size = number(size, 10)?;
    let content = system
        .pi
        .on(&partial, |files, inner| files.content(inner, system.pool()).ok_or(FsError::NotFound))
        .map_err(|error| fs_failure(&partial, error))?;
    let is_folder = system.pi.on(path, |files, inner| Ok(files.is_folder(inner)));
    if is_folder == Ok(true) {
        return Err(fs_failure(path, FsError::IsAFolder));
    }
    let hands = &system.hands;
    let _writable = hands.remount(path);
    hands.sync();
    if content.bytes().len() as u64 != size || content.sha256().to_string() != sha256 {
        hands.change(&partial, FileSystem::remove).map_err(|error| fs_failure(&partial, error))?;
        return Err(Answer::fail(code::DAMAGED, format!("size or SHA-256 differs: {partial}")));
    }
    hands
        .change(path, |files, inner| {
            let partial = format!("{inner}.part");
            // The same bytes, but the copy that all cards share.
            files.write(&partial, content)?;
            files.rename(&partial, inner)
        })
        .map_err(|error| fs_failure(path, error))?;
    hands.sync();
    Ok(Vec::new())
}
