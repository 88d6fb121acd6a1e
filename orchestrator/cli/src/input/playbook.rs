//! The playbook: from the command line, from the inventory, or the built-in one.

use super::{LoadedInventory, read_text};
use crate::failure::{Failure, Kind, OrFail};
use crate::wire;
use migos_playbooks::playbook::Playbook;
use std::path::Path;

/// The playbook for an inventory; `chosen` is what the command line says.
pub(crate) fn playbook(
    inventory: &LoadedInventory,
    chosen: Option<&Path>,
) -> Result<Playbook, Failure> {
    match (chosen, &inventory.fleet.settings.playbook) {
        (Some(path), _) => file(path),
        (None, Some(name)) => file(&wire::resolve(&inventory.base, name)),
        (None, None) => Playbook::migrate().or_fail(Kind::Internal),
    }
}

/// A playbook in a file.
pub(crate) fn file(path: &Path) -> Result<Playbook, Failure> {
    let text = read_text(path, "the playbook")?;
    Playbook::parse(&path.display().to_string(), &text).map_err(|problems| {
        let count = problems.0.len();
        let word = if count == 1 { "problem" } else { "problems" };
        Failure::new(Kind::Input, format!("the playbook has {count} {word}\n{problems}"))
    })
}
