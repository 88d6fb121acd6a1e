//! Requirements: what a device must be like before anything is done to it.
//!
//! Each requirement is one small pure function in the file of its subject. It says nothing where all is
//! well, and else gives a [`Finding`]: the reason with its evidence, and the remedy. All of them are
//! asked, so that a person sees everything at once.

mod balena;
mod board;
mod boot;
mod card;
pub(crate) mod firmware;
pub(crate) mod network;
pub(crate) mod room;

use crate::balena::BalenaFleet;
use crate::facts::Facts;
use crate::plan::{Class, Finding, Handover, Update};
use crate::policy::{Allow, Prove, Strategy};
use migos_inventory::Device;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use std::collections::BTreeSet;

/// A device with everything that was chosen for it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What the inventory says of it.
    pub device: &'a Device,
    /// What was found on it.
    pub facts: &'a Facts,
    /// The payload chosen for it; `None` if none fits.
    pub payload: Option<&'a Manifest>,
    /// The image chosen for it; `None` if none fits.
    pub image: Option<&'a ImageManifest>,
    /// Its balena fleet; `None` if balena has no such fleet.
    pub fleet: Option<&'a BalenaFleet>,
    /// How it may boot MIGOS, by the policy.
    pub switch: Switch<'a>,
    /// Who gives it the commit; `None` if its bastion has no port left for it.
    pub handover: Option<&'a Handover>,
}

/// How devices may boot MIGOS, by the policy.
#[derive(Debug, Clone, Copy)]
pub struct Switch<'a> {
    /// The strategy.
    pub strategy: Strategy,
    /// Whether one-shot boot is proven first.
    pub prove: Prove,
    /// Parts of the names of classes that may have their `config.txt` rewritten.
    pub allow_rewrite: &'a [String],
    /// Parts of the names of classes that may have their firmware updated.
    pub allow_update: &'a [String],
    /// Parts of the names of classes that may be sent the image while the card is written.
    pub allow_streaming: &'a [String],
    /// Refusals that a person has overruled.
    pub allow: &'a BTreeSet<Allow>,
}

/// One requirement.
type Requirement = fn(&Candidate<'_>) -> Option<Finding>;

impl Switch<'_> {
    /// True if a device of this class may have its `config.txt` rewritten.
    pub fn may_rewrite(&self, class: &Class) -> bool {
        is_named(class, self.allow_rewrite)
    }

    /// True if a device of this class may have its firmware updated.
    pub fn may_update(&self, class: &Class) -> bool {
        is_named(class, self.allow_update)
    }

    /// True if a device of this class may be sent the image while the card is written.
    pub fn may_stream(&self, class: &Class) -> bool {
        is_named(class, self.allow_streaming)
    }

    /// True if one-shot boot is proven before it is used; firmware that was updated always is.
    pub fn is_proven(&self, update: Option<&Update>) -> bool {
        self.prove != Prove::Never || update.is_some()
    }
}

fn is_named(class: &Class, parts: &[String]) -> bool {
    let name = class.to_string();
    parts.iter().any(|part| name.contains(part.as_str()))
}

/// All requirements, in the order in which a person would look.
const ALL: &[Requirement] = &[
    board::has_a_serial_number,
    board::runs_a_known_system,
    board::has_a_payload,
    board::has_a_kernel_that_restarts,
    room::has_memory,
    board::has_enough_power,
    boot::has_a_boot_partition,
    boot::has_fat_there,
    boot::boots_from_the_first_partition,
    boot::has_a_clean_boot_partition,
    boot::has_room_there,
    boot::is_used_by_nobody_else,
    boot::has_finished_its_first_boot,
    boot::takes_unsigned_boot_files,
    boot::has_no_settings_in_eeprom,
    firmware::can_be_switched,
    boot::has_a_plain_configuration,
    card::boots_from_a_card,
    card::keeps_what_is_written,
    card::has_a_plain_root,
    room::has_room_on_the_card,
    card::is_large_enough,
    network::is_on_ethernet,
    network::has_its_address_from_dhcp,
    network::is_reached_without_raspbian,
    network::has_a_port_at_its_bastion,
    balena::may_lose_its_data,
    balena::has_a_fleet,
    balena::has_an_image,
    balena::fits_the_fleet,
];

pub use firmware::after_update;

/// Holds a device against all requirements; nothing is found where it can be migrated.
pub fn findings(candidate: &Candidate<'_>) -> Vec<Finding> {
    ALL.iter().filter_map(|requirement| requirement(candidate)).collect()
}

fn finding(reason: impl Into<String>, remedy: impl Into<String>) -> Option<Finding> {
    Some(Finding { reason: reason.into(), remedy: remedy.into() })
}

#[cfg(test)]
pub(crate) mod sample;
