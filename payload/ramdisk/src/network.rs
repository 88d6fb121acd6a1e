//! The network: which interfaces are brought up, and how.
//!
//! What is to be run for a [`Link`] is worked out here; [`Keeper`] runs it, and runs it again whenever an
//! interface comes late, goes away, or a program ends. `lease` is what a DHCP server has given.

mod keeper;
mod lease;

pub use keeper::Keeper;
pub use lease::{Lease, NameServers};

use crate::programs::{Words, words};
use migos_contract::{Addressing, Link, Network};
use std::fs;
use std::net::IpAddr;
use std::path::Path;

/// A network interface that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, which means nothing: another kernel gives another.
    pub name: String,
    /// Its number: another one if it has gone and come again.
    pub number: String,
    /// Its Ethernet address.
    pub mac: String,
    /// Whether it is a radio.
    pub is_radio: bool,
}

/// Everything that is Ethernet or looks like it, of `/sys/class/net`.
pub fn interfaces(sys: &Path) -> Vec<Interface> {
    const ETHERNET: &str = "1";
    let Ok(entries) = fs::read_dir(sys) else { return Vec::new() };
    let interface = |path: &Path| {
        let read = |name: &str| Some(fs::read_to_string(path.join(name)).ok()?.trim().to_owned());
        Some(Interface {
            name: path.file_name()?.to_str()?.to_owned(),
            number: read("ifindex")?,
            mac: read("address")?,
            is_radio: path.join("wireless").exists() || path.join("phy80211").exists(),
        })
        .filter(|_| read("type").is_some_and(|kind| kind == ETHERNET))
    };
    entries.flatten().filter_map(|entry| interface(&entry.path())).collect()
}

/// The interfaces to bring up, of those that there are. A radio wants credentials, so that only a job that
/// names it brings it up.
pub fn wanted(network: &Network, found: &[Interface]) -> Vec<(Interface, Link)> {
    let is_named =
        |link: &&Link, it: &Interface| link.mac.trim().eq_ignore_ascii_case(it.mac.trim());
    let by_dhcp = |it: &Interface| Link {
        mac: it.mac.clone(),
        wifi: false,
        addressing: Addressing::Dhcp { client_id: None },
    };
    let link = |it: &Interface| match network.links.is_empty() {
        true => (!it.is_radio).then(|| by_dhcp(it)),
        false => network.links.iter().find(|link| is_named(link, it)).cloned(),
    };
    found.iter().filter_map(|it| Some((it.clone(), link(it)?))).collect()
}

/// Brings an interface up.
pub fn up(interface: &str) -> Words {
    words(&["busybox", "ip", "link", "set", interface, "up"])
}

/// Asks a DHCP server for an address, for as long as it runs; `/init` is called with each change.
pub fn dhcp(interface: &str, host_name: &str, client_id: Option<&str>) -> Words {
    let mut all = words(&["busybox", "udhcpc", "-f", "-i", interface, "-A", "5", "-s", "/init"]);
    let host_name = host_name.trim();
    if !host_name.is_empty() {
        all.extend(["-x".to_owned(), format!("hostname:{host_name}")]);
    }
    if let Some(id) = client_id.and_then(hex) {
        // Without -C there would be two of them, and the server might go by the other.
        all.extend(["-C".to_owned(), "-x".to_owned(), format!("0x3d:{id}")]);
    }
    all
}

/// The digits alone. What is not hex would end the client, and with it the device's way out: then it goes by
/// the client's own identifier.
fn hex(text: &str) -> Option<String> {
    let digits = text.trim().replace(':', "");
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && digits.len() % 2 == 0).then_some(digits)
}

/// Gives an interface addresses and a router by hand, whatever it had before.
pub fn by_hand(interface: &Interface, addresses: &[String], router: Option<IpAddr>) -> Vec<Words> {
    let name = &interface.name;
    let mut all = vec![words(&["busybox", "ip", "addr", "flush", "dev", name])];
    let add = |address: &String| words(&["busybox", "ip", "addr", "add", address, "dev", name]);
    all.extend(addresses.iter().map(add));
    all.extend(router.map(|router| default_route(name, interface.is_radio, router)));
    all
}

/// Sends all that is not for the own network to a router. Where there are several, a wire goes before the air, as in
/// Raspbian.
pub fn default_route(interface: &str, is_radio: bool, router: IpAddr) -> Words {
    let family = if router.is_ipv6() { "-6" } else { "-4" };
    let metric = if is_radio { "300" } else { "200" };
    let router = router.to_string();
    let route = ["route", "replace", "default", "via", &router, "dev", interface, "metric", metric];
    words(&[&["busybox", "ip", family], &route[..]].concat())
}

/// Keeps a radio connected, for as long as it runs.
pub fn radio(interface: &str, configuration: &Path) -> Words {
    let file = configuration.to_string_lossy();
    words(&["wpa_supplicant", "-q", "-D", "nl80211,wext", "-i", interface, "-c", &file])
}

