//! The way to the device: only what MIGOS and balenaOS will find again by themselves.

use super::{Candidate, Verdict, pass, refuse};
use crate::facts::Network;
use crate::plan::Handover;

pub(super) fn is_on_ethernet(case: &Candidate<'_>) -> Option<Verdict> {
    let network = &case.facts.network;
    let Some(interface) = &network.interface else {
        return refuse("it has no default route", "give it a route to balena");
    };
    let ethernet = ["eth", "en", "usb"].iter().any(|beginning| interface.starts_with(beginning));
    match (is_wireless(network), ethernet) {
        (true, _) => None,
        (false, true) => pass(interface.as_str()),
        (false, false) => refuse_to_carry_over(interface),
    }
}

pub(super) fn is_not_on_wifi(case: &Candidate<'_>) -> Option<Verdict> {
    let interface = case.facts.network.interface.as_ref()?;
    match is_wireless(&case.facts.network) {
        true => refuse_to_carry_over(interface),
        false => pass(format!("{interface} is none")),
    }
}

fn is_wireless(network: &Network) -> bool {
    network.wireless || network.interface.as_ref().is_some_and(|name| name.starts_with("wl"))
}

fn refuse_to_carry_over(interface: &str) -> Option<Verdict> {
    refuse(
        format!("it reaches the network through {interface}, not Ethernet"),
        "this version carries over Ethernet with DHCP only; leave it out for now",
    )
}

pub(super) fn has_its_address_from_dhcp(case: &Candidate<'_>) -> Option<Verdict> {
    let Some(line) = case.facts.network.fixed.first() else {
        return pass("no address is fixed by hand");
    };
    refuse(
        format!("its address is fixed by hand ({})", line.trim()),
        "this version carries over Ethernet with DHCP only; leave it out for now",
    )
}

/// Who commits on a connection of its own must reach MIGOS where it reached Raspbian. Behind a router, or through a
/// jump host, it does; through a tunnel that ends in Raspbian it does not.
pub(super) fn is_reached_without_raspbian(case: &Candidate<'_>) -> Option<Verdict> {
    let arrival = case.facts.network.arrival.as_ref()?;
    let (address, interface) = (arrival.address, &arrival.interface);
    if case.handover != Some(&Handover::Attended) {
        return None;
    }
    if !arrival.is_virtual {
        return pass(format!("{address} on {interface}"));
    }
    let what = match interface.as_str() {
        "lo" => "a tunnel that ends in Raspbian",
        _ => "an interface that Raspbian makes",
    };
    refuse(
        format!("it is reached at {address} on {interface}, {what}: MIGOS would not be reached"),
        "give it `handover: call-home` with a `bastion:`, or `handover: unattended`",
    )
}

/// True if nobody knows whether the controller will reach MIGOS where it reached Raspbian.
pub(crate) fn may_be_tunnelled(case: &Candidate<'_>) -> bool {
    case.handover == Some(&Handover::Attended) && case.facts.network.arrival.is_none()
}

pub(super) fn has_a_port_at_its_bastion(case: &Candidate<'_>) -> Option<Verdict> {
    match case.handover {
        Some(Handover::CallHome { bastion, listen }) => {
            pass(format!("port {listen} of {}", bastion.host))
        }
        Some(Handover::Attended | Handover::Unattended) => None,
        None => refuse(
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

    fn reached_on(interface: &str, address: &str) -> Sample {
        Sample::buster()
            .and(&format!("connection 203.0.113.7 50000 {address} 22"))
            .and(&format!("address {interface} {address}"))
            .and("virtual lo")
            .and("virtual wg0")
    }

    #[test]
    fn who_is_reached_through_a_tunnel_is_not_attended() {
        for lan in [reached_on("eth0", "192.168.1.20"), reached_on("wlan0", "10.1.4.2")] {
            assert_eq!(reasons(&lan), Vec::<String>::new());
        }
        let tunnel = reached_on("wg0", "10.8.0.5");
        assert_eq!(
            reasons(&tunnel),
            [
                "it is reached at 10.8.0.5 on wg0, an interface that Raspbian makes: MIGOS would not be reached"
            ]
        );
        let reverse = reached_on("lo", "127.0.0.1");
        assert_eq!(
            reasons(&reverse),
            [
                "it is reached at 127.0.0.1 on lo, a tunnel that ends in Raspbian: MIGOS would not be reached"
            ]
        );
        let bastion = "handover: call-home, bastion: { host: b, user: u, ports: 20000-20000 }";
        for handover in [bastion, "handover: unattended"] {
            assert_eq!(reasons(&tunnel.clone().inventory(handover)), Vec::<String>::new());
        }
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
