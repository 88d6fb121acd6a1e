//! What MIGOS is given: the interfaces that it brings up, and the networks of its radio.
//!
//! MIGOS knows wires and radios, by DHCP or with fixed addresses; it has Debian's whole `wpa_supplicant`, but no VLANs,
//! no modems, and no routes besides the one to everywhere.

use super::connection::{Connection, Kind, Method, Security, Wifi};
use super::mask::has_quote_and_hash;
use super::reading::Reading;
use super::wpa_values::to_hex;
use super::{Found, Interface, written};
use migos_contract::{Addressing, Link, Network};

/// What MIGOS is given.
pub(super) struct Given {
    /// The interfaces.
    pub network: Network,
    /// `wpa_supplicant.conf`.
    pub wifi: Option<String>,
    /// Why that is not the device's way out.
    pub cannot: Option<String>,
}

/// Makes it of all connections.
pub(super) fn network(found: &Found, all: &[Connection], reading: &mut Reading) -> Given {
    let mut links = Vec::new();
    let mut used: Vec<&Connection> = Vec::new();
    let mut why = None;
    for interface in &found.interfaces {
        let chosen = match interface.wireless {
            true => radio(interface, found, all),
            false => wire(interface, found, all),
        };
        match chosen {
            Ok((addressing, connections)) => {
                links.push(Link {
                    mac: interface.mac.to_ascii_lowercase(),
                    wifi: interface.wireless,
                    addressing,
                });
                used.extend(connections);
            }
            Err(reason) if interface.is_default_route => why = Some(reason),
            Err(_) => {}
        }
    }
    if used.iter().any(|it| !it.v4.routes.is_empty() || !it.v6.routes.is_empty()) {
        reading.note("MIGOS does not set routes besides the one to everywhere");
    }
    let cannot = why.or_else(|| elsewhere(found, all, &links));
    let mut dns = reading.dns.clone();
    for server in used.iter().flat_map(|it| it.v4.dns.iter().chain(&it.v6.dns)) {
        if !dns.contains(server) {
            dns.push(*server);
        }
    }
    let networks: Vec<&Connection> =
        used.into_iter().filter(|it| matches!(it.kind, Kind::Wifi(_))).collect();
    let wifi = (!networks.is_empty()).then(|| supplicant(&networks, reading.country.as_deref()));
    let is_plain = |it: &Link| it.addressing == (Addressing::Dhcp { client_id: None }) && !it.wifi;
    let wires = found.interfaces.iter().filter(|it| !it.wireless).count();
    if links.iter().all(is_plain) && links.len() == wires {
        links.clear();
    }
    Given { network: Network { links, dns }, wifi, cannot }
}

/// Why the way out is none of MIGOS's interfaces, if none of them is known to be it.
fn elsewhere(found: &Found, all: &[Connection], links: &[Link]) -> Option<String> {
    if found.interfaces.iter().any(|it| it.is_default_route) {
        return None;
    }
    let has = |of: fn(&Kind) -> bool| all.iter().any(|it| of(&it.kind));
    if has(|it| matches!(it, Kind::Vlan { .. })) {
        return Some("the device's way out is a VLAN, which MIGOS does not know".to_owned());
    }
    if has(|it| matches!(it, Kind::Cellular(_))) {
        return Some("the device's way out is a modem, which MIGOS does not know".to_owned());
    }
    (links.is_empty() && !found.interfaces.is_empty())
        .then(|| "MIGOS has no interface that it could bring up".to_owned())
}

type Chosen<'a> = Result<(Addressing, Vec<&'a Connection>), String>;

/// How a wired interface gets its address.
fn wire<'a>(interface: &Interface, found: &Found, all: &'a [Connection]) -> Chosen<'a> {
    let is_of = |it: &&Connection| it.kind == Kind::Ethernet && is_of(it, interface, found);
    let mut own: Vec<&Connection> = all.iter().filter(is_of).collect();
    own.sort_by_key(|it| std::cmp::Reverse(it.priority));
    match own.first() {
        None => Ok((Addressing::Dhcp { client_id: None }, Vec::new())),
        Some(first) => Ok((addressing(first, &interface.name)?, vec![first])),
    }
}

