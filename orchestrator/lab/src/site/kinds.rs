//! The kinds of network that devices of a lab may have.

use std::collections::{BTreeMap, BTreeSet};

use crate::mix;
use crate::network::MAX_DEVICES;

/// A kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkKind {
    /// A cable to a network with a DHCP server.
    WiredDhcp,
    /// A cable to a network where every address is given out on paper.
    WiredStatic,
    /// Wi-Fi with a passphrase.
    Wifi,
    /// Wi-Fi whose key is known as 64 hex digits only.
    WifiKey,
    /// Wi-Fi that keeps its name to itself.
    WifiHidden,
    /// Wi-Fi that lets everybody in.
    WifiOpen,
    /// Several Wi-Fi networks are configured, of which one is in range.
    WifiSeveral,
    /// Wi-Fi where every address is given out on paper.
    WifiStatic,
    /// Wi-Fi that asks for a name and a password.
    WifiEnterprise,
    /// A cable to a switch port with a tagged VLAN.
    Vlan,
    /// Two cables: one to a machine, one that leads out.
    TwoWired,
    /// A modem.
    Cellular,
}

impl NetworkKind {
    /// All kinds.
    pub const ALL: [NetworkKind; 12] = [
        NetworkKind::WiredDhcp,
        NetworkKind::WiredStatic,
        NetworkKind::Wifi,
        NetworkKind::WifiKey,
        NetworkKind::WifiHidden,
        NetworkKind::WifiOpen,
        NetworkKind::WifiSeveral,
        NetworkKind::WifiStatic,
        NetworkKind::WifiEnterprise,
        NetworkKind::Vlan,
        NetworkKind::TwoWired,
        NetworkKind::Cellular,
    ];

    /// It is there for boards with a radio alone.
    pub fn needs_radio(self) -> bool {
        match self {
            NetworkKind::Wifi
            | NetworkKind::WifiKey
            | NetworkKind::WifiHidden
            | NetworkKind::WifiOpen
            | NetworkKind::WifiSeveral
            | NetworkKind::WifiStatic
            | NetworkKind::WifiEnterprise => true,
            NetworkKind::WiredDhcp
            | NetworkKind::WiredStatic
            | NetworkKind::Vlan
            | NetworkKind::TwoWired
            | NetworkKind::Cellular => false,
        }
    }
}

/// A kind of network for each device of a lab of so many, the same for the same seed. Boards without a radio take
/// turns among the kinds that need none.
pub fn mixed_networks(devices: usize, seed: u64) -> BTreeMap<String, NetworkKind> {
    let without: Vec<NetworkKind> =
        NetworkKind::ALL.into_iter().filter(|kind| !kind.needs_radio()).collect();
    let (mut with_radio, mut wired) = (NetworkKind::ALL.iter().cycle(), without.iter().cycle());
    let kind = |place| {
        let turn = if mix::pick(seed, place).0.wireless { with_radio.next() } else { wired.next() };
        turn.copied().unwrap_or(NetworkKind::WiredDhcp)
    };
    // Places are counted in the order of the names, as a lab does.
    let devices = devices.min(MAX_DEVICES);
    let names: BTreeSet<String> = (0..devices).map(mix::name).collect();
    names.into_iter().zip((0..devices).map(kind)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_four_devices_have_every_kind_and_radios_where_they_are_needed() {
        let mixed = mixed_networks(24, 1);
        let kinds: BTreeSet<NetworkKind> = mixed.values().copied().collect();
        assert_eq!(kinds.len(), NetworkKind::ALL.len());
        for (place, (name, kind)) in mixed.iter().enumerate() {
            let (model, _) = mix::pick(1, place);
            assert!(model.wireless || !kind.needs_radio(), "{name} {kind:?}");
        }
        assert_eq!(mixed_networks(24, 1), mixed);
    }
}