/// What of Raspbian's `wpa_supplicant.conf` MIGOS can use. The control interface belongs to a group that there is
/// none of here, for which `wpa_supplicant` would not start; and nothing asks it to save anything.
pub fn radio_configuration(text: &[u8]) -> Vec<u8> {
    const UNWANTED: [&[u8]; 3] = [b"ctrl_interface=", b"ctrl_interface_group=", b"update_config="];
    let is_wanted = |line: &&[u8]| {
        let line = line.trim_ascii_start();
        !UNWANTED.iter().any(|word| line.starts_with(word))
    };
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.filter(is_wanted).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn interface(name: &str, mac: &str, is_radio: bool) -> Interface {
        Interface { name: name.into(), number: "2".into(), mac: mac.into(), is_radio }
    }

    fn link(mac: &str, addressing: Addressing) -> Link {
        Link { mac: mac.to_owned(), wifi: false, addressing }
    }

    #[test]
    fn without_links_every_wired_interface_asks_for_an_address() {
        let found = [interface("eth0", "b8:27:eb:00:00:01", false), interface("wlan0", "b8", true)];
        let all = wanted(&Network::default(), &found);
        let by_dhcp = link("b8:27:eb:00:00:01", Addressing::Dhcp { client_id: None });
        assert_eq!(all, [(found[0].clone(), by_dhcp)]);
    }

    #[test]
    fn with_links_those_alone_are_brought_up_and_told_by_their_addresses() {
        let by_hand = Addressing::Static { addresses: vec!["10.0.0.2/24".into()], router: None };
        let named = link("B8:27:EB:00:00:02", by_hand);
        let network = Network { links: vec![named.clone()], dns: Vec::new() };
        let found = [
            interface("eth0", "b8:27:eb:00:00:01", false),
            interface("enxb827eb000002", "b8:27:eb:00:00:02", true),
        ];
        assert_eq!(wanted(&network, &found), [(found[1].clone(), named)]);
    }

    #[test]
    fn interfaces_are_read_from_the_kernel() {
        let sys = tempfile::tempdir().unwrap();
        let add = |name: &str, files: &[(&str, &str)]| {
            fs::create_dir(sys.path().join(name)).unwrap();
            for (file, text) in files {
                #[allow(clippy::disallowed_methods)]
                fs::write(sys.path().join(name).join(file), format!("{text}\n")).unwrap();
            }
        };
        add("lo", &[("type", "772"), ("ifindex", "1"), ("address", "00:00:00:00:00:00")]);
        add("wlan0", &[("type", "1"), ("ifindex", "2"), ("address", "b8"), ("phy80211", "")]);
        assert_eq!(interfaces(sys.path()), [interface("wlan0", "b8", true)]);
        assert_eq!(interfaces(&sys.path().join("nowhere")), []);
    }

    #[test]
    fn dhcp_is_asked_as_raspbian_asked() {
        let own = "busybox udhcpc -f -i eth0 -A 5 -s /init -x hostname:pi";
        assert_eq!(dhcp("eth0", "pi", None).join(" "), own);
        let raspbians = dhcp("eth0", "pi", Some("01:b8:27:eb:00:00:01"));
        assert_eq!(raspbians.join(" "), format!("{own} -C -x 0x3d:01b827eb000001"));
        for no_hex in ["", "0", "0x01", "pi", "-s"] {
            assert_eq!(dhcp("eth0", "pi", Some(no_hex)).join(" "), own, "{no_hex}");
        }
        assert!(!dhcp("eth0", "", None).contains(&"-x".to_owned()));
    }

    #[test]
    fn addresses_are_set_by_hand_after_what_was_there_has_gone() {
        let addresses = ["10.0.0.2/24".to_owned(), "fd00::2/64".to_owned()];
        let eth0 = interface("eth0", "b8", false);
        let all = by_hand(&eth0, &addresses, Some("10.0.0.1".parse().unwrap()));
        let all: Vec<_> = all.iter().map(|words| words[2..].join(" ")).collect();
        let expected = [
            "addr flush dev eth0",
            "addr add 10.0.0.2/24 dev eth0",
            "addr add fd00::2/64 dev eth0",
            "-4 route replace default via 10.0.0.1 dev eth0 metric 200",
        ];
        assert_eq!(all, expected);
        let by_air = default_route("wlan0", true, "fe80::1".parse().unwrap()).join(" ");
        let expected = "busybox ip -6 route replace default via fe80::1 dev wlan0 metric 300";
        assert_eq!(by_air, expected);
    }

    #[test]
    fn the_radio_loses_what_is_raspbians_alone() {
        let text = b"ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev\nupdate_config=1\n\
            country=GB\nnetwork={\n\tssid=\"caf\xe9\"\n\tpsk=\"secret\"\n}";
        let kept = b"country=GB\nnetwork={\n\tssid=\"caf\xe9\"\n\tpsk=\"secret\"\n}";
        assert_eq!(radio_configuration(text), kept);
        let all = radio("wlan0", Path::new("/run/wifi.conf")).join(" ");
        assert_eq!(all, "wpa_supplicant -q -D nl80211,wext -i wlan0 -c /run/wifi.conf");
    }
}
