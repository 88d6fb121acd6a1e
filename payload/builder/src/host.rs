//! What the computer that builds must have, and what installs it.

use crate::process;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A program of another package that this crate runs.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub program: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What it is needed for.
    pub purpose: Purpose,
}

/// What a program is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// `payload build`.
    Build,
    /// `payload build` inside the repository: the ramdisk's program.
    Ramdisk,
    /// `payload write-card`.
    Card,
}

const fn tool(program: &'static str, package: &'static str, purpose: Purpose) -> Tool {
    Tool { program, package, purpose }
}

pub(crate) static APT_GET: Tool = tool("apt-get", "apt", Purpose::Build);
pub(crate) static APT_CACHE: Tool = tool("apt-cache", "apt", Purpose::Build);
pub(crate) static APT_CONFIG: Tool = tool("apt-config", "apt", Purpose::Build);
pub(crate) static GPGV: Tool = tool("gpgv", "gpgv", Purpose::Build);
pub(crate) static DPKG_DEB: Tool = tool("dpkg-deb", "dpkg", Purpose::Build);
pub(crate) static DEPMOD: Tool = tool("depmod", "kmod", Purpose::Build);
pub(crate) static MODPROBE: Tool = tool("modprobe", "kmod", Purpose::Build);
pub(crate) static XZ: Tool = tool("xz", "xz-utils", Purpose::Build);
pub(crate) static ZSTD: Tool = tool("zstd", "zstd", Purpose::Build);
pub(crate) static SH: Tool = tool("sh", "dash", Purpose::Ramdisk);
static CARGO: Tool = tool("cargo", "rustup", Purpose::Ramdisk);
static ARM_GCC: Tool = tool("arm-linux-gnueabi-gcc", "gcc-arm-linux-gnueabi", Purpose::Ramdisk);
pub(crate) static MDIR: Tool = tool("mdir", "mtools", Purpose::Card);
pub(crate) static MCOPY: Tool = tool("mcopy", "mtools", Purpose::Card);
pub(crate) static MMD: Tool = tool("mmd", "mtools", Purpose::Card);
pub(crate) static MDELTREE: Tool = tool("mdeltree", "mtools", Purpose::Card);

/// Every program this crate may run.
static TOOLS: [&Tool; 16] = [
    &APT_GET,
    &APT_CACHE,
    &APT_CONFIG,
    &GPGV,
    &DPKG_DEB,
    &DEPMOD,
    &MODPROBE,
    &XZ,
    &ZSTD,
    &SH,
    &CARGO,
    &ARM_GCC,
    &MDIR,
    &MCOPY,
    &MMD,
    &MDELTREE,
];

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The program.
    pub tool: &'static Tool,
    /// Where it is; `None` if it is missing.
    pub found: Option<PathBuf>,
}

/// Looks for every program in these folders and where administrators' programs are.
pub fn examine(search: &[PathBuf]) -> Vec<Finding> {
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let search = [search, &more].concat();
    let finding =
        |tool: &&'static Tool| Finding { tool, found: process::find(tool.program, &search) };
    TOOLS.iter().map(finding).collect()
}

/// The command that installs what is missing; `None` if nothing is.
pub fn remedy(findings: &[Finding]) -> Option<String> {
    let missing = findings.iter().filter(|finding| finding.found.is_none());
    let packages: BTreeSet<_> = missing.map(|finding| finding.tool.package).collect();
    let packages: Vec<_> = packages.into_iter().collect();
    (!packages.is_empty()).then(|| format!("apt-get install {}", packages.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_installs_all_that_is_missing() {
        let findings = TOOLS.map(|tool| Finding { tool, found: None });
        insta::assert_snapshot!(
            remedy(&findings).unwrap_or_default(),
            @"apt-get install apt dash dpkg gcc-arm-linux-gnueabi gpgv kmod mtools rustup xz-utils zstd"
        );
        let found = |tool| Finding { tool, found: Some(PathBuf::from("/usr/bin/it")) };
        assert_eq!(remedy(&TOOLS.map(found)), None);
    }
}
