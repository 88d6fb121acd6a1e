//! Keyfiles, read as NetworkManager reads them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::lan::Addressing;
use super::radio::{self, Attempt, Shows};

/// A file of groups with keys and values (GLib: `GKeyFile`).
struct Groups(BTreeMap<String, BTreeMap<String, String>>);

/// What a keyfile connects by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Means {
    /// A cable.
    Ethernet,
    /// A radio.
    Wifi(Attempt),
    /// A tagged VLAN on a cable.
    Vlan {
        /// Its number.
        id: u16,
        /// Interface, or uuid of another keyfile.
        parent: Option<String>,
    },
    /// A modem.
    Gsm {
        /// The access point's name.
        apn: String,
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
}

/// A keyfile that NetworkManager accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) uuid: Option<String>,
    pub(crate) means: Means,
    /// The interface that it is for alone.
    pub(crate) interface: Option<String>,
    /// The hardware address that it is for alone.
    pub(crate) mac: Option<String>,
    pub(crate) autoconnect: bool,
    pub(crate) priority: i32,
    pub(crate) addressing: Addressing,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) never_default: bool,
    pub(crate) metric: Option<u32>,
}

/// True for the names of files that NetworkManager passes over without a word: hidden files, copies of editors, and
/// what looks like a temporary file, as does `office.config` (libnm: `nm_keyfile_utils_ignore_filename`).
pub(crate) fn is_ignored(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_temporary = name.rsplit_once('.').is_some_and(|(_, end)| {
        end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let ends = [".swp", ".swpx", ".pem", ".der"];
    name.is_empty()
        || name.starts_with('.')
        || name.ends_with('~')
        || is_temporary
        || ends.iter().any(|end| lower.ends_with(end))
}

impl Profile {
    /// Reads a keyfile; the error says why NetworkManager does not load it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let groups = Groups::read(text)?;
        let connection = |key| groups.get(&["connection"], key);
        let kind = connection("type")?.ok_or("connection.type is missing")?;
        let (means, hardware): (Means, &[&str]) = match kind.as_str() {
            "ethernet" | "802-3-ethernet" => (Means::Ethernet, &["ethernet", "802-3-ethernet"]),
            "wifi" | "802-11-wireless" => (Means::Wifi(groups.attempt()?), &WIFI),
            "vlan" => (groups.vlan()?, &["ethernet", "802-3-ethernet"]),
            "gsm" => (groups.gsm()?, &["gsm"]),
            other => return Err(format!("connection.type {other} is not known")),
        };
        let ipv4 = |key| groups.get(&["ipv4"], key);
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
        Ok(Self {
            uuid: connection("uuid")?,
            interface: connection("interface-name")?,
            mac: groups.get(hardware, "mac-address")?,
            autoconnect: connection("autoconnect")?.is_none_or(|flag| is_true(&flag)),
            priority: number(connection("autoconnect-priority")?).unwrap_or(0),
            addressing: groups.addressing()?,
            dns: list(ipv4("dns")?).iter().filter_map(|server| server.parse().ok()).collect(),
            never_default: ipv4("never-default")?.is_some_and(|flag| is_true(&flag)),
            metric: ipv4("route-metric")?.and_then(|text| text.parse().ok()),
            means,
        })
    }

    /// It may be used on the interface with this name and hardware address.
    pub(crate) fn is_for(&self, name: &str, mac: &str) -> bool {
        let is_name = self.interface.as_deref().is_none_or(|own| own == name);
        is_name && self.mac.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(mac))
    }
}

/// The group of a radio, and its older name.
const WIFI: [&str; 2] = ["wifi", "802-11-wireless"];
const WIFI_SECURITY: [&str; 2] = ["wifi-security", "802-11-wireless-security"];

