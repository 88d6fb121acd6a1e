//! `/etc/network/interfaces` and what it includes.
//!
//! Source: interfaces(5), and README.Debian of wpasupplicant for the names that begin with `wpa-`.

use super::connection::{
    Connection, Family, Kind, Method, Security, Wifi, cidr, mask_length, with_prefix,
};
use super::dhcpcd::is_like;
use super::interfaces_lines::{is_harmless, logical_lines};
use super::network_manager::is_psk;
use super::reading::Reading;
use super::{ConfigFile, Found, stack, wpa_supplicant};
use std::collections::BTreeSet;
use std::net::IpAddr;

const MAIN: &str = "/etc/network/interfaces";

/// One `iface` with its options.
pub(super) struct Stanza<'a> {
    file: &'a ConfigFile,
    /// The line of `iface`.
    pub at: usize,
    /// The interface.
    pub name: String,
    /// `inet` or `inet6`.
    family: String,
    /// `dhcp`, `static` and such.
    pub method: String,
    options: Vec<(String, String, usize)>,
}

/// All that is read of `/etc/network/interfaces`.
#[derive(Default)]
pub(super) struct Ifupdown<'a> {
    /// The interfaces that come up by themselves.
    up: BTreeSet<String>,
    stanzas: Vec<Stanza<'a>>,
    /// What cannot be carried over where it counts.
    problems: Vec<(&'a ConfigFile, usize, String)>,
}

impl<'a> Ifupdown<'a> {
    /// Reads the file, and those that it includes.
    pub(super) fn read(found: &'a Found) -> Self {
        let mut out = Self::default();
        if let Some(main) = found.files.iter().find(|it| it.path == MAIN) {
            out.take(main, found, 0);
        }
        out
    }

    /// Whether it has any interface besides the loopback.
    pub(super) fn names_any(&self) -> bool {
        self.stanzas.iter().any(|it| it.name != "lo")
    }

    /// Whether it has that interface.
    pub(super) fn names(&self, interface: &str) -> bool {
        self.stanzas.iter().any(|it| it.name == interface)
    }

    /// The providers of the modems that it dials at start.
    pub(super) fn providers(&self) -> Vec<(&'a ConfigFile, usize, String)> {
        let dialled =
            self.stanzas.iter().filter(|it| it.method == "ppp" && self.up.contains(&it.name));
        dialled
            .map(|it| {
                let provider = it.options.iter().find(|(key, ..)| key == "provider");
                (it.file, it.at, provider.map_or("provider", |(_, value, _)| value).to_owned())
            })
            .collect()
    }

    fn take(&mut self, file: &'a ConfigFile, found: &'a Found, depth: u8) {
        let mut is_open = false;
        for (at, line) in logical_lines(&file.text) {
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
            let rest = rest.trim();
            match word {
                "auto" | "allow-hotplug" | "allow-auto" => {
                    self.up.extend(rest.split_whitespace().map(str::to_owned));
                    is_open = false;
                }
                "iface" => {
                    let words: Vec<&str> = rest.split_whitespace().collect();
                    match words.as_slice() {
                        [name, family @ ("inet" | "inet6"), method] => {
                            self.stanzas.push(Stanza {
                                file,
                                at,
                                name: (*name).to_owned(),
                                family: (*family).to_owned(),
                                method: (*method).to_owned(),
                                options: Vec::new(),
                            });
                            is_open = true;
                        }
                        _ => self.problem(file, at, "this form of iface cannot be carried over"),
                    }
                }
                "source" | "source-directory" => {
                    self.include(file, at, word, rest, found, depth);
                    is_open = false;
                }
                "mapping" | "rename" | "template" => {
                    self.problem(file, at, &format!("{word} cannot be carried over"));
                    is_open = false;
                }
                "no-auto-down" | "no-scripts" => is_open = false,
                word => match self.stanzas.last_mut().filter(|_| is_open) {
                    Some(stanza) => stanza.options.push((word.to_owned(), rest.to_owned(), at)),
                    None => self.problem(file, at, "this line belongs to no interface"),
                },
            }
        }
    }

