//! Files of variables beside an Ansible inventory: `group_vars` and `host_vars`, found as Ansible finds them.

use super::read_text;
use crate::failure::{Failure, Kind};
use migos_inventory::{Entity, VariablesFile};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The ends that a file of variables may have; a name without one counts before them (ansible-core:
/// `YAML_FILENAME_EXTENSIONS`, `DataLoader.find_vars_files`).
const ENDS: [&str; 3] = [".yml", ".yaml", ".json"];

/// A file of variables that was read.
#[derive(Debug)]
pub(super) struct Variables {
    of: Owner,
    name: String,
    text: String,
}

#[derive(Debug, Clone)]
enum Owner {
    Group(String),
    Host(String),
}

impl Variables {
    /// As the reader of inventories wants it.
    pub(super) fn as_file(&self) -> VariablesFile<'_> {
        let of = match &self.of {
            Owner::Group(name) => Entity::Group(name),
            Owner::Host(name) => Entity::Host(name),
        };
        VariablesFile { of, name: &self.name, text: &self.text }
    }
}

/// Reads all files of variables in the folder of an inventory.
pub(super) fn beside(folder: &Path) -> Result<Vec<Variables>, Failure> {
    let mut found = Vec::new();
    for (name, owner) in
        [("group_vars", Owner::Group as fn(String) -> Owner), ("host_vars", Owner::Host)]
    {
        let folder = match folder == Path::new(".") {
            true => PathBuf::from(name),
            false => folder.join(name),
        };
        if !folder.is_dir() {
            continue;
        }
        for (entity, path) in entities(&folder)? {
            let mut files = Vec::new();
            match path.is_dir() {
                true => within(&path, &mut files)?,
                false => files.push(path),
            }
            for file in files {
                let text = read_text(&file, "the variables")?;
                let name = file.display().to_string();
                found.push(Variables { of: owner(entity.clone()), name, text });
            }
        }
    }
    Ok(found)
}

/// The file or folder of each group or host: of several the one that Ansible takes.
fn entities(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut found: BTreeMap<String, (usize, PathBuf)> = BTreeMap::new();
    for (name, path) in entries(folder)? {
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let ends = || ENDS.iter().enumerate().filter(|_| path.is_file());
        let bare = ends().find_map(|(rank, end)| Some((name.strip_suffix(end)?, rank + 1)));
        let (entity, rank) = match bare {
            Some((bare, rank)) => (bare.to_owned(), rank),
            None => (name, 0),
        };
        match found.get(&entity) {
            Some((before, _)) if *before < rank => {}
            _ => _ = found.insert(entity, (rank, path)),
        }
    }
    Ok(found.into_iter().map(|(entity, (_, path))| (entity, path)).collect())
}

/// All files of variables in a folder and the folders in it, in lexical order.
fn within(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for (name, path) in entries(folder)? {
        let has_end = Path::new(&name).extension().is_some();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if path.is_dir() && !has_end {
            within(&path, files)?;
        } else if path.is_file() && (!has_end || ENDS.iter().any(|end| name.ends_with(end))) {
            files.push(path);
        }
    }
    Ok(())
}

/// What a folder holds, in lexical order; names that are no text are left out.
pub(super) fn entries(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let failed = |error: &std::io::Error| {
        let what = format!("failed to read the folder {}", folder.display());
        Failure::at(Kind::Input, what, error)
    };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(&error))? {
        let path = entry.map_err(|error| failed(&error))?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            found.insert(name.to_owned(), path.clone());
        }
    }
    Ok(found)
}
