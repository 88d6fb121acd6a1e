//! Verbs for small files: `read`, `write`, `sums`, `remove`.

use std::sync::Arc;

use super::{Outcome, answer, checked, code, ended, fs_failure, number};
use crate::card::{FileSystem, FsError};
use crate::raspbian::Raspbian;
use crate::server::{Answer, Program, Run};

/// Folders under this one are for root alone.
const OURS: &str = "/var/lib/migos";

/// `read PATH LIMIT`
pub(super) fn read(system: &Raspbian, path: &str, limit: &str) -> Outcome {
    let limit = number(limit, 10)?;
    let bytes = system
        .on(path, |files, path| files.bytes(path).map(<[u8]>::to_vec).ok_or(FsError::NotFound))
        .map_err(|error| fs_failure(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(Answer::fail(code::DAMAGED, format!("larger than {limit} bytes: {path}")));
    }
    Ok(bytes)
}

/// `sums PATH...`
pub(super) fn sums(system: &Raspbian, paths: &[&str]) -> Outcome {
    let mut text = String::new();
    for path in paths {
        match system.on(path, |files, inner| Ok(files.content(inner, system.pool()))) {
            Ok(Some(content)) => text.push_str(&format!("{} {path}\n", content.sha256())),
            Ok(None) | Err(_) => text.push_str(&format!("- {path}\n")),
        }
    }
    Ok(text.into_bytes())
}

/// `remove PATH...`
pub(super) fn remove(system: &Raspbian, paths: &[&str]) -> Outcome {
    for path in paths {
        checked(path)?;
        let parts = path.split('/').filter(|part| !matches!(*part, "" | ".")).count();
        if parts < 2 {
            return Err(Answer::fail(code::USAGE, format!("too near the root to be removed: {path}")));
        }
    }
    for path in paths {
        for name in [(*path).to_owned(), format!("{path}.new"), format!("{path}.part")] {
            system.on(&name, |files, inner| files.remove(inner)).map_err(|error| fs_failure(&name, error))?;
        }
    }
    Ok(Vec::new())
}

/// Makes the folders above a file.
pub(super) fn make_folders_for(
    files: &mut FileSystem,
    inner: &str,
    path: &str,
) -> Result<(), FsError> {
    let mode = if path.starts_with(OURS) { 0o700 } else { 0o755 };
    match inner.rsplit_once('/') {
        Some((folder, _)) => files.make_folders(folder, mode),
        None => Ok(()),
    }
}

/// `write PATH MODE SIZE`, the content on standard input
pub(super) fn write(system: &Arc<Raspbian>, path: &str, mode: &str, size: &str) -> Run {
    match Write::new(system, path, mode, size) {
        Ok(write) => Run::Reading(Box::new(write)),
        Err(failure) => ended(Err(failure)),
    }
}

struct Write {
    system: Arc<Raspbian>,
    path: String,
    mode: u32,
    size: u64,
    input: Vec<u8>,
}

impl Write {
    fn new(system: &Arc<Raspbian>, path: &str, mode: &str, size: &str) -> Result<Self, Answer> {
        let mode = number(mode, 8)?;
        let mode = u32::try_from(mode)
            .ok()
            .filter(|mode| *mode <= 0o7777)
            .ok_or_else(|| Answer::fail(code::USAGE, format!("not a mode: {mode:o}")))?;
        Ok(Self {
            system: Arc::clone(system),
            path: checked(path)?.to_owned(),
            mode,
            size: number(size, 10)?,
            input: Vec::new(),
        })
    }

    /// The new file stands beside the old one before it takes its name: both need room.
    fn put(&self) -> Result<(), FsError> {
        let Self { system, path, mode, input, .. } = self;
        let content = system.pool().keep(input);
        system.on(path, |files, inner| {
            make_folders_for(files, inner, path)?;
            let new = format!("{inner}.new");
            files.write(&new, *mode, content)?;
            files.rename(&new, inner)
        })
    }
}

impl Program for Write {
    fn take(&mut self, input: &[u8]) -> Option<Answer> {
        self.input.extend_from_slice(input);
        None
    }

    fn end(self: Box<Self>) -> Answer {
        let (found, size, path) = (self.input.len(), self.size, &self.path);
        if found as u64 != size {
            return Answer::fail(code::DAMAGED, format!("{found} bytes came instead of {size}: {path}"));
        }
        answer(self.put().map(|()| Vec::new()).map_err(|error| fs_failure(path, error)))
    }
}
