//! What a cable or an access point leads to, and which addresses lead out of there.

use std::net::{IpAddr, Ipv4Addr};

/// All networks of the lab have this prefix length.
const PREFIX: u8 = 24;
/// The router of every network that leads out.
pub(crate) const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1));
/// The only name server that a network without a DHCP server lets anybody ask.
pub(crate) const NAME_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 53));
/// The address that the controller of a machine expects on its cable.
pub(crate) const BESIDE_MACHINE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

/// How an interface gets its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// It asks a DHCP server.
    Dhcp,
    /// By hand.
    Static {
        /// Addresses and their prefix lengths.
        addresses: Vec<(IpAddr, u8)>,
        /// The router.
        router: Option<IpAddr>,
    },
}

impl Addressing {
    /// One address by hand.
    pub(crate) fn fixed(address: IpAddr, router: Option<IpAddr>) -> Self {
        Addressing::Static { addresses: vec![(address, PREFIX)], router }
    }

    /// Reads an address such as `192.168.1.20/24`.
    pub(crate) fn address(text: &str) -> Option<(IpAddr, u8)> {
        let (address, prefix) = text.trim().split_once('/')?;
        Some((address.parse().ok()?, prefix.parse().ok()?))
    }
}

/// How far an interface leads, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// It does not come up.
    Down,
    /// It comes up, and what is sent through it is lost.
    Wrong,
    /// It reaches its neighbours, and claims no more.
    Local,
    /// It leads out, but names of hosts stay unknown.
    Nameless,
    /// It leads out.
    Out,
}

impl Way {
    /// Whoever waits for calls can be called.
    pub(crate) fn is_called(self) -> bool {
        self >= Way::Nameless
    }

    /// What is sent to anywhere goes this way.
    fn is_default(self) -> bool {
        matches!(self, Way::Wrong | Way::Nameless | Way::Out)
    }
}

/// A network of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lan {
    /// It has a DHCP server.
    pub(crate) dhcp: bool,
    /// The address that is the device's; without a DHCP server no other is let through.
    pub(crate) own: IpAddr,
    /// The router, where it leads out.
    pub(crate) router: Option<IpAddr>,
}

impl Lan {
    /// A network with a DHCP server.
    pub(crate) fn with_dhcp(own: IpAddr) -> Self {
        Self { dhcp: true, own, router: Some(ROUTER) }
    }

    /// A network where every address is given out on paper.
    pub(crate) fn by_hand(own: IpAddr) -> Self {
        Self { dhcp: false, own, router: Some(ROUTER) }
    }

    /// A cable to a machine, and to nothing else.
    pub(crate) fn to_machine() -> Self {
        Self { dhcp: false, own: BESIDE_MACHINE, router: None }
    }

    /// How far an interface leads that gets its address like this, and asks these name servers.
    pub(crate) fn way(&self, addressing: &Addressing, names: &[IpAddr]) -> Way {
        let (addresses, router) = match (addressing, self.dhcp, self.router) {
            (Addressing::Static { addresses, router }, ..) => (addresses, *router),
            (Addressing::Dhcp, false, _) => return Way::Down,
            (Addressing::Dhcp, true, None) => return Way::Local,
            (Addressing::Dhcp, true, Some(_)) => return Way::Out,
        };
        let fits = addresses.iter().any(|(address, prefix)| {
            *prefix == PREFIX && (*address == self.own || (self.dhcp && self.has(*address)))
        });
        match router {
            None if fits => Way::Local,
            None => Way::Down,
            Some(_) if !fits || router != self.router => Way::Wrong,
            Some(_) if self.resolves(names) => Way::Out,
            Some(_) => Way::Nameless,
        }
    }

    /// The address is one of this network.
    fn has(&self, address: IpAddr) -> bool {
        match (address, self.own) {
            (IpAddr::V4(address), IpAddr::V4(own)) => address.octets()[..3] == own.octets()[..3],
            _ => false,
        }
    }

    fn resolves(&self, names: &[IpAddr]) -> bool {
        if self.dhcp { !names.is_empty() } else { names.contains(&NAME_SERVER) }
    }
}

/// Which of several interfaces what is sent to anywhere goes through: that with the least metric. Of two with the
/// same nobody knows which, so the worse one counts.
pub(crate) fn default_way(ways: impl IntoIterator<Item = (u32, Way)>) -> Way {
    let defaults = ways.into_iter().filter(|(_, way)| way.is_default());
    defaults.min().map_or(Way::Down, |(_, way)| way)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 31));

    fn by_hand(address: &str, router: &str) -> Addressing {
        let addresses = vec![Addressing::address(address).unwrap()];
        Addressing::Static { addresses, router: router.parse().ok() }
    }

    #[test]
    fn without_a_dhcp_server_address_router_and_name_server_must_be_right() {
        let lan = Lan::by_hand(OWN);
        let right = by_hand("192.168.1.31/24", "192.168.1.1");
        assert_eq!(lan.way(&right, &[NAME_SERVER]), Way::Out);
        assert_eq!(lan.way(&right, &[[8, 8, 8, 8].into()]), Way::Nameless);
        assert_eq!(lan.way(&Addressing::Dhcp, &[]), Way::Down);
        for (address, router, way) in [
            ("192.168.1.32/24", "192.168.1.1", Way::Wrong),
            ("192.168.1.31/16", "192.168.1.1", Way::Wrong),
            ("192.168.1.31/24", "192.168.1.2", Way::Wrong),
            ("192.168.1.31/24", "", Way::Local),
            ("192.168.1.32/24", "", Way::Down),
        ] {
            assert_eq!(lan.way(&by_hand(address, router), &[NAME_SERVER]), way, "{address}");
        }
    }

    #[test]
    fn a_dhcp_server_does_not_forbid_a_fixed_address() {
        let lan = Lan::with_dhcp(OWN);
        assert_eq!(lan.way(&Addressing::Dhcp, &[]), Way::Out);
        let other = by_hand("192.168.1.99/24", "192.168.1.1");
        assert_eq!(lan.way(&other, &[[9, 9, 9, 9].into()]), Way::Out);
        assert_eq!(lan.way(&other, &[]), Way::Nameless);
        assert_eq!(lan.way(&by_hand("10.0.0.9/24", "192.168.1.1"), &[]), Way::Wrong);
    }

    #[test]
    fn the_least_metric_decides_even_where_it_leads_nowhere() {
        assert_eq!(default_way([(600, Way::Out), (100, Way::Local)]), Way::Out);
        assert_eq!(default_way([(600, Way::Out), (100, Way::Wrong)]), Way::Wrong);
        assert_eq!(default_way([(100, Way::Out), (100, Way::Wrong)]), Way::Wrong);
        assert_eq!(default_way([(100, Way::Down), (100, Way::Local)]), Way::Down);
    }
}
