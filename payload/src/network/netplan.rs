//! netplan's files: wires, radios and VLANs, for NetworkManager or systemd-networkd.
//!
//! Source: the YAML reference of netplan.io.

use super::connection::{
    Connection, Enterprise, Family, Kind, Method, Route, Security, Wifi, cidr, widest,
};
use super::network_manager::is_psk;
use super::reading::Reading;
use super::yaml::{self, Node};
use super::{ConfigFile, Found};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Keys that say nothing about how a network is reached.
const HARMLESS: &[&str] = &[
    "optional",
    "critical",
    "renderer",
    "match",
    "set-name",
    "wakeonlan",
    "emit-lldp",
    "optional-addresses",
    "ignore-carrier",
    "ipv6-privacy",
    "regulatory-domain",
    "access-points",
    "id",
    "link",
    "link-local",
    "accept-ra",
    "dhcp-identifier",
    "mobility-domain",
];

/// All that is known while files are read.
struct Netplan<'a, 'r> {
    files: &'a [&'a ConfigFile],
    reading: &'r mut Reading,
}

/// Pushes the connections of what runs, and notes which interfaces are governed.
pub(super) fn connections(
    found: &Found,
    is_rendered: bool,
    governed: &mut BTreeSet<String>,
    reading: &mut Reading,
) {
    let files = in_order(found);
    let mut root: Option<Node> = None;
    for (index, file) in files.iter().enumerate() {
        match yaml::parse(&file.text, index) {
            Ok(node) => match &mut root {
                Some(root) => root.merge(node),
                None => root = Some(node),
            },
            // NetworkManager's keyfiles say the same.
            Err(_) if is_rendered => {}
            Err(why) => reading.refuse(file, 0, why),
        }
    }
    let Some(network) = root.as_ref().and_then(|it| it.get("network")) else { return };
    let mut netplan = Netplan { files: &files, reading };
    for (key, value) in network.entries() {
        let name = key.text().unwrap_or_default();
        match name {
            "version" | "renderer" => {}
            "ethernets" | "wifis" | "vlans" => {
                for (device, value) in value.entries() {
                    let stack = stack(network, value);
                    if !found.active.contains(stack) {
                        netplan.note(device, &format!("is for {stack}, which does not run"));
                    } else if stack != "NetworkManager" || !is_rendered {
                        netplan.device(name, device, value, stack, found, governed);
                    }
                }
            }
            _ if value.entries().next().is_none() => {}
            _ if is_rendered => {}
            name => netplan.refuse(key, format!("{name} cannot be carried over")),
        }
    }
}

/// The files as netplan takes them: by name, those in `/etc` instead of those of the same name elsewhere.
fn in_order(found: &Found) -> Vec<&ConfigFile> {
    let mut all: BTreeMap<&str, &ConfigFile> = BTreeMap::new();
    for folder in ["/lib/netplan/", "/etc/netplan/"] {
        for file in &found.files {
            if let Some(name) = file.path.strip_prefix(folder) {
                all.insert(name, file);
            }
        }
    }
    all.into_values().collect()
}

/// The unit that a device is for. Without a word it is systemd-networkd.
fn stack(network: &Node, device: &Node) -> &'static str {
    let renderer = device.get("renderer").or_else(|| network.get("renderer"));
    match renderer.and_then(Node::text) {
        Some("NetworkManager") => "NetworkManager",
        _ => "systemd-networkd",
    }
}

fn is_true(node: Option<&Node>) -> bool {
    let text = node.and_then(Node::text).unwrap_or_default().to_ascii_lowercase();
    matches!(text.as_str(), "true" | "yes" | "on" | "y")
}

impl Netplan<'_, '_> {
    fn refuse(&mut self, node: &Node, why: impl Into<String>) {
        if let Some(file) = self.files.get(node.file) {
            self.reading.refuse(file, node.line, why);
        }
    }

    fn note(&mut self, node: &Node, what: &str) {
        let (path, name) = (self.files.get(node.file).map(|it| it.path.as_str()), node.text());
        self.reading.note(format!(
            "{} in {} {what}",
            name.unwrap_or_default(),
            path.unwrap_or_default()
        ));
    }

