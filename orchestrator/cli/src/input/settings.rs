//! Files of settings around the inventories: the system's, the person's, and the one beside the inventory.

use crate::failure::{Failure, Kind};
use crate::wire;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Settings for everybody on this computer.
const SYSTEM: &str = "/etc/migos/fleet.yaml";

/// Settings of one person, in their folder of settings.
const PERSON: &str = "migos/fleet.yaml";

/// Settings of a project, in the folder of its inventory.
pub(super) const BESIDE: &str = "migos.yaml";

/// A file of settings that was found.
#[derive(Debug)]
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Finds and reads the files of settings for inventories in this folder, the lowest first.
///
/// `base` is the folder's whole path, `shown` the folder as the user named it. What is an inventory itself is not read
/// a second time.
pub(super) fn read(
    base: &Path,
    shown: &Path,
    inventories: &[PathBuf],
) -> Result<Vec<SettingsFile>, Failure> {
    let person = wire::settings_folder().map(|folder| folder.join(PERSON));
    let beside = match shown == Path::new(".") {
        true => PathBuf::from(BESIDE),
        false => shown.join(BESIDE),
    };
    let named = [Some(PathBuf::from(SYSTEM)), person, Some(beside)];
    let mut found: Vec<SettingsFile> = Vec::new();
    for path in named.into_iter().flatten() {
        let whole = same(&path, base);
        let is_inventory = inventories.iter().any(|inventory| same(inventory, base) == whole);
        if is_inventory || found.iter().any(|file| same(&file.path, base) == whole) {
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => found.push(SettingsFile { path, text }),
            // A folder that cannot be there has no file either.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                let failed = format!("failed to read the settings {}", path.display());
                return Err(Failure::at(Kind::Input, failed, &error));
            }
        }
    }
    Ok(found)
}

/// One path for one file.
fn same(path: &Path, base: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| base.join(path))
}
