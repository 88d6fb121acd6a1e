//! Payloads: read whole and verified, once, and shared by all devices.

use crate::failure::{Failure, Kind};
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SUFFIXES: [&str; 2] = [".tar.gz", ".tgz"];

/// Payloads by digest, with the files they came from.
pub(crate) type Payloads = BTreeMap<Sha256, (PathBuf, Arc<VerifiedPayload>)>;

/// Reads a payload, or all payloads of a folder.
pub(crate) fn payloads(path: &Path) -> Result<Payloads, Failure> {
    let wrong = |error: &io::Error| {
        let what = format!("failed to read the payloads in {}", path.display());
        Failure::at(Kind::Input, what, error).hint("correct `payloads:` in the inventory")
    };
    let mut files = Vec::new();
    if fs::metadata(path).map_err(|error| wrong(&error))?.is_dir() {
        for entry in fs::read_dir(path).map_err(|error| wrong(&error))? {
            let file = entry.map_err(|error| wrong(&error))?.path();
            let name = file.to_string_lossy();
            if SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    if files.is_empty() {
        let what = format!("{} holds no payload (*.tar.gz)", path.display());
        return Err(Failure::new(Kind::Input, what).hint("correct `payloads:` in the inventory"));
    }
    let mut payloads = Payloads::new();
    for file in files {
        let failed = |error: &dyn std::error::Error| {
            let what = format!("the payload {} cannot be used", file.display());
            Failure::at(Kind::Input, what, error).hint("get it again: it may be damaged")
        };
        let tarball = fs::read(&file).map_err(|error| failed(&error))?;
        let payload = VerifiedPayload::read(&tarball).map_err(|error| failed(&error))?;
        payloads.insert(payload.digest(), (file, Arc::new(payload)));
    }
    Ok(payloads)
}
