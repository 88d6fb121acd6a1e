//! What can be typed about payloads and images.

use super::Format;
use clap::{Args as ClapArgs, Subcommand};
use migos_inventory::Settings;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Get a balenaOS image from balena, checked and prepared while it comes
    Fetch(ImageFetch),
    /// Make of a balenaOS image what is sent: chunks that are verified one by one, and a manifest beside them
    Prepare(ImagePrepare),
    /// Tell what an image is, by its manifest and by what is in it: version, device type, partitions
    Inspect {
        /// The image
        file: PathBuf,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Check size, digest and device type of images against their manifests
    Verify {
        /// The images
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ImageFetch {
    /// The balena device type, such as raspberrypi4-64
    pub(crate) device_type: String,
    /// The version, such as 6.0.24 or 6.0.24+rev1; the latest is never one for development
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    pub(crate) version: String,
    /// The file to write, or the folder to write it into
    #[arg(short, long, value_name = "FILE|DIR", default_value = "images/")]
    pub(crate) output: PathBuf,
    /// The API to ask
    #[arg(long, value_name = "URL", default_value = Settings::BALENA_CLOUD)]
    pub(crate) api: String,
    /// The certificates of the API's own authority, as PEM, besides those that this computer trusts
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The environment variable that holds a token; public images need none
    #[arg(long, value_name = "NAME")]
    pub(crate) token_env: Option<String>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ImagePrepare {
    /// The image of a card, raw or packed by gzip; `-` reads standard input
    pub(crate) source: PathBuf,
    /// The file to write; its manifest stands beside it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Its balena device type, which the image may not contradict [default: what device-type.json in the image says]
    #[arg(long, value_name = "SLUG")]
    pub(crate) device_type: Option<String>,
    /// Its architecture: rpi, armv7hf or aarch64 [default: what device-type.json in the image says]
    #[arg(long, value_name = "NAME")]
    pub(crate) architecture: Option<String>,
    /// Its version, as the running system reports it [default: what os-release in the image says]
    #[arg(long, value_name = "VERSION")]
    pub(crate) os_version: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PayloadCommand {
    /// Build a payload from packages; needs no root
    Build(PayloadBuild),
    /// Make a tarball of a folder that has `manifest.json` and `migos/`
    Pack {
        /// The folder; its manifest's list of files is made anew
        dir: PathBuf,
        /// The tarball to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Tell what a tarball is: a payload, or a stock MIGOS of the original project
    Inspect {
        /// The tarball
        file: PathBuf,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Check every size and digest of payloads
    Verify {
        /// The tarballs
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Recipes that can be built, and what the cache holds
    List {
        #[command(flatten)]
        cache: Cache,
    },
    /// Empty the cache of packages
    Clean {
        #[command(flatten)]
        cache: Cache,
    },
    /// Lay a payload onto the boot partition of a card or of its image; needs no mount
    WriteCard {
        /// The payload
        payload: PathBuf,
        /// Image file of a card, or the card itself
        card: PathBuf,
        /// Name a device once more, to be sure that it is the one
        #[arg(long, value_name = "DEVICE")]
        device: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Cache {
    /// Folder that keeps packages from one build to the next [default: ~/.cache/migos-fleet]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct PayloadBuild {
    /// A built-in recipe (see `payload list`), or a file with one
    #[arg(long, value_name = "RECIPE", default_value = "debian-arm64")]
    pub(crate) recipe: String,
    /// The tarball to write [default: payloads/RECIPE.tgz]
    #[arg(short, long, visible_alias = "out", value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// An archive to use instead of this computer's own; NAME is the recipe's name for it
    #[arg(long, value_name = "[NAME=]URL")]
    pub(crate) mirror: Vec<String>,
    /// The keys that must have signed an archive, instead of the recipe's
    #[arg(long, value_name = "[NAME=]FILE")]
    pub(crate) keyring: Vec<String>,
    /// The ramdisk's program; built anew if left out inside the repository
    #[arg(long, value_name = "FILE")]
    pub(crate) ramdisk_program: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cache: Cache,
}
