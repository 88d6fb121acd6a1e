//! systemd-networkd's files: `.network` and, for VLANs, `.netdev`.
//!
//! Source: systemd.network(5) and systemd.netdev(5).

use super::connection::{Connection, Family, Kind, Method, Route, cidr, widest};
use super::dhcpcd::is_like;
use super::reading::Reading;
use super::{ConfigFile, Found, Interface, stack, wpa_supplicant};
use std::collections::BTreeSet;
use std::net::IpAddr;

const FOLDER: &str = "/etc/systemd/network/";

/// One line `Key=value`.
struct Entry<'a> {
    section: &'a str,
    /// Counts the sections, since `[Route]` stands there for each route.
    number: usize,
    key: &'a str,
    value: &'a str,
    at: usize,
}

/// A file's lines.
struct Unit<'a> {
    file: &'a ConfigFile,
    all: Vec<Entry<'a>>,
}

impl<'a> Unit<'a> {
    fn new(file: &'a ConfigFile, reading: &mut Reading) -> Self {
        let (mut section, mut number) = ("", 0);
        let mut all = Vec::new();
        for (index, line) in file.text.lines().enumerate() {
            let (line, at) = (line.trim(), index + 1);
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                (section, number) = (name, number + 1);
                continue;
            }
            match line.split_once('=') {
                Some((key, value)) => {
                    let (key, value) = (key.trim(), value.trim());
                    all.push(Entry { section, number, key, value, at });
                }
                None => reading.refuse(file, at, "systemd does not understand this line"),
            }
        }
        Self { file, all }
    }

    fn values(&self, section: &str, key: &str) -> Vec<&'a str> {
        let own = self.all.iter().filter(|it| it.section == section && it.key == key);
        own.flat_map(|it| it.value.split_whitespace()).collect()
    }

    /// Whether `[Match]` means an interface.
    fn is_for(&self, name: &str, mac: Option<&str>, wireless: bool) -> bool {
        let names = self.values("Match", "Name");
        let macs = self.values("Match", "MACAddress");
        let kinds = self.values("Match", "Type");
        let kind = if wireless { "wlan" } else { "ether" };
        let has_any = !(names.is_empty() && macs.is_empty() && kinds.is_empty());
        has_any
            && (names.is_empty() || names.iter().any(|it| is_like(it, name)))
            && (macs.is_empty()
                || macs.iter().any(|it| mac.is_some_and(|mac| it.eq_ignore_ascii_case(mac))))
            && (kinds.is_empty() || kinds.contains(&kind))
    }
}

/// Pushes the connections, and gives the interfaces that others leave alone.
pub(super) fn connections(
    found: &Found,
    taken: &BTreeSet<String>,
    reading: &mut Reading,
) -> BTreeSet<String> {
    let mut files: Vec<&ConfigFile> =
        found.files.iter().filter(|it| it.path.starts_with(FOLDER)).collect();
    files.sort_by_key(|it| it.path.as_str());
    let of =
        |end: &str| files.iter().filter(|it| it.path.ends_with(end)).copied().collect::<Vec<_>>();
    let networks: Vec<Unit> = of(".network").into_iter().map(|it| Unit::new(it, reading)).collect();
    let devices: Vec<Unit> = of(".netdev").into_iter().map(|it| Unit::new(it, reading)).collect();
    let vlans = vlans(&devices, reading);
    let mut governed = BTreeSet::new();
    for interface in found.interfaces.iter().filter(|it| !taken.contains(&it.name)) {
        let is_meant =
            |it: &&Unit| it.is_for(&interface.name, Some(&interface.mac), interface.wireless);
        let Some(unit) = networks.iter().find(is_meant) else { continue };
        if unit.values("Link", "Unmanaged").first().is_some_and(|it| is_true(it)) {
            continue;
        }
        governed.insert(interface.name.clone());
        one(interface, unit, found, reading);
        for name in unit.values("Network", "VLAN") {
            let (Some(id), Some(unit)) = (
                vlans.iter().find(|(it, _)| *it == name).map(|(_, id)| *id),
                networks.iter().find(|it| it.is_for(name, None, false)),
            ) else {
                reading.refuse(unit.file, 0, format!("nothing says what the VLAN {name} is"));
                continue;
            };
            let mut connection = connection(unit, reading);
            connection.interface = Some(name.to_owned());
            connection.kind = Kind::Vlan { parent: interface.name.clone(), id };
            reading.connections.push(connection);
        }
    }
    governed
}