    fn include(
        &mut self,
        file: &'a ConfigFile,
        at: usize,
        word: &str,
        rest: &str,
        found: &'a Found,
        depth: u8,
    ) {
        const FOLDER: &str = "/etc/network/interfaces.d";
        let path =
            if rest.starts_with('/') { rest.to_owned() } else { format!("/etc/network/{rest}") };
        let path = path.trim_end_matches('/');
        if depth > 3 || !(path.starts_with(&format!("{FOLDER}/")) || path == FOLDER) {
            let why = "only files under /etc/network/interfaces.d are read";
            return self.problem(file, at, why);
        }
        let is_plain =
            |name: &str| name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it));
        for other in &found.files {
            let Some(name) = other.path.strip_prefix(&format!("{FOLDER}/")) else { continue };
            let counts = match word {
                // Only names without a dot: run-parts' rule.
                "source-directory" => path == FOLDER && is_plain(name),
                _ => {
                    path == FOLDER && is_plain(name)
                        || !name.starts_with('.') && is_like(path, &other.path)
                }
            };
            if counts && other.path != file.path {
                self.take(other, found, depth + 1);
            }
        }
    }

    fn problem(&mut self, file: &'a ConfigFile, at: usize, why: &str) {
        self.problems.push((file, at, why.to_owned()));
    }
}

/// Pushes the connections, and gives the interfaces that others leave alone.
pub(super) fn connections(
    ifupdown: &Ifupdown,
    found: &Found,
    reading: &mut Reading,
) -> BTreeSet<String> {
    for (file, at, why) in &ifupdown.problems {
        reading.refuse(file, *at, why.clone());
    }
    let hardware = stack::by_name(found);
    let mut governed = BTreeSet::new();
    let mut done = BTreeSet::new();
    for stanza in &ifupdown.stanzas {
        let name = stanza.name.as_str();
        if name == "lo" {
            name_servers_of_all(stanza, reading);
            continue;
        }
        if !done.insert(name) || stanza.method == "ppp" {
            continue;
        }
        if !ifupdown.up.contains(name) {
            reading.note(format!(
                "{name} does not come up by itself, so {MAIN}'s word on it is left out"
            ));
            continue;
        }
        let others = found.active.iter().any(|it| it == "dhcpcd" || it == "systemd-networkd");
        let all: Vec<&Stanza> = ifupdown.stanzas.iter().filter(|it| it.name == name).collect();
        let is_manual = all.iter().all(|it| it.method == "manual");
        let has_radio_words =
            all.iter().any(|it| it.options.iter().any(|(key, ..)| key.starts_with("wpa-")));
        if is_manual && others && !has_radio_words {
            continue;
        }
        if is_manual && others && found.active.contains("dhcpcd") {
            // The addresses are dhcpcd's, and wpa-conf names the file that it would take anyway.
            let own = |key: &str| all.iter().any(|it| it.options.iter().any(|(it, ..)| it == key));
            if !own("wpa-ssid") && !own("wpa-psk") {
                continue;
            }
        }
        governed.insert(name.to_owned());
        let connection = connection(&all, reading);
        place(&all, connection, hardware.get(name).is_some_and(|it| it.wireless), found, reading);
    }
    governed
}

/// An option's value, with the file and the line where it stands.
type Placed<'a> = (&'a ConfigFile, String, usize);

/// Finds out what an interface is, and pushes it.
fn place(
    all: &[&Stanza],
    mut connection: Connection,
    is_radio: bool,
    found: &Found,
    reading: &mut Reading,
) {
    let option = |key: &str| {
        all.iter().find_map(|it| {
            let option = it.options.iter().find(|(name, ..)| name == key)?;
            Some((it.file, option.1.clone(), option.2))
        })
    };
    let Some(first) = all.first() else { return };
    let raw = option("vlan-raw-device").or_else(|| option("vlan_raw_device")).map(|(_, it, _)| it);
    let by_name = first.name.split_once('.').map(|(parent, id)| (parent.to_owned(), id.to_owned()));
    let by_number = first.name.strip_prefix("vlan").map(str::to_owned);
    let vlan = match (raw, by_name, by_number) {
        (raw, Some((parent, id)), _) => Some((raw.unwrap_or(parent), id)),
        (Some(raw), None, Some(id)) => Some((raw, id)),
        _ => None,
    };
    if let Some((parent, id)) = vlan {
        match id.parse() {
            Ok(id) => connection.kind = Kind::Vlan { parent, id },
            Err(_) => reading.refuse(first.file, first.at, "the VLAN has no number"),
        }
        return reading.connections.push(connection);
    }
    if !is_radio {
        let is_there = found.interfaces.iter().any(|it| it.name == first.name);
        if let Some((file, _, at)) = option("wpa-conf").filter(|_| is_there) {
            reading.refuse(file, at, "a wire that wants a user's name cannot be carried over");
        }
        return reading.connections.push(connection);
    }
    if let Some((file, path, at)) = option("wpa-conf") {
        match found.files.iter().find(|it| it.path == path) {
            Some(other) => {
                let known = wpa_supplicant::read(other, reading);
                stack::wireless(known, reading, |_, _| connection.clone());
            }
            None => reading.refuse(file, at, "the file that is named here was not found"),
        }
        return;
    }
    match network(&option, reading) {
        Some(wifi) => {
            connection.kind = Kind::Wifi(wifi);
            reading.connections.push(connection);
        }
        None => {
            reading.refuse(first.file, first.at, "the radio's network is missing or not readable")
        }
    }
}