fn is_of(connection: &Connection, interface: &Interface, found: &Found) -> bool {
    match written::interface(connection, found) {
        Some(it) => it.name == interface.name,
        None => {
            connection.interface.is_none()
                && !connection.more.iter().any(|(_, key, _)| key == "mac-address")
        }
    }
}

/// How a radio gets its address, and the networks where it is so.
fn radio<'a>(interface: &Interface, found: &Found, all: &'a [Connection]) -> Chosen<'a> {
    let is_of = |it: &&Connection| matches!(it.kind, Kind::Wifi(_)) && is_of(it, interface, found);
    let mut ways: Vec<(Addressing, Vec<&Connection>)> = Vec::new();
    let mut reason = format!("{} enters no network", interface.name);
    for connection in all.iter().filter(is_of) {
        match writable(connection).and_then(|()| addressing(connection, &interface.name)) {
            Err(why) => reason = why,
            Ok(way) => match ways.iter_mut().find(|(it, _)| *it == way) {
                Some((_, networks)) => networks.push(connection),
                None => ways.push((way, vec![connection])),
            },
        }
    }
    if ways.len() < 2 {
        return ways.pop().ok_or(reason);
    }
    // Several: the one that it has now.
    let has_now = |(way, networks): &(Addressing, Vec<&Connection>)| match way {
        Addressing::Static { .. } => {
            let mut all =
                networks.iter().flat_map(|it| it.v4.addresses.iter().chain(&it.v6.addresses));
            all.any(|(ip, _)| interface.addresses.contains(ip))
        }
        Addressing::Dhcp { .. } => false,
    };
    let is_dhcp =
        |(way, _): &(Addressing, Vec<&Connection>)| matches!(way, Addressing::Dhcp { .. });
    let has_any = interface.addresses.iter().any(|it| it.is_ipv4());
    let now = ways.iter().position(has_now);
    let now = now.or_else(|| ways.iter().position(is_dhcp).filter(|_| has_any));
    now.map(|at| ways.swap_remove(at)).ok_or_else(|| {
        let name = &interface.name;
        format!(
            "{name} has another address on each network, and on which of them it is was not seen"
        )
    })
}

/// Whether MIGOS's `wpa_supplicant` can be told of a network.
fn writable(connection: &Connection) -> Result<(), String> {
    match &connection.kind {
        Kind::Wifi(Wifi { security: Security::Psk(psk), .. }) if has_quote_and_hash(psk) => {
            Err("the passphrase has a quote and a #, which MIGOS cannot be told".to_owned())
        }
        _ => Ok(()),
    }
}

/// How an interface gets its address.
fn addressing(connection: &Connection, name: &str) -> Result<Addressing, String> {
    let (v4, v6) = (&connection.v4, &connection.v6);
    if v4.method == Method::Auto {
        return Ok(Addressing::Dhcp { client_id: connection.client_id.clone() });
    }
    let all = v4.addresses.iter().chain(&v6.addresses);
    let addresses: Vec<String> = all.map(|(ip, length)| format!("{ip}/{length}")).collect();
    match (addresses.is_empty(), v6.method) {
        (false, _) => Ok(Addressing::Static { addresses, router: v4.gateway.or(v6.gateway) }),
        (true, Method::Auto) => {
            Err(format!("{name} has its address by IPv6 alone, which MIGOS does not ask for"))
        }
        (true, _) => Err(format!("{name} has no address of its own")),
    }
}

/// `wpa_supplicant.conf`. Names, users and their passwords are in hex, where no letter means anything.
fn supplicant(all: &[&Connection], country: Option<&str>) -> String {
    let mut out = country.map(|it| format!("country={it}\n")).unwrap_or_default();
    for connection in all {
        if let Kind::Wifi(wifi) = &connection.kind {
            out.push_str(&block(wifi, connection.priority));
        }
    }
    out
}

