//! Verbs for small files: `read`, `write`, `sums`, `remove`.

use std::sync::Arc;

use super::{Outcome, absolute, answer, code, ended, fs_failure, number};
use crate::card::{FileSystem, FsError};
use crate::raspbian::Raspbian;
use crate::server::{Answer, Program, Run};

/// `read PATH LIMIT`
pub(super) fn read(system: &Raspbian, path: &str, limit: &str) -> Outcome {
    absolute(path)?;
    let limit = number(limit, 10)?;
    let bytes = system
        .pi
        .on(path, |files, path| files.bytes(path).map(<[u8]>::to_vec).ok_or(FsError::NotFound))
        .map_err(|error| fs_failure(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(Answer::fail(code::DAMAGED, format!("larger than {limit} bytes: {path}")));
    }
    Ok(bytes)
}

/// `sums PATH...`
pub(super) fn sums(system: &Raspbian, paths: &[&str]) -> Outcome {
    for path in paths {
        absolute(path)?;
    }
    let mut text = String::new();
    for path in paths {
        match system.pi.on(path, |files, inner| Ok(files.content(inner, system.pool()))) {
            Ok(Some(content)) => text.push_str(&format!("{} {path}\n", content.sha256())),
            Ok(None) | Err(_) => text.push_str(&format!("- {path}\n")),
        }
    }
    Ok(text.into_bytes())
}

/// `remove PATH...`
pub(super) fn remove(system: &Raspbian, paths: &[&str]) -> Outcome {
    if let Some(path) = paths.iter().find(|path| !is_removable(path)) {
        return Err(Answer::fail(code::USAGE, format!("will not remove {path}")));
    }
    for path in paths {
        for name in [(*path).to_owned(), format!("{path}.new"), format!("{path}.part")] {
            system
                .pi
                .on(&name, |files, inner| files.remove(inner))
                .map_err(|error| fs_failure(&name, error))?;
        }
    }
    Ok(Vec::new())
}

/// Absolute, with two parts or more, and no part that could lead elsewhere.
fn is_removable(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("")
        && parts.clone().count() >= 2
        && parts.all(|part| !part.is_empty() && part != "." && !part.contains(".."))
}

/// Makes the folders above a file.
pub(super) fn make_folders_for(files: &mut FileSystem, inner: &str) -> Result<(), FsError> {
    match inner.rsplit_once('/') {
        Some((folder, _)) => files.make_folders(folder),
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
    size: u64,
    input: Vec<u8>,
}

impl Write {
    fn new(system: &Arc<Raspbian>, path: &str, mode: &str, size: &str) -> Result<Self, Answer> {
        // Checked, and not kept: nobody on a virtual Pi could tell.
        number(mode, 8)?;
        Ok(Self {
            system: Arc::clone(system),
            path: absolute(path)?.to_owned(),
            size: number(size, 10)?,
            input: Vec::new(),
        })
    }

    /// The new file stands beside the old one before it takes its name: both need room.
    fn put(&self, files: &mut FileSystem, inner: &str) -> Result<(), Answer> {
        let Self { system, path, size, input } = self;
        let new = format!("{inner}.new");
        let mut put = || -> Result<(), FsError> {
            make_folders_for(files, inner)?;
            files.remove(&new)?;
            if files.is_folder(inner) {
                return Err(FsError::IsAFolder);
            }
            if input.len() as u64 == *size {
                files.write(&new, system.pool().keep(input))?;
                files.rename(&new, inner)?;
            }
            Ok(())
        };
        put().map_err(|error| fs_failure(path, error))?;
        match input.len() as u64 {
            found if found == *size => Ok(()),
            found => {
                Err(Answer::fail(code::DAMAGED, format!("{found} of {size} bytes came: {path}")))
            }
        }
    }
}

impl Program for Write {
    fn take(&mut self, input: &[u8]) -> Option<Answer> {
        self.input.extend_from_slice(input);
        None
    }

    fn end(self: Box<Self>) -> Answer {
        let done = self.system.pi.on(&self.path, |files, inner| Ok(self.put(files, inner)));
        answer(match done {
            Ok(done) => done.map(|()| Vec::new()),
            Err(error) => Err(fs_failure(&self.path, error)),
        })
    }
}
