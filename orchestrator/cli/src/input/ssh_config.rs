//! The person's ssh_config, and the files that it includes.

use super::read_text;
use crate::failure::Failure;
use crate::wire;
use migos_inventory::{Included, SshConfig, glob as is_like};
use std::path::{Path, PathBuf};

/// Reads the file that was named, or the person's own; `none` reads nothing.
pub(super) fn read(named: Option<&Path>) -> Result<SshConfig, Failure> {
    let user = Some(wire::person().user);
    let path = match named {
        Some(path) if path == Path::new("none") => None,
        Some(path) => Some(path.to_owned()),
        None => wire::default_ssh_config(),
    };
    let Some(path) = path else { return Ok(SshConfig::silent(user)) };
    let text = read_text(&path, "the ssh_config")?;
    let config = SshConfig::parse(&path.display().to_string(), &text, user, &included);
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
    Ok(config)
}

/// The files that an `Include` means; one that cannot be read is left out, as ssh does.
fn included(pattern: &str) -> Vec<Included> {
    let pattern = wire::resolve(&wire::resolve(Path::new("."), "~/.ssh"), pattern);
    let named = glob(&pattern).into_iter();
    named
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            Some(Included { name: path.display().to_string(), text })
        })
        .collect()
}

/// The paths that a pattern means, in order; `*` and `?` stand within one name.
fn glob(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str();
        let text = part.to_string_lossy();
        if !text.contains(['*', '?']) {
            found = found.into_iter().map(|folder| folder.join(part)).collect();
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let fits = |name: &String| {
                text.starts_with('.') == name.starts_with('.') && is_like(&text, name)
            };
            let mut names: Vec<String> = names.filter(fits).collect();
            names.sort();
            next.extend(names.into_iter().map(|name| folder.join(name)));
        }
        found = next;
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::glob;

    #[test]
    fn a_pattern_means_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", ".c.conf", "d"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = glob(&folder.path().join("*.conf"));
        let wanted = ["a.conf", "b.conf"].map(|name| folder.path().join(name));
        assert_eq!(found, wanted);
        assert_eq!(glob(&folder.path().join("d")), [folder.path().join("d")]);
    }
}
