//! What configures a device's network, as the probe tells it. Secrets are replaced here, on the way into the facts.

use super::parse::Lines;
use migos_payload::network::{ConfigFile, Found, Interface, mask};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A file's text in the form in which the probe tells it: without NULs, and with an end to its last line.
pub fn config_text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).replace('\0', "");
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// What configures the network; `default_route` is the interface of the default route.
pub(super) fn configuration(lines: &Lines<'_>, default_route: Option<&str>) -> Found {
    Found {
        files: files(lines),
        interfaces: interfaces(lines, default_route),
        active: lines.all("net.active").iter().map(|unit| (*unit).to_owned()).collect(),
        client_ids: client_ids(lines),
        country: lines.first("net.country").filter(|name| !name.is_empty()).map(str::to_owned),
    }
}

/// The files, masked. A line of no file is left out: nothing of it may be told.
fn files(lines: &Lines<'_>) -> Vec<ConfigFile> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for value in lines.all("net.line") {
        let (number, line) = value.split_once(' ').unwrap_or((value, ""));
        let text = texts.entry(number).or_default();
        text.push_str(line);
        text.push('\n');
    }
    let file = |value: &&str| {
        let (number, path) = value.split_once(' ')?;
        let text = texts.remove(number).unwrap_or_default();
        Some(mask(&ConfigFile { path: path.to_owned(), text }))
    };
    lines.all("net.file").iter().filter_map(file).collect()
}

/// The interfaces that are hardware; what is told twice counts once.
fn interfaces<'t>(lines: &Lines<'t>, default_route: Option<&str>) -> Vec<Interface> {
    let is_virtual: BTreeSet<&str> = lines.all("virtual").iter().copied().collect();
    let addresses = |name: &str| {
        let of = |value: &&str| {
            let (owner, address) = value.split_once(' ')?;
            address.parse().ok().filter(|_| owner == name)
        };
        let mut seen: BTreeSet<IpAddr> = BTreeSet::new();
        let all = lines.all("address").iter().filter_map(of);
        all.filter(|address| seen.insert(*address)).collect()
    };
    let mut seen = BTreeSet::new();
    let interface = |value: &&'t str| {
        let (name, mac) = value.split_once(' ')?;
        (!is_virtual.contains(name) && seen.insert(name)).then(|| Interface {
            name: name.to_owned(),
            mac: mac.to_ascii_lowercase(),
            wireless: lines.all("wireless").contains(&name),
            addresses: addresses(name),
            is_default_route: default_route == Some(name),
        })
    };
    lines.all("mac").iter().filter_map(interface).collect()
}

fn client_ids(lines: &Lines<'_>) -> BTreeMap<String, String> {
    let id = |value: &&str| {
        let (interface, id) = value.split_once(' ')?;
        let is_hex = id.len() % 2 == 0 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| (interface.to_owned(), id.to_ascii_lowercase()))
    };
    lines.all("net.client-id").iter().filter_map(id).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::facts::parse;

    const TEXT: &str = "migos-probe 1\nmodel x\nrevision 0\nkernel y\nmachine z\nmemory 1\n\
        route wlan0\t00000000\t0101A8C0\t0003\t0\t0\t303\t00000000\n\
        address eth0 192.0.2.7\naddress wlan0 192.168.1.20\naddress wlan0 fe80::1\naddress docker0 172.17.0.1\n\
        virtual lo\nvirtual docker0\nwireless wlan0\n\
        mac docker0 02:42:00:00:00:01\nmac eth0 b8:27:eb:00:00:01\nmac wlan0 B8:27:EB:00:00:02\n\
        net.file 1 /etc/wpa_supplicant/wpa_supplicant.conf\n\
        net.line 1 network={\nnet.line 1 \tssid=\"shop\"\nnet.line 1 \nnet.line 1 \tpsk=\"correct horse\"\nnet.line 1 }\n\
        net.file 2 /etc/network/interfaces\nnet.line 3 psk=of nobody\n\
        net.active dhcpcd\nnet.client-id eth0 01B827EB000001\nnet.client-id wlan0 xy\nnet.country DE\nend ok\n";

    #[test]
    fn files_are_read_line_by_line_and_masked() {
        let found = parse(TEXT).unwrap().network.configuration;
        let paths: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["/etc/wpa_supplicant/wpa_supplicant.conf", "/etc/network/interfaces"]);
        let told = serde_json::to_string(&found).unwrap();
        assert!(!told.contains("correct horse") && !told.contains("of nobody"), "{told}");
        let whole = "network={\n\tssid=\"shop\"\n\n\tpsk=\"correct horse\"\n}";
        let path = "/etc/wpa_supplicant/wpa_supplicant.conf".to_owned();
        assert_eq!(found.files[0], mask(&ConfigFile { path, text: config_text(whole.as_bytes()) }));
    }

    #[test]
    fn what_is_told_twice_counts_once() {
        let twice = TEXT.replace("mac eth0", "mac eth0 02:00:00:00:00:09\nmac eth0");
        let twice = twice.replace("address eth0", "address eth0 192.0.2.7\naddress eth0");
        let found = parse(&twice).unwrap().network.configuration;
        let eth0: Vec<_> = found.interfaces.iter().filter(|it| it.name == "eth0").collect();
        assert_eq!((eth0.len(), eth0[0].addresses.len()), (1, 1));
        assert_eq!(eth0[0].mac, "02:00:00:00:00:09");
    }

    #[test]
    fn only_interfaces_that_are_hardware_are_told() {
        let found = parse(TEXT).unwrap().network.configuration;
        let names: Vec<(&str, bool, usize, bool)> = found
            .interfaces
            .iter()
            .map(|it| (it.name.as_str(), it.wireless, it.addresses.len(), it.is_default_route))
            .collect();
        assert_eq!(names, [("eth0", false, 1, false), ("wlan0", true, 2, true)]);
        assert_eq!(found.interfaces[1].mac, "b8:27:eb:00:00:02");
        assert_eq!(found.client_ids, [("eth0".into(), "01b827eb000001".into())].into());
        assert_eq!(found.country.as_deref(), Some("DE"));
        assert!(found.active.contains("dhcpcd"));
    }

    #[test]
    fn a_text_is_told_like_the_probe_does() {
        assert_eq!(config_text(b"a\0b\r\n\nc"), "ab\r\n\nc\n");
        assert_eq!(config_text(b""), "");
    }
}
