//! How Raspbian is set up for its site: the files as each release's own programs write them.

use std::fmt::Write;
use std::net::IpAddr;

use super::lan::Addressing;
use super::radio::Admits;
use super::{
    BESIDE_MACHINE, CELL, CELLAR, DEPOT, GUESTS, NAME_SERVER, NetworkKind, OFFICE, ROUTER, SOUTH,
    Tenant, VLAN, WLAN, WORKSHOP, netplan,
};
use crate::release::Release;

/// What sets up the network of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    /// dhcpcd; fixed addresses are left to ifupdown.
    Ifupdown,
    /// dhcpcd for all.
    Dhcpcd,
    /// NetworkManager with keyfiles of its own.
    NetworkManager,
    /// NetworkManager, whose keyfiles netplan makes.
    Netplan,
}

/// One connection that an owner has set up.
pub(super) struct Connection {
    pub(super) id: &'static str,
    pub(super) interface: &'static str,
    pub(super) means: Means,
    pub(super) addressing: Addressing,
    pub(super) priority: i32,
}

/// What it connects by.
pub(super) enum Means {
    Wired,
    Wlan { ssid: &'static str, admits: Admits, as_key: bool, hidden: bool },
    Vlan,
    Modem,
}

/// What an owner has set up for this kind of network; nothing where the release needs no setting up.
fn connections(kind: NetworkKind, own: IpAddr) -> Vec<Connection> {
    let fixed = || Addressing::fixed(own, Some(ROUTER));
    let connection = |id, interface, means, addressing| Connection {
        id,
        interface,
        means,
        addressing,
        priority: 0,
    };
    let wired = |id, interface, addressing| connection(id, interface, Means::Wired, addressing);
    let wlan = |(ssid, admits): (&'static str, Admits), addressing| {
        let (as_key, hidden) = (kind == NetworkKind::WifiKey, kind == NetworkKind::WifiHidden);
        let means = Means::Wlan { ssid, admits, as_key, hidden };
        connection("preconfigured", "wlan0", means, addressing)
    };
    let dhcp = Addressing::Dhcp;
    match kind {
        NetworkKind::WiredDhcp => Vec::new(),
        NetworkKind::WiredStatic => vec![wired("Wired connection 1", "eth0", fixed())],
        NetworkKind::Wifi => vec![wlan(WLAN, dhcp)],
        NetworkKind::WifiKey => vec![wlan(DEPOT, dhcp)],
        NetworkKind::WifiHidden => vec![wlan(CELLAR, dhcp)],
        NetworkKind::WifiOpen => vec![wlan(GUESTS, dhcp)],
        NetworkKind::WifiSeveral => {
            let numbered = [(WLAN, "kiosks"), (SOUTH, "south"), (DEPOT, "depot")];
            let of = |(priority, (network, id)): (i32, _)| Connection {
                id,
                priority,
                ..wlan(network, Addressing::Dhcp)
            };
            (1..).zip(numbered).map(of).collect()
        }
        NetworkKind::WifiStatic => vec![wlan(WORKSHOP, fixed())],
        NetworkKind::WifiEnterprise => vec![wlan(OFFICE, dhcp)],
        NetworkKind::Vlan => vec![connection("kiosks", "eth0.42", Means::Vlan, dhcp)],
        NetworkKind::TwoWired => vec![
            wired("machine", "eth0", Addressing::fixed(BESIDE_MACHINE, None)),
            wired("uplink", "eth1", dhcp),
        ],
        NetworkKind::Cellular => vec![connection("modem", "cdc-wdm0", Means::Modem, dhcp)],
    }
}

impl Stack {
    /// That of a release.
    pub(crate) fn of(release: Release) -> Self {
        match release {
            Release::Stretch => Stack::Ifupdown,
            Release::Buster | Release::Bullseye => Stack::Dhcpcd,
            Release::BookwormArmhf | Release::BookwormArm64 => Stack::NetworkManager,
            Release::TrixieArm64 => Stack::Netplan,
        }
    }

    /// Units of systemd that run for a network of this kind.
    pub(super) fn active(self, kind: NetworkKind, release: Release) -> Vec<&'static str> {
        let mut units = match self {
            // dhcpcd does not start beside addresses of ifupdown.
            Stack::Ifupdown if is_fixed(kind) => vec!["networking", "wpa_supplicant"],
            Stack::Ifupdown | Stack::Dhcpcd => vec!["dhcpcd", "networking", "wpa_supplicant"],
            Stack::NetworkManager | Stack::Netplan => vec!["NetworkManager", "wpa_supplicant"],
        };
        if kind == NetworkKind::Cellular && release.debian().0 >= 12 {
            units.push("ModemManager");
        }
        units
    }

