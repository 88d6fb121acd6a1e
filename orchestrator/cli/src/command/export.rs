//! `run export`: a run as one file to give away, without its secrets and without what was on devices.

use super::resume::open;
use crate::args::Global;
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use flate2::Compression;
use flate2::write::GzEncoder;
use migos_engine::run::{RunDir, write_whole};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tar::{Builder, Header};

/// The only folder that goes along: the transcripts. `secrets`, `backups` and `data` stay.
const FOLDER: &str = "devices";

pub(super) fn run(
    name: &str,
    output: Option<&Path>,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let run = open(name, global)?;
    let output = output.map_or_else(|| PathBuf::from(format!("{name}.tar.gz")), Path::to_owned);
    let (archive, files) = archive(&run).map_err(|error| {
        Failure::internal(format!("failed to read {}", run.path().display()), &error)
    })?;
    // Addresses and serial numbers are in it: for its owner alone, until that gives it away.
    write_whole(&output, &archive, 0o600).or_fail(Kind::Internal)?;
    printer.say(&format!("{files} files of run {name} are in {}", output.display()));
    Ok(0)
}

fn archive(run: &RunDir) -> io::Result<(Vec<u8>, usize)> {
    let mut files = self::files(run.path())?;
    files.extend(self::files(&run.path().join(FOLDER))?);
    files.sort();
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for path in &files {
        let name = path.strip_prefix(run.path()).unwrap_or(path);
        // Read whole first: a run that goes on writes them meanwhile.
        let content = fs::read(path)?;
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, Path::new(&run.id().0).join(name), content.as_slice())?;
    }
    Ok((tar.into_inner()?.finish()?, files.len()))
}

/// The files of a folder; neither folders nor links.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_file() && name != "lock" && !is_unfinished(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// A file that is just being written.
fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "new")
}
