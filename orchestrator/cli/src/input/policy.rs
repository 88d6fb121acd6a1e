//! The policy: from the command line, from the inventory, or the default.

use super::{LoadedInventory, read_text};
use crate::failure::{Failure, Kind, OrFail};
use crate::wire;
use migos_inventory::{PolicyChoice, Problems};
use migos_playbooks::policy::{Policy, SHIPPED};
use std::path::Path;

/// The policy for an inventory; `chosen` is what the command line says.
pub(crate) fn policy(inventory: &LoadedInventory, chosen: Option<&str>) -> Result<Policy, Failure> {
    if let Some(name) = chosen {
        return named(Path::new("."), name);
    }
    match &inventory.fleet.settings.policy {
        None => named(&inventory.base, SHIPPED[0].0),
        Some(PolicyChoice::Named(name)) => named(&inventory.base, name),
        Some(PolicyChoice::Inline(node)) => {
            let settings = &inventory.fleet.settings;
            let file = settings.policy_file.as_deref().unwrap_or(&inventory.name);
            Policy::from_node(file, node).map_err(|problems| wrong(&problems))
        }
    }
}

/// The text of the policy for an inventory, which has been read without a problem.
pub(crate) fn text(
    inventory: Option<&LoadedInventory>,
    chosen: Option<&str>,
) -> Result<Option<String>, Failure> {
    let (base, name) = match (chosen, inventory) {
        (Some(name), _) => (Path::new("."), name),
        (None, None) => return Ok(None),
        (None, Some(inventory)) => match &inventory.fleet.settings.policy {
            None => (&*inventory.base, SHIPPED[0].0),
            Some(PolicyChoice::Named(name)) => (&*inventory.base, name.as_str()),
            Some(PolicyChoice::Inline(node)) => {
                return serde_yaml::to_string(node).map(Some).or_fail(Kind::Internal);
            }
        },
    };
    named(base, name)?;
    match Policy::shipped(name) {
        Some(text) => Ok(Some(text.to_owned())),
        None => read_text(&wire::resolve(base, name), "the policy").map(Some),
    }
}

/// A shipped policy, or a file whose path starts at this folder.
pub(crate) fn named(base: &Path, name: &str) -> Result<Policy, Failure> {
    if let Some(text) = Policy::shipped(name) {
        return Policy::parse(name, text).map_err(|problems| wrong(&problems));
    }
    let path = wire::resolve(base, name);
    let text = read_text(&path, "the policy").map_err(|failure| {
        let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        failure.hint(format!("name a file, or a shipped policy: {}", shipped.join(", ")))
    })?;
    Policy::parse(name, &text).map_err(|problems| wrong(&problems))
}

fn wrong(problems: &Problems) -> Failure {
    let count = problems.0.len();
    let word = if count == 1 { "problem" } else { "problems" };
    Failure::new(Kind::Input, format!("the policy has {count} {word}\n{problems}"))
}
