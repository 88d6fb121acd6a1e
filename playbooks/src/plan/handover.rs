//! Who gives a device the commit.

use migos_inventory::{self as inventory, Bastion, DeviceId, Fleet, PortRange};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Who gives a device the commit.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Handover {
    /// The controller, on its own connection to MIGOS.
    #[default]
    Attended,
    /// The controller, through a host that MIGOS calls.
    CallHome {
        /// That host.
        bastion: Bastion,
        /// The port of its loopback address that leads to this device.
        listen: u16,
    },
    /// MIGOS itself, within a permit that is given before it is booted.
    Unattended,
}

impl Handover {
    pub(super) fn is_attended(&self) -> bool {
        *self == Handover::Attended
    }

    /// True if the controller orders the commit.
    pub fn is_ordered(&self) -> bool {
        match self {
            Handover::Attended | Handover::CallHome { .. } => true,
            Handover::Unattended => false,
        }
    }
}

/// The ports on their bastions by which devices are reached.
///
/// The whole fleet is counted, not the devices of one command: two runs of one inventory at the same time never
/// give two devices one port.
pub(crate) fn ports(fleet: &Fleet) -> BTreeMap<DeviceId, u16> {
    let mut taken: BTreeSet<(&str, u16, u16)> = BTreeSet::new();
    let mut places: BTreeMap<(&str, u16, PortRange), usize> = BTreeMap::new();
    let mut ports = BTreeMap::new();
    for device in fleet.devices.values() {
        let Some(bastion) = &device.bastion else { continue };
        if device.handover != inventory::Handover::CallHome {
            continue;
        }
        let host = bastion.host.as_str();
        let place = places.entry((host, bastion.port, bastion.ports)).or_default();
        while let Some(port) = bastion.ports.get(*place) {
            *place += 1;
            if taken.insert((host, bastion.port, port)) {
                ports.insert(device.id.clone(), port);
                break;
            }
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_two_devices_of_a_bastion_share_a_port() {
        let text = "migos: 1\n\
            defaults: { handover: call-home, bastion: { host: b, user: u, ports: 20000-20001 } }\n\
            groups:\n  \
              wide: { devices: ['c[1:3]'], bastion: { host: b, user: u, ports: 20000-20009 } }\n  \
              other: { devices: [d], bastion: { host: c, user: u } }\n  \
              near: { devices: [e], handover: attended }\n\
            devices: { a1: , a2: , z: }\n";
        let fleet = migos_inventory::parse("t", text).unwrap();
        let ports = ports(&fleet).into_iter().map(|(id, port)| format!("{id} {port}"));
        let ports: Vec<_> = ports.collect();
        // The range of `z` has no port left.
        assert_eq!(ports, ["a1 20000", "a2 20001", "c1 20002", "c2 20003", "c3 20004", "d 20000"]);
    }
}
