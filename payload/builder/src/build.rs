//! From a recipe to a tarball.

use crate::apt::{Apt, AptError, Package};
use crate::cache::Cache;
use crate::kernel::{Kernel, KernelError, Modules};
use crate::program::{self, ProgramError};
use crate::progress::Progress;
use crate::ramdisk::{self, Contents, RamdiskError};
use crate::recipe::Recipe;
use crate::root::{Root, RootError};
use crate::source::{self, Chosen, SourceError};
use crate::tree::Tree;
use migos_contract::boot_path;
use migos_payload::archive::{self, ArchiveError};
use migos_payload::digest::Sha256;
use migos_payload::manifest::{File, MANIFEST_SCHEMA, Manifest};
use migos_payload::size::ByteCount;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Makes the firmware look for overlays beside it, and not among Raspbian's.
const README: &str = "overlays/README";
const README_TEXT: &str = "Overlays of MIGOS. The firmware looks here because of this file.\n";

/// What the kernel, its programs and the image's pieces in flight take beside the ramdisk, in bytes.
const WORKING_MEMORY: u64 = 96 << 20;
/// Minimum memory is rounded up to this, in bytes.
const MEMORY_STEP: u64 = 16 << 20;

/// What is to be built.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// Mirrors and keyrings other than the computer's own.
    pub chosen: &'a Chosen,
    /// The ramdisk's program, static and for the recipe's architecture.
    pub program: &'a Path,
    /// The folder that keeps indexes and packages from one build to the next.
    pub cache: &'a Cache,
    /// The version of MIGOS.
    pub version: &'a str,
}

/// A payload that has been built.
#[derive(Debug, Clone)]
pub struct Built {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its tarball.
    pub tarball: Vec<u8>,
    /// What takes the room.
    pub room: Vec<Room>,
    /// Its packages, each with its version.
    pub packages: Vec<String>,
}

