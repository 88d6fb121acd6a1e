//! What balenaOS is given: keyfiles that say no more than they have to.
//!
//! balenaOS copies `system-connections/` of its boot partition to `/etc/NetworkManager/` (`balena-net-config` in
//! meta-balena). NetworkManager passes over names with a dot and six letters, so that these have none. A wired
//! interface without any keyfile asks a DHCP server by itself.

use super::connection::{Connection, Family, Kind, Method, Security, Wifi, ssid_value};
use super::keyfile::escape;
use super::reading::Reading;
use super::{Found, Interface, Networks, migos};
use std::collections::BTreeMap;

/// Less than NetworkManager's own 100 for a wire: of two wires this is the way out, as in Raspbian.
const WAY_OUT_METRIC: u32 = 90;

/// All that is made of what was read.
pub(super) fn networks(found: &Found, mut reading: Reading) -> Networks {
    let connections = std::mem::take(&mut reading.connections);
    let mut present: Vec<Connection> = Vec::new();
    for mut connection in connections {
        if let Some(missing) = missing(&connection, found) {
            reading.note(format!(
                "there is no interface {missing}, so what is said of it is left out"
            ));
            continue;
        }
        complete(&mut connection, found);
        if let Some(text) = other_address(&connection, found) {
            reading.note(text);
        }
        present.push(connection);
    }
    in_order_of_ways_out(&mut present, found);
    let mut keyfiles = BTreeMap::new();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for connection in present.iter().filter(|it| !is_default(it, found)) {
        let kind = kind_name(&connection.kind);
        let count = counts.entry(kind).or_default();
        *count += 1;
        let name = format!("migos-{kind}-{count}");
        let text = keyfile(&name, connection, found);
        keyfiles.insert(name, text);
    }
    let migos = migos::network(found, &present, &mut reading);
    Networks {
        keyfiles,
        migos: migos.network,
        wifi: migos.wifi,
        migos_cannot: migos.cannot,
        country: reading.country,
        dns: reading.dns,
        ntp: reading.ntp,
        notes: reading.notes,
    }
}

/// The interface that a connection names, if there is none like it.
fn missing<'a>(connection: &'a Connection, found: &Found) -> Option<&'a str> {
    let name = match &connection.kind {
        Kind::Ethernet | Kind::Wifi(_) => connection.interface.as_deref(),
        Kind::Vlan { parent, .. } => Some(parent.as_str()),
        Kind::Cellular(_) => None,
    };
    name.filter(|name| !found.interfaces.iter().any(|it| it.name == *name))
}

/// Adds what the probe knows of a connection.
fn complete(connection: &mut Connection, found: &Found) {
    let Some(interface) = interface(connection, found) else { return };
    let by_dhcp = connection.v4.method == Method::Auto;
    if connection.client_id.is_none() && by_dhcp && !matches!(connection.kind, Kind::Vlan { .. }) {
        connection.client_id = found.client_ids.get(&interface.name).cloned();
    }
}

/// Tells of an address that is none of those configured: since the last start the configuration was changed.
fn other_address(connection: &Connection, found: &Found) -> Option<String> {
    let interface = interface(connection, found)?;
    let has = interface.addresses.iter().find(|it| it.is_ipv4())?;
    let is_wire = connection.kind == Kind::Ethernet && connection.v4.method == Method::Manual;
    let own = &connection.v4.addresses;
    let is_among = interface.addresses.iter().any(|it| own.iter().any(|(ip, _)| ip == it));
    let (ip, _) = own.first().filter(|_| is_wire && !is_among)?;
    Some(format!(
        "{} has the address {has} now, and gets {ip}, which is configured",
        interface.name
    ))
}

/// The one interface that a connection is of: by name, or because there is no other of its kind.
pub(super) fn interface<'a>(connection: &Connection, found: &'a Found) -> Option<&'a Interface> {
    let name = match &connection.kind {
        Kind::Vlan { parent, .. } => Some(parent),
        Kind::Cellular(_) => return None,
        _ => connection.interface.as_ref(),
    };
    let mac = connection.more.iter().find(|(_, key, _)| key == "mac-address").map(|(.., it)| it);
    let is_radio = matches!(connection.kind, Kind::Wifi(_));
    let mut of_kind = found.interfaces.iter().filter(|it| it.wireless == is_radio);
    match (name, mac) {
        (Some(name), _) => found.interfaces.iter().find(|it| it.name == *name),
        (None, Some(mac)) => of_kind.find(|it| it.mac.eq_ignore_ascii_case(mac)),
        (None, None) => of_kind.next().filter(|_| of_kind.next().is_none()),
    }
}

