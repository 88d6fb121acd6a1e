//! Verbs for whole folders: `tree`, `backup`, `pack`.

use super::files::{check_removable, remove_all};
use super::{Outcome, absolute, code, fs_failure};
use crate::card::{Content, FileSystem, FsError};
use crate::raspbian::Raspbian;
use crate::server::Answer;

/// What is below a folder, by its path relative to it; folders have no content.
pub(super) type Entries = Vec<(String, Option<Content>)>;

/// `tree PATH`
pub(super) fn tree(system: &Raspbian, path: &str) -> Outcome {
    Ok(text(&entries(system, absolute(path)?).map_err(|error| fs_failure(path, error))?))
}

/// `pack PATH`
pub(super) fn pack(system: &Raspbian, path: &str) -> Outcome {
    let entries = entries(system, absolute(path)?).map_err(|error| fs_failure(path, error))?;
    archive(&entries).map_err(|error| Answer::fail(code::FAILED, error))
}

/// `backup FROM TO`
pub(super) fn backup(system: &Raspbian, from: &str, to: &str) -> Outcome {
    check_removable(to)?;
    let below = |path: &str, folder: &str| format!("{path}/").starts_with(&format!("{folder}/"));
    if below(from, to) || below(to, from) {
        return Err(Answer::fail(code::USAGE, format!("one is in the other: {from}, {to}")));
    }
    let original = entries(system, absolute(from)?).map_err(|error| fs_failure(from, error))?;
    let is_there = entries(system, absolute(to)?).is_ok_and(|copy| copy == original);
    if !is_there {
        let new = format!("{to}.new");
        let copied = copy(system, &original, &new).and_then(|()| {
            remove_all(system, to)?;
            let rename =
                |files: &mut FileSystem, inner: &str| files.rename(&format!("{inner}.new"), inner);
            system.hands.change(to, rename)
        });
        if let Err(error) = copied {
            remove_all(system, &new).map_err(|error| fs_failure(&new, error))?;
            return Err(fs_failure(to, error));
        }
        system.hands.sync();
    }
    Ok(text(&original))
}

fn copy(system: &Raspbian, entries: &Entries, to: &str) -> Result<(), FsError> {
    remove_all(system, to)?;
    system.hands.change(to, FileSystem::make_folders)?;
    for (name, content) in entries {
        system.hands.change(&format!("{to}/{name}"), |files, inner| match content {
            None => files.make_folders(inner),
            Some(content) => files.write(inner, content.clone()),
        })?;
    }
    system.hands.sync();
    Ok(())
}

fn entries(system: &Raspbian, path: &str) -> Result<Entries, FsError> {
    system.pi.on(path, |files, inner| {
        if !files.is_folder(inner) {
            return Err(FsError::NotFound);
        }
        Ok(files.below(inner, system.pool()))
    })
}

/// The form of `tree`: size, digest and path of each file; folders end in a slash.
fn text(entries: &Entries) -> Vec<u8> {
    let line = |(path, content): &(String, Option<Content>)| match content {
        None => format!("- - {path}/\n"),
        Some(content) => format!("{} {} {path}\n", content.bytes().len(), content.sha256()),
    };
    let lines: String = entries.iter().map(line).collect();
    format!("migos-tree 1\n{lines}end ok\n").into_bytes()
}

pub(super) fn archive(entries: &Entries) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        match content {
            None => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                archive.append_data(&mut header, format!("{path}/"), &[][..])?;
            }
            Some(content) => {
                header.set_mode(0o644);
                header.set_size(content.bytes().len() as u64);
                archive.append_data(&mut header, path, content.bytes())?;
            }
        }
    }
    archive.into_inner()
}
