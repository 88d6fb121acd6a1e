//! `payload`: what is sent to devices.

mod build;

use crate::args::{Cache, PayloadCommand};
use crate::failure::{Failure, Kind};
use crate::printer::Printer;
use crate::wire;
use std::path::PathBuf;

pub(super) fn run(command: PayloadCommand, printer: Printer) -> Result<u8, Failure> {
    match command {
        PayloadCommand::Build(args) => build::run(&args, printer),
        _ => Ok(0),
    }
}

/// The folder that keeps packages.
fn cache(cache: &Cache) -> Result<PathBuf, Failure> {
    cache.cache.clone().or_else(wire::cache_folder).ok_or_else(|| {
        Failure::new(Kind::Usage, "there is no home folder to keep packages in")
            .hint("name a folder with --cache")
    })
}