/// How much room a part takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The part; what is inside of the ramdisk is set off by two spaces.
    pub part: String,
    /// Its bytes; inside of the ramdisk before compression.
    pub size: ByteCount,
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The archives are not known.
    #[error("failed to find the archives of the recipe {0}")]
    Sources(String, #[source] SourceError),
    /// Packages could not be had.
    #[error("failed to get the packages of the recipe {0}")]
    Packages(String, #[source] AptError),
    /// A package does not unpack.
    #[error("failed to unpack the packages")]
    Unpack(#[source] RootError),
    /// A kernel could not be used.
    #[error("failed to take the kernel out of {0}")]
    Kernel(String, #[source] KernelError),
    /// The ramdisk's own program could not be used.
    #[error("failed to put the program into the ramdisk")]
    Program(#[source] ProgramError),
    /// The ramdisk could not be made.
    #[error("failed to make the ramdisk")]
    Ramdisk(#[source] RamdiskError),
    /// The tarball could not be packed.
    #[error("failed to pack the payload")]
    Pack(#[source] ArchiveError),
    /// It does not fit onto the cards it is for.
    #[error(
        "the payload takes {size}, {limit} are allowed: {largest}; drop modules, firmware or programs from the recipe, or compress with xz"
    )]
    TooLarge {
        /// All files.
        size: ByteCount,
        /// The recipe's limit.
        limit: ByteCount,
        /// What takes the room.
        largest: String,
    },
}

/// What the packages gave.
struct Gathered {
    files: BTreeMap<String, Arc<[u8]>>,
    tree: Tree,
    packages: Vec<Package>,
}

/// Builds a payload: the same bytes from the same packages and the same program.
///
/// # Errors
/// [`BuildError`], which says what was missing, where, and what helps.
pub fn build(order: Order<'_>, progress: &mut dyn FnMut(Progress)) -> Result<Built, BuildError> {
    let recipe = order.recipe;
    // The cheapest mistakes first: nothing is fetched for a program that cannot be used.
    let program = program::read(order.program, recipe.architecture).map_err(BuildError::Program)?;
    let Gathered { mut files, tree, packages } = gather(order, program, progress)?;
    progress(Progress::Ramdisk { files: tree.paths().count() });
    let archive = tree.cpio();
    let unpacked = archive.len() as u64;
    let ramdisk = ramdisk::compress(archive, recipe.compression).map_err(BuildError::Ramdisk)?;
    let held = unpacked + ramdisk.len() as u64 + largest_kernel(&files, recipe);
    files.insert(boot_path::INITRD.to_owned(), ramdisk.into());

    progress(Progress::Pack);
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        version: order.version.to_owned(),
        architecture: recipe.architecture,
        boards: recipe.boards.clone(),
        restart: recipe.restart,
        minimum_memory: ByteCount((held + WORKING_MEMORY).next_multiple_of(MEMORY_STEP)),
        files: files.iter().map(listed).collect(),
    };
    let room = room(&files, &tree);
    let size: ByteCount = manifest.files.iter().map(|file| file.size).sum();
    if size.0 > recipe.limit {
        let largest: Vec<_> =
            room.iter().map(|room| format!("{} {}", room.part.trim(), room.size)).collect();
        let limit = ByteCount(recipe.limit);
        return Err(BuildError::TooLarge { size, limit, largest: largest.join(", ") });
    }
    let tarball = archive::pack(&manifest, &files).map_err(BuildError::Pack)?;
    let packages = packages.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
    Ok(Built { manifest, tarball, room, packages })
}

fn gather(
    order: Order<'_>,
    program: Vec<u8>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Gathered, BuildError> {
    let recipe = order.recipe;
    let name = || recipe.name.clone();
    let failed = |source| BuildError::Packages(name(), source);
    let archives = source::find(&recipe.sources, order.chosen)
        .map_err(|source| BuildError::Sources(name(), source))?;
    progress(Progress::Update {
        archives: archives.iter().map(|it| format!("{} {}", it.mirror, it.suite)).collect(),
    });
    let apt = Apt::update(order.cache, recipe.architecture, &archives).map_err(failed)?;
    progress(Progress::Fetch { what: recipe.packages.join(", ") });
    let mut packages = apt.fetch_closure(&recipe.packages).map_err(failed)?;
    let root = Root::unpack(&packages).map_err(BuildError::Unpack)?;

    let mut files = BTreeMap::new();
    let mut modules: Vec<Modules> = Vec::new();
    for (number, wanted) in recipe.kernels.iter().enumerate() {
        let failed_kernel = |source| BuildError::Kernel(wanted.package.clone(), source);
        let image = apt.kernel(&wanted.package).map_err(failed)?;
        progress(Progress::Fetch { what: image.clone() });
        let fetched = apt.fetch(&[image]).map_err(failed)?;
        let root = Root::unpack(&fetched).map_err(BuildError::Unpack)?;
        packages.extend(fetched);
        let kernel = Kernel::find(&root, &wanted.package).map_err(failed_kernel)?;
        progress(Progress::Kernel { release: kernel.release.clone() });
        let image: Arc<[u8]> = kernel.image(wanted).map_err(failed_kernel)?.into();
        files.extend(wanted.names.iter().map(|name| (name.clone(), Arc::clone(&image))));
        if number == 0 {
            let trees = kernel.files(&recipe.device_trees).map_err(failed_kernel)?;
            files.extend(trees.into_iter().map(|(name, bytes)| (name, bytes.into())));
            let overlays = recipe.overlays.as_ref().map(|it| kernel.files(it)).transpose();
            let overlays = overlays.map_err(failed_kernel)?.into_iter().flatten();
            files.extend(overlays.map(|(name, it)| (format!("overlays/{name}"), it.into())));
        }
        modules.push(kernel.modules(&recipe.modules).map_err(failed_kernel)?);
    }
    files.insert(README.to_owned(), Arc::from(README_TEXT.as_bytes()));
    packages.sort();
    packages.dedup();
    let contents =
        Contents { recipe, root: &root, packages: &packages, modules: &modules, program };
    let tree = ramdisk::tree(contents).map_err(BuildError::Ramdisk)?;
    Ok(Gathered { files, tree, packages })
}

fn largest_kernel(files: &BTreeMap<String, Arc<[u8]>>, recipe: &Recipe) -> u64 {
    let names = recipe.kernels.iter().flat_map(|kernel| &kernel.names);
    names.filter_map(|name| files.get(name)).map(|it| it.len() as u64).max().unwrap_or(0)
}

/// A file as the manifest lists it.
pub(crate) fn listed((path, bytes): (&String, &Arc<[u8]>)) -> File {
    let size = ByteCount(bytes.len() as u64);
    File { path: path.clone(), size, sha256: Sha256::of(bytes) }
}

fn room(files: &BTreeMap<String, Arc<[u8]>>, tree: &Tree) -> Vec<Room> {
    let total = |part: &str, wanted: &dyn Fn(&str) -> bool| {
        let sizes = files.iter().filter(|(path, _)| wanted(path)).map(|(_, it)| it.len() as u64);
        Room { part: part.to_owned(), size: ByteCount(sizes.sum()) }
    };
    let inside = |part: &str, beginnings: &[&str]| {
        let bytes = beginnings.iter().map(|beginning| tree.bytes_under(beginning)).sum();
        Room { part: format!("  {part}"), size: ByteCount(bytes) }
    };
    let kernel = |path: &str| path.starts_with("kernel");
    let ramdisk = |path: &str| path == boot_path::INITRD;
    vec![
        total("kernels", &kernel),
        total("device trees and overlays", &|path| !kernel(path) && !ramdisk(path)),
        total("ramdisk", &ramdisk),
        inside("MIGOS", &["init"]),
        inside("modules, before compression", &["lib/modules/"]),
        inside("firmware, before compression", &["lib/firmware/"]),
        inside("libraries, before compression", &["lib/ld-", "lib/lib"]),
        inside("programs, before compression", &["bin/", "sbin/", "usr/"]),
    ]
}
