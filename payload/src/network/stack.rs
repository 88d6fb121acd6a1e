//! Which program governs which interface, and so which files count.
//!
//! ifupdown has what `/etc/network/interfaces` names; then systemd-networkd has what a file of its own names;
//! NetworkManager (bookworm and later) or dhcpcd (before) has the rest.

use super::connection::{Connection, Kind, Method};
use super::dhcpcd::Dhcpcd;
use super::interfaces::{self, Ifupdown};
use super::reading::Reading;
use super::wpa_supplicant::{self, Known};
use super::{ConfigFile, Found, Interface, cellular, netplan, network_manager, networkd};
use std::collections::{BTreeMap, BTreeSet};

/// The folders with keyfiles, the first ones before the later.
const KEYFILES: [&str; 2] =
    ["/etc/NetworkManager/system-connections/", "/run/NetworkManager/system-connections/"];

/// Reads whatever counts.
pub(super) fn read(found: &Found, reading: &mut Reading) {
    let mut governed = BTreeSet::new();
    let runs = |unit: &str| found.active.contains(unit);
    let ifupdown = Ifupdown::read(found);
    if runs("networking") {
        governed.extend(interfaces::connections(&ifupdown, found, reading));
    } else if ifupdown.names_any() {
        reading.note("networking.service does not run, so /etc/network/interfaces does not count");
    }
    if runs("systemd-networkd") {
        governed.extend(networkd::connections(found, &governed, reading));
    } else {
        asleep(found, "/etc/systemd/network/", "systemd-networkd", reading);
    }
    let rendered = is_rendered(found);
    netplan::connections(found, rendered, &mut governed, reading);
    match (runs("NetworkManager"), runs("dhcpcd")) {
        (true, true) => both(found, reading),
        (true, false) => by_network_manager(found, &ifupdown, &mut governed, reading),
        (false, true) => by_dhcpcd(found, &mut governed, reading),
        (false, false) => {}
    }
    if !runs("NetworkManager") {
        KEYFILES.iter().for_each(|folder| asleep(found, folder, "NetworkManager", reading));
    }
    if !runs("dhcpcd") {
        asleep(found, "/etc/dhcpcd.conf", "dhcpcd", reading);
    }
    wireless_files(found, reading);
    cellular::connections(found, &ifupdown, reading);
    time_servers(found, reading);
    ungoverned(found, &governed, reading);
    if let Some(country) = &found.country {
        reading.country(country);
    }
}

/// Whether NetworkManager has keyfiles made of netplan's files.
fn is_rendered(found: &Found) -> bool {
    found.active.contains("NetworkManager")
        && found.files.iter().any(|it| it.path.starts_with(&format!("{}netplan-", KEYFILES[1])))
}

/// Notes files that nobody reads.
fn asleep(found: &Found, prefix: &str, unit: &str, reading: &mut Reading) {
    for file in found.files.iter().filter(|it| it.path.starts_with(prefix)) {
        reading.note(format!("{unit} does not run, so {} does not count", file.path));
    }
}

fn both(found: &Found, reading: &mut Reading) {
    let file = found.files.iter().find(|it| it.path == "/etc/dhcpcd.conf");
    let nowhere = ConfigFile { path: "/etc/dhcpcd.conf".to_owned(), text: String::new() };
    let why = "both dhcpcd and NetworkManager run, and which of them has which interface is not known: stop one of them";
    reading.refuse(file.unwrap_or(&nowhere), 0, why);
}

fn by_network_manager(
    found: &Found,
    ifupdown: &Ifupdown,
    governed: &mut BTreeSet<String>,
    reading: &mut Reading,
) {
    let mut names = BTreeSet::new();
    for folder in KEYFILES {
        for file in found.files.iter() {
            let Some(name) = file.path.strip_prefix(folder) else { continue };
            // A name that NetworkManager passes over, and one that a folder before this one has.
            if is_passed_over(name) {
                reading.note(format!("NetworkManager passes over {} for its name", file.path));
                continue;
            }
            if !names.insert(name) {
                continue;
            }
            let Some(connection) = network_manager::read(file, reading) else { continue };
            match &connection.interface {
                Some(name) if ifupdown.names(name) => {
                    let text = "left out: /etc/network/interfaces has its interface";
                    reading.note(format!("{} is {text}", file.path));
                }
                _ => reading.connections.push(connection),
            }
        }
    }
    let unnamed = found.interfaces.iter().filter(|it| !ifupdown.names(&it.name));
    governed.extend(unnamed.map(|it| it.name.clone()));
}