    /// One wire, radio or VLAN.
    fn device(
        &mut self,
        section: &str,
        key: &Node,
        value: &Node,
        stack: &str,
        found: &Found,
        governed: &mut BTreeSet<String>,
    ) {
        let name = match self.hardware(key, value, found) {
            Some(name) => name,
            None if section == "vlans" => key.text().unwrap_or_default().to_owned(),
            None => return self.note(key, "is no interface that there is, so it is left out"),
        };
        if section != "vlans" {
            if governed.contains(&name) && stack != "NetworkManager" {
                return;
            }
            governed.insert(name.clone());
        }
        let mut connection = self.addresses(value, stack);
        connection.interface = Some(name);
        match section {
            "ethernets" => self.reading.connections.push(connection),
            "vlans" => {
                let id = value.get("id").and_then(Node::text).and_then(|it| it.parse().ok());
                let link = value.get("link").and_then(Node::text);
                match (link, id) {
                    (Some(parent), Some(id)) => {
                        connection.kind = Kind::Vlan { parent: parent.to_owned(), id };
                        self.reading.connections.push(connection);
                    }
                    _ => self.refuse(key, "the VLAN's link or number is missing"),
                }
            }
            _ => self.radio(key, value, &connection),
        }
    }

    /// Raspbian's name of the hardware that is meant.
    fn hardware(&mut self, key: &Node, value: &Node, found: &Found) -> Option<String> {
        let named = key.text().unwrap_or_default();
        let Some(rules) = value.get("match") else {
            return found.interfaces.iter().find(|it| it.name == named).map(|it| it.name.clone());
        };
        for (key, _) in rules.entries() {
            if !matches!(key.text(), Some("macaddress" | "name")) {
                self.refuse(key, "only macaddress and name can be carried over");
            }
        }
        let mac = rules.get("macaddress").and_then(Node::text);
        let name = rules.get("name").and_then(Node::text);
        let is_meant = |it: &&super::Interface| {
            mac.is_none_or(|mac| mac.eq_ignore_ascii_case(&it.mac))
                && name.is_none_or(|name| super::dhcpcd::is_like(name, &it.name))
        };
        let mut all = found.interfaces.iter().filter(is_meant);
        let first = all.next()?;
        if all.next().is_some() {
            self.refuse(key, "several interfaces are meant: name them one by one");
        }
        Some(first.name.clone())
    }

    /// The networks of a radio.
    fn radio(&mut self, key: &Node, value: &Node, connection: &Connection) {
        if let Some(country) = value.get("regulatory-domain")
            && !country.text().is_some_and(|it| self.reading.country(it))
        {
            self.refuse(country, "this is no country of two letters");
        }
        let Some(points) = value.get("access-points") else {
            return self.note(key, "enters no network");
        };
        for (ssid, point) in points.entries() {
            let Some(wifi) = self.network(ssid, point) else { continue };
            let connection = Connection { kind: Kind::Wifi(wifi), ..connection.clone() };
            self.reading.connections.push(connection);
        }
    }

    fn network(&mut self, ssid: &Node, point: &Node) -> Option<Wifi> {
        let name = ssid.text().unwrap_or_default();
        if name.is_empty() || name.len() > 32 || name.contains('\u{fffd}') {
            self.refuse(ssid, "the network's name is not readable");
            return None;
        }
        let mut wifi = Wifi { ssid: name.as_bytes().to_vec(), ..Wifi::default() };
        for (key, value) in point.entries() {
            let text = value.text().unwrap_or_default();
            match key.text().unwrap_or_default() {
                "password" if is_psk(text) => wifi.security = Security::Psk(text.to_owned()),
                "auth" => wifi.security = self.auth(value)?,
                "hidden" => wifi.hidden = is_true(Some(value)),
                "bssid" => wifi.bssid = Some(text.to_owned()),
                "mode" if text == "infrastructure" => {}
                "mode" => {
                    self.refuse(
                        key,
                        "an access point of the device's own, or a network without one, cannot be carried over",
                    );
                    return None;
                }
                "password" => {
                    self.refuse(key, "a passphrase is 8 to 63 characters, or 64 hex digits");
                    return None;
                }
                "band" | "channel" => {}
                other => {
                    let why = format!("nothing is known of what becomes of {other} on balenaOS");
                    self.refuse(key, why);
                    return None;
                }
            }
        }
        Some(wifi)
    }

