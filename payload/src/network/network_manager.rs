//! NetworkManager's own keyfiles, as they stand on a Raspbian that NetworkManager runs.
//!
//! Source: nm-settings-keyfile(5) and nm-settings(5).

use super::ConfigFile;
use super::connection::{
    Cellular, Connection, Enterprise, Family, Kind, Method, Route, Security, Wifi, cidr,
};
use super::keyfile::{Entry, entries, list, ssid, unescape};
use super::nm_keys::{AS_THEY_STAND, is_known};
use super::reading::Reading;
use std::net::IpAddr;

/// A keyfile's entries.
struct Keys<'a> {
    file: &'a ConfigFile,
    all: Vec<Entry>,
}

impl Keys<'_> {
    fn get(&self, section: &str, key: &str) -> Option<&Entry> {
        self.all.iter().rev().find(|it| it.section == section && it.key == key)
    }

    fn raw(&self, section: &str, key: &str) -> Option<&str> {
        self.get(section, key).map(|it| it.value.trim_end())
    }

    fn text(&self, section: &str, key: &str) -> Option<String> {
        self.get(section, key).and_then(|it| unescape(&it.value))
    }

    fn line(&self, section: &str, key: &str) -> usize {
        self.get(section, key).map_or(0, |it| it.line)
    }

    fn is(&self, section: &str, key: &str) -> bool {
        matches!(self.raw(section, key), Some("true" | "1" | "yes"))
    }
}

/// The connection of a keyfile, if it comes up by itself.
pub(super) fn read(file: &ConfigFile, reading: &mut Reading) -> Option<Connection> {
    let all = match entries(&file.text) {
        Ok(all) => all,
        Err(line) => {
            reading.refuse(file, line, "this is no line of a keyfile");
            return None;
        }
    };
    let keys = Keys { file, all };
    if keys.is(".nmmeta", "nm-generated") || keys.is(".nmmeta", "volatile") {
        return None;
    }
    let kind = keys.raw("connection", "type").unwrap_or_default().to_owned();
    if matches!(keys.raw("connection", "autoconnect"), Some("false" | "0" | "no")) {
        reading.note(format!("{} does not come up by itself, so it is left out", file.path));
        return None;
    }
    if kind == "loopback" {
        return None;
    }
    let before = reading.refused.len();
    for key in ["master", "controller"] {
        if keys.get("connection", key).is_some() {
            let why = "parts of a bridge or a bond cannot be carried over";
            reading.refuse(file, keys.line("connection", key), why);
        }
    }
    if keys.get("connection", "secondaries").is_some() {
        let why = "a VPN that comes up with it cannot be carried over";
        reading.refuse(file, keys.line("connection", "secondaries"), why);
    }
    let kind = match present_kind(&kind, &keys, reading) {
        Some(kind) => kind,
        None => return refused_kind(&kind, &keys, before, reading),
    };
    let mut out = Connection {
        interface: keys
            .text("connection", "interface-name")
            .filter(|_| !matches!(kind, Kind::Vlan { .. })),
        kind,
        v4: family(&keys, "ipv4", reading),
        v6: family(&keys, "ipv6", reading),
        client_id: None,
        ..Connection::default()
    };
    if let Some(entry) = keys.get("connection", "autoconnect-priority") {
        match entry.value.trim().parse() {
            Ok(priority) => out.priority = priority,
            Err(_) => reading.refuse(file, entry.line, "this is no number"),
        }
    }
    rest(&keys, &mut out, reading);
    (reading.refused.len() == before).then_some(out)
}

fn refused_kind(
    kind: &str,
    keys: &Keys,
    before: usize,
    reading: &mut Reading,
) -> Option<Connection> {
    if reading.refused.len() == before {
        let why = format!(
            "connections of the type {kind:?} cannot be carried over: switch its autoconnect off if the device does without"
        );
        reading.refuse(keys.file, keys.line("connection", "type"), why);
    }
    None
}

fn present_kind(kind: &str, keys: &Keys, reading: &mut Reading) -> Option<Kind> {
    match super::keyfile::present_name(kind) {
        "ethernet" => Some(Kind::Ethernet),
        "wifi" => wifi(keys, reading).map(Kind::Wifi),
        "gsm" => {
            no_flags(keys, "gsm", "password-flags", reading);
            no_flags(keys, "gsm", "pin-flags", reading);
            Some(Kind::Cellular(Cellular {
                apn: keys.text("gsm", "apn"),
                number: keys.text("gsm", "number"),
                user: keys.text("gsm", "username"),
                password: keys.text("gsm", "password"),
                pin: keys.text("gsm", "pin"),
            }))
        }
        "vlan" => vlan(keys, reading),
        _ => None,
    }
}

