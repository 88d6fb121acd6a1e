//! `dhcpcd.conf`: addresses by interface and by wireless network.
//!
//! Source: dhcpcd.conf(5).

use super::ConfigFile;
use super::connection::{Connection, Family, Method, Route, cidr, mask_length, with_prefix};
use super::reading::{Reading, place};
use super::wpa_values::{hex, to_hex};
use std::net::IpAddr;

/// Options that change nothing about which addresses and routes a device has.
const HARMLESS: &[&str] = &[
    "hostname",
    "hostname_short",
    "fqdn",
    "clientid",
    "duid",
    "iaid",
    "persistent",
    "option",
    "require",
    "nooption",
    "slaac",
    "controlgroup",
    "control",
    "background",
    "b",
    "quiet",
    "debug",
    "logfile",
    "timeout",
    "reboot",
    "leasetime",
    "vendorclassid",
    "userclass",
    "noarp",
    "noipv4ll",
    "nolink",
    "link",
    "env",
    "script",
    "waitip",
    "release",
    "xidhwaddr",
    "ipv6ra_noautoconf",
    "ipv6rs",
    "noalias",
    "dev",
    "nodev",
    "define",
    "allowinterfaces",
    "denyinterfaces",
    "request",
    "initial_interval",
    "backoff_cutoff",
    "broadcast",
    "gateway",
    "ipv4",
    "ipv6",
    "dhcp",
    "dhcp6",
    "nodhcp6",
    "noup",
    "configure",
    "ia_na",
];

/// A line that is in effect somewhere.
struct Line<'a> {
    at: usize,
    option: &'a str,
    value: &'a str,
    scope: Scope<'a>,
}

/// Where a line counts.
#[derive(Clone, Copy, PartialEq)]
enum Scope<'a> {
    Everywhere,
    Interface(&'a str),
    Ssid(&'a str),
    Profile(&'a str),
}

/// A `dhcpcd.conf` that has been read.
pub(super) struct Dhcpcd<'a> {
    file: Option<&'a ConfigFile>,
    lines: Vec<Line<'a>>,
}

impl<'a> Dhcpcd<'a> {
    /// Reads the file, if there is one.
    pub(super) fn new(file: Option<&'a ConfigFile>) -> Self {
        let mut scope = Scope::Everywhere;
        let mut lines = Vec::new();
        let text = file.map_or("", |it| it.text.as_str());
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let (option, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let value = value.trim();
            match option {
                "interface" => scope = Scope::Interface(value),
                "ssid" => scope = Scope::Ssid(value),
                "profile" => scope = Scope::Profile(value),
                _ => lines.push(Line { at: index + 1, option, value, scope }),
            }
        }
        Self { file, lines }
    }

    /// Whether dhcpcd lets an interface alone.
    pub(super) fn lets_alone(&self, interface: &str) -> bool {
        let names = |option: &str| -> Vec<&str> {
            let lines = self.lines.iter().filter(|it| it.option == option);
            lines
                .flat_map(|it| it.value.split([' ', '\t', ',']))
                .filter(|it| !it.is_empty())
                .collect()
        };
        let is_among = |names: &[&str]| names.iter().any(|it| is_like(it, interface));
        let allowed = names("allowinterfaces");
        is_among(&names("denyinterfaces")) || !allowed.is_empty() && !is_among(&allowed)
    }

    /// Whether dhcpcd starts `wpa_supplicant` for an interface.
    pub(super) fn starts_wpa_supplicant(&self, interface: &str) -> bool {
        let is_off = |it: &&Line| {
            it.option == "nohook" && it.value.split([' ', ',']).any(|name| name == "wpa_supplicant")
        };
        !self.lines.iter().filter(is_off).any(|it| counts(it, interface, None))
    }

    /// The names of wireless networks that have settings of their own.
    pub(super) fn ssids(&self) -> Vec<&'a str> {
        let ssid = |it: &Line<'a>| if let Scope::Ssid(name) = it.scope { Some(name) } else { None };
        self.lines.iter().filter_map(ssid).collect()
    }

    /// How an interface, on the network of that name if it is a radio, gets its addresses.
    pub(super) fn connection(
        &self,
        interface: &str,
        ssid: Option<&str>,
        reading: &mut Reading,
    ) -> Connection {
        let mut out = Connection { interface: Some(interface.to_owned()), ..Connection::default() };
        let Some(file) = self.file else { return out };
        let mut given = Given::default();
        for line in self.lines.iter().filter(|it| counts(it, interface, ssid)) {
            if let Err(why) = line.apply(&mut out, &mut given) {
                reading.refuse(file, line.at, why);
            }
        }
        for (at, what) in &given.notes {
            reading.note(format!("{what} ({})", place(file, *at)));
        }
        for name in &given.ntp {
            reading.time_servers(name);
        }
        given.finish(&mut out, file, reading);
        out
    }
}