    /// The files by which a release is set up for a network of this kind. Where nothing is to be set up, they are
    /// those of its image.
    pub(super) fn files(self, kind: NetworkKind, tenant: &Tenant<'_>) -> Vec<(String, String)> {
        let all = connections(kind, tenant.own);
        if all.is_empty() {
            return Vec::new();
        }
        match self {
            Stack::Ifupdown | Stack::Dhcpcd => self.older(kind, &all, tenant.release),
            Stack::NetworkManager => {
                let folder = "/etc/NetworkManager/system-connections";
                let file = |it: &Connection| {
                    let text = it.keyfile(it.id, &it.uuid(tenant));
                    (format!("{folder}/{}.nmconnection", it.id), text)
                };
                all.iter().map(file).collect()
            }
            Stack::Netplan => netplan::files(&all, tenant),
        }
    }

    fn older(
        self,
        kind: NetworkKind,
        all: &[Connection],
        release: Release,
    ) -> Vec<(String, String)> {
        let mut dhcpcd = release.dhcpcd_conf().unwrap_or_default().to_owned();
        let mut interfaces = INTERFACES.to_owned();
        let mut files = Vec::new();
        let by_ifupdown = self == Stack::Ifupdown && is_fixed(kind);
        if by_ifupdown {
            interfaces += "\nauto lo\niface lo inet loopback\n";
        }
        for connection in all {
            match &connection.means {
                Means::Wired | Means::Wlan { .. } if by_ifupdown => {
                    interfaces += &connection.stanza();
                }
                Means::Wired | Means::Wlan { .. } => dhcpcd += &connection.dhcpcd_block(),
                Means::Vlan => files.push((
                    "/etc/network/interfaces.d/vlan".to_owned(),
                    format!("auto eth0.{VLAN}\niface eth0.{VLAN} inet manual\n    vlan-raw-device eth0\n"),
                )),
                Means::Modem => files.extend(modem()),
            }
        }
        let networks: String = all.iter().filter_map(Connection::network_block).collect();
        if !networks.is_empty() {
            let path = "/etc/wpa_supplicant/wpa_supplicant.conf".to_owned();
            files.push((path, format!("{WPA_SUPPLICANT}{networks}")));
        }
        files.push(("/etc/network/interfaces".to_owned(), interfaces));
        files.push(("/etc/dhcpcd.conf".to_owned(), dhcpcd));
        files
    }
}

/// An address is set by hand.
fn is_fixed(kind: NetworkKind) -> bool {
    matches!(kind, NetworkKind::WiredStatic | NetworkKind::WifiStatic | NetworkKind::TwoWired)
}

const INTERFACES: &str = "# interfaces(5): what ifup and ifdown know.\n\n\
    source-directory /etc/network/interfaces.d\n";
const WPA_SUPPLICANT: &str = "ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev\n\
    update_config=1\ncountry=GB\n";

/// A modem that pppd dials with.
fn modem() -> Vec<(String, String)> {
    let super::Cell { apn, username, password } = CELL;
    let files = [
        (
            "/etc/network/interfaces.d/modem",
            "auto ppp0\niface ppp0 inet ppp\n    provider provider\n".to_owned(),
        ),
        (
            "/etc/ppp/peers/provider",
            format!(
                "# The modem on USB.\nuser \"{username}\"\npassword \"{password}\"\n\
                 connect \"/usr/sbin/chat -v -f /etc/chatscripts/provider\"\n/dev/ttyUSB2\n115200\n\
                 noipdefault\ndefaultroute\nreplacedefaultroute\nusepeerdns\nnoauth\npersist\n"
            ),
        ),
        (
            "/etc/chatscripts/provider",
            format!(
                "ABORT BUSY\nABORT 'NO CARRIER'\nABORT ERROR\nTIMEOUT 30\n'' AT\nOK ATE0\n\
                 OK AT+CGDCONT=1,\"IP\",\"{apn}\"\nOK ATD*99#\nCONNECT ''\n"
            ),
        ),
    ];
    files.map(|(path, text)| (path.to_owned(), text)).into()
}

impl Connection {
    pub(super) fn uuid(&self, tenant: &Tenant<'_>) -> String {
        tenant.seed.uuid(&format!("{} connection {}", tenant.name, self.id))
    }

    /// Address, router and name server set by hand.
    pub(super) fn fixed(&self) -> Option<(String, Option<IpAddr>)> {
        match &self.addressing {
            Addressing::Dhcp => None,
            Addressing::Static { addresses, router } => {
                let (address, prefix) = addresses.first()?;
                Some((format!("{address}/{prefix}"), *router))
            }
        }
    }