fn vlan(keys: &Keys, reading: &mut Reading) -> Option<Kind> {
    let id = keys.raw("vlan", "id").and_then(|it| it.parse().ok()).filter(|it| *it < 4095);
    let parent = keys.text("vlan", "parent");
    let is_name = |it: &String| it.len() < 16;
    match (parent.filter(is_name), id) {
        (Some(parent), Some(id)) => Some(Kind::Vlan { parent, id }),
        _ => {
            let why = "the interface that a VLAN is a part of must stand there by its name, and the VLAN's number";
            reading.refuse(keys.file, keys.line("connection", "type"), why);
            None
        }
    }
}

/// Refuses secrets that are kept elsewhere.
fn no_flags(keys: &Keys, section: &str, key: &str, reading: &mut Reading) {
    if keys.raw(section, key).is_some_and(|it| it != "0" && it != "4") {
        let why =
            "the secret is not in this file, but kept by a person's desktop: save it for all users";
        reading.refuse(keys.file, keys.line(section, key), why);
    }
}

fn wifi(keys: &Keys, reading: &mut Reading) -> Option<Wifi> {
    let file = keys.file;
    if !matches!(keys.raw("wifi", "mode"), None | Some("infrastructure")) {
        let why =
            "an access point of the device's own, or a network without one, cannot be carried over";
        reading.refuse(file, keys.line("wifi", "mode"), why);
        return None;
    }
    let name = keys.get("wifi", "ssid").and_then(|it| ssid(&it.value));
    let name = name.filter(|it| (1..=32).contains(&it.len()));
    if name.as_deref().is_none_or(|it| {
        String::from_utf8_lossy(it).contains('\u{fffd}') && std::str::from_utf8(it).is_ok()
    }) {
        reading.refuse(
            file,
            keys.line("wifi", "ssid"),
            "the network's name is missing or not readable",
        );
    }
    no_flags(keys, "wifi-security", "psk-flags", reading);
    no_flags(keys, "802-1x", "password-flags", reading);
    let security = match keys.raw("wifi-security", "key-mgmt") {
        None if keys.all.iter().any(|it| it.section == "wifi-security") => {
            reading.refuse(file, keys.line("wifi-security", "psk"), "key-mgmt is missing");
            None
        }
        None => Some(Security::Open),
        Some("wpa-psk") => {
            let psk = keys.text("wifi-security", "psk").filter(|it| is_psk(it));
            if psk.is_none() {
                let why = "a passphrase is 8 to 63 characters, or 64 hex digits";
                reading.refuse(file, keys.line("wifi-security", "psk"), why);
            }
            psk.map(Security::Psk)
        }
        Some("sae") => {
            let psk = keys.text("wifi-security", "psk").filter(|it| !it.is_empty());
            if psk.is_none() {
                reading.refuse(
                    file,
                    keys.line("wifi-security", "psk"),
                    "the passphrase is missing",
                );
            }
            psk.map(Security::Sae)
        }
        Some("wpa-eap") => enterprise(keys, reading).map(Security::Enterprise),
        Some("none" | "ieee8021x") => {
            let why = "WEP is not what a balenaOS can be trusted to know: change the access point to WPA2";
            reading.refuse(file, keys.line("wifi-security", "key-mgmt"), why);
            None
        }
        Some(other) => {
            let why = format!("{other} cannot be carried over");
            reading.refuse(file, keys.line("wifi-security", "key-mgmt"), why);
            None
        }
    };
    // NetworkManager counts from 1 what wpa_supplicant counts from 0; 0 is its default.
    let pmf = keys.raw("wifi-security", "pmf").and_then(|it| it.parse::<u8>().ok());
    Some(Wifi {
        ssid: name?,
        hidden: keys.is("wifi", "hidden"),
        bssid: keys.text("wifi", "bssid"),
        security: security?,
        pmf: pmf.and_then(|it| it.checked_sub(1)).filter(|it| *it <= 2),
    })
}

/// Whether NetworkManager takes it for a key of WPA.
pub(super) fn is_psk(text: &str) -> bool {
    match text.len() {
        _ if text.contains(char::is_control) => false,
        64 => text.bytes().all(|it| it.is_ascii_hexdigit()),
        length => (8..=63).contains(&length),
    }
}