/// What lines have said, before all of them are known.
#[derive(Default)]
struct Given {
    address: Option<(IpAddr, Option<u8>, usize)>,
    mask: Option<u8>,
    routers: Option<(IpAddr, usize)>,
    dns: Vec<IpAddr>,
    search: Vec<String>,
    is_inform: bool,
    ntp: Vec<String>,
    notes: Vec<(usize, &'static str)>,
}

impl Line<'_> {
    fn apply(&self, out: &mut Connection, given: &mut Given) -> Result<(), String> {
        let value = self.value;
        match self.option {
            "static" => self.fixed(out, given)?,
            "inform" => {
                given.address = Some(address(value, self.at)?);
                given.is_inform = true;
            }
            "metric" => {
                let metric = value.parse().map_err(|_| "this is no number")?;
                (out.v4.metric, out.v6.metric) = (Some(metric), Some(metric));
            }
            "fallback" => {
                return Err("a fallback is a second choice for when no DHCP server answers, which NetworkManager \
                    does not have: decide for DHCP or for fixed addresses, or name keyfiles of your own"
                    .to_owned());
            }
            "nodhcp" | "noipv4" | "ipv6only" => out.v4 = Family::disabled(),
            "ipv4only" | "noipv6" => out.v6 = Family::disabled(),
            "noipv6rs" => out.v6 = Family { method: Method::LinkLocal, ..Family::default() },
            "nogateway" => (out.v4.never_default, out.v6.never_default) = (true, true),
            "clientid" if !value.is_empty() => out.client_id = Some(client_id(value)),
            "slaac" if value.split_whitespace().next() == Some("hwaddr") => {
                out.more.retain(|(_, key, _)| key != "addr-gen-mode");
                out.more.push(("ipv6", "addr-gen-mode".to_owned(), "eui64".to_owned()));
            }
            "nohook" if value.contains("resolv.conf") => given.notes.push((
                self.at,
                "dhcpcd left /etc/resolv.conf alone; balenaOS asks the network's name servers",
            )),
            "nohook" => {}
            "mtu" => return Err("a changed MTU is not carried over".to_owned()),
            option if HARMLESS.contains(&option) => {}
            option => {
                return Err(format!("nothing is known of what becomes of `{option}` on balenaOS"));
            }
        }
        Ok(())
    }