    /// A stanza of `interfaces`.
    fn stanza(&self) -> String {
        let name = self.interface;
        let auto = if name == "wlan0" { "allow-hotplug" } else { "auto" };
        let Some((address, router)) = self.fixed() else {
            return format!("\n{auto} {name}\niface {name} inet dhcp\n");
        };
        let (address, _) = address.split_once('/').unwrap_or((&address, ""));
        let mut text = format!(
            "\n{auto} {name}\niface {name} inet static\n    address {address}\n    \
             netmask 255.255.255.0\n"
        );
        if let Some(router) = router {
            text += &format!("    gateway {router}\n    dns-nameservers {NAME_SERVER}\n");
        }
        if let Means::Wlan { .. } = self.means {
            text += "    wpa-conf /etc/wpa_supplicant/wpa_supplicant.conf\n";
        }
        text
    }

    /// A block of `dhcpcd.conf`; nothing where it asks a DHCP server, as it does by itself.
    fn dhcpcd_block(&self) -> String {
        let Some((address, router)) = self.fixed() else { return String::new() };
        let mut text = format!("\ninterface {}\nstatic ip_address={address}\n", self.interface);
        match router {
            Some(router) => {
                text +=
                    &format!("static routers={router}\nstatic domain_name_servers={NAME_SERVER}\n");
            }
            None => text += "nogateway\n",
        }
        text
    }

    /// A network of `wpa_supplicant.conf`.
    fn network_block(&self) -> Option<String> {
        let Means::Wlan { ssid, admits, as_key, hidden } = &self.means else { return None };
        let mut lines = format!("\nnetwork={{\n\tssid=\"{ssid}\"\n");
        let mut add = |line: &str| _ = writeln!(lines, "\t{line}");
        if *hidden {
            add("scan_ssid=1");
        }
        match admits {
            Admits::All => add("key_mgmt=NONE"),
            Admits::Psk { key, .. } if *as_key => add(&format!("psk={key}")),
            Admits::Psk { passphrase, .. } => {
                add(&format!("psk=\"{passphrase}\""));
                add("key_mgmt=WPA-PSK");
            }
            Admits::Peap { identity, password } => {
                add("key_mgmt=WPA-EAP");
                add("eap=PEAP");
                add(&format!("identity=\"{identity}\""));
                add(&format!("password=\"{password}\""));
                add("phase2=\"auth=MSCHAPV2\"");
            }
        }
        if self.priority != 0 {
            add(&format!("priority={}", self.priority));
        }
        lines += "}\n";
        Some(lines)
    }

    /// NetworkManager's keyfile.
    pub(super) fn keyfile(&self, id: &str, uuid: &str) -> String {
        let mut text = format!("[connection]\nid={id}\nuuid={uuid}\n");
        // Writing to a string cannot fail.
        let mut add = |line: std::fmt::Arguments<'_>| _ = writeln!(text, "{line}");
        let kind = match self.means {
            Means::Wired => "ethernet",
            Means::Wlan { .. } => "wifi",
            Means::Vlan => "vlan",
            Means::Modem => "gsm",
        };
        add(format_args!("type={kind}"));
        if self.priority != 0 {
            add(format_args!("autoconnect-priority={}", self.priority));
        }
        add(format_args!("interface-name={}\n", self.interface));
        match &self.means {
            Means::Wired => add(format_args!("[ethernet]\n")),
            Means::Vlan => {
                add(format_args!("[ethernet]\n\n[vlan]\nflags=1\nid={VLAN}\nparent=eth0\n"));
            }
            Means::Modem => add(format_args!(
                "[gsm]\napn={}\nnumber=*99#\npassword={}\nusername={}\n",
                CELL.apn, CELL.password, CELL.username
            )),
            Means::Wlan { ssid, admits, as_key, hidden } => {
                let hidden = if *hidden { "hidden=true\n" } else { "" };
                add(format_args!("[wifi]\n{hidden}mode=infrastructure\nssid={}\n", escaped(ssid)));
                match admits {
                    Admits::All => {}
                    Admits::Psk { passphrase, key } => {
                        let psk = escaped(if *as_key { key } else { passphrase });
                        add(format_args!("[wifi-security]\nkey-mgmt=wpa-psk\npsk={psk}\n"));
                    }
                    Admits::Peap { identity, password } => add(format_args!(
                        "[wifi-security]\nkey-mgmt=wpa-eap\n\n[802-1x]\neap=peap;\n\
                         identity={identity}\npassword={}\nphase2-auth=mschapv2\n",
                        escaped(password)
                    )),
                }
            }
        }
        match self.fixed() {
            None => add(format_args!("[ipv4]\nmethod=auto\n")),
            Some((address, None)) => {
                add(format_args!("[ipv4]\naddress1={address}\nmethod=manual\n"));
            }
            Some((address, Some(router))) => add(format_args!(
                "[ipv4]\naddress1={address},{router}\ndns={NAME_SERVER};\nmethod=manual\n"
            )),
        }
        add(format_args!("[ipv6]\naddr-gen-mode=default\nmethod=auto\n\n[proxy]"));
        text
    }
}