fn enterprise(keys: &Keys, reading: &mut Reading) -> Option<Enterprise> {
    let methods = list(keys.raw("802-1x", "eap").unwrap_or_default());
    let [method] = methods.as_slice() else {
        reading.refuse(keys.file, keys.line("802-1x", "eap"), "one method must stand there");
        return None;
    };
    if !["peap", "ttls", "pwd"].contains(&method.as_str()) {
        let why =
            "of enterprise's networks only PEAP, TTLS and PWD with a password can be carried over";
        reading.refuse(keys.file, keys.line("802-1x", "eap"), why);
        return None;
    }
    let inner = keys.text("802-1x", "phase2-auth").map(|it| (it, false));
    let inner = inner.or_else(|| keys.text("802-1x", "phase2-autheap").map(|it| (it, true)));
    let (Some(identity), Some(password)) =
        (keys.text("802-1x", "identity"), keys.text("802-1x", "password"))
    else {
        let why = "the user or the password is missing";
        reading.refuse(keys.file, keys.line("802-1x", "eap"), why);
        return None;
    };
    let anonymous = keys.text("802-1x", "anonymous-identity");
    Some(Enterprise { method: method.clone(), inner, identity, anonymous, password })
}

/// The addresses of a family.
fn family(keys: &Keys, section: &str, reading: &mut Reading) -> Family {
    let method = match keys.raw(section, "method") {
        None | Some("auto" | "dhcp") => Method::Auto,
        Some("manual") => Method::Manual,
        Some("link-local") => Method::LinkLocal,
        Some("disabled" | "ignore") => Method::Disabled,
        Some(other) => {
            let why = format!("{other} cannot be carried over");
            reading.refuse(keys.file, keys.line(section, "method"), why);
            Method::Auto
        }
    };
    let mut out = Family {
        method,
        own_dns_only: keys.is(section, "ignore-auto-dns"),
        never_default: keys.is(section, "never-default"),
        search: list(keys.raw(section, "dns-search").unwrap_or_default()),
        ..Family::default()
    };
    for entry in keys.all.iter().filter(|it| it.section == section) {
        if let Err(why) = value_of_family(entry, &mut out) {
            reading.refuse(keys.file, entry.line, why);
        }
    }
    out
}

fn value_of_family(entry: &Entry, out: &mut Family) -> Result<(), &'static str> {
    const NO: &str = "this is no address";
    let value = entry.value.trim();
    let is_numbered = |name: &str| {
        entry.key.strip_prefix(name).is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()))
    };
    match entry.key.as_str() {
        "gateway" => out.gateway = Some(value.parse().map_err(|_| NO)?),
        "dns" => {
            let all: Result<Vec<IpAddr>, _> = list(value).iter().map(|it| it.parse()).collect();
            out.dns = all.map_err(|_| "this is no list of addresses")?;
        }
        // -1 leaves it to NetworkManager.
        "route-metric" if value == "-1" => {}
        "route-metric" => out.metric = Some(value.parse().map_err(|_| "this is no number")?),
        "addresses" | "routes" => {
            return Err("this form cannot be carried over: write address1 or route1");
        }
        _ if is_numbered("address") => {
            let (address, gateway) = value.split_once(',').unwrap_or((value, ""));
            out.addresses.push(cidr(address).ok_or(NO)?);
            if !gateway.trim().is_empty() {
                out.gateway = Some(gateway.trim().parse().map_err(|_| NO)?);
            }
        }
        _ if is_numbered("route") => {
            let words: Vec<&str> = value.split(',').map(str::trim).collect();
            let number = |it: &&str| it.parse::<u32>().map_err(|_| "this is no number");
            let via = words.get(1).filter(|it| !it.is_empty() && **it != "0.0.0.0" && **it != "::");
            out.routes.push(Route {
                to: words.first().and_then(|it| cidr(it)).ok_or(NO)?,
                via: via.map(|it| it.parse()).transpose().map_err(|_| NO)?,
                metric: words.get(2).filter(|it| !it.is_empty()).map(number).transpose()?,
            });
        }
        _ => {}
    }
    Ok(())
}

/// What stands beside all of that: carried over as it is, dropped, or refused.
fn rest(keys: &Keys, out: &mut Connection, reading: &mut Reading) {
    for entry in &keys.all {
        let (section, key) = (entry.section.as_str(), entry.key.as_str());
        if section == "ipv4" && key == "dhcp-client-id" {
            match client_id(&entry.value) {
                Some(id) => out.client_id = id,
                None => reading.refuse(keys.file, entry.line, "this form cannot be carried over"),
            }
            continue;
        }
        // Its default has a name only in NetworkManager 1.40 and later, which would not be read before.
        if key == "addr-gen-mode" && entry.value.starts_with("default") {
            continue;
        }
        let is_of_radio = matches!(section, "wifi" | "wifi-security" | "802-1x");
        if is_of_radio && !matches!(out.kind, Kind::Wifi(_)) {
            reading.refuse(
                keys.file,
                entry.line,
                "a wire that wants a user's name cannot be carried over",
            );
            continue;
        }
        let stands =
            AS_THEY_STAND.iter().find(|(name, keys)| *name == section && keys.contains(&key));
        if let Some((section, _)) = stands {
            out.more.push((section, key.to_owned(), entry.value.trim_end().to_owned()));
        } else if !is_known(section, key) {
            let why = format!("nothing is known of what becomes of {section}.{key} on balenaOS");
            reading.refuse(keys.file, entry.line, why);
        }
    }
}

