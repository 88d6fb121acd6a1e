//! What balena is asked about, and what it has seen.

use crate::policy::ReleaseRule;
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
    /// The version of its supervisor, once it has reported it.
    pub supervisor: Option<String>,
    /// The release that it runs, by its numeric id; `None` if it runs none.
    pub runs: Option<u64>,
    /// The release that it should run: the one that it is pinned to, or its fleet's.
    pub should_run: Option<u64>,
}

/// A release of a fleet, as far as a device can be pinned to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRelease {
    /// Its numeric id.
    pub id: u64,
    /// Why no device may be pinned to it; `None` if one may.
    pub unfit: Option<String>,
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
    /// True if the device answers, runs this OS version, has told of its supervisor, and runs the release that it
    /// should, if that counts.
    pub fn is_well(&self, os_version: &str, release: ReleaseRule) -> bool {
        self.heartbeat == Heartbeat::Online && self.ailment(os_version, release).is_none()
    }

    /// What is not as it should be with a device that answers.
    ///
    /// The version is compared without the revision that some servers leave out: `balenaOS 6.0.24`
    /// matches `balenaOS 6.0.24+rev1`.
    pub fn ailment(&self, os_version: &str, release: ReleaseRule) -> Option<String> {
        let plain = |version: &str| version.split('+').next().unwrap_or_default().to_owned();
        if self.os_version.as_deref().is_none_or(|seen| plain(seen) != plain(os_version)) {
            let found = self.os_version.as_deref().unwrap_or("an unknown system");
            return Some(format!("it answers balena, but runs {found} instead of {os_version}"));
        }
        if self.supervisor.is_none() {
            return Some("it answers balena, but its supervisor has not reported itself".into());
        }
        match (release, self.should_run, self.runs) {
            (ReleaseRule::Ignored, ..) | (_, None, _) => None,
            (_, Some(wanted), Some(runs)) if wanted == runs => None,
            (.., Some(_)) => {
                Some("it answers balena, but runs another release than it should".into())
            }
            (.., None) => Some("it answers balena, but its app does not run".into()),
        }
    }
}

/// What the planner is told about balena.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetView {
    /// The fleets that the inventory names and that exist.
    pub fleets: BTreeMap<FleetSlug, BalenaFleet>,
    /// Devices that the fleet ledger calls migrated, by serial number, with what balena sees of them.
    pub migrated: BTreeMap<String, MigratedBefore>,
    /// Releases that the inventory names, by fleet and commit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<FleetSlug, BTreeMap<String, SeenRelease>>,
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
            supervisor: Some("17.4.0".into()),
            runs: None,
            should_run: None,
        };
        let is_well = |seen: Sighting| seen.is_well("balenaOS 6.0.24", ReleaseRule::Required);
        assert!(is_well(seen(Heartbeat::Online, Some("balenaOS 6.0.24+rev1"))));
        assert!(!is_well(seen(Heartbeat::Online, Some("balenaOS 6.0.2"))));
        assert!(!is_well(seen(Heartbeat::Online, None)));
        assert!(!is_well(seen(Heartbeat::Timeout, Some("balenaOS 6.0.24"))));
        let right = seen(Heartbeat::Online, Some("balenaOS 6.0.24"));
        assert!(!is_well(Sighting { supervisor: None, ..right.clone() }));
        let of = |runs, should_run| Sighting { runs, should_run, ..right.clone() };
        assert!(is_well(of(Some(7), Some(7))) && is_well(of(Some(7), None)));
        assert!(!is_well(of(Some(6), Some(7))) && !is_well(of(None, Some(7))));
        assert!(of(None, Some(7)).is_well("balenaOS 6.0.24", ReleaseRule::Ignored));
    }
}