/// The network of `wpa-ssid` and `wpa-psk`.
fn network<'a>(option: &dyn Fn(&str) -> Option<Placed<'a>>, reading: &mut Reading) -> Option<Wifi> {
    let (file, ssid, at) = option("wpa-ssid").or_else(|| option("wireless-essid"))?;
    if ssid.starts_with('"') || ssid.contains('\u{fffd}') || ssid.len() > 32 {
        reading.refuse(file, at, "write the name without quotes, in UTF-8");
        return None;
    }
    let security = match option("wpa-psk") {
        None => Security::Open,
        Some((_, psk, _)) if is_psk(&psk) && !psk.starts_with('"') => Security::Psk(psk),
        Some((file, _, at)) => {
            reading.refuse(
                file,
                at,
                "a passphrase is 8 to 63 characters without quotes, or 64 hex digits",
            );
            return None;
        }
    };
    let hidden = option("wpa-scan-ssid").is_some_and(|(_, it, _)| it == "1");
    Some(Wifi { ssid: ssid.into_bytes(), hidden, security, ..Wifi::default() })
}

/// Name servers that the loopback has stand for all.
fn name_servers_of_all(stanza: &Stanza, reading: &mut Reading) {
    for (key, value, at) in &stanza.options {
        if !matches!(key.as_str(), "dns-nameservers" | "dns-nameserver") {
            continue;
        }
        for word in value.split_whitespace() {
            match word.parse() {
                Ok(server) => reading.dns.push(server),
                Err(_) => reading.refuse(stanza.file, *at, "this is no address"),
            }
        }
    }
}

/// The addresses of an interface by all of its stanzas.
fn connection(all: &[&Stanza], reading: &mut Reading) -> Connection {
    let mut out = Connection::default();
    (out.v4.method, out.v6.method) = (Method::Disabled, Method::Auto);
    for stanza in all {
        out.interface = Some(stanza.name.clone());
        let is_v6 = stanza.family == "inet6";
        let method = match stanza.method.as_str() {
            "dhcp" | "auto" => Method::Auto,
            "static" => Method::Manual,
            "manual" => Method::Disabled,
            _ => {
                let why = format!("the method {} cannot be carried over", stanza.method);
                reading.refuse(stanza.file, stanza.at, why);
                continue;
            }
        };
        let mut family = if is_v6 { out.v6.clone() } else { out.v4.clone() };
        family.method = method;
        let mut given = Given::default();
        for (key, value, at) in &stanza.options {
            if let Err(why) = option(key, value, &mut family, &mut given, &mut out) {
                reading.refuse(stanza.file, *at, why);
            }
        }
        if method == Method::Manual {
            match given.address.zip(given.prefix).and_then(|(ip, length)| with_prefix(ip, length)) {
                Some(address) => family.addresses.push(address),
                None => reading.refuse(
                    stanza.file,
                    stanza.at,
                    "the address or its prefix length is missing",
                ),
            }
        }
        if is_v6 {
            out.v6 = family
        } else {
            out.v4 = family
        }
        if !given.dns.is_empty() {
            let (mut v4, mut v6) = (Family::default(), Family::default());
            v4.take_dns(&given.dns, false);
            v6.take_dns(&given.dns, true);
            out.v4.dns.extend(v4.dns);
            out.v6.dns.extend(v6.dns);
        }
    }
    out
}

#[derive(Default)]
struct Given {
    address: Option<IpAddr>,
    prefix: Option<u8>,
    dns: Vec<IpAddr>,
}

