//! What balena is asked about, and what it has seen.

use migos_inventory::FleetSlug;
use migos_payload::size::ByteCount;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The uuid of a device on balena: 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceUuid(pub String);

impl DeviceUuid {
    /// The first seven digits, as balena's dashboard shows them.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl fmt::Display for DeviceUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A fleet on balena.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalenaFleet {
    /// The numeric id.
    pub id: u64,
    /// The slug, `organisation/name`.
    pub slug: FleetSlug,
    /// The device type it was made for.
    pub device_type: String,
    /// That type's architecture: `rpi`, `armv7hf` or `aarch64`.
    pub architecture: String,
    /// The images of the release that its devices should run, unpacked and together; `None` if it has no release, or
    /// balena does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<ByteCount>,
}

/// What balena knows of one device at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The device.
    pub uuid: DeviceUuid,
    /// Its name.
    pub name: String,
    /// What its supervisor's regular requests tell.
    pub heartbeat: Heartbeat,
    /// True while its VPN is up.
    pub vpn: bool,
    /// The OS version it reported.
    pub os_version: Option<String>,
}

/// What the regular requests of a device's supervisor tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heartbeat {
    /// Never seen.
    Unknown,
    /// Seen within the poll interval.
    Online,
    /// One request is overdue.
    Timeout,
    /// Silent.
    Offline,
}

impl Sighting {
    /// True if the device answers and runs this OS version.
    ///
    /// The version is compared without the revision that some servers leave out: `balenaOS 6.0.24`
    /// matches `balenaOS 6.0.24+rev1`.
    pub fn is_well(&self, os_version: &str) -> bool {
        let plain = |version: &str| version.split('+').next().unwrap_or_default().to_owned();
        self.heartbeat == Heartbeat::Online
            && self.os_version.as_deref().is_some_and(|seen| plain(seen) == plain(os_version))
    }
}

/// What the planner is told about balena.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetView {
    /// The fleets that the inventory names and that exist.
    pub fleets: BTreeMap<FleetSlug, BalenaFleet>,
    /// Devices that the fleet ledger calls migrated, by serial number, with what balena sees of them.
    pub migrated: BTreeMap<String, MigratedBefore>,
}

/// A device that an earlier run has migrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigratedBefore {
    /// Its name in the inventory then.
    pub device: migos_inventory::DeviceId,
    /// Its uuid on balena.
    pub uuid: DeviceUuid,
    /// The OS version that balena last heard of; `None` if balena knows no such device.
    pub os_version: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_means_answering_with_the_right_version() {
        let seen = |heartbeat, version: Option<&str>| Sighting {
            uuid: DeviceUuid("5e91c2".into()),
            name: "kiosk-001".into(),
            heartbeat,
            vpn: false,
            os_version: version.map(str::to_owned),
        };
        assert!(seen(Heartbeat::Online, Some("balenaOS 6.0.24+rev1")).is_well("balenaOS 6.0.24"));
        assert!(!seen(Heartbeat::Online, Some("balenaOS 6.0.2")).is_well("balenaOS 6.0.24"));
        assert!(!seen(Heartbeat::Online, None).is_well("balenaOS 6.0.24"));
        assert!(!seen(Heartbeat::Timeout, Some("balenaOS 6.0.24")).is_well("balenaOS 6.0.24"));
    }
}
