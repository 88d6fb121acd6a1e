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

pub(super) fn has_a_port_at_its_bastion(case: &Candidate<'_>) -> Option<Finding> {
    match case.handover {
        Some(_) => None,
        None => finding(
            "its bastion has no port left for it",
            "give `bastion: { ports: … }` as many ports as there are devices that call it",
        ),
    }
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

    #[test]
    fn a_device_that_calls_home_needs_a_port_of_its_own() {
        let bastion = "bastion: { host: b, user: u, ports: 20000-20000 }";
        let called = Sample::buster().inventory(&format!("handover: call-home, {bastion}"));
        assert_eq!(reasons(&called), Vec::<String>::new());
        let crowded = called.before("a-kiosk: { handover: call-home, ", bastion);
        assert_eq!(reasons(&crowded), ["its bastion has no port left for it"]);
    }
}