    /// `auth:` of a network.
    fn auth(&mut self, node: &Node) -> Option<Security> {
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        const KNOWN: [&str; 6] = [
            "key-management",
            "password",
            "method",
            "identity",
            "anonymous-identity",
            "phase2-auth",
        ];
        if let Some((key, _)) =
            node.entries().find(|(key, _)| !key.text().is_some_and(|it| KNOWN.contains(&it)))
        {
            self.refuse(key, "files with certificates, and other settings, cannot be carried over");
            return None;
        }
        let password = text("password").unwrap_or_default();
        match text("key-management").as_deref() {
            Some("none") => Some(Security::Open),
            Some("psk") if is_psk(&password) => Some(Security::Psk(password)),
            Some("sae") if !password.is_empty() => Some(Security::Sae(password)),
            Some("eap")
                if matches!(text("method").as_deref(), Some("peap" | "ttls"))
                    && !password.is_empty() =>
            {
                Some(Security::Enterprise(Enterprise {
                    method: text("method")?,
                    inner: text("phase2-auth").map(|it| (it.to_ascii_lowercase(), false)),
                    identity: text("identity").unwrap_or_default(),
                    anonymous: text("anonymous-identity"),
                    password,
                }))
            }
            _ => {
                self.refuse(node, "how this network is entered cannot be carried over");
                None
            }
        }
    }

    /// The addresses of a device.
    fn addresses(&mut self, value: &Node, stack: &str) -> Connection {
        let mut out = Connection::default();
        let without = if stack == "NetworkManager" { Method::LinkLocal } else { Method::Auto };
        (out.v4.method, out.v6.method) = (Method::Disabled, without);
        if is_true(value.get("accept-ra")) {
            out.v6.method = Method::Auto;
        }
        for (key, value) in value.entries() {
            if let Err(why) = self.address_key(key.text().unwrap_or_default(), value, &mut out) {
                self.refuse(key, why);
            }
        }
        for (family, dhcp) in [(&mut out.v4, "dhcp4"), (&mut out.v6, "dhcp6")] {
            match (is_true(value.get(dhcp)), family.addresses.is_empty()) {
                (true, _) => family.method = Method::Auto,
                (false, false) => family.method = Method::Manual,
                (false, true) => {}
            }
        }
        out
    }

    fn address_key(&mut self, key: &str, value: &Node, out: &mut Connection) -> Result<(), String> {
        const NO: &str = "this is no address";
        let text = value.text().unwrap_or_default();
        match key {
            "addresses" => {
                for item in value.items() {
                    let (ip, length) = item.text().and_then(cidr).ok_or(NO)?;
                    let family = if ip.is_ipv6() { &mut out.v6 } else { &mut out.v4 };
                    family.addresses.push((ip, length));
                }
            }
            "gateway4" => out.v4.gateway = Some(text.parse().map_err(|_| NO)?),
            "gateway6" => out.v6.gateway = Some(text.parse().map_err(|_| NO)?),
            "nameservers" => {
                let all = value.get("addresses").map(Node::items).unwrap_or_default();
                let all: Option<Vec<IpAddr>> =
                    all.iter().map(|it| it.text()?.parse().ok()).collect();
                let all = all.ok_or(NO)?;
                out.v4.take_dns(&all, false);
                out.v6.take_dns(&all, true);
                let search = value.get("search").map(Node::items).unwrap_or_default();
                out.v4.search = search.iter().filter_map(Node::text).map(str::to_owned).collect();
            }
            "routes" => {
                for item in value.items() {
                    route(item, out)?;
                }
            }
            "dhcp4-overrides" => overrides(value, &mut out.v4)?,
            "dhcp6-overrides" => overrides(value, &mut out.v6)?,
            "macaddress" => {
                out.more.push(("ethernet", "cloned-mac-address".to_owned(), text.to_owned()))
            }
            "mtu" => out.more.push(("ethernet", "mtu".to_owned(), text.to_owned())),
            "dhcp4" | "dhcp6" => {}
            key if HARMLESS.contains(&key) => {}
            key => return Err(format!("nothing is known of what becomes of {key} on balenaOS")),
        }
        Ok(())
    }
}

