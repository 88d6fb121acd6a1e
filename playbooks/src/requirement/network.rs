//! The way to the device: only what MIGOS and balenaOS will find again by themselves.

use super::{Candidate, Verdict, pass, refuse};
use crate::facts::Network;
use crate::plan::{Handover, NetworkPlan};
use migos_payload::keyfile;
use migos_payload::network::{Untranslatable, translate};

pub(super) fn can_be_carried_over(case: &Candidate<'_>) -> Option<Verdict> {
    let network = &case.facts.network;
    let Some(interface) = &network.interface else {
        return refuse("it has no default route", "give it a route to balena");
    };
    if !is_hardware(network, interface) {
        return refuse(
            format!("it reaches the network through {interface}, which Raspbian makes"),
            "MIGOS and balenaOS have only what is hardware; give it a default route through that, or leave it out",
        );
    }
    match NetworkPlan::of(&network.configuration) {
        Ok(plan) => match migos_cannot(network) {
            Some(why) => refuse(
                format!("MIGOS cannot come up on its network: {why}"),
                "give it a wired network or plain Wi-Fi until it runs balenaOS, or leave it out",
            ),
            None if network.configuration.files.is_empty() => pass(format!("{interface}: DHCP")),
            None => pass(plan.words(true).join("; ")),
        },
        Err(lines) => refuse(
            untranslatable(&lines),
            "change or remove the line if it is not needed, or leave the device out",
        ),
    }
}

/// False for what Raspbian makes: a tunnel, a bridge, a VLAN, a modem's link.
fn is_hardware(network: &Network, interface: &str) -> bool {
    network.configuration.interfaces.iter().any(|it| it.name == interface)
}

fn migos_cannot(network: &Network) -> Option<String> {
    translate(&network.configuration).ok()?.migos_cannot
}

/// The first line that cannot be carried over, and how many more there are.
fn untranslatable(lines: &[Untranslatable]) -> String {
    let Some(first) = lines.first() else { return "its network cannot be carried over".into() };
    let place = match first.line {
        Some(line) => format!("{}, line {line}", first.path),
        None => first.path.clone(),
    };
    let text = match first.text.trim() {
        "" => String::new(),
        text => format!(" ({text})"),
    };
    let more = match lines.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more like that"),
    };
    format!("{place}{text} cannot be carried over: {}{more}", first.why)
}

/// A keyfile of the inventory beside one of the device's own with the same name: only one of them would arrive.
pub(super) fn has_keyfiles_that_fit(case: &Candidate<'_>) -> Option<Verdict> {
    if case.device.keyfiles.is_empty() {
        return None;
    }
    let own = NetworkPlan::of(&case.facts.network.configuration).ok()?.keyfiles;
    let names: Vec<&str> = case.device.keyfiles.iter().map(|path| keyfile::name(path)).collect();
    let taken = names.iter().find(|name| own.keys().any(|own| own.eq_ignore_ascii_case(name)));
    match taken {
        Some(name) => refuse(
            format!("the keyfile {name} of the inventory has the name of a connection of its own"),
            "give the inventory's keyfile another name",
        ),
        None => pass(names.join(", ")),
    }
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
    use super::super::sample::{Sample, evidence, reasons};
    use super::*;

    #[test]
    fn only_networks_that_raspbian_does_not_make_are_carried_over() {
        let tunnel = Sample::buster().probe("route eth0", "route tun0");
        assert_eq!(reasons(&tunnel), ["it reaches the network through tun0, which Raspbian makes"]);
        let nowhere = Sample::buster().probe("route eth0", "route-of-old eth0");
        assert_eq!(reasons(&nowhere), ["it has no default route"]);
        assert_eq!(evidence(&Sample::buster(), "network"), "eth0: DHCP");
    }

    #[test]
    fn what_cannot_be_carried_over_is_told_with_its_place() {
        let line = |line, text: &str| Untranslatable {
            path: "/etc/network/interfaces".into(),
            line,
            text: text.into(),
            why: "bridges are not carried over".into(),
        };
        let place = "/etc/network/interfaces";
        let why = "cannot be carried over: bridges are not carried over";
        assert_eq!(
            untranslatable(&[line(Some(4), "\tbridge_ports eth0"), line(None, "")]),
            format!("{place}, line 4 (bridge_ports eth0) {why}; and 1 more like that")
        );
        assert_eq!(untranslatable(&[line(None, "")]), format!("{place} {why}"));
    }

    #[test]
    fn keyfiles_of_the_inventory_are_named() {
        let added = Sample::buster().inventory("keyfiles: [keys/office, keys/lte]");
        assert_eq!(reasons(&added), Vec::<String>::new());
        assert_eq!(evidence(&added, "keyfiles"), "office, lte");
        assert_eq!(evidence(&Sample::buster(), "keyfiles"), "");
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