/// Of several wires the one that is the way out stays that.
fn in_order_of_ways_out(all: &mut Vec<Connection>, found: &Found) {
    let wired: Vec<&Interface> = found.interfaces.iter().filter(|it| !it.wireless).collect();
    let is_weighed = all.iter().any(|it| it.v4.metric.is_some());
    let Some(way_out) = wired.iter().find(|it| it.is_default_route) else { return };
    if wired.len() < 2 || is_weighed {
        return;
    }
    let is_of = |it: &&mut Connection| {
        it.kind == Kind::Ethernet && interface(it, found).is_some_and(|it| it.name == way_out.name)
    };
    let new = || Connection { interface: Some(way_out.name.clone()), ..Connection::default() };
    match all.iter_mut().find(is_of) {
        Some(connection) => connection.v4.metric = Some(WAY_OUT_METRIC),
        None => {
            let mut connection = new();
            complete(&mut connection, found);
            connection.v4.metric = Some(WAY_OUT_METRIC);
            all.push(connection);
        }
    }
}

/// Whether NetworkManager does the same without a keyfile.
fn is_default(connection: &Connection, found: &Found) -> bool {
    connection.kind == Kind::Ethernet
        && connection.v4 == Family::default()
        && connection.v6 == Family::default()
        && connection
            .more
            .iter()
            .all(|(_, key, _)| matches!(key.as_str(), "addr-gen-mode" | "mac-address"))
        && own_client_id(connection, found).is_none()
}

/// The client identifier, where it is another than NetworkManager's own: 01 and the hardware address.
fn own_client_id<'a>(connection: &'a Connection, found: &Found) -> Option<&'a str> {
    let id = connection.client_id.as_deref()?;
    let mac = interface(connection, found).map(|it| it.mac.replace(':', "").to_ascii_lowercase());
    (mac.map(|it| format!("01{it}")).as_deref() != Some(id)).then_some(id)
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Ethernet => "ethernet",
        Kind::Wifi(_) => "wifi",
        Kind::Vlan { .. } => "vlan",
        Kind::Cellular(_) => "cellular",
    }
}

/// A keyfile as sections in order.
#[derive(Default)]
struct Keyfile {
    sections: Vec<(&'static str, Vec<(String, String)>)>,
}

impl Keyfile {
    fn section(&mut self, name: &'static str) -> &mut Vec<(String, String)> {
        let at = match self.sections.iter().position(|(it, _)| *it == name) {
            Some(at) => at,
            None => {
                self.sections.push((name, Vec::new()));
                self.sections.len() - 1
            }
        };
        &mut self.sections[at].1
    }

    /// Sets a key once: the first value stays.
    fn set(&mut self, section: &'static str, key: &str, value: impl ToString) {
        let entries = self.section(section);
        if !entries.iter().any(|(it, _)| it == key) {
            entries.push((key.to_owned(), value.to_string()));
        }
    }