/// A client identifier in hex, type byte included; nothing inside for that of the hardware address.
fn client_id(value: &str) -> Option<Option<String>> {
    match value.trim() {
        "mac" => Some(None),
        "" | "duid" | "ipv6-duid" | "stable" | "perm-mac" | "none" => None,
        text if text.contains(':') => {
            super::wpa_values::hex(&text.replace(':', "").to_ascii_lowercase())
                .map(|it| Some(super::wpa_values::to_hex(&it)))
        }
        text => Some(Some(format!("00{}", super::wpa_values::to_hex(text.as_bytes())))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> ConfigFile {
        let path = "/etc/NetworkManager/system-connections/x.nmconnection".to_owned();
        ConfigFile { path, text: text.to_owned() }
    }

    fn read_one(text: &str) -> (Option<Connection>, Reading) {
        let mut reading = Reading::default();
        let out = read(&file(text), &mut reading);
        (out, reading)
    }

    #[test]
    fn a_network_of_raspberry_pi_imager_is_read() {
        let (out, reading) = read_one(
            "[connection]\nid=preconfigured\nuuid=1\ntype=wifi\n[wifi]\nmode=infrastructure\nssid=My Net\nhidden=true\n\
             [ipv4]\nmethod=auto\n[ipv6]\naddr-gen-mode=default\nmethod=auto\n[proxy]\n\
             [wifi-security]\nkey-mgmt=wpa-psk\npsk=a\\\\b;c d\\s\n",
        );
        assert!(reading.refused.is_empty(), "{:?}", reading.refused);
        let Kind::Wifi(wifi) = out.unwrap().kind else { panic!("no radio") };
        assert!(wifi.hidden && wifi.ssid == b"My Net");
        assert!(wifi.security == Security::Psk("a\\b;c d ".to_owned()));
    }

    #[test]
    fn addresses_routes_and_weights_are_read() {
        let (out, reading) = read_one(
            "[connection]\ntype=802-3-ethernet\ninterface-name=eth0\n[ipv4]\nmethod=manual\n\
             address1=10.0.0.2/24,10.0.0.1\naddress2=10.0.1.2/24\nroute1=10.9.0.0/16,10.0.0.9,5\n\
             route-metric=50\ndns=1.1.1.1;8.8.8.8;\n[ipv6]\nmethod=disabled\n",
        );
        assert!(reading.refused.is_empty(), "{:?}", reading.refused);
        let out = out.unwrap();
        assert!(out.v4.addresses.len() == 2 && out.v4.dns.len() == 2 && out.v4.metric == Some(50));
        assert!(out.v4.routes[0].metric == Some(5) && out.v6.method == Method::Disabled);
    }

    #[test]
    fn what_cannot_be_carried_over_is_refused_unless_it_sleeps() {
        let vpn = "[connection]\ntype=wireguard\n[wireguard]\nprivate-key=x\n";
        assert!(read_one(vpn).1.refused[0].why.contains("wireguard"));
        let (_, reading) = read_one("[connection]\ntype=wireguard\nautoconnect=false\n");
        assert!(reading.refused.is_empty() && reading.notes.len() == 1);
        let hotspot = "[connection]\ntype=wifi\n[wifi]\nssid=x\nmode=ap\n";
        assert!(read_one(hotspot).1.refused[0].why.contains("access point"));
        let (_, reading) = read_one("[connection]\ntype=ethernet\n[ipv4]\nsurprise=1\n");
        assert!(reading.refused[0].why.contains("ipv4.surprise"));
        let generated = "[connection]\ntype=bridge\n[.nmmeta]\nnm-generated=true\n";
        assert!(read_one(generated).1.refused.is_empty());
        let wire = "[connection]\ntype=ethernet\n[802-1x]\neap=peap;\nidentity=me\npassword=x\n";
        assert!(read_one(wire).1.refused[0].why.contains("user's name"));
        let bare = "[connection]\ntype=wifi\n[wifi]\nssid=x\n[wifi-security]\npsk=12345678\n";
        assert!(read_one(bare).1.refused[0].why.contains("key-mgmt"));
    }
}
