//! The way to the device: only what MIGOS and balenaOS will find again by themselves.

use super::{Candidate, finding};
use crate::plan::Finding;

pub(super) fn is_on_ethernet(case: &Candidate<'_>) -> Option<Finding> {
    let network = &case.facts.network;
    let Some(interface) = &network.interface else {
        return finding("it has no default route", "give it a route to balena");
    };
    let ethernet = ["eth", "en", "usb"].iter().any(|beginning| interface.starts_with(beginning));
    if ethernet && !network.wireless {
        return None;
    }
    finding(
        format!("it reaches the network through {interface}, not Ethernet"),
        "this version carries over Ethernet with DHCP only; leave it out for now",
    )
}

pub(super) fn has_its_address_from_dhcp(case: &Candidate<'_>) -> Option<Finding> {
    let line = case.facts.network.fixed.first()?;
    finding(
        format!("its address is fixed by hand ({})", line.trim()),
        "this version carries over Ethernet with DHCP only; leave it out for now",
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, reasons};

    #[test]
    fn other_networks_than_dhcp_on_ethernet_are_refused() {
        let wifi = Sample::buster().probe("route eth0", "route wlan0");
        assert_eq!(reasons(&wifi), ["it reaches the network through wlan0, not Ethernet"]);
        let tunnel = Sample::buster().probe("route eth0", "route tun0");
        assert_eq!(reasons(&tunnel), ["it reaches the network through tun0, not Ethernet"]);
        let fixed = Sample::buster().and("dhcpcd static ip_address=192.168.1.12/24");
        assert_eq!(
            reasons(&fixed),
            ["its address is fixed by hand (static ip_address=192.168.1.12/24)"]
        );
    }
}
