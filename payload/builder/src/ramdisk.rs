//! The ramdisk's tree: MIGOS as `/init`, busybox for those who log in, an SSH server, Wi-Fi, modules and
//! firmware.

use crate::apt::Package;
use crate::elf::{self, ElfError};
use crate::host::{XZ, ZSTD};
use crate::kernel::{self, Modules};
use crate::process::{Process, ProcessError};
use crate::recipe::{Compression, Recipe};
use crate::root::{Root, RootError};
use crate::tree::Tree;
use std::collections::BTreeSet;
use std::io;

const INIT: &str = "init";
const FIRMWARE: &str = "lib/firmware";

/// Where file systems are mounted and files are made while it runs.
const FOLDERS: [(&str, u32); 8] = [
    ("dev", 0o755),
    ("mnt", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("var", 0o755),
];

/// Nobody logs in with a password: dropbear wants root to be known and its shell to be one.
const TEXTS: [(&str, &str); 4] = [
    ("etc/passwd", "root:*:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
    ("etc/shells", "/bin/sh\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

/// Why there is no ramdisk.
#[derive(Debug, thiserror::Error)]
pub enum RamdiskError {
    /// A program or what it needs.
    #[error("failed to gather the programs")]
    Program(#[source] ElfError),
    /// A file of a package.
    #[error("failed to gather the firmware")]
    Firmware(#[source] RootError),
    /// A beginning that no name has.
    #[error(
        "no package has firmware whose name begins with {0}; correct `firmware:` in the recipe"
    )]
    NoFirmware(String),
    /// The compressor failed.
    #[error("failed to compress the ramdisk")]
    Compress(#[source] ProcessError),
    /// The compressor failed.
    #[error("failed to compress the ramdisk")]
    Gzip(#[source] io::Error),
}

/// What goes into a ramdisk.
pub(crate) struct Contents<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) root: &'a Root,
    pub(crate) packages: &'a [Package],
    /// One for each kernel.
    pub(crate) modules: &'a [Modules],
    pub(crate) program: Vec<u8>,
}

/// Lays out the tree.
pub(crate) fn tree(contents: Contents<'_>) -> Result<Tree, RamdiskError> {
    let Contents { recipe, root, packages, modules, program } = contents;
    let mut tree = Tree::default();
    for (path, mode) in FOLDERS {
        tree.folder(path, mode);
    }
    // The kernel opens it for /init before anything is mounted.
    tree.device("dev/console", 0o600, (5, 1));
    for (path, text) in TEXTS {
        tree.text(path, text);
    }
    tree.program(INIT, program);
    tree.link("bin/migos-ctl", &format!("/{INIT}"));
    let programs = elf::closure(root, recipe.architecture, &recipe.programs);
    for (path, content) in programs.map_err(RamdiskError::Program)? {
        tree.program(&path, content);
    }
    for applets in &recipe.applets {
        for name in &applets.names {
            tree.link(&format!("{}/{name}", applets.folder), "/bin/busybox");
        }
    }
    firmware(&mut tree, recipe, root)?;
    for (path, content) in modules.iter().flat_map(|modules| &modules.files) {
        tree.file(path, content.clone());
    }
    tree.text("etc/migos/modules", load_order(modules));
    tree.text("etc/migos/packages", listed(packages));
    Ok(tree)
}

fn firmware(tree: &mut Tree, recipe: &Recipe, root: &Root) -> Result<(), RamdiskError> {
    for beginning in &recipe.firmware {
        let (folder, start) = beginning.rsplit_once('/').unwrap_or(("", beginning));
        let names = root.names(&format!("{FIRMWARE}/{folder}"));
        let mut found = false;
        for name in names.iter().filter(|name| name.starts_with(start)) {
            // Links lead to the maker's later name for the same file: the content is what counts.
            let path = format!("{FIRMWARE}/{folder}/{name}");
            tree.file(&path, root.read(&path).map_err(RamdiskError::Firmware)?);
            found = true;
        }
        if !found {
            return Err(RamdiskError::NoFirmware(beginning.clone()));
        }
    }
    for (name, from) in &recipe.firmware_as {
        let content = root.read(&format!("{FIRMWARE}/{from}")).map_err(RamdiskError::Firmware)?;
        tree.file(&format!("{FIRMWARE}/{name}"), content);
    }
    Ok(())
}

/// Each name once: kernels of one recipe have most modules in common.
fn load_order(modules: &[Modules]) -> String {
    let mut seen = BTreeSet::new();
    let names = modules.iter().flat_map(|modules| &modules.order);
    names.filter(|name| seen.insert(*name)).map(|name| format!("{name}\n")).collect()
}

fn listed(packages: &[Package]) -> String {
    let line = |it: &Package| format!("{} {} {}\n", it.name, it.version, it.architecture);
    packages.iter().map(line).collect()
}

/// Compresses the archive as its kernels take it.
pub(crate) fn compress(archive: Vec<u8>, how: Compression) -> Result<Vec<u8>, RamdiskError> {
    let (tool, args): (_, &[&str]) = match how {
        Compression::Gzip => return kernel::gzip(&archive).map_err(RamdiskError::Gzip),
        // One thread: the result must not depend on how many there are.
        Compression::Zstd => (&ZSTD, &["-q", "-c", "-19", "--single-thread"]),
        // The kernel knows CRC32 only, and allocates the whole dictionary.
        Compression::Xz => {
            (&XZ, &["-q", "-c", "-T1", "--check=crc32", "--lzma2=preset=9e,dict=16MiB"])
        }
    };
    let said = Process::new(tool).args(args).run_with(archive).map_err(RamdiskError::Compress)?;
    // The firmware puts several files one behind the other, each at a multiple of four; the kernel skips zeros.
    let mut packed = said.out;
    packed.resize(packed.len().next_multiple_of(4), 0);
    Ok(packed)
}
