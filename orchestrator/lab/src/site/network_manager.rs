//! What NetworkManager brings up on a flashed device, at its site.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use super::keyfile::{Means, Profile, is_ignored};
use super::lan::{Addressing, Lan, Way, default_way};
use super::{Plug, Port, Site};

/// The folder of keyfiles on the boot partition, from where balenaOS takes them at every start.
const KEYFILES: &str = "system-connections/";
/// What balenaOS asks where nothing else is said.
const DEFAULT_NAME_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8));
/// What NetworkManager adds to the cost of a way by its kind.
const METRIC_ETHERNET: u32 = 100;
const METRIC_VLAN: u32 = 400;
const METRIC_WIFI: u32 = 600;
const METRIC_GSM: u32 = 700;

/// The field of `config.json` that names the servers to ask, separated by spaces.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names {
    dns_servers: Option<String>,
}

/// NetworkManager with the keyfiles of a boot partition.
struct Manager {
    profiles: Vec<Profile>,
    names: Vec<IpAddr>,
}

impl Site {
    /// The hardware address of the interface by which a flashed device reaches balena.
    ///
    /// # Errors
    /// Why it does not, for good.
    pub(crate) fn for_balena_os(&self, files: &BTreeMap<String, String>) -> Result<String, String> {
        if self.is_unknown() {
            return Ok(self.first_mac());
        }
        let manager = Manager::new(files);
        let mut ways = Vec::new();
        for port in &self.ports {
            let own = manager.ways(self, port);
            if port.leads_to_machine() && own.iter().all(|(_, way)| *way != Way::Local) {
                return Err("it does not reach the machine beside it".to_owned());
            }
            ways.extend(own.into_iter().map(|way| (way, &port.mac)));
        }
        let first = self.ports.first().map(|port| &port.mac);
        ways.extend(manager.by_modem(self).zip(first));
        let out = default_way(ways.iter().map(|(way, _)| *way));
        let mac = ways.iter().find(|((_, way), _)| *way == Way::Out).map(|(_, mac)| *mac);
        match (out, mac) {
            (Way::Out, Some(mac)) => Ok(mac.clone()),
            (Way::Nameless, _) => Err("it has a network, and no name server".to_owned()),
            (Way::Wrong, _) => Err("its network is not the one it is set up for".to_owned()),
            _ => Err("it has no network".to_owned()),
        }
    }
}

impl Manager {
    fn new(files: &BTreeMap<String, String>) -> Self {
        let below = |(path, text)| Some((str::strip_prefix(path, KEYFILES)?, text));
        let keyfiles = files.iter().filter_map(|(path, text)| below((path.as_str(), text)));
        let mut profiles = Vec::new();
        for (name, text) in keyfiles.filter(|(name, _)| !name.contains('/') && !is_ignored(name)) {
            match Profile::read(text) {
                Ok(profile) => profiles.push(profile),
                Err(reason) => tracing::debug!(name, reason, "NetworkManager passes over a file"),
            }
        }
        let config = files.get("config.json").and_then(|text| serde_json::from_str(text).ok());
        let Names { dns_servers } = config.unwrap_or_default();
        let names = dns_servers.map(|text| {
            text.split_ascii_whitespace().filter_map(|server| server.parse().ok()).collect()
        });
        Self { profiles, names: names.unwrap_or_else(|| vec![DEFAULT_NAME_SERVER]) }
    }

    /// The ways that lead through an interface, each with its metric.
    fn ways(&self, site: &Site, port: &Port) -> Vec<(u32, Way)> {
        match &port.plug {
            Plug::Radio => vec![self.by_radio(site, port)],
            Plug::Lan(lan) => vec![self.by_cable(port, Some(lan))],
            Plug::Nothing => vec![self.by_cable(port, None)],
            Plug::Tagged(id, lan) => {
                let mut ways = vec![self.by_cable(port, None)];
                ways.extend(self.by_vlan(port, *id, lan));
                ways
            }
        }
    }

    fn by_radio(&self, site: &Site, port: &Port) -> (u32, Way) {
        let candidates = self.on(port).filter_map(|profile| {
            let Means::Wifi(attempt) = &profile.means else { return None };
            let found = site.air.iter().find(|point| point.lets_in(attempt))?;
            Some(self.candidate(profile, &found.lan, METRIC_WIFI))
        });
        settle(candidates)
    }