impl Groups {
    fn read(text: &str) -> Result<Self, String> {
        let mut groups: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut group: Option<String> = None;
        for (number, line) in (1..).zip(text.split('\n')) {
            let start = line.trim_start();
            if start.is_empty() || start.starts_with('#') {
                continue;
            }
            let bad = || format!("line {number} is not understood");
            if let Some(name) = start.strip_prefix('[') {
                let name = name.trim_end().strip_suffix(']').ok_or_else(bad)?;
                groups.entry(name.to_owned()).or_default();
                group = Some(name.to_owned());
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(bad)?;
            let group = group.clone().ok_or_else(bad)?;
            let keys = groups.entry(group).or_default();
            keys.insert(key.trim().to_owned(), value.trim_start().to_owned());
        }
        Ok(Self(groups))
    }

    fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains_key(*name))
    }

    fn raw(&self, names: &[&str], key: &str) -> Option<&str> {
        let found = names.iter().find_map(|name| self.0.get(*name)?.get(key));
        found.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A value without its escapes.
    fn get(&self, names: &[&str], key: &str) -> Result<Option<String>, String> {
        let Some(raw) = self.raw(names, key) else { return Ok(None) };
        let plain =
            unescaped(raw).ok_or_else(|| format!("the value of {key} is not understood"))?;
        Ok(Some(plain))
    }

    fn addressing(&self) -> Result<Addressing, String> {
        let get = |key: &str| self.get(&["ipv4"], key);
        let method = get("method")?.unwrap_or_else(|| "auto".to_owned());
        match method.as_str() {
            "auto" => return Ok(Addressing::Dhcp),
            "manual" => {}
            other => return Err(format!("ipv4.method {other} leads nowhere")),
        }
        let (mut addresses, mut router) = (Vec::new(), None);
        let keys = self.0.get("ipv4").into_iter().flat_map(BTreeMap::keys);
        for key in keys.filter(|key| is_address(key)) {
            let value = get(key)?.unwrap_or_default();
            let (address, gateway) = match value.split_once([',', ';', ' ']) {
                Some((address, gateway)) => (address, gateway.trim_matches([',', ';', ' '])),
                None => (value.as_str(), ""),
            };
            let address = Addressing::address(address);
            addresses.push(address.ok_or_else(|| format!("ipv4.{key} is no address"))?);
            router = router.or_else(|| gateway.parse().ok());
        }
        if addresses.is_empty() {
            return Err("ipv4.method is manual, and there is no address".to_owned());
        }
        let gateway = get("gateway")?.and_then(|gateway| gateway.parse().ok());
        Ok(Addressing::Static { addresses, router: gateway.or(router) })
    }

    fn attempt(&self) -> Result<Attempt, String> {
        let ssid = self.raw(&WIFI, "ssid").ok_or("wifi.ssid is missing")?;
        let ssid = ssid_bytes(ssid).filter(|ssid| (1..=32).contains(&ssid.len()));
        let mode = self.get(&WIFI, "mode")?;
        if mode.as_deref().is_some_and(|mode| mode != "infrastructure") {
            return Err("wifi.mode is not that of a client".to_owned());
        }
        Ok(Attempt {
            ssid: ssid.ok_or("wifi.ssid is no name of a network")?,
            seeks_hidden: self.get(&WIFI, "hidden")?.is_some_and(|flag| is_true(&flag)),
            shows: if self.has(&WIFI_SECURITY) { self.shows()? } else { Shows::Nothing },
        })
    }

    fn shows(&self) -> Result<Shows, String> {
        let get = |key: &str| self.get(&WIFI_SECURITY, key);
        match get("key-mgmt")?.as_deref() {
            Some("wpa-psk") => {
                owned(get("psk-flags")?)?;
                let psk = get("psk")?.ok_or("wifi-security.psk is missing")?;
                radio::is_psk(&psk).then_some(()).ok_or("wifi-security.psk is no key")?;
                Ok(Shows::Psk(psk))
            }
            Some("wpa-eap") => self.peap(),
            Some(other) => Err(format!("nothing in range has key-mgmt {other}")),
            None => Err("wifi-security.key-mgmt is missing".to_owned()),
        }
    }

    fn peap(&self) -> Result<Shows, String> {
        let get = |key: &str| self.get(&["802-1x"], key);
        owned(get("password-flags")?)?;
        // The server's certificate is nobody's that balenaOS knows, and a file with it is not there.
        let asks =
            get("ca-cert")?.is_some() || get("system-ca-certs")?.is_some_and(|flag| is_true(&flag));
        let is_peap = list(get("eap")?).iter().any(|method| method == "peap");
        if asks || !is_peap || get("phase2-auth")?.as_deref() != Some("mschapv2") {
            return Err("802-1x does not suit the server".to_owned());
        }
        Ok(Shows::Peap {
            identity: get("identity")?.ok_or("802-1x.identity is missing")?,
            password: get("password")?.ok_or("802-1x.password is missing")?,
        })
    }

    fn vlan(&self) -> Result<Means, String> {
        let id = self.get(&["vlan"], "id")?.and_then(|id| id.parse().ok());
        let parent = self.get(&["vlan"], "parent")?;
        let has_mac = self.raw(&["ethernet", "802-3-ethernet"], "mac-address").is_some();
        if parent.is_none() && !has_mac {
            return Err("vlan.parent is missing".to_owned());
        }
        Ok(Means::Vlan { id: id.filter(|id| *id < 4095).ok_or("vlan.id is missing")?, parent })
    }

    fn gsm(&self) -> Result<Means, String> {
        let get = |key: &str| self.get(&["gsm"], key);
        owned(get("password-flags")?)?;
        Ok(Means::Gsm {
            apn: get("apn")?.ok_or("gsm.apn is missing")?,
            username: get("username")?.unwrap_or_default(),
            password: get("password")?.unwrap_or_default(),
        })
    }
}

