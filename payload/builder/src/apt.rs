//! Packages by apt, with a configuration of its own: another architecture and other archives than the
//! computer's, and nothing of the computer's is changed.
//!
//! apt verifies the archives' signatures and follows their digests down to each index; the digest of every
//! package is then compared here once more, since files may lie in the cache for long.

use crate::cache::Cache;
use crate::host::{APT_CACHE, APT_CONFIG, APT_GET};
use crate::process::{Process, ProcessError};
use crate::source::Archive;
use migos_payload::board::Architecture;
use migos_payload::digest::Sha256;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A package that has been fetched, and whose content is the archive's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) architecture: String,
    pub(crate) file: PathBuf,
}

/// Why packages could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    /// The cache's folder cannot be written.
    #[error("failed to prepare {}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive is not signed, or not by the keys it must be signed by, or cannot be reached.
    #[error("the archive {0} cannot be trusted or reached")]
    Update(String, #[source] ProcessError),
    /// Packages, or something they depend on, are not in the archives.
    #[error("failed to find all packages")]
    Resolve(#[source] ProcessError),
    /// A package is not in the archives.
    #[error("the archives have no package {0} for {1}")]
    NoPackage(String, Architecture),
    /// A download failed.
    #[error("failed to fetch packages")]
    Fetch(#[source] ProcessError),
    /// A fetched file is not what the archive says.
    #[error("{} is not what the archive says it is; delete it and try again", .0.display())]
    Damaged(PathBuf),
}

/// apt with archives and an architecture of its own.
pub(crate) struct Apt {
    config: TempDir,
    archives: PathBuf,
    architecture: Architecture,
}

/// What no configuration of the computer may take back.
const STRICT: &[&str] = &[
    "-oAPT::Get::AllowUnauthenticated=false",
    "-oAcquire::AllowInsecureRepositories=false",
    "-oAcquire::AllowWeakRepositories=false",
    "-oAcquire::AllowDowngradeToInsecureRepositories=false",
    // A source that fails is no reason to go on with the others, or with what was there last time.
    "-oAPT::Update::Error-Mode=any",
];

impl Apt {
    /// Reads the archives' indexes anew; `cache` keeps indexes and packages.
    pub(crate) fn update(
        cache: &Cache,
        architecture: Architecture,
        archives: &[Archive],
    ) -> Result<Self, AptError> {
        let apt = Apt::configure(cache, architecture, archives)?;
        let update = apt.process(&APT_GET).args(["-q", "update"]).run();
        let names: Vec<_> =
            archives.iter().map(|it| format!("{} {}", it.mirror, it.suite)).collect();
        update.map_err(|source| AptError::Update(names.join(", "), source))?;
        Ok(apt)
    }

    #[expect(clippy::disallowed_methods, reason = "a configuration that nobody else reads")]
    fn configure(
        cache: &Cache,
        architecture: Architecture,
        archives: &[Archive],
    ) -> Result<Self, AptError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| AptError::Folder { path, source }
        };
        let config = TempDir::new().map_err(failed(&std::env::temp_dir()))?;
        let here = config.path();
        // Lists of two architectures or recipes do not mix: their names could be the same.
        let absolute = |path: PathBuf| std::path::absolute(&path).map_err(failed(&path));
        let lists = absolute(cache.indexes().join(architecture.to_string()))?;
        let packages = absolute(cache.packages())?;
        for folder in [&lists.join("partial"), &packages.join("partial"), &here.join("none")] {
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        let mut sources = String::new();
        for (number, archive) in archives.iter().enumerate() {
            // apt tells the form of a keyring by the ending of its name.
            let ending = archive.keyring.extension().unwrap_or("gpg".as_ref());
            let keyring = here.join(format!("keyring-{number}")).with_extension(ending);
            fs::copy(&archive.keyring, &keyring).map_err(failed(&archive.keyring))?;
            sources += &format!(
                "deb [signed-by={}] {} {} {}\n",
                keyring.display(),
                archive.mirror,
                archive.suite,
                archive.components.join(" ")
            );
        }
        let text = text(here, &lists, &packages, architecture) + &proxies();
        for (name, text) in [("sources.list", &*sources), ("status", ""), ("apt.conf", &*text)] {
            let path = here.join(name);
            fs::write(&path, text).map_err(failed(&path))?;
        }
        Ok(Apt { config, archives: packages, architecture })
    }

    fn process(&self, tool: &'static crate::host::Tool) -> Process {
        Process::new(tool).env("APT_CONFIG", self.config.path().join("apt.conf")).args(STRICT)
    }

    /// The package of a kernel's image: this one, or the `linux-image-…` that it depends on.
    pub(crate) fn kernel(&self, package: &str) -> Result<String, AptError> {
        let said = self.process(&APT_CACHE).args(["depends", "--no-recommends", package]).run();
        let text =
            said.map_err(|_| AptError::NoPackage(package.to_owned(), self.architecture))?.text();
        let depends = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        let image = depends.map(str::trim).find(|name| name.starts_with("linux-image-"));
        Ok(image.unwrap_or(package).to_owned())
    }

    /// Fetches packages with all that they depend on.
    pub(crate) fn fetch_closure(&self, packages: &[String]) -> Result<Vec<Package>, AptError> {
        let said = self
            .process(&APT_GET)
            .args(["-q", "--simulate", "--no-install-recommends", "install"])
            .args(packages)
            .run()
            .map_err(AptError::Resolve)?;
        let names: Vec<_> = said.text().lines().filter_map(installed).collect();
        self.fetch(&names)
    }

    /// Fetches these packages and nothing else.
    pub(crate) fn fetch(&self, names: &[String]) -> Result<Vec<Package>, AptError> {
        let described = self.described(names)?;
        let whole =
            |(package, digest): &&(Package, Sha256)| digest_of(&package.file) == Some(*digest);
        let missing: Vec<_> = described.iter().filter(|it| !whole(it)).collect();
        if !missing.is_empty() {
            for (package, _) in &missing {
                // apt takes a file of the right size for the right one.
                let _ = fs::remove_file(&package.file);
            }
            let exact = missing.iter().map(|(it, _)| format!("{}={}", it.name, it.version));
            let download = self.process(&APT_GET).args(["-q", "download"]).args(exact);
            download.folder(&self.archives).run().map_err(AptError::Fetch)?;
        }
        match missing.into_iter().find(|it| !whole(it)) {
            Some((package, _)) => Err(AptError::Damaged(package.file.clone())),
            None => Ok(described.into_iter().map(|(package, _)| package).collect()),
        }
    }

    /// What the signed indexes say of these packages.
    fn described(&self, names: &[String]) -> Result<Vec<(Package, Sha256)>, AptError> {
        let show = self.process(&APT_CACHE).args(["show", "--no-all-versions"]).args(names);
        let text = show.attempt(Vec::new()).map_err(AptError::Resolve)?.text();
        let mut found = BTreeMap::new();
        for paragraph in text.split("\n\n") {
            if let Some((package, digest)) = self.paragraph(paragraph) {
                found.insert(package.name.clone(), (package, digest));
            }
        }
        let of = |name: &String| {
            found
                .get(name)
                .cloned()
                .ok_or_else(|| AptError::NoPackage(name.clone(), self.architecture))
        };
        names.iter().map(of).collect()
    }

    fn paragraph(&self, text: &str) -> Option<(Package, Sha256)> {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
        };
        let (name, version) = (field("Package")?.to_owned(), field("Version")?.to_owned());
        let architecture = field("Architecture")?.to_owned();
        // As apt itself calls a file in its cache.
        let file = format!("{name}_{}_{architecture}.deb", version.replace(':', "%3a"));
        let digest = field("SHA256")?.parse().ok()?;
        let file = self.archives.join(file);
        Some((Package { name, version, architecture, file }, digest))
    }
}