/// Names that mark copies and certificates (`check_mandatory_prefix` and its like in NetworkManager's nm-keyfile.c).
pub(super) fn is_passed_over(name: &str) -> bool {
    let is_temporary =
        |end: &str| end.len() == 6 && end.bytes().all(|it| it.is_ascii_alphanumeric());
    name.starts_with('.')
        || [".pem", ".der"].iter().any(|end| name.ends_with(end))
        || name.ends_with('~')
        || name.rsplit_once('.').is_some_and(|(_, end)| is_temporary(end))
}

fn by_dhcpcd(found: &Found, governed: &mut BTreeSet<String>, reading: &mut Reading) {
    let dhcpcd = Dhcpcd::new(found.files.iter().find(|it| it.path == "/etc/dhcpcd.conf"));
    for interface in &found.interfaces {
        let name = interface.name.as_str();
        if governed.contains(name) {
            continue;
        }
        if dhcpcd.lets_alone(name) {
            reading.note(format!("dhcpcd leaves {name} alone, and so does balenaOS"));
            reading.connections.extend(off(interface));
            continue;
        }
        governed.insert(name.to_owned());
        if !interface.wireless {
            let connection = dhcpcd.connection(name, None, reading);
            reading.connections.push(connection);
        } else if dhcpcd.starts_wpa_supplicant(name) {
            let known = of_interface(found, name).map(|file| wpa_supplicant::read(file, reading));
            wireless(known.unwrap_or_default(), reading, |ssid, reading| {
                dhcpcd.connection(name, ssid, reading)
            });
        } else {
            reading.note(format!(
                "dhcpcd does not start wpa_supplicant for {name}, so that it is left out"
            ));
        }
    }
    for ssid in dhcpcd.ssids() {
        let has =
            |it: &Connection| matches!(&it.kind, Kind::Wifi(wifi) if wifi.ssid == ssid.as_bytes());
        if !reading.connections.iter().any(has) {
            reading.note(format!(
                "/etc/dhcpcd.conf has settings for the network {ssid:?}, which nothing enters"
            ));
        }
    }
}

/// A wired interface that nobody brings up: without a keyfile balenaOS would. A radio without a network stays down.
fn off(interface: &Interface) -> Option<Connection> {
    let mut out = Connection { interface: Some(interface.name.clone()), ..Connection::default() };
    (out.v4.method, out.v6.method) = (Method::Disabled, Method::Disabled);
    (!interface.wireless).then_some(out)
}

/// Pushes one connection for each network of a radio.
pub(super) fn wireless(
    known: Vec<Known>,
    reading: &mut Reading,
    mut addresses: impl FnMut(Option<&str>, &mut Reading) -> Connection,
) {
    for Known { wifi, priority } in known {
        let mut connection = addresses(std::str::from_utf8(&wifi.ssid).ok(), reading);
        connection.kind = Kind::Wifi(wifi);
        connection.priority = priority;
        reading.connections.push(connection);
    }
}

/// The file that `wpa_supplicant` is started with for an interface.
pub(super) fn of_interface<'a>(found: &'a Found, interface: &str) -> Option<&'a ConfigFile> {
    let own = format!("/etc/wpa_supplicant/wpa_supplicant-{interface}.conf");
    let of_all = "/etc/wpa_supplicant/wpa_supplicant.conf";
    let find = |path: &str| found.files.iter().find(|it| it.path == path);
    find(&own).or_else(|| find(of_all))
}