    /// `static NAME=VALUE`.
    fn fixed(&self, out: &mut Connection, given: &mut Given) -> Result<(), String> {
        let (name, value) = self.value.split_once('=').ok_or("a name and a value are missing")?;
        let (name, value) = (name.trim(), value.trim());
        let words: Vec<&str> = value.split([' ', '\t', ',']).filter(|it| !it.is_empty()).collect();
        match name {
            "ip_address" if value.is_empty() => {}
            "ip_address" => given.address = Some(address(value, self.at)?),
            "ip6_address" => {
                let text =
                    if value.contains('/') { value.to_owned() } else { format!("{value}/64") };
                let (ip, prefix) = cidr(&text).filter(|it| it.0.is_ipv6()).ok_or(NO_ADDRESS)?;
                out.v6.addresses.push((ip, prefix));
            }
            "subnet_mask" => given.mask = Some(mask_length(value).ok_or("this is no mask")?),
            "routers" => match words.as_slice() {
                [] => {}
                [one] => given.routers = Some((one.parse().map_err(|_| NO_ADDRESS)?, self.at)),
                _ => return Err("NetworkManager takes one router of a connection".to_owned()),
            },
            "domain_name_servers" | "name_servers" => {
                let all: Result<Vec<IpAddr>, _> = words.iter().map(|it| it.parse()).collect();
                given.dns = all.map_err(|_| NO_ADDRESS)?;
            }
            "domain_search" | "domain_name" => {
                given.search = words.iter().map(|it| (*it).to_owned()).collect();
            }
            "ntp_servers" => given.ntp.push(value.to_owned()),
            "routes" | "classless_static_routes" | "static_routes" => {
                out.v4.routes = routes(&words, name == "static_routes")?;
            }
            "broadcast_address" | "host_name" => {}
            other => {
                return Err(format!("nothing is known of what becomes of `{other}` on balenaOS"));
            }
        }
        Ok(())
    }
}

const NO_ADDRESS: &str = "this is no address";

impl Given {
    fn finish(self, out: &mut Connection, file: &ConfigFile, reading: &mut Reading) {
        if let Some((ip, prefix, at)) = self.address {
            match prefix.or(self.mask).and_then(|prefix| with_prefix(ip, prefix)) {
                Some(address) => {
                    out.v4.method = Method::Manual;
                    out.v4.addresses.push(address);
                }
                None => reading.refuse(
                    file,
                    at,
                    "the length of the network's prefix is missing: write it, as in 192.168.1.20/24",
                ),
            }
            if self.is_inform && self.routers.is_none() {
                let why = "the address is fixed, but the router is asked of the network: name it with static routers";
                reading.refuse(file, at, why);
            }
            out.v4.gateway =
                self.routers.map(|(router, _)| router).filter(|_| !out.v4.never_default);
        } else if let Some((_, at)) = self.routers {
            let why = "a router without an address of the device's own cannot be carried over: name the address too";
            reading.refuse(file, at, why);
        }
        if !self.dns.is_empty() {
            out.v4.take_dns(&self.dns, false);
            out.v6.take_dns(&self.dns, true);
            (out.v4.own_dns_only, out.v6.own_dns_only) = (true, true);
        }
        out.v4.search.extend(self.search);
    }
}

/// Pairs of a part of the world and a router.
fn routes(words: &[&str], by_class: bool) -> Result<Vec<Route>, String> {
    if by_class || !words.len().is_multiple_of(2) {
        return Err("these routes cannot be carried over".to_owned());
    }
    let route = |pair: &[&str]| {
        let to = cidr(pair.first()?)?;
        Some(Route { to, via: Some(pair.get(1)?.parse().ok()?), metric: None })
    };
    let all: Option<Vec<Route>> = words.chunks(2).map(route).collect();
    all.ok_or_else(|| "these routes cannot be carried over".to_owned())
}

/// An IPv4 address with or without its prefix length.
fn address(value: &str, at: usize) -> Result<(IpAddr, Option<u8>, usize), String> {
    let (ip, prefix) = match value.split_once('/') {
        Some((ip, prefix)) => (ip, Some(prefix.parse().map_err(|_| NO_ADDRESS)?)),
        None => (value, None),
    };
    let ip: IpAddr = ip.parse().map_err(|_| NO_ADDRESS)?;
    if ip.is_ipv6() {
        return Err(NO_ADDRESS.to_owned());
    }
    Ok((ip, prefix, at))
}

/// Bytes in hex with colons as they are; other text after a type byte of 0, as dhcpcd sends it.
fn client_id(value: &str) -> String {
    let value = value.trim_matches('"');
    let bytes = Some(value).filter(|it| it.contains(':')).map(|it| it.replace(':', ""));
    match bytes.and_then(|it| hex(&it)) {
        Some(bytes) => to_hex(&bytes),
        None => format!("00{}", to_hex(value.as_bytes())),
    }
}