/// One option of a stanza.
fn option(
    key: &str,
    value: &str,
    family: &mut Family,
    given: &mut Given,
    out: &mut Connection,
) -> Result<(), String> {
    const NO: &str = "this is no address";
    let words = || value.split_whitespace();
    match key {
        "address" => match cidr(value) {
            Some((ip, length)) => (given.address, given.prefix) = (Some(ip), Some(length)),
            None => given.address = Some(value.parse().map_err(|_| NO)?),
        },
        "netmask" => given.prefix = Some(mask_length(value).ok_or("this is no mask")?),
        "gateway" => family.gateway = Some(value.parse().map_err(|_| NO)?),
        "metric" => family.metric = Some(value.parse().map_err(|_| "this is no number")?),
        "dns-nameservers" | "dns-nameserver" | "dns_nameservers" => {
            let all: Result<Vec<IpAddr>, _> = words().map(|it| it.parse()).collect();
            given.dns.extend(all.map_err(|_| NO)?);
        }
        "dns-search" | "dns-domain" => family.search.extend(words().map(str::to_owned)),
        "hwaddress" => {
            let mac = value.trim_start_matches("ether ").trim().to_owned();
            out.more.push(("ethernet", "cloned-mac-address".to_owned(), mac));
        }
        "pre-up" | "up" | "post-up" if !is_harmless(value) => {
            return Err("a command that is run with the network is not carried over: take it out if the device does \
                without, or name keyfiles of your own"
                .to_owned());
        }
        "pre-up" | "up" | "post-up" | "pre-down" | "down" | "post-down" => {}
        "network" | "broadcast" | "hostname" | "vlan-raw-device" | "vlan_raw_device"
        | "vlan-id" => {}
        "wpa-ssid" | "wpa-psk" | "wpa-conf" | "wpa-driver" | "wpa-iface" | "wpa-ap-scan"
        | "wpa-scan-ssid" | "wireless-essid" | "wireless-power" | "wireless-mode" => {}
        "wpa-key-mgmt" if matches!(value, "WPA-PSK" | "NONE") => {}
        "wpa-proto" | "wpa-pairwise" | "wpa-group" | "provider" | "client" | "vendor"
        | "accept_ra" | "autoconf" | "privext" | "dad-attempts" | "preferred-lifetime" => {}
        key if key.starts_with("bridge") => {
            return Err("a bridge cannot be carried over".to_owned());
        }
        key if key.starts_with("bond") => return Err("a bond cannot be carried over".to_owned()),
        key => return Err(format!("nothing is known of what becomes of `{key}` on balenaOS")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Interface, translate};

    fn translated(text: &str) -> Result<String, String> {
        let file =
            |path: &str, text: &str| ConfigFile { path: path.to_owned(), text: text.to_owned() };
        let found = Found {
            files: vec![
                file(MAIN, text),
                file("/etc/network/interfaces.d/eth0", "auto eth0\niface eth0 inet dhcp\n"),
                file("/etc/network/interfaces.d/eth0.old", "auto eth0\niface eth0 inet bootp\n"),
            ],
            interfaces: vec![Interface {
                name: "eth0".to_owned(),
                mac: "b8:27:eb:00:00:01".to_owned(),
                wireless: false,
                addresses: Vec::new(),
                is_default_route: true,
            }],
            active: ["networking".to_owned()].into(),
            ..Found::default()
        };
        match translate(&found) {
            Ok(out) => Ok(out.keyfiles.into_values().collect()),
            Err(all) => Err(all.iter().map(|it| format!("{:?} {}\n", it.line, it.why)).collect()),
        }
    }

    #[test]
    fn fixed_addresses_are_read_with_mask_or_prefix() {
        for address in ["address 10.0.0.2\n netmask 255.255.255.0", "address 10.0.0.2/24"] {
            let text =
                format!("auto eth0\niface eth0 inet static\n {address}\n gateway 10.0.0.1\n");
            let out = translated(&text).unwrap();
            assert!(out.contains("address1=10.0.0.2/24\ngateway=10.0.0.1\n"), "{out}");
        }
        let out = translated("auto eth0\niface eth0 inet static\n address 10.0.0.2\n");
        assert!(out.unwrap_err().contains("prefix"));
    }

    #[test]
    fn folders_are_read_by_run_parts_rule() {
        assert_eq!(translated("source-directory interfaces.d\n").as_deref(), Ok(""));
        let all = translated("source /etc/network/interfaces.d/*\n");
        assert!(all.unwrap_err().contains("bootp"));
        assert!(translated("source /opt/x\n").unwrap_err().contains("only files"));
    }

    #[test]
    fn commands_and_bridges_are_refused() {
        let of = |line: &str| translated(&format!("auto eth0\niface eth0 inet dhcp\n {line}\n"));
        assert!(of("pre-up /usr/local/bin/login.sh").unwrap_err().contains("Some(3) a command"));
        assert!(of("up iw dev eth0 set power_save off").is_ok() || of("up /bin/true").is_ok());
        assert!(of("bridge_ports eth1").unwrap_err().contains("bridge"));
    }
}
