//! The verb for large files, `receive`: a lost connection costs no more than what was on the way.

use std::sync::Arc;

use super::files::make_folders_for;
use super::{absolute, answer, code, ended, fs_failure, number};
use crate::card::{Content, FileSystem, FsError};
use crate::mounts::Remounted;
use crate::raspbian::Raspbian;
use crate::server::{Answer, Program, Run};

/// `receive PATH SIZE SHA256`, the offset to go on from and the bytes from there on standard input
pub(super) fn receive(system: &Arc<Raspbian>, path: &str, size: &str, sha256: &str) -> Run {
    match Receive::begin(system, path, size, sha256) {
        Ok(Some(receive)) => Run::Reading(Box::new(receive)),
        Ok(None) => ended(Ok(b"whole\n".to_vec())),
        Err(failure) => ended(Err(failure)),
    }
}

/// What goes to the card at once: so many bytes, however many came, so that equal uploads are equal writes.
const BLOCK: usize = 32 << 10;

struct Receive {
    system: Arc<Raspbian>,
    path: String,
    /// The partial file.
    partial: String,
    size: u64,
    sha256: String,
    /// What is there of it, until it is told.
    says: Vec<u8>,
    stage: Stage,
}

enum Stage {
    /// The line with the offset, as far as it has come, and the bytes that are there.
    Asked { line: Vec<u8>, is_there: usize },
    /// Where the next block belongs, and what there is of it. It is kept here and not taken from the file's end: the
    /// tail of an upload that was cut off may still arrive on another connection.
    Writing { position: usize, block: Vec<u8>, _writable: Option<Remounted> },
}

impl Receive {
    /// Nothing if all of it is there.
    fn begin(
        system: &Arc<Raspbian>,
        path: &str,
        size: &str,
        sha256: &str,
    ) -> Result<Option<Self>, Answer> {
        let (size, partial) = (number(size, 10)?, format!("{}.part", absolute(path)?));
        if system.pi.on(path, |files, inner| Ok(files.is_folder(inner))) == Ok(true) {
            return Err(fs_failure(path, FsError::IsAFolder));
        }
        if content(system, path).is_some_and(|whole| is(&whole, size, sha256)) {
            return Ok(None);
        }
        let part = content(system, &partial).filter(|part| !part.bytes().is_empty());
        let (says, is_there) = part.map_or_else(
            || ("none\n".to_owned(), 0),
            |part| {
                let size = part.bytes().len();
                (format!("part {size} {}\n", part.sha256()), size)
            },
        );
        Ok(Some(Self {
            system: Arc::clone(system),
            path: path.to_owned(),
            partial,
            size,
            sha256: sha256.to_owned(),
            says: says.into_bytes(),
            stage: Stage::Asked { line: Vec::new(), is_there },
        }))
    }

    /// Opens the partial file where the line says.
    fn open(&self, line: &[u8], is_there: usize) -> Result<Stage, Answer> {
        let Self { system, path, partial, .. } = self;
        let offset = number(&String::from_utf8_lossy(line), 10)?;
        let keep = usize::try_from(offset).ok().filter(|offset| *offset <= is_there);
        let keep = keep.ok_or_else(|| {
            let message = format!("{is_there} bytes are there, not {offset}: {partial}");
            Answer::fail(code::DAMAGED, message)
        })?;
        let writable = system.hands.remount(path);
        let open = |files: &mut FileSystem, inner: &str| {
            make_folders_for(files, inner)?;
            files.open(inner, keep)
        };
        system.hands.change(partial, open).map_err(|error| fs_failure(partial, error))?;
        Ok(Stage::Writing { position: keep, block: Vec::new(), _writable: writable })
    }

    fn write(&mut self, input: &[u8]) -> Result<(), Answer> {
        let Stage::Writing { position, block, .. } = &mut self.stage else { return Ok(()) };
        block.extend_from_slice(input);
        while *position % BLOCK + block.len() >= BLOCK {
            let rest = block.split_off(BLOCK - *position % BLOCK);
            put(&self.system, &self.partial, position, block)?;
            *block = rest;
        }
        Ok(())
    }

    /// What came so far is on the card.
    fn flush(&mut self) -> Result<(), Answer> {
        match &mut self.stage {
            Stage::Writing { position, block, .. } if !block.is_empty() => {
                put(&self.system, &self.partial, position, block)?;
                block.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, input: &[u8]) -> Result<(), Answer> {
        let Stage::Asked { line, is_there } = &mut self.stage else { return self.write(input) };
        line.extend_from_slice(input);
        let Some(end) = line.iter().position(|byte| *byte == b'\n') else { return Ok(()) };
        let (line, is_there) = (std::mem::take(line), *is_there);
        self.stage = self.open(&line[..end], is_there)?;
        match &line[end + 1..] {
            [] => Ok(()),
            rest => self.write(rest),
        }
    }

    /// All of it came: compares it and gives it its name.
    fn settle(&mut self) -> Result<(), Answer> {
        let Stage::Writing { .. } = self.stage else {
            return Err(Answer::fail(code::FAILED, "nobody told where to go on"));
        };
        self.flush()?;
        let Self { system, path, partial, size, sha256, .. } = self;
        let found =
            content(system, partial).ok_or_else(|| fs_failure(partial, FsError::NotFound))?;
        let length = found.bytes().len() as u64;
        if length < *size {
            let message = format!("{length} of {size} bytes are there: {partial}");
            return Err(Answer::fail(code::DAMAGED, message));
        }
        let hands = &system.hands;
        hands.sync();
        if !is(&found, *size, sha256) {
            hands
                .change(partial, FileSystem::remove)
                .map_err(|error| fs_failure(partial, error))?;
            let message = format!("size or SHA-256 differs: {partial}");
            return Err(Answer::fail(code::DAMAGED, message));
        }
        let name = |files: &mut FileSystem, inner: &str| {
            let partial = format!("{inner}.part");
            // The same bytes, but the copy that all cards share.
            files.write(&partial, found)?;
            files.rename(&partial, inner)
        };
        hands.change(path, name).map_err(|error| fs_failure(path, error))?;
        hands.sync();
        Ok(())
    }
}

impl Program for Receive {
    fn take(&mut self, input: &[u8]) -> Option<Answer> {
        self.step(input).err()
    }

    fn prints(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.says)
    }

    fn end(mut self: Box<Self>) -> Answer {
        answer(self.settle().map(|()| Vec::new()))
    }
}

impl Drop for Receive {
    /// A lost connection costs nothing that came; without power there is nothing left to do.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// Writes a block where it belongs.
fn put(system: &Raspbian, partial: &str, position: &mut usize, block: &[u8]) -> Result<(), Answer> {
    let at = *position;
    let write = |files: &mut FileSystem, inner: &str| files.write_at(inner, at, block);
    system.hands.change(partial, write).map_err(|error| fs_failure(partial, error))?;
    *position += block.len();
    Ok(())
}

fn content(system: &Raspbian, path: &str) -> Option<Content> {
    let found = system.pi.on(path, |files, inner| Ok(files.content(inner, system.pool())));
    found.ok().flatten()
}

fn is(content: &Content, size: u64, sha256: &str) -> bool {
    content.bytes().len() as u64 == size && content.sha256().to_string() == sha256
}
