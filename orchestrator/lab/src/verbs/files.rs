//! Verbs for small files: `read`, `write`, `sums`, `remove`.

use std::sync::Arc;

use super::{Outcome, absolute, answer, code, ended, fs_failure, number};
use crate::card::{FileSystem, FsError};
use crate::mounts::Remounted;
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
    for path in paths {
        check_removable(path)?;
    }
    let _writable: Vec<Remounted> =
        paths.iter().filter_map(|path| system.hands.remount(path)).collect();
    for path in paths {
        for name in [(*path).to_owned(), format!("{path}.new"), format!("{path}.part")] {
            remove_all(system, &name).map_err(|error| fs_failure(&name, error))?;
        }
    }
    system.hands.sync();
    Ok(Vec::new())
}

/// Removes a file, or a folder with all it holds, one by one.
pub(super) fn remove_all(system: &Raspbian, path: &str) -> Result<(), FsError> {
    let inside = system.pi.on(path, |files, inner| {
        Ok(files.below(inner, system.pool()).into_iter().map(|(name, _)| name).collect::<Vec<_>>())
    })?;
    // A folder comes before what it holds, so the last goes first.
    for name in inside.iter().rev() {
        system.hands.change(&format!("{path}/{name}"), FileSystem::remove)?;
    }
    system.hands.change(path, FileSystem::remove)
}

/// Absolute, with two parts or more, and no part that could lead elsewhere.
pub(super) fn check_removable(path: &str) -> Result<(), Answer> {
    let mut parts = path.split('/');
    let is_fine = parts.next() == Some("")
        && parts.clone().count() >= 2
        && parts.all(|part| !part.is_empty() && part != "." && !part.contains(".."));
    match is_fine {
        true => Ok(()),
        false => Err(Answer::fail(code::USAGE, format!("will not remove {path}"))),
    }
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

    fn put(&self) -> Outcome {
        let Self { system, path, size, input } = self;
        let hands = &system.hands;
        let failure = |error| fs_failure(path, error);
        if system.pi.on(path, |files, inner| Ok(files.is_folder(inner))) == Ok(true) {
            return Err(failure(FsError::IsAFolder));
        }
        let _writable = hands.remount(path);
        hands.change(path, make_folders_for).map_err(failure)?;
        let new = format!("{path}.new");
        let done = self.put_beside(&new);
        if done.is_err() {
            remove_all(system, &new).map_err(failure)?;
        }
        done.map_err(failure)?;
        if input.len() as u64 != *size {
            remove_all(system, &new).map_err(failure)?;
            let found = input.len();
            return Err(Answer::fail(
                code::DAMAGED,
                format!("{found} of {size} bytes came: {path}"),
            ));
        }
        hands.sync();
        let rename =
            |files: &mut FileSystem, inner: &str| files.rename(&format!("{inner}.new"), inner);
        hands.change(path, rename).map_err(failure)?;
        hands.sync();
        Ok(Vec::new())
    }

    /// The new file stands beside the old one before it takes its name: both need room.
    fn put_beside(&self, new: &str) -> Result<(), FsError> {
        let Self { system, input, .. } = self;
        let pool = system.pool();
        system.hands.change(new, |files, inner| files.write(inner, pool.keep(b"")))?;
        system.hands.change(new, |files, inner| files.write(inner, pool.keep(input)))
    }
}

impl Program for Write {
    fn take(&mut self, input: &[u8]) -> Option<Answer> {
        self.input.extend_from_slice(input);
        None
    }

    fn end(self: Box<Self>) -> Answer {
        answer(self.put())
    }
}