    /// A cable with no profile at all is given one, which asks for an address.
    fn by_cable(&self, port: &Port, lan: Option<&Lan>) -> (u32, Way) {
        let is_wired = |profile: &&Profile| {
            profile.means == Means::Ethernet && profile.is_for(&port.flashed_name, &port.mac)
        };
        if port.plug == Plug::Nothing {
            return (METRIC_ETHERNET, Way::Down);
        }
        if !self.profiles.iter().any(|profile| is_wired(&profile)) {
            let way = lan.map_or(Way::Down, |lan| lan.way(&Addressing::Dhcp, &self.names));
            return (METRIC_ETHERNET, way);
        }
        settle(self.on(port).filter(is_wired).map(|profile| match lan {
            Some(lan) => self.candidate(profile, lan, METRIC_ETHERNET),
            None => {
                let way = match profile.addressing {
                    Addressing::Static { router: Some(_), .. } => Way::Wrong,
                    _ => Way::Down,
                };
                (profile.priority, (METRIC_ETHERNET, way))
            }
        }))
    }

    fn by_vlan(&self, port: &Port, id: u16, lan: &Lan) -> Vec<(u32, Way)> {
        let is_parent = |profile: &Profile, parent: &str| {
            parent == port.flashed_name
                || self.profiles.iter().any(|other| {
                    other.means == Means::Ethernet
                        && other.uuid.as_deref() == Some(parent)
                        && other.is_for(&port.flashed_name, &port.mac)
                })
                || profile.mac.as_deref().is_some_and(|mac| mac.eq_ignore_ascii_case(&port.mac))
        };
        let tagged = self.profiles.iter().filter(|profile| profile.autoconnect);
        let tagged = tagged.filter(|profile| match &profile.means {
            Means::Vlan { id: own, parent } if *own == id => {
                is_parent(profile, parent.as_deref().unwrap_or_default())
            }
            _ => false,
        });
        tagged.map(|profile| self.candidate(profile, lan, METRIC_VLAN).1).collect()
    }

    fn by_modem(&self, site: &Site) -> Option<(u32, Way)> {
        let cell = site.cell.as_ref()?;
        let candidates = self.profiles.iter().filter(|profile| profile.autoconnect);
        let candidates = candidates.filter_map(|profile| match &profile.means {
            Means::Gsm { apn, username, password } => {
                let is_modem = profile.interface.as_deref().is_none_or(|name| cell.is_modem(name));
                let fits = is_modem && cell.admits(apn, username, password);
                let way = if fits { Way::Out } else { Way::Down };
                Some((profile.priority, (profile.metric.unwrap_or(METRIC_GSM), way)))
            }
            _ => None,
        });
        Some(settle(candidates))
    }

    /// Profiles that may be used on an interface without being asked for.
    fn on(&self, port: &Port) -> impl Iterator<Item = &Profile> {
        let is_ours = |profile: &&Profile| profile.is_for(&port.flashed_name, &port.mac);
        self.profiles.iter().filter(|profile| profile.autoconnect).filter(is_ours)
    }

    /// A profile's priority, its metric, and how far it leads.
    fn candidate(&self, profile: &Profile, lan: &Lan, metric: u32) -> (i32, (u32, Way)) {
        let names: Vec<IpAddr> = profile.dns.iter().chain(&self.names).copied().collect();
        let way = match lan.way(&profile.addressing, &names) {
            way if profile.never_default => way.min(Way::Local),
            way => way,
        };
        (profile.priority, (profile.metric.unwrap_or(metric), way))
    }
}