/// Names and numbers of VLANs. Other devices are refused.
fn vlans<'a>(devices: &[Unit<'a>], reading: &mut Reading) -> Vec<(&'a str, u16)> {
    let mut out = Vec::new();
    for unit in devices {
        let kind = unit.values("NetDev", "Kind").first().copied().unwrap_or_default();
        let name = unit.values("NetDev", "Name").first().copied();
        let id = unit.values("VLAN", "Id").first().and_then(|it| it.parse().ok());
        match (kind, name, id) {
            ("vlan", Some(name), Some(id)) => out.push((name, id)),
            _ => {
                let at = unit.all.iter().find(|it| it.key == "Kind").map_or(0, |it| it.at);
                reading.refuse(
                    unit.file,
                    at,
                    format!("a device of the kind {kind:?} cannot be carried over"),
                );
            }
        }
    }
    out
}

/// A wire, or all networks of a radio.
fn one(interface: &Interface, unit: &Unit, found: &Found, reading: &mut Reading) {
    let mut connection = connection(unit, reading);
    connection.interface = Some(interface.name.clone());
    let is_dhcp = connection.v4.method == Method::Auto;
    if is_dhcp && connection.client_id.is_none() && !found.client_ids.contains_key(&interface.name)
    {
        let name = &interface.name;
        reading.note(format!(
            "{name} may get another address: how systemd-networkd calls itself there is not known"
        ));
    }
    if !interface.wireless {
        return reading.connections.push(connection);
    }
    let known = stack::of_interface(found, &interface.name)
        .map(|file| wpa_supplicant::read(file, reading))
        .unwrap_or_default();
    stack::wireless(known, reading, |_, _| connection.clone());
}

fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "1")
}

/// What a `.network` says of addresses.
fn connection(unit: &Unit, reading: &mut Reading) -> Connection {
    let mut out = Connection::default();
    (out.v4.method, out.v6.method) = (Method::Disabled, Method::Auto);
    let mut dhcp = "no".to_owned();
    let mut routes: Vec<(usize, usize, Raw)> = Vec::new();
    for entry in &unit.all {
        let result = match (entry.section, entry.key) {
            ("Match", "Name" | "MACAddress" | "Type") => Ok(()),
            ("Network", "DHCP") => {
                dhcp = entry.value.to_ascii_lowercase();
                Ok(())
            }
            ("Route", key) => {
                if routes.last().is_none_or(|(number, ..)| *number != entry.number) {
                    routes.push((entry.number, entry.at, Raw::default()));
                }
                routes.last_mut().map_or(Ok(()), |(.., raw)| raw.take(key, entry.value))
            }
            ("Network", "NTP") => {
                reading.time_servers(entry.value);
                Ok(())
            }
            _ => setting(entry, &mut out),
        };
        if let Err(why) = result {
            reading.refuse(unit.file, entry.at, why);
        }
    }
    for (_, at, raw) in routes {
        if let Err(why) = raw.add(&mut out) {
            reading.refuse(unit.file, at, why);
        }
    }
    let (by4, by6) = match dhcp.as_str() {
        "yes" | "true" | "on" | "1" | "both" => (true, true),
        "ipv4" | "v4" => (true, false),
        "ipv6" | "v6" => (false, true),
        _ => (false, false),
    };
    for (family, is_dhcp) in [(&mut out.v4, by4), (&mut out.v6, by6)] {
        if is_dhcp {
            family.method = Method::Auto;
        } else if !family.addresses.is_empty() {
            family.method = Method::Manual;
        }
    }
    out
}