fn counts(line: &Line, interface: &str, ssid: Option<&str>) -> bool {
    match line.scope {
        Scope::Everywhere => true,
        Scope::Interface(name) => name == interface,
        Scope::Ssid(name) => Some(name) == ssid,
        Scope::Profile(_) => false,
    }
}

/// Whether a pattern of a shell with `*` and `?` is meant. It takes no longer than both lengths multiplied.
pub(super) fn is_like(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut here) = (0, 0);
    let mut star = None;
    while here < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, here));
                at += 1;
            }
            Some(letter) if *letter == '?' || Some(letter) == name.get(here) => {
                (at, here) = (at + 1, here + 1);
            }
            // The last star takes one letter more.
            _ => match star {
                Some((from, taken)) => {
                    star = Some((from, taken + 1));
                    (at, here) = (from + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|it| *it == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> ConfigFile {
        ConfigFile { path: "/etc/dhcpcd.conf".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn fixed_addresses_are_those_of_the_interface_and_the_network() {
        let file = file(
            "hostname\nclientid\ninterface wlan0\nstatic ip_address=10.0.0.2/24\nstatic routers=10.0.0.1\n\
             static domain_name_servers=10.0.0.1 fd00::1\nssid At Work\nstatic ip_address=10.1.0.2/16\n",
        );
        let dhcpcd = Dhcpcd::new(Some(&file));
        let mut reading = Reading::default();
        assert!(dhcpcd.connection("eth0", None, &mut reading).v4 == Family::default());
        let home = dhcpcd.connection("wlan0", Some("Home"), &mut reading);
        assert!(home.v4.addresses == [cidr("10.0.0.2/24").unwrap()] && home.v4.own_dns_only);
        assert!(home.v6.dns == ["fd00::1".parse::<IpAddr>().unwrap()]);
        let work = dhcpcd.connection("wlan0", Some("At Work"), &mut reading);
        assert!(work.v4.addresses == [cidr("10.1.0.2/16").unwrap()]);
        assert!(reading.refused.is_empty(), "{:?}", reading.refused);
    }

    #[test]
    fn what_networkmanager_cannot_do_is_refused() {
        for (text, why) in [
            ("interface eth0\nfallback x\nprofile x\nstatic ip_address=10.0.0.2/24", "fallback"),
            ("interface eth0\ninform 10.0.0.2/24", "router"),
            ("static ip_address=10.0.0.2", "prefix"),
            ("static routers=10.0.0.1", "without an address"),
            ("surprise", "surprise"),
        ] {
            let file = file(text);
            let mut reading = Reading::default();
            Dhcpcd::new(Some(&file)).connection("eth0", None, &mut reading);
            assert!(reading.refused[0].why.contains(why), "{text}: {:?}", reading.refused);
        }
    }

    #[test]
    fn interfaces_are_let_alone_by_pattern() {
        let file = file("denyinterfaces wlan* usb0\ninterface wlan0\nnohook wpa_supplicant\n");
        let dhcpcd = Dhcpcd::new(Some(&file));
        assert!(dhcpcd.lets_alone("wlan1") && dhcpcd.lets_alone("usb0"));
        assert!(!dhcpcd.lets_alone("eth0"));
        assert!(!dhcpcd.starts_wpa_supplicant("wlan0") && dhcpcd.starts_wpa_supplicant("wlan1"));
        assert!(is_like("e*h?", "eth0") && is_like("*", "") && is_like("a*b*c", "aXbbYc"));
        assert!(!is_like("e*h", "eth0") && !is_like("?", "") && !is_like(&"*a".repeat(99), "b"));
        assert_eq!(client_id("01:02:ff"), "0102ff");
        assert_eq!(client_id("pi"), "007069");
    }
}
