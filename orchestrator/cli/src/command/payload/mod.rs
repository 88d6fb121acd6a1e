//! `payload`: what is sent to devices.

mod build;
mod inspect;
mod store;

use crate::args::{Cache, PayloadCommand};
use crate::failure::{Failure, Kind};
use crate::printer::Printer;
use crate::wire;
use migos_engine::run::write_whole;
use migos_payload::manifest::Manifest;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn run(command: PayloadCommand, printer: Printer) -> Result<u8, Failure> {
    match command {
        PayloadCommand::Build(args) => build::run(&args, printer),
        PayloadCommand::Pack { dir, output } => store::pack(&dir, &output, printer),
        PayloadCommand::Inspect { file, format } => inspect::run(&file, format, printer),
        PayloadCommand::Verify { files } => inspect::verify(&files, printer),
        PayloadCommand::List { cache: folder } => store::list(&cache(&folder)?, printer),
        PayloadCommand::Clean { cache: folder } => store::clean(&cache(&folder)?, printer),
        PayloadCommand::WriteCard { payload, card, device } => {
            store::write_card(&payload, &card, device.as_deref(), printer)
        }
    }
}

/// The folder that keeps packages.
fn cache(cache: &Cache) -> Result<PathBuf, Failure> {
    cache.cache.clone().or_else(wire::cache_folder).ok_or_else(|| {
        Failure::new(Kind::Usage, "there is no home folder to keep packages in")
            .hint("name a folder with --cache")
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let what = || format!("failed to read {}", file.display());
    fs::read(file).map_err(|error| Failure::at(Kind::Input, what(), &error))
}

fn write(output: &Path, tarball: &[u8]) -> Result<(), Failure> {
    let what = || format!("failed to write {}", output.display());
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).map_err(|error| Failure::at(Kind::Input, what(), &error))?;
    }
    write_whole(output, tarball, 0o644).map_err(|error| Failure::at(Kind::Input, what(), &error))
}

/// The boards of a manifest for people.
fn boards(manifest: &Manifest) -> String {
    manifest.boards.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