fn setting(entry: &Entry, out: &mut Connection) -> Result<(), String> {
    const NO: &str = "this is no address";
    let value = entry.value;
    match (entry.section, entry.key) {
        ("Network" | "Address", "Address") => {
            let address = value.parse::<IpAddr>().ok().map(|it| (it, widest(it)));
            let (ip, length) = cidr(value).or(address).ok_or(NO)?;
            family(out, ip).addresses.push((ip, length));
        }
        ("Network", "Gateway") => {
            let ip: IpAddr = value.parse().map_err(|_| NO)?;
            family(out, ip).gateway = Some(ip);
        }
        ("Network", "DNS") => {
            for word in value.split_whitespace() {
                let ip: IpAddr = word.parse().map_err(|_| NO)?;
                family(out, ip).dns.push(ip);
            }
        }
        ("Network", "Domains") => {
            out.v4
                .search
                .extend(value.split_whitespace().map(|it| it.trim_start_matches('~').to_owned()));
        }
        ("DHCP" | "DHCPv4" | "DHCPv6", "RouteMetric") => {
            let metric = Some(value.parse().map_err(|_| "this is no number")?);
            (out.v4.metric, out.v6.metric) = (metric, metric);
        }
        ("DHCP" | "DHCPv4", "UseDNS") => out.v4.own_dns_only = !is_true(value),
        ("DHCPv6" | "IPv6AcceptRA", "UseDNS") => out.v6.own_dns_only = !is_true(value),
        ("Network", "IPv6AcceptRA") if !is_true(value) => out.v6.method = Method::LinkLocal,
        ("Network", "LinkLocalAddressing") if !is_true(value) && value != "ipv6" => {}
        ("Link", "MACAddress") => {
            out.more.push(("ethernet", "cloned-mac-address".to_owned(), value.to_owned()));
        }
        ("Link", "MTUBytes") => out.more.push(("ethernet", "mtu".to_owned(), value.to_owned())),
        (
            "Link",
            "RequiredForOnline" | "Unmanaged" | "ActivationPolicy" | "Multicast" | "AllMulticast",
        )
        | (
            "Network",
            "VLAN"
            | "IPv6AcceptRA"
            | "LinkLocalAddressing"
            | "MulticastDNS"
            | "LLMNR"
            | "LLDP"
            | "EmitLLDP"
            | "Description"
            | "IPv6PrivacyExtensions"
            | "DNSSEC"
            | "DNSOverTLS"
            | "ConfigureWithoutCarrier"
            | "IgnoreCarrierLoss"
            | "KeepConfiguration"
            | "DNSDefaultRoute",
        )
        | (
            "DHCP" | "DHCPv4" | "DHCPv6",
            "UseNTP" | "UseHostname" | "SendHostname" | "Hostname" | "UseDomains"
            | "ClientIdentifier" | "UseMTU" | "DUIDType" | "IAID",
        )
        | ("IPv6AcceptRA", "UseDomains") => {}
        (
            "Network",
            key @ ("Bridge" | "Bond" | "Bonding" | "MACVLAN" | "Tunnel" | "VRF" | "DHCPServer"
            | "IPForward" | "IPMasquerade"),
        ) => return Err(format!("{key} cannot be carried over")),
        (section, key) => {
            return Err(format!("nothing is known of what becomes of {section}.{key} on balenaOS"));
        }
    }
    Ok(())
}

fn family(out: &mut Connection, ip: IpAddr) -> &mut Family {
    if ip.is_ipv6() { &mut out.v6 } else { &mut out.v4 }
}

/// A `[Route]` while it is read.
#[derive(Default)]
struct Raw {
    to: Option<String>,
    via: Option<IpAddr>,
    metric: Option<u32>,
}

impl Raw {
    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "Destination" => self.to = Some(value.to_owned()),
            "Gateway" => self.via = Some(value.parse().map_err(|_| "this is no address")?),
            "Metric" => self.metric = Some(value.parse().map_err(|_| "this is no number")?),
            "Scope" | "GatewayOnLink" => {}
            key => return Err(format!("{key} of a route cannot be carried over")),
        }
        Ok(())
    }

    fn add(self, out: &mut Connection) -> Result<(), String> {
        const NO: &str = "this route cannot be carried over";
        match self.to.as_deref() {
            None | Some("0.0.0.0/0" | "::/0") => {
                let via = self.via.ok_or(NO)?;
                let family = family(out, via);
                family.gateway = Some(via);
                family.metric = self.metric.or(family.metric);
            }
            Some(to) => {
                let address = to.parse::<IpAddr>().ok().map(|it| (it, widest(it)));
                let to = cidr(to).or(address).ok_or(NO)?;
                family(out, to.0).routes.push(Route { to, via: self.via, metric: self.metric });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Connection, Reading) {
        let file = ConfigFile { path: format!("{FOLDER}10.network"), text: text.to_owned() };
        let mut reading = Reading::default();
        let unit = Unit::new(&file, &mut reading);
        let connection = connection(&unit, &mut reading);
        (connection, reading)
    }

    #[test]
    fn addresses_and_routes_are_read() {
        let (out, reading) = read(
            "[Match]\nName=eth*\n[Network]\nAddress=10.0.0.2/24\nGateway=10.0.0.1\nDNS=1.1.1.1 fd00::1\n\
             [Route]\nDestination=10.9.0.0/16\nGateway=10.0.0.9\n[Route]\nDestination=10.8.0.0/16\nGateway=10.0.0.8\n",
        );
        assert!(reading.refused.is_empty(), "{:?}", reading.refused);
        assert!(
            out.v4.method == Method::Manual && out.v4.routes.len() == 2 && out.v6.dns.len() == 1
        );
    }

    #[test]
    fn interfaces_are_told_by_what_match_says() {
        let text = "[Match]\nName=eth* en*\nType=ether\n".to_owned();
        let file = ConfigFile { path: format!("{FOLDER}10.network"), text };
        let unit = Unit::new(&file, &mut Reading::default());
        assert!(unit.is_for("eth0", None, false) && unit.is_for("enxb8", None, false));
        assert!(!unit.is_for("eth0", None, true) && !unit.is_for("wlan0", None, false));
    }

    #[test]
    fn bridges_are_refused() {
        let (_, reading) = read("[Match]\nName=eth0\n[Network]\nBridge=br0\n");
        assert_eq!(reading.refused[0].line, Some(4));
        assert!(reading.refused[0].why.contains("Bridge"));
    }
}
