//! What a device shall be on balena: its name, tags, variables, release and fleet, and what its `config.json` says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::FleetSlug;

/// What the inventory wants a device to be on balena.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OnBalena {
    /// Its name there, in which `{device}`, `{hostname}` and `{serial}` stand for its own; `None`: its name in the
    /// inventory.
    pub name: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its environment variables, which its services see.
    pub environment: BTreeMap<String, ValueSource>,
    /// Its configuration variables, which its supervisor carries out; their names begin with `BALENA_` or `RESIN_`.
    pub config: BTreeMap<String, String>,
    /// The commit of the release that it is pinned to; `None`: it follows its fleet.
    pub release: Option<String>,
    /// The fleet that it is moved to once it has arrived; `None`: it stays.
    pub move_to: Option<FleetSlug>,
    /// What its `config.json` says besides.
    pub system: SystemSettings,
}

impl OnBalena {
    /// True if the inventory says nothing.
    pub fn is_empty(&self) -> bool {
        *self == OnBalena::default()
    }
}

/// What balenaOS itself is told by `config.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SystemSettings {
    /// Public keys that may log in as root on port 22222.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<String>,
    /// Time servers instead of balena's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ntp_servers: Vec<String>,
    /// Name servers besides those of the network.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_servers: Vec<String>,
    /// The country whose rules its Wi-Fi keeps: two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl SystemSettings {
    /// True if nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == SystemSettings::default()
    }
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueSource {
    /// It is this, and no secret.
    Literal(String),
    /// From an environment variable of the controller.
    Env(String),
    /// From a file of the controller; the path as written.
    File(String),
    /// From a file on the device, read before it leaves Raspbian.
    Device(String),
}