/// What comes up of several profiles for one interface. One that does not come up is followed by the next; among
/// those of the same priority nobody knows the first, so the worst that comes up counts.
fn settle(candidates: impl Iterator<Item = (i32, (u32, Way))>) -> (u32, Way) {
    let up = candidates.filter(|(_, (_, way))| *way > Way::Down);
    let best = up.min_by_key(|(priority, (_, way))| (std::cmp::Reverse(*priority), *way));
    best.map_or((METRIC_ETHERNET, Way::Down), |(_, way)| way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::MODELS;
    use crate::release::Release;
    use crate::seed::Seed;
    use crate::site::{NetworkKind, Tenant, by_address};

    const VLAN: &str = "[connection]\ntype=vlan\n[vlan]\nid=42\n";
    const GSM: &str =
        "[connection]\ntype=gsm\n[gsm]\napn=iot.example\nusername=kiosk\npassword=sim card\n";
    const MACHINE: &str =
        "[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\naddress1=10.77.0.1/24\n";

    /// A Pi 3, whose Ethernet hangs on USB.
    fn site(kind: NetworkKind) -> Site {
        let own = Ipv4Addr::new(192, 168, 1, 31).into();
        let (model, release, seed) = (&MODELS[3], Release::Buster, Seed(1));
        Site::new(kind, &Tenant { name: "pi", model, release, serial: 0x0765_fc59, seed, own })
    }

    fn reports(site: &Site, keyfiles: &[(&str, String)]) -> bool {
        let path = |name: &str| match name {
            "config.json" => name.to_owned(),
            name => format!("{KEYFILES}{name}"),
        };
        let files = keyfiles.iter().map(|(name, text)| (path(name), text.clone())).collect();
        site.for_balena_os(&files).is_ok()
    }

    fn by(text: &str, from: &str, to: &str) -> String {
        text.replace(from, to)
    }

    #[test]
    fn a_vlan_needs_its_number_and_the_interface_it_is_on() {
        let site = site(NetworkKind::Vlan);
        let mac = &site.ports[0].mac;
        let on_mac = format!("{VLAN}[ethernet]\nmac-address={}\n", mac.to_uppercase());
        assert!(reports(&site, &[("vlan", on_mac.clone())]));
        let on_uuid = format!("{VLAN}parent=a-b\n");
        let wire = "[connection]\nuuid=a-b\ntype=ethernet\n".to_owned();
        assert!(reports(&site, &[("vlan", on_uuid.clone()), ("wire", wire)]));
        assert!(!reports(&site, &[("vlan", on_uuid)]));
        assert!(!reports(&site, &[("vlan", by(&on_mac, "id=42", "id=43"))]));
        let on_name = |name: &str| format!("{VLAN}parent={name}\n");
        assert!(!reports(&site, &[("vlan", on_name("eth0"))]), "it is called otherwise here");
        assert!(reports(&site, &[("vlan", on_name(&by_address(mac)))]));
        assert!(!reports(&site, &[("vlan", VLAN.to_owned())]));
    }

    #[test]
    fn a_modem_needs_all_that_its_network_asks_for() {
        let site = site(NetworkKind::Cellular);
        assert!(reports(&site, &[("modem", GSM.to_owned())]));
        for (from, to) in [
            ("iot.example", "internet"),
            ("apn=iot.example\n", ""),
            ("sim card", "SIM card"),
            ("type=gsm\n", "type=gsm\nautoconnect=false\n"),
            ("type=gsm\n", "type=gsm\ninterface-name=wwan0\n"),
            ("[gsm]\n", "[gsm]\npassword-flags=1\n"),
        ] {
            assert!(!reports(&site, &[("modem", by(GSM, from, to))]), "{to}");
        }
    }

    #[test]
    fn an_address_for_one_cable_must_not_go_to_the_other() {
        let site = site(NetworkKind::TwoWired);
        let of = |at: usize| format!("[ethernet]\nmac-address={}\n", site.ports[at].mac);
        let named = format!("{MACHINE}{}", of(0));
        assert!(
            reports(&site, &[("machine", named.clone())]),
            "the other is asked about by itself"
        );
        assert!(!reports(&site, &[("machine", MACHINE.to_owned())]), "it is for both");
        assert!(!reports(&site, &[("machine", format!("{MACHINE}{}", of(1)))]));
        assert!(!reports(&site, &[]), "the machine is out of reach");
        let routed = by(&named, "10.77.0.1/24", "10.77.0.1/24,10.77.0.254");
        assert!(!reports(&site, &[("machine", routed)]), "all goes to the machine");
    }

    #[test]
    fn a_name_server_stands_in_the_keyfile_or_in_config_json() {
        let site = site(NetworkKind::WiredStatic);
        let fixed = "[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\n\
            address1=192.168.1.31/24,192.168.1.1\n";
        let with = |more: &str| format!("{fixed}{more}");
        assert!(reports(&site, &[("wire", with("dns=192.168.1.53;\n"))]));
        assert!(!reports(&site, &[("wire", with(""))]), "8.8.8.8 is not let through");
        let config = r#"{"dnsServers":"1.1.1.1 192.168.1.53"}"#.to_owned();
        assert!(reports(&site, &[("wire", with("")), ("config.json", config)]));
        assert!(!reports(&site, &[("wire", with("dns=192.168.1.53;\nnever-default=true\n"))]));
    }

    #[test]
    fn what_comes_up_first_counts_and_nobody_knows_the_first_of_equals() {
        let site = site(NetworkKind::WiredDhcp);
        let dhcp = "[connection]\ntype=ethernet\nautoconnect-priority=1\n".to_owned();
        let wrong = "[connection]\ntype=ethernet\n[ipv4]\nmethod=manual\n\
            address1=10.0.0.9/24,10.0.0.1\n"
            .to_owned();
        assert!(reports(&site, &[]));
        assert!(!reports(&site, &[("wrong", wrong.clone())]));
        assert!(reports(&site, &[("right", dhcp.clone()), ("wrong", wrong.clone())]));
        let equal = by(&dhcp, "autoconnect-priority=1\n", "");
        assert!(!reports(&site, &[("right", equal), ("wrong", wrong)]));
    }
}
