//! Builds, packs and inspects payloads, and prepares images.
//!
//! A payload is built from a *recipe*: which archives, which packages, and what of them. Nothing of the
//! packages is run, so any computer with apt can build for any board, without root.
//!
//! ```text
//! recipe.rs    what is wanted, as data (recipes/*.yaml)
//! source.rs    where the archives are: this computer's apt sources, or --mirror
//! apt.rs       packages, verified against the archives' keys      -> .deb files
//! root.rs      unpacked, read as if they were a root file system
//! kernel.rs    image, device trees, modules with what they need
//! elf.rs       programs with the libraries they need
//! program.rs   MIGOS itself
//! ramdisk.rs   all of it as a tree        tree.rs   the tree as the kernel unpacks it
//! build.rs     the whole way, to a tarball that is the same from the same packages
//! ```
//!
//! [`prepare_image`] makes of an operating system image what is sent to devices.
//!
//! [`pack`] makes a tarball of a folder, [`inspect`] tells what a tarball is, and [`write_card`] lays a payload onto
//! a card. [`host`] knows which programs of this computer all that needs. Nothing is printed: whoever
//! builds gives a function that is told of the [`Progress`].

mod apt;
mod build;
mod cache;
mod card;
mod elf;
pub mod host;
mod image;
mod inspect;
mod kernel;
mod pack;
mod process;
mod program;
mod progress;
mod ramdisk;
mod recipe;
mod root;
mod source;
mod tree;

pub use apt::AptError;
pub use build::{BuildError, Built, Order, Room, build};
pub use cache::{Cache, CacheError};
pub use card::{CardError, write_card};
pub use elf::ElfError;
pub use image::{
    Content, LayoutError, Look, LookError, Partition, PrepareError, Told, look as look_into_image,
    prepare as prepare_image,
};
pub use inspect::{Generation, Initrd, InspectError, Inspected, Stock, inspect};
pub use kernel::KernelError;
pub use pack::{PackError, pack};
pub use process::ProcessError;
pub use program::{ProgramError, build as build_program};
pub use progress::Progress;
pub use ramdisk::RamdiskError;
pub use recipe::{Applets, Compression, Files, Kernel, Recipe, RecipeError, Source};
pub use root::RootError;
pub use source::{Chosen, SourceError};