fn digest_of(path: &Path) -> Option<Sha256> {
    fs::read(path).ok().map(|bytes| Sha256::of(&bytes))
}

/// The package of a line such as `Inst zlib1g (1:1.2.13.dfsg-1 Debian:12.1/stable [arm64])`.
fn installed(line: &str) -> Option<String> {
    let name = line.strip_prefix("Inst ")?.split(' ').next()?;
    Some(name.split(':').next()?.to_owned())
}

/// The whole configuration: the computer's own is not read.
fn text(here: &Path, lists: &Path, packages: &Path, architecture: Architecture) -> String {
    let (here, lists, packages) = (here.display(), lists.display(), packages.display());
    format!(
        "Dir::State \"{here}\";\n\
         Dir::State::lists \"{lists}\";\n\
         Dir::State::status \"{here}/status\";\n\
         Dir::Cache \"{here}\";\n\
         Dir::Cache::archives \"{packages}\";\n\
         Dir::Etc::main \"/dev/null\";\n\
         Dir::Etc::parts \"{here}/none\";\n\
         Dir::Etc::sourcelist \"{here}/sources.list\";\n\
         Dir::Etc::sourceparts \"{here}/none\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"{here}/none\";\n\
         Dir::Etc::trusted \"/dev/null\";\n\
         Dir::Etc::trustedparts \"{here}/none\";\n\
         APT::Architecture \"{architecture}\";\n\
         APT::Architectures {{ \"{architecture}\"; }};\n\
         APT::Install-Recommends \"false\";\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"3\";\n"
    )
}

/// The way out of the computer's network is the one thing that is taken over from its configuration.
fn proxies() -> String {
    let said = Process::new(&APT_CONFIG).args(["dump", "Acquire::http", "Acquire::https"]).run();
    said.map(|said| said.text()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_from_a_rehearsal() {
        let lines = [
            "Inst zlib1g (1:1.2.13.dfsg-1 Debian:12.1/stable [arm64])",
            "Inst gcc-12-base:arm64 (12.2.0-14 Debian [arm64])",
            "Conf zlib1g (1:1.2.13.dfsg-1 Debian:12.1/stable [arm64])",
        ];
        let names = lines.map(installed);
        assert_eq!(names, [Some("zlib1g".into()), Some("gcc-12-base".into()), None]);
    }
}