/// A value as keyfiles have it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use migos_contract::{Addressing as By, Link, Network};

    use super::*;
    use crate::board::MODELS;
    use crate::seed::Seed;
    use crate::site::{Site, Way};

    fn site(kind: NetworkKind, release: Release) -> Site {
        let own = Ipv4Addr::new(192, 168, 1, 31).into();
        let (model, seed) = (&MODELS[6], Seed(1));
        Site::new(kind, &Tenant { name: "pi", model, release, serial: 0x0765_fc59, seed, own })
    }

    /// NetworkManager's keyfiles of a site, for interfaces with other names.
    fn keyfiles(site: &Site) -> BTreeMap<String, String> {
        let keyfile = |(path, text): &(String, String)| {
            let name = path.rsplit_once("/system-connections/")?.1;
            let text = site.ports.iter().fold(text.clone(), |text, port| {
                let mac = format!("\n[ethernet]\nmac-address={}", port.mac);
                text.replace(&format!("interface-name={}\n\n[ethernet]", port.name), &mac)
                    .replace(&format!("interface-name={}\n", port.name), "")
            });
            Some((format!("system-connections/{name}"), text))
        };
        site.files.iter().filter_map(keyfile).collect()
    }

    #[test]
    fn what_networkmanager_has_on_raspbian_leads_out() {
        for release in [Release::BookwormArm64, Release::TrixieArm64] {
            for kind in NetworkKind::ALL {
                let site = site(kind, release);
                let files = keyfiles(&site);
                assert_eq!(files.is_empty(), kind == NetworkKind::WiredDhcp);
                let way = site.for_balena_os(&files);
                assert!(way.is_ok(), "{kind:?} {way:?} {files:#?}");
                let needs = site.for_balena_os(&BTreeMap::new()).is_err();
                assert_eq!(needs, kind != NetworkKind::WiredDhcp, "{kind:?}");
            }
        }
    }

    #[test]
    fn what_wpa_supplicant_has_on_raspbian_leads_out() {
        for kind in NetworkKind::ALL.into_iter().filter(|kind| kind.needs_radio()) {
            let site = site(kind, Release::Bullseye);
            let wifi = site.files.iter().find(|(path, _)| path.ends_with("supplicant.conf"));
            let router = Some(ROUTER);
            let addressing = match kind {
                NetworkKind::WifiStatic => {
                    By::Static { addresses: vec!["192.168.1.31/24".to_owned()], router }
                }
                _ => By::Dhcp { client_id: None },
            };
            let mac = site.ports[1].mac.clone();
            let mut network =
                Network { links: vec![Link { mac, wifi: true, addressing }], dns: Vec::new() };
            network.dns.push(NAME_SERVER);
            let wifi = Some(wifi.unwrap().1.as_str());
            assert_eq!(site.for_migos(&network, wifi), Way::Out, "{kind:?}");
            assert_eq!(site.for_migos(&network, None), Way::Down, "{kind:?}");
            assert_eq!(site.for_migos(&Network::default(), wifi), Way::Down, "{kind:?}");
            network.links[0].wifi = false;
            assert_eq!(site.for_migos(&network, wifi), Way::Down, "{kind:?}");
        }
    }

    #[test]
    fn fixed_addresses_stand_where_each_release_has_them() {
        let text = |release, end: &str| {
            let site = site(NetworkKind::WiredStatic, release);
            site.files.into_iter().find(|(path, _)| path.ends_with(end)).unwrap().1
        };
        let stretch = text(Release::Stretch, "/interfaces");
        assert!(stretch.contains("address 192.168.1.31\n") && !stretch.contains("dhcp"));
        assert!(!text(Release::Stretch, "/dhcpcd.conf").contains("static"));
        insta::assert_snapshot!(text(Release::Buster, "/dhcpcd.conf").rsplit_once("\n\n").unwrap().1, @"
        interface eth0
        static ip_address=192.168.1.31/24
        static routers=192.168.1.1
        static domain_name_servers=192.168.1.53
        ");
        let bookworm = text(Release::BookwormArmhf, "/Wired connection 1.nmconnection");
        assert!(bookworm.contains("address1=192.168.1.31/24,192.168.1.1\n"), "{bookworm}");
        assert!(text(Release::TrixieArm64, ".yaml").contains("renderer"));
    }
}
