//! Reads what the user wrote or named: the pure crates get strings and bytes, and open no file.

mod ansible_cfg;
mod image;
mod inventory;
mod keyfile;
mod limit;
mod payload;
mod playbook;
mod policy;
mod preset;
mod saved;
mod settings;
mod source;
mod ssh_config;
mod variables;

pub(crate) use ansible_cfg::Asks;
pub(crate) use image::{image, image_manifest, images};
pub(crate) use inventory::LoadedInventory;
pub(crate) use keyfile::{LoadedKeyfile, keyfiles};
pub(crate) use limit::{asks_for_states, with_files, with_names};
pub(crate) use payload::payloads;
pub(crate) use playbook::{file as playbook_file, playbook};
pub(crate) use policy::{named as named_policy, policy, text as policy_text};
pub(crate) use preset::{preset_policy, with_presets};
pub(crate) use saved::{Sources, facts, plan, records};

use crate::failure::{Failure, Kind};
use std::path::Path;

/// Reads a text file that the user named.
fn read_text(path: &Path, what: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let failed = format!("failed to read {what} {}", path.display());
        Failure::at(Kind::Input, failed, &error)
    })
}