/// Notes files of wireless networks that nobody reads.
fn wireless_files(found: &Found, reading: &mut Reading) {
    let has_wifi = reading.connections.iter().any(|it| matches!(it.kind, Kind::Wifi(_)));
    let runs = |unit: &str| found.active.contains(unit);
    for file in found.files.iter().filter(|it| it.path.starts_with("/etc/wpa_supplicant/")) {
        if runs("NetworkManager")
            && !runs("dhcpcd")
            && file.text.contains("network={")
            && !runs("networking")
        {
            reading
                .note(format!("NetworkManager governs the radio, so {} does not count", file.path));
        } else if !has_wifi
            && !found.interfaces.iter().any(|it| it.wireless)
            && file.text.contains("network={")
        {
            reading.note(format!("there is no radio, so {} does not count", file.path));
        }
    }
}

/// The time servers of systemd-timesyncd.
fn time_servers(found: &Found, reading: &mut Reading) {
    let Some(file) = found.files.iter().find(|it| it.path == "/etc/systemd/timesyncd.conf") else {
        return;
    };
    for line in file.text.lines() {
        if let Some(("NTP", names)) = line.trim().split_once('=').map(|(key, it)| (key.trim(), it))
        {
            reading.time_servers(names);
        }
    }
}

/// Refuses a device whose way out is governed by something unknown.
fn ungoverned(found: &Found, governed: &BTreeSet<String>, reading: &mut Reading) {
    let way_out = found.interfaces.iter().find(|it| it.is_default_route);
    let Some(interface) = way_out.filter(|it| !governed.contains(&it.name)) else { return };
    // What is refused already may well be what configures it.
    if !reading.refused.is_empty() {
        return;
    }
    let path = format!("/sys/class/net/{}", interface.name);
    let why = format!(
        "the device's way out is {}, and nothing is known of what configures it: name keyfiles of your own",
        interface.name
    );
    reading.refuse(&ConfigFile { path, text: String::new() }, 0, why);
}

/// The hardware interfaces by name.
pub(super) fn by_name(found: &Found) -> BTreeMap<&str, &Interface> {
    found.interfaces.iter().map(|it| (it.name.as_str(), it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::translate;

    fn found(active: &[&str], files: &[(&str, &str)]) -> Found {
        let file = |(path, text): &(&str, &str)| ConfigFile {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Found {
            files: files.iter().map(file).collect(),
            interfaces: vec![Interface {
                name: "eth0".to_owned(),
                mac: "b8:27:eb:00:00:01".to_owned(),
                wireless: false,
                addresses: Vec::new(),
                is_default_route: true,
            }],
            active: active.iter().map(|it| (*it).to_owned()).collect(),
            ..Found::default()
        }
    }

    #[test]
    fn files_of_what_does_not_run_are_told_of_and_not_read() {
        let decoys = [
            ("/etc/NetworkManager/system-connections/x", "nonsense"),
            ("/etc/systemd/network/x.network", "nonsense"),
            ("/etc/dhcpcd.conf", "interface eth0\nstatic ip_address=10.0.0.2/24\n"),
        ];
        let out = translate(&found(&["dhcpcd"], &decoys)).unwrap();
        assert_eq!(out.notes.len(), 2, "{:?}", out.notes);
        assert_eq!(out.keyfiles.len(), 1);
    }

    #[test]
    fn a_way_out_that_nothing_known_governs_is_refused() {
        let why = &translate(&found(&[], &[])).unwrap_err()[0];
        assert!(why.why.contains("eth0") && why.line.is_none(), "{why:?}");
        let why = translate(&found(&["dhcpcd", "NetworkManager"], &[])).unwrap_err();
        assert!(why[0].why.contains("both"), "{why:?}");
    }

    #[test]
    fn networkmanager_passes_over_copies() {
        for name in [".x", "x~", "x.pem", "office.config", "x.a1b2c3"] {
            assert!(is_passed_over(name), "{name}");
        }
        for name in ["x.nmconnection", "migos-wifi-1", "x.y"] {
            assert!(!is_passed_over(name), "{name}");
        }
    }
}