fn overrides(node: &Node, family: &mut Family) -> Result<(), String> {
    for (key, value) in node.entries() {
        match (key.text().unwrap_or_default(), value.text().unwrap_or_default()) {
            ("route-metric", number) => {
                family.metric = Some(number.parse().map_err(|_| "this is no number")?);
            }
            ("use-dns", _) => family.own_dns_only = !is_true(Some(value)),
            (
                "use-hostname" | "send-hostname" | "hostname" | "use-ntp" | "use-domains"
                | "use-mtu",
                _,
            ) => {}
            (other, _) => return Err(format!("{other} cannot be carried over")),
        }
    }
    Ok(())
}

fn route(node: &Node, out: &mut Connection) -> Result<(), String> {
    const NO: &str = "this route cannot be carried over";
    let known = ["to", "via", "metric"];
    if node.entries().any(|(key, _)| !key.text().is_some_and(|it| known.contains(&it))) {
        return Err(NO.to_owned());
    }
    let text = |key: &str| node.get(key).and_then(Node::text);
    let via: Option<IpAddr> = text("via").map(|it| it.parse()).transpose().map_err(|_| NO)?;
    let metric = text("metric").map(|it| it.parse()).transpose().map_err(|_| NO)?;
    let to = text("to").ok_or(NO)?;
    if matches!(to, "default" | "0.0.0.0/0" | "::/0") {
        let via = via.ok_or(NO)?;
        let family = if via.is_ipv6() { &mut out.v6 } else { &mut out.v4 };
        if family.gateway.is_some_and(|it| it != via) {
            return Err("NetworkManager takes one router of a connection".to_owned());
        }
        family.gateway = Some(via);
        family.metric = metric.or(family.metric);
        return Ok(());
    }
    let address = || to.parse::<IpAddr>().ok().map(|it| (it, widest(it)));
    let to = cidr(to).or_else(address).ok_or(NO)?;
    let family = if to.0.is_ipv6() { &mut out.v6 } else { &mut out.v4 };
    family.routes.push(Route { to, via, metric });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Interface, translate};

    fn translated(files: &[(&str, &str)]) -> Result<String, String> {
        let file = |(path, text): &(&str, &str)| ConfigFile {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        let interface = |name: &str| Interface {
            name: name.to_owned(),
            mac: format!("b8:27:eb:00:00:0{}", u8::from(name == "wlan0")),
            wireless: name == "wlan0",
            addresses: Vec::new(),
            is_default_route: name == "eth0",
        };
        let found = Found {
            files: files.iter().map(file).collect(),
            interfaces: vec![interface("eth0"), interface("wlan0")],
            active: ["NetworkManager".to_owned()].into(),
            ..Found::default()
        };
        match translate(&found) {
            Ok(out) => Ok(out.keyfiles.into_values().collect()),
            Err(all) => Err(all.iter().map(|it| format!("{:?} {}\n", it.line, it.why)).collect()),
        }
    }

    #[test]
    fn later_files_override_and_the_renderer_counts() {
        let base = ("/lib/netplan/00-nm.yaml", "network:\n  renderer: NetworkManager\n");
        let first = (
            "/etc/netplan/10.yaml",
            "network:\n  ethernets:\n    eth0: {addresses: [10.0.0.2/24]}\n",
        );
        let second = (
            "/etc/netplan/20.yaml",
            "network:\n  ethernets:\n    eth0:\n      routes: [{to: default, via: 10.0.0.1}]\n",
        );
        let out = translated(&[second, first, base]).unwrap();
        assert!(out.contains("address1=10.0.0.2/24\ngateway=10.0.0.1\n"), "{out}");
        assert_eq!(translated(&[second, first]).as_deref(), Ok(""));
    }

    #[test]
    fn radios_are_read_and_bridges_refused() {
        let of = |text: &str| translated(&[("/etc/netplan/x.yaml", text)]);
        let out = of(
            "network:\n  renderer: NetworkManager\n  wifis:\n    wlan0:\n      dhcp4: true\n      \
            access-points:\n        \"My Net\": {password: \"12345678\", hidden: true}\n",
        );
        let out = out.unwrap();
        assert!(
            out.contains("ssid=My Net\nhidden=true\n") && out.contains("psk=12345678\n"),
            "{out}"
        );
        let out = of("network:\n  renderer: NetworkManager\n  bridges:\n    br0: {}\n");
        assert!(out.unwrap_err().contains("Some(3) bridges"));
        assert!(of("network: [").unwrap_err().contains("no YAML"));
    }
}
