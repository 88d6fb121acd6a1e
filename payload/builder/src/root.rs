//! Packages unpacked into a folder, read as if it were `/`.

use crate::apt::Package;
use crate::host::DPKG_DEB;
use crate::process::{Process, ProcessError};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use tempfile::TempDir;

/// As many links in one path as Linux follows.
const LINKS: usize = 40;

/// A tree of unpacked packages.
pub(crate) struct Root {
    folder: TempDir,
}

/// Why a file of a package could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// No room or no right to unpack.
    #[error("failed to make a folder to unpack packages into")]
    Folder(#[source] io::Error),
    /// A package does not unpack.
    #[error("failed to unpack {0}")]
    Unpack(String, #[source] ProcessError),
    /// A file that the recipe names is not in the packages.
    #[error("no package has /{0}, which the recipe names")]
    Absent(String),
    /// A file could not be read.
    #[error("failed to read /{path} of the packages")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Root {
    /// Unpacks packages, without running anything of them.
    pub(crate) fn unpack(packages: &[Package]) -> Result<Self, RootError> {
        let folder = TempDir::new().map_err(RootError::Folder)?;
        for package in packages {
            let unpack = Process::new(&DPKG_DEB).arg("-x").arg(&package.file).arg(folder.path());
            unpack.run().map_err(|source| RootError::Unpack(package.name.clone(), source))?;
        }
        // Releases after Debian 12 have everything in /usr only; the links are made on installation.
        for name in ["bin", "lib", "sbin"] {
            let (link, target) = (folder.path().join(name), Path::new("usr").join(name));
            if fs::symlink_metadata(&link).is_err() && folder.path().join(&target).is_dir() {
                std::os::unix::fs::symlink(&target, &link).map_err(RootError::Folder)?;
            }
        }
        Ok(Root { folder })
    }

    /// The folder on this computer. For programs that are told where the root is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where a path of the tree is on this computer, with links followed inside of the tree.
    pub(crate) fn resolve(&self, path: &str) -> Option<PathBuf> {
        let mut left = parts(Path::new(path));
        let (mut found, mut links) = (PathBuf::new(), 0);
        while let Some(part) = left.pop_front() {
            if part == ".." {
                found.pop();
                continue;
            }
            let next = found.join(&part);
            let here = self.path().join(&next);
            if fs::symlink_metadata(&here).ok()?.is_symlink() {
                links += 1;
                if links > LINKS {
                    return None;
                }
                let target = fs::read_link(&here).ok()?;
                if target.is_absolute() {
                    found = PathBuf::new();
                }
                for part in parts(&target).into_iter().rev() {
                    left.push_front(part);
                }
            } else {
                found = next;
            }
        }
        Some(self.path().join(found))
    }

    /// The content of a file.
    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, RootError> {
        let file = self.resolve(path).ok_or_else(|| RootError::Absent(path.to_owned()))?;
        fs::read(file).map_err(|source| RootError::Read { path: path.to_owned(), source })
    }

    /// The names in a folder, sorted; none if there is no such folder.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let entries = self.resolve(path).and_then(|folder| fs::read_dir(folder).ok());
        let names = entries.into_iter().flatten().filter_map(Result::ok);
        let mut names: Vec<_> = names.filter_map(|it| it.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_never_lead_out_of_the_tree() {
        let root = Root::unpack(&[]).unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("usr/lib")).unwrap();
        fs::create_dir_all(at("etc")).unwrap();
        fs::copy("/etc/passwd", at("usr/lib/own")).unwrap();
        symlink("usr/lib", at("lib")).unwrap();
        symlink("/lib/own", at("usr/absolute")).unwrap();
        symlink("../../../../usr/lib/own", at("usr/lib/up")).unwrap();
        symlink("/etc/passwd", at("out")).unwrap();
        symlink("round", at("round")).unwrap();

        let own = Some(at("usr/lib/own"));
        assert_eq!(
            ["lib/own", "usr/absolute", "lib/up"].map(|it| root.resolve(it)),
            [own.clone(), own.clone(), own]
        );
        assert_eq!(root.resolve("out"), None, "the computer's own file is out of reach");
        assert_eq!(root.resolve("round"), None);
        assert_eq!(
            root.read("out").unwrap_err().to_string(),
            "no package has /out, which the recipe names"
        );
    }
}