/// A secret with other flags is kept by somebody who is not there on a device without a screen.
fn owned(flags: Option<String>) -> Result<(), String> {
    match flags.as_deref() {
        None | Some("0") => Ok(()),
        Some(_) => Err("a secret is not in the file".to_owned()),
    }
}

/// `address`, `address1`, `addresses2`.
fn is_address(key: &str) -> bool {
    let digits = key.strip_prefix("address").map(|rest| rest.strip_prefix("es").unwrap_or(rest));
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_true(flag: &str) -> bool {
    matches!(flag.trim_end(), "true" | "yes" | "on" | "1")
}

fn list(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A name of a network: as text, or as the numbers of its bytes.
fn ssid_bytes(raw: &str) -> Option<Vec<u8>> {
    let is_list = raw.contains(';')
        && raw.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b' '));
    if is_list {
        return list(Some(raw.to_owned())).iter().map(|byte| byte.parse().ok()).collect();
    }
    unescaped(&raw.replace("\\;", ";")).map(String::into_bytes)
}

fn unescaped(raw: &str) -> Option<String> {
    let mut plain = String::with_capacity(raw.len());
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                's' => ' ',
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WPA: &str = "[connection]\ntype=wifi\n[wifi]\nssid=a\n[wifi-security]\nkey-mgmt=wpa-psk\n\
        psk=12345678\n";

    fn shows(text: &str) -> Shows {
        match Profile::read(text).unwrap().means {
            Means::Wifi(attempt) => attempt.shows,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn names_are_ignored_that_networkmanager_ignores() {
        let ignored = ["", ".hidden", "wifi~", "office.config", "a.ignore", "ca.pem", "x.SWP"];
        assert!(ignored.iter().all(|name| is_ignored(name)));
        let read = ["wifi", "a.nmconnection", "a.conf", "resin-wifi-1", "a.con-ig"];
        assert!(!read.iter().any(|name| is_ignored(name)));
    }

    #[test]
    fn secrets_are_read_with_their_escapes() {
        assert_eq!(shows(WPA), Shows::Psk("12345678".to_owned()));
        let odd = WPA.replace("12345678", r"\sa\\b;#c ");
        assert_eq!(shows(&odd), Shows::Psk(r" a\b;#c ".to_owned()));
        assert!(Profile::read(&WPA.replace("12345678", r"1234567\q")).is_err());
    }

    #[test]
    fn names_of_networks_are_text_or_bytes() {
        assert_eq!(ssid_bytes(r"a\;b").unwrap(), b"a;b");
        assert_eq!(ssid_bytes("97;59;98;").unwrap(), b"a;b");
        assert_eq!(ssid_bytes("2021").unwrap(), b"2021");
        assert_eq!(ssid_bytes("300;"), None);
    }

    #[test]
    fn what_networkmanager_does_not_load_is_not_read() {
        let psk = "psk=12345678";
        for (from, to) in [
            ("type=wifi\n", ""),
            ("type=wifi", "type=radio"),
            ("ssid=a\n", ""),
            ("key-mgmt=wpa-psk\n", ""),
            ("wpa-psk", "sae"),
            (psk, "psk=short"),
            (psk, "psk=12345678\npsk-flags=1"),
            ("[wifi]\n", "[wifi]\nmode=ap\n"),
            ("[connection]\n", "hello\n[connection]\n"),
            (psk, "psk=12345678\n[ipv4]\nmethod=manual\n"),
            (psk, "psk=12345678\n[ipv4]\nmethod=manual\naddress1=192.168.1.4\n"),
        ] {
            assert!(Profile::read(&WPA.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn addresses_come_with_their_router_or_without() {
        let read = |ipv4: &str| {
            let text = format!("[connection]\ntype=ethernet\n[ipv4]\n{ipv4}");
            Profile::read(&text).unwrap()
        };
        let own = ("192.168.1.31".parse().unwrap(), 24);
        let router = "192.168.1.1".parse().ok();
        let expected = Addressing::Static { addresses: vec![own], router };
        let one =
            read("method=manual\naddress1=192.168.1.31/24,192.168.1.1\ndns=1.1.1.1;9.9.9.9;\n");
        assert_eq!((&one.addressing, one.dns.len()), (&expected, 2));
        let two = read("method=manual\naddresses=192.168.1.31/24\ngateway=192.168.1.1\n");
        assert_eq!(two.addressing, expected);
        let none = read("never-default=true\nroute-metric=50\n");
        assert_eq!((none.addressing, none.never_default), (Addressing::Dhcp, true));
        assert_eq!(none.metric, Some(50));
    }
}