    fn text(
        &self,
        section: &'static str,
        key: &str,
        value: &str,
    ) -> (&'static str, String, String) {
        (section, key.to_owned(), escape(value))
    }
}

/// The text of a keyfile.
fn keyfile(name: &str, connection: &Connection, found: &Found) -> String {
    let mut out = Keyfile::default();
    out.set("connection", "id", name);
    let kind = match &connection.kind {
        Kind::Cellular(_) => "gsm",
        kind => kind_name(kind),
    };
    out.set("connection", "type", kind);
    if connection.priority != 0 {
        out.set("connection", "autoconnect-priority", connection.priority.clamp(-999, 999));
    }
    match &connection.kind {
        Kind::Ethernet => {
            out.section("ethernet");
        }
        Kind::Wifi(wifi) => radio(&mut out, wifi),
        Kind::Vlan { id, .. } => {
            out.set("connection", "interface-name", name);
            out.set("vlan", "id", id);
            // Without a parent's name its hardware address tells which interface it is.
            out.set("vlan", "flags", 1);
        }
        Kind::Cellular(modem) => {
            let all = [
                ("apn", &modem.apn),
                ("number", &modem.number),
                ("username", &modem.user),
                ("password", &modem.password),
                ("pin", &modem.pin),
            ];
            out.section("gsm");
            for (key, value) in all {
                if let Some(value) = value {
                    out.set("gsm", key, escape(value));
                }
            }
        }
    }
    hardware(&mut out, connection, found);
    for (section, key, value) in &connection.more {
        out.set(section, key, value);
    }
    addresses(&mut out, "ipv4", &connection.v4);
    if let Some(id) =
        own_client_id(connection, found).filter(|_| connection.v4.method == Method::Auto)
    {
        out.set("ipv4", "dhcp-client-id", with_colons(id));
    }
    addresses(&mut out, "ipv6", &connection.v6);
    if connection.v6.method == Method::Auto {
        out.set("ipv6", "addr-gen-mode", "stable-privacy");
    }
    let section = |(name, entries): &(&str, Vec<(String, String)>)| {
        let lines: String = entries.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        format!("[{name}]\n{lines}")
    };
    out.sections.iter().map(section).collect::<Vec<_>>().join("\n")
}

/// Names the interface by its hardware address, where there are several of its kind.
fn hardware(out: &mut Keyfile, connection: &Connection, found: &Found) {
    let (section, is_radio, always) = match &connection.kind {
        Kind::Ethernet => ("ethernet", false, false),
        Kind::Wifi(_) => ("wifi", true, false),
        Kind::Vlan { .. } => ("ethernet", false, true),
        Kind::Cellular(_) => return,
    };
    let several = found.interfaces.iter().filter(|it| it.wireless == is_radio).count() > 1;
    let has_own = connection.more.iter().any(|(_, key, _)| key == "mac-address");
    if let Some(it) = interface(connection, found).filter(|_| (several || always) && !has_own) {
        out.set(section, "mac-address", it.mac.to_ascii_uppercase());
    }
}

fn with_colons(hex: &str) -> String {
    let mut out = String::new();
    for (at, digit) in hex.chars().enumerate() {
        if at > 0 && at % 2 == 0 {
            out.push(':');
        }
        out.push(digit);
    }
    out
}

/// The sections of a wireless network.
fn radio(out: &mut Keyfile, wifi: &Wifi) {
    out.set("wifi", "mode", "infrastructure");
    out.set("wifi", "ssid", ssid_value(&wifi.ssid));
    if wifi.hidden {
        out.set("wifi", "hidden", true);
    }
    if let Some(bssid) = &wifi.bssid {
        out.set("wifi", "bssid", escape(bssid));
    }
    let mut all = Vec::new();
    match &wifi.security {
        Security::Open => return,
        Security::Psk(psk) => {
            out.set("wifi-security", "key-mgmt", "wpa-psk");
            all.push(out.text("wifi-security", "psk", psk));
        }
        Security::Sae(password) => {
            out.set("wifi-security", "key-mgmt", "sae");
            all.push(out.text("wifi-security", "psk", password));
        }
        Security::Enterprise(user) => {
            out.set("wifi-security", "key-mgmt", "wpa-eap");
            out.set("802-1x", "eap", format!("{};", user.method));
            all.push(out.text("802-1x", "identity", &user.identity));
            if let Some(anonymous) = &user.anonymous {
                all.push(out.text("802-1x", "anonymous-identity", anonymous));
            }
            all.push(out.text("802-1x", "password", &user.password));
            if let Some((inner, is_eap)) = &user.inner {
                let key = if *is_eap { "phase2-autheap" } else { "phase2-auth" };
                all.push(out.text("802-1x", key, inner));
            }
        }
    }
    for (section, key, value) in all {
        out.set(section, &key, value);
    }
    // wpa_supplicant counts from 0 what NetworkManager counts from 1.
    if let Some(pmf) = wifi.pmf {
        out.set("wifi-security", "pmf", pmf + 1);
    }
}

/// The section of a family.
fn addresses(out: &mut Keyfile, section: &'static str, family: &Family) {
    let method = match family.method {
        Method::Auto => "auto",
        Method::Manual => "manual",
        Method::LinkLocal => "link-local",
        Method::Disabled => "disabled",
    };
    out.set(section, "method", method);
    for (index, (ip, length)) in family.addresses.iter().enumerate() {
        out.set(section, &format!("address{}", index + 1), format!("{ip}/{length}"));
    }
    if let Some(gateway) = family.gateway {
        out.set(section, "gateway", gateway);
    }
    for (index, route) in family.routes.iter().enumerate() {
        let (ip, length) = route.to;
        let nowhere = if ip.is_ipv6() { "::" } else { "0.0.0.0" };
        let via = route.via.map_or(nowhere.to_owned(), |it| it.to_string());
        let metric = route.metric.map(|it| format!(",{it}")).unwrap_or_default();
        out.set(section, &format!("route{}", index + 1), format!("{ip}/{length},{via}{metric}"));
    }
    if let Some(metric) = family.metric {
        out.set(section, "route-metric", metric);
    }
    let list = |all: Vec<String>| all.iter().map(|it| format!("{it};")).collect::<String>();
    if !family.dns.is_empty() {
        out.set(section, "dns", list(family.dns.iter().map(ToString::to_string).collect()));
    }
    if !family.search.is_empty() {
        out.set(section, "dns-search", list(family.search.clone()));
    }
    if family.own_dns_only && family.method != Method::Disabled {
        out.set(section, "ignore-auto-dns", true);
    }
    if family.never_default {
        out.set(section, "never-default", true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Found {
        let interface = |(index, name): (usize, &&str)| Interface {
            name: (*name).to_owned(),
            mac: format!("b8:27:eb:00:00:0{index}"),
            wireless: name.starts_with('w'),
            addresses: Vec::new(),
            is_default_route: false,
        };
        Found { interfaces: names.iter().enumerate().map(interface).collect(), ..Found::default() }
    }

    #[test]
    fn a_network_says_all_that_it_needs_and_no_more() {
        let wifi = Wifi {
            ssid: b"Caf\xe9".to_vec(),
            security: Security::Psk(" a\\b;c ".to_owned()),
            pmf: Some(1),
            ..Wifi::default()
        };
        let connection =
            Connection { kind: Kind::Wifi(wifi), priority: 7, ..Connection::default() };
        insta::assert_snapshot!(keyfile("migos-wifi-1", &connection, &found(&["eth0", "wlan0"])), @r"
        [connection]
        id=migos-wifi-1
        type=wifi
        autoconnect-priority=7

        [wifi]
        mode=infrastructure
        ssid=67;97;102;233;

        [wifi-security]
        key-mgmt=wpa-psk
        psk=\sa\\b;c\s
        pmf=2

        [ipv4]
        method=auto

        [ipv6]
        method=auto
        addr-gen-mode=stable-privacy
        ");
    }

    #[test]
    fn of_two_wires_each_is_told_by_its_hardware_address() {
        let mut found = found(&["eth0", "eth1"]);
        found.interfaces[1].is_default_route = true;
        let out = networks(&found, Reading::default());
        let text = &out.keyfiles["migos-ethernet-1"];
        assert!(text.contains("mac-address=B8:27:EB:00:00:01\n"), "{text}");
        assert!(text.contains("route-metric=90\n"), "{text}");
    }

    #[test]
    fn a_client_identifier_is_written_where_networkmanager_would_send_another() {
        let mut found = found(&["eth0"]);
        let reading = || Reading { connections: vec![Connection::default()], ..Reading::default() };
        found.client_ids = [("eth0".to_owned(), "01b827eb000000".to_owned())].into();
        assert!(networks(&found, reading()).keyfiles.is_empty());
        found.client_ids = [("eth0".to_owned(), "ff0001".to_owned())].into();
        let out = networks(&found, reading());
        assert!(out.keyfiles["migos-ethernet-1"].contains("dhcp-client-id=ff:00:01\n"));
    }
}
