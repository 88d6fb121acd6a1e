//! What a device will be on balena.

use crate::plan::DevicePlan;
use migos_inventory::{DeviceId, FleetSlug, SystemSettings, ValueSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tag that has a device's old host name.
pub const TAG_HOSTNAME: &str = "migos.hostname";
/// The tag that has its board's serial number.
pub const TAG_SERIAL: &str = "migos.serial";
/// The tag that has the run which registered it.
pub const TAG_RUN: &str = "migos.run";
/// The tag that has the change request of that run.
pub const TAG_CHANGE: &str = "migos.change";

/// What the inventory wants a device to be on balena, settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// Its name there; `None`: its name in the inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its tags, besides those that every device gets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its environment variables, and where their values are found.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, ValueSource>,
    /// Its configuration variables, besides those of its `config.txt`, which they overrule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// The release that it is pinned to, in the fleet where it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// The fleet that it is moved to once it has arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub move_to: Option<Destination>,
    /// What its `config.json` says besides.
    #[serde(skip_serializing_if = "SystemSettings::is_empty")]
    pub system: SystemSettings,
}

/// A release of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Its commit.
    pub commit: String,
    /// Its numeric id.
    pub id: u64,
}

/// Another fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Its slug.
    pub slug: FleetSlug,
    /// Its numeric id.
    pub id: u64,
}

impl Identity {
    /// True if the inventory says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Identity::default()
    }
}

impl DevicePlan {
    /// The name that this device has on balena.
    pub fn name_on_balena(&self, device: &DeviceId) -> String {
        self.identity.name.clone().unwrap_or_else(|| device.to_string())
    }

    /// Its tags, but for those of the run.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let own = [(TAG_HOSTNAME, &self.hostname), (TAG_SERIAL, &self.serial)];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let own = own.map(|(key, value)| (key.to_owned(), value.clone()));
        self.identity.tags.clone().into_iter().chain(own).collect()
    }

    /// All its configuration variables: those of its `config.txt`, overruled by the inventory's.
    pub fn config_variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.extend(self.identity.config.clone());
        variables
    }

    /// The fleet in which it is in the end.
    pub fn last_fleet(&self) -> &FleetSlug {
        self.identity.move_to.as_ref().map_or(&self.fleet, |destination| &destination.slug)
    }
}
