//! Where packages come from: this computer's own apt sources, unless the user names a mirror.

use crate::host::APT_GET;
use crate::process::{Process, ProcessError};
use crate::recipe::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FORMAT: &str = "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(ORIGIN)";

/// Mirrors and keyrings that the user names, by the source's name in the recipe; the empty name stands for
/// the recipe's only source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Addresses of archives.
    pub mirrors: BTreeMap<String, String>,
    /// Files of keys.
    pub keyrings: BTreeMap<String, PathBuf>,
}

/// An archive with everything that is needed to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) mirror: String,
    pub(crate) suite: String,
    pub(crate) components: Vec<String>,
    pub(crate) keyring: PathBuf,
}

/// Why an archive cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The computer's sources could not be read.
    #[error("failed to read this computer's apt sources")]
    Sources(#[source] ProcessError),
    /// Nobody says where the archive is.
    #[error(
        "this computer's apt sources have no archive {name} with the release {suite}; name one with: --mirror {name}=URL"
    )]
    NoMirror {
        /// The source in the recipe.
        name: String,
        /// Its release.
        suite: String,
    },
    /// An address that is none.
    #[error(
        "not the address of an archive: {0:?}; write it as http://HOST/PATH, file:///PATH or copy:///PATH"
    )]
    Address(String),
    /// The keys are not there.
    #[error("the keys of the archive {name} are not at {}; install the package {package}, or name the keys with: --keyring {name}=FILE", path.display())]
    NoKeyring {
        /// The source in the recipe.
        name: String,
        /// Where they were looked for.
        path: PathBuf,
        /// The package that has them.
        package: String,
    },
    /// A name that the recipe does not have.
    #[error("the recipe has no source {0:?}; it has {1}")]
    Unknown(String, String),
}

/// Finds every source of a recipe.
pub(crate) fn find(sources: &[Source], chosen: &Chosen) -> Result<Vec<Archive>, SourceError> {
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    let known =
        |name: &String| names.contains(&name.as_str()) || name.is_empty() && names.len() == 1;
    if let Some(name) = chosen.mirrors.keys().chain(chosen.keyrings.keys()).find(|it| !known(it)) {
        return Err(SourceError::Unknown(name.clone(), names.join(", ")));
    }
    sources.iter().map(|source| archive(source, chosen)).collect()
}

fn archive(source: &Source, chosen: &Chosen) -> Result<Archive, SourceError> {
    let mirror = match chosen.mirrors.get(&source.name).or(chosen.mirrors.get("")) {
        Some(mirror) => checked(mirror)?,
        None => own_mirror(source)?,
    };
    let keyring = chosen.keyrings.get(&source.name).or(chosen.keyrings.get(""));
    let keyring = keyring.unwrap_or(&source.keyring).clone();
    if !keyring.is_file() {
        let (name, package) = (source.name.clone(), source.keyring_package.clone());
        return Err(SourceError::NoKeyring { name, path: keyring, package });
    }
    let (suite, components) = (source.suite.clone(), source.components.clone());
    Ok(Archive { mirror, suite, components, keyring })
}

/// A list of sources is lines of words: an address with a space in it would be more than an address.
fn checked(mirror: &str) -> Result<String, SourceError> {
    let plain = mirror.bytes().all(|b| b.is_ascii_graphic() && !b"[]\"#".contains(&b));
    let local = mirror.strip_prefix("file:").or(mirror.strip_prefix("copy:"));
    let shaped = mirror.contains("://") || local.is_some_and(|path| Path::new(path).is_absolute());
    match plain && shaped {
        true => Ok(mirror.to_owned()),
        false => Err(SourceError::Address(mirror.to_owned())),
    }
}

fn own_mirror(source: &Source) -> Result<String, SourceError> {
    let said = Process::new(&APT_GET).args(["indextargets", "--format", FORMAT]).run();
    let text = said.map_err(SourceError::Sources)?.text();
    let (name, suite) = (source.name.clone(), source.suite.clone());
    pick(&text, source).ok_or(SourceError::NoMirror { name, suite })
}

/// The computer may follow another release of the archive: its mirror has this one as well.
fn pick(targets: &str, source: &Source) -> Option<String> {
    let rows = || {
        targets.lines().filter_map(|line| {
            let mut cells = line.split('|');
            let (kind, mirror) = (cells.next()?, cells.next()?);
            let (release, origin) = (cells.next()?, cells.next()?);
            (kind == "Packages").then_some((mirror, release, origin))
        })
    };
    // The origin is known only after the first `apt-get update`; until then it shows as it was asked for.
    let ours = |origin: &str| origin.eq_ignore_ascii_case(&source.name);
    let unknown = |origin: &str| origin.is_empty() || origin.starts_with('$');
    let same = |(_, release, origin): &(&str, &str, &str)| {
        *release == source.suite && (ours(origin) || unknown(origin))
    };
    // Security and backports live elsewhere or under other names than the release itself.
    let other =
        |(_, release, origin): &(&str, &str, &str)| ours(origin) && !release.contains(['-', '/']);
    let found = rows().find(same).or_else(|| rows().find(other));
    found.map(|(mirror, ..)| mirror.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn source() -> Source {
        Source {
            name: "debian".into(),
            suite: "bookworm".into(),
            components: vec!["main".into()],
            keyring: "/nowhere/keys.gpg".into(),
            keyring_package: "debian-archive-keyring".into(),
        }
    }

    #[test]
    fn the_computers_own_mirror_is_used_whatever_release_it_follows() {
        let picked = |text: &str| pick(text, &source());
        let same =
            "Translations|http://a/|bookworm|Debian\nPackages|http://a/|bookworm|$(ORIGIN)\n";
        assert_eq!(picked(same), Some("http://a/".into()));
        let newer = "Packages|http://s/|trixie-security|Debian\nPackages|http://b/|trixie|Debian\n";
        assert_eq!(picked(newer), Some("http://b/".into()));
        assert_eq!(picked("Packages|http://c/|bookworm|Raspbian\n"), None);
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let chosen = |mirror: &str| Chosen {
            mirrors: [(String::new(), mirror.to_owned())].into(),
            ..Chosen::default()
        };
        let said = |mirror| find(&[source()], &chosen(mirror)).unwrap_err().to_string();
        insta::assert_snapshot!(
            said("http://host/ bookworm [trusted=yes]"),
            @r#"not the address of an archive: "http://host/ bookworm [trusted=yes]"; write it as http://HOST/PATH, file:///PATH or copy:///PATH"#
        );
        insta::assert_snapshot!(
            said("http://host/debian"),
            @"the keys of the archive debian are not at /nowhere/keys.gpg; install the package debian-archive-keyring, or name the keys with: --keyring debian=FILE"
        );
        let other = Chosen {
            mirrors: [("raspbian".into(), "file:///x".into())].into(),
            ..Chosen::default()
        };
        insta::assert_snapshot!(
            find(&[source()], &other).unwrap_err(),
            @r#"the recipe has no source "raspbian"; it has debian"#
        );
    }
}