fn block(wifi: &Wifi, priority: i32) -> String {
    let mut lines = vec![format!("ssid={}", to_hex(&wifi.ssid))];
    if wifi.hidden {
        lines.push("scan_ssid=1".to_owned());
    }
    let is_address = |it: &&String| it.bytes().all(|it| it.is_ascii_hexdigit() || it == b':');
    lines.extend(wifi.bssid.as_ref().filter(is_address).map(|it| format!("bssid={it}")));
    match &wifi.security {
        Security::Open => lines.push("key_mgmt=NONE".to_owned()),
        Security::Psk(psk) if psk.len() == 64 => {
            lines.push("key_mgmt=WPA-PSK WPA-PSK-SHA256".to_owned());
            lines.push(format!("psk={psk}"));
        }
        Security::Psk(psk) => {
            let more = if wifi.pmf == Some(2) { " SAE" } else { "" };
            lines.push(format!("key_mgmt=WPA-PSK WPA-PSK-SHA256{more}"));
            lines.push(format!("psk=\"{psk}\""));
        }
        Security::Sae(password) => {
            lines.push("key_mgmt=SAE".to_owned());
            lines.push(format!("sae_password={}", to_hex(password.as_bytes())));
        }
        Security::Enterprise(user) => {
            let hex = |text: &str| to_hex(text.as_bytes());
            lines.push("key_mgmt=WPA-EAP".to_owned());
            lines.push(format!("eap={}", user.method.to_ascii_uppercase()));
            lines.push(format!("identity={}", hex(&user.identity)));
            lines.extend(
                user.anonymous.as_ref().map(|it| format!("anonymous_identity={}", hex(it))),
            );
            lines.push(format!("password={}", hex(&user.password)));
            let is_word = |it: &&(String, bool)| it.0.bytes().all(|it| it.is_ascii_alphanumeric());
            if let Some((inner, is_eap)) = user.inner.as_ref().filter(is_word) {
                let key = if *is_eap { "autheap" } else { "auth" };
                lines.push(format!("phase2=\"{key}={}\"", inner.to_ascii_uppercase()));
            }
        }
    }
    let needs_pmf = matches!(wifi.security, Security::Sae(_)).then_some(2);
    lines.extend(wifi.pmf.or(needs_pmf).map(|it| format!("ieee80211w={it}")));
    if priority != 0 {
        lines.push(format!("priority={priority}"));
    }
    let lines: String = lines.iter().map(|it| format!("\t{it}\n")).collect();
    format!("network={{\n{lines}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::connection::{Family, cidr};

    fn found() -> Found {
        let interface = |name: &str, wireless| Interface {
            name: name.to_owned(),
            mac: format!("B8:27:EB:00:00:0{}", u8::from(wireless)),
            wireless,
            addresses: Vec::new(),
            is_default_route: wireless,
        };
        Found {
            interfaces: vec![interface("eth0", false), interface("wlan0", true)],
            ..Found::default()
        }
    }

    fn on(ssid: &str, address: Option<&str>) -> Connection {
        let wifi = Wifi { ssid: ssid.as_bytes().to_vec(), ..Wifi::default() };
        let mut out = Connection { kind: Kind::Wifi(wifi), ..Connection::default() };
        if let Some(address) = address {
            let addresses = vec![cidr(address).unwrap()];
            out.v4 = Family { method: Method::Manual, addresses, ..Family::default() };
        }
        out
    }

    #[test]
    fn of_several_addresses_of_a_radio_the_present_one_counts() {
        let mut found = found();
        let all = [on("a", Some("10.0.0.2/24")), on("b", Some("10.1.0.2/24")), on("c", None)];
        let given = network(&found, &all, &mut Reading::default());
        assert!(given.cannot.unwrap().contains("another address on each"));
        found.interfaces[1].addresses = vec!["10.1.0.2".parse().unwrap()];
        let given = network(&found, &all, &mut Reading::default());
        assert_eq!(given.cannot, None);
        assert_eq!(given.wifi.as_deref(), Some("network={\n\tssid=62\n\tkey_mgmt=NONE\n}\n"));
        assert_eq!(given.network.links[1].mac, "b8:27:eb:00:00:01");
    }

    #[test]
    fn plain_wires_need_no_word() {
        let mut found = found();
        found.interfaces.truncate(1);
        let given = network(&found, &[], &mut Reading::default());
        assert_eq!((given.network, given.wifi, given.cannot), (Network::default(), None, None));
    }

    #[test]
    fn what_migos_does_not_know_is_told() {
        let mut found = found();
        found.interfaces[1].is_default_route = false;
        let vlan = Connection {
            kind: Kind::Vlan { parent: "eth0".to_owned(), id: 5 },
            ..Connection::default()
        };
        let given = network(&found, &[vlan], &mut Reading::default());
        assert!(given.cannot.unwrap().contains("VLAN"));
    }
}
