//! The world around a device: what its sockets and its radio lead to, and what is asked of whoever wants out.
//!
//! A site is the referee of whoever translates a network. Raspbian's files ([`raspbian`]) are right for it; MIGOS
//! ([`ramdisk`]) and balenaOS ([`network_manager`]) reach anybody only by what they were given.

mod keyfile;
mod kinds;
mod lan;
mod netplan;
mod network_manager;
mod radio;
mod ramdisk;
mod raspbian;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub use kinds::{NetworkKind, mixed_networks};
pub(crate) use lan::{BESIDE_MACHINE, NAME_SERVER, ROUTER, Way};
pub(crate) use raspbian::Stack;

use crate::board::Model;
use crate::release::Release;
use crate::seed::Seed;
use lan::Lan;
use radio::{AccessPoint, Admits};

/// What the world around a device offers.
#[derive(Debug)]
pub(crate) struct Site {
    /// The kind of network; of a twin's site nothing is known, and everybody gets out.
    pub(crate) kind: Option<NetworkKind>,
    /// The interfaces of the device.
    pub(crate) ports: Vec<Port>,
    /// Access points in range.
    air: Vec<AccessPoint>,
    /// The modem's network.
    cell: Option<Cell>,
    /// Raspbian's files, by path.
    pub(crate) files: Vec<(String, String)>,
    /// Units of systemd that run on Raspbian, of those that may manage a network.
    pub(crate) active: Vec<&'static str>,
}

/// An interface of a device.
#[derive(Debug)]
pub(crate) struct Port {
    /// Raspbian's name for it.
    pub(crate) name: &'static str,
    /// The name that balenaOS gives it.
    flashed_name: String,
    /// Its hardware address.
    pub(crate) mac: String,
    plug: Plug,
}

/// What is plugged into an interface.
#[derive(Debug, PartialEq, Eq)]
enum Plug {
    /// Nothing.
    Nothing,
    /// A cable.
    Lan(Lan),
    /// A cable to a switch port where only this VLAN leads anywhere.
    Tagged(u16, Lan),
    /// It is a radio.
    Radio,
}

impl Port {
    /// It is a radio.
    pub(crate) fn is_radio(&self) -> bool {
        self.plug == Plug::Radio
    }

    fn leads_to_machine(&self) -> bool {
        matches!(&self.plug, Plug::Lan(lan) if lan.router.is_none())
    }
}

/// The network of a modem.
#[derive(Debug)]
struct Cell {
    apn: &'static str,
    username: &'static str,
    password: &'static str,
}

impl Cell {
    fn admits(&self, apn: &str, username: &str, password: &str) -> bool {
        self.apn == apn && self.username == username && self.password == password
    }

    /// The name is one of the modem's.
    fn is_modem(&self, name: &str) -> bool {
        name == "cdc-wdm0" || name.starts_with("ttyUSB")
    }
}

/// The number of the VLAN.
pub(crate) const VLAN: u16 = 42;
/// The modem's network.
const CELL: Cell = Cell { apn: "iot.example", username: "kiosk", password: "sim card" };

/// Wi-Fi networks of the lab: names, passphrases and the keys that follow from them. The odd signs are those that
/// the forms of configuration files treat in ways of their own.
const WLAN: (&str, Admits) = (
    "Kiosk WLAN",
    psk("correct horse; #1", "89fad7f308c6b4dde586d265511d6e62b081af75e54260c693e037595541cb9b"),
);
const DEPOT: (&str, Admits) = ("Depot", psk("a key that nobody types", DEPOT_KEY));
const DEPOT_KEY: &str = "9f3f7572c2d9d6dc6d7c4c01bb8e34cae2a53d07e607aca1e4882a1f4b2b0953";
const CELLAR: (&str, Admits) = (
    "cellar",
    psk(
        r#"back\slash & "quote""#,
        "662df6504a01a964539a9125f62d163027ad9296b12ed9e3fbcb7ec799dcdad0",
    ),
);
const SOUTH: (&str, Admits) = (
    "Depot South",
    psk("south gate 2021", "6c8af93dcdbf8132769dca41447908e5bf1f2fbe3a26b041c65a19a82c48d3ce"),
);
const WORKSHOP: (&str, Admits) = (
    "Workshop",
    psk("fixed and found", "1f299fbb687f6375e211626d9c09e52917dba67bfaef530746f1fd519848279c"),
);
const GUESTS: (&str, Admits) = ("Guests", Admits::All);
const OFFICE: (&str, Admits) =
    ("Office", Admits::Peap { identity: "kiosk", password: "pea soup; 7" });

const fn psk(passphrase: &'static str, key: &'static str) -> Admits {
    Admits::Psk { passphrase, key }
}

/// The address of a device that listens there, as the device sees it; the lab's own are all of one computer.
pub(crate) fn own_address(listens: SocketAddr) -> IpAddr {
    let number = u8::try_from(listens.port() % 200).unwrap_or_default();
    Ipv4Addr::new(192, 168, 1, number.saturating_add(10)).into()
}

/// The device that a site is for.
pub(crate) struct Tenant<'a> {
    pub(crate) name: &'a str,
    pub(crate) model: &'a Model,
    pub(crate) release: Release,
    pub(crate) serial: u64,
    pub(crate) seed: Seed,
    pub(crate) own: IpAddr,
}

impl Site {
    /// A site of this kind.
    pub(crate) fn new(kind: NetworkKind, tenant: &Tenant<'_>) -> Self {
        let own = tenant.own;
        let socket = match kind {
            NetworkKind::WiredDhcp => Plug::Lan(Lan::with_dhcp(own)),
            NetworkKind::WiredStatic => Plug::Lan(Lan::by_hand(own)),
            NetworkKind::TwoWired => Plug::Lan(Lan::to_machine()),
            NetworkKind::Vlan => Plug::Tagged(VLAN, Lan::with_dhcp(own)),
            _ => Plug::Nothing,
        };
        let mac = tenant.model.mac(tenant.serial);
        let mut ports = vec![Port {
            name: "eth0",
            // Where Ethernet hangs on USB, newer systems name it by its address.
            flashed_name: match tenant.model.eeprom {
                Some(_) => "eth0".to_owned(),
                None => by_address(&mac),
            },
            mac,
            plug: socket,
        }];
        if kind == NetworkKind::TwoWired {
            let [a, b, c, ..] = tenant.seed.bytes(&format!("{} adapter", tenant.name));
            let mac = format!("00:e0:4c:{a:02x}:{b:02x}:{c:02x}");
            let plug = Plug::Lan(Lan::with_dhcp(own));
            ports.push(Port { name: "eth1", flashed_name: by_address(&mac), mac, plug });
        }
        if tenant.model.wireless {
            let mac = tenant.model.radio_mac(tenant.serial);
            let name = "wlan0";
            ports.push(Port { name, flashed_name: name.to_owned(), mac, plug: Plug::Radio });
        }
        let stack = Stack::of(tenant.release);
        Self {
            air: air(kind, own),
            cell: (kind == NetworkKind::Cellular).then_some(CELL),
            files: stack.files(kind, tenant),
            active: stack.active(kind, tenant.release),
            kind: Some(kind),
            ports,
        }
    }

    /// A site of which nothing is known but what Raspbian has.
    pub(crate) fn unknown(mac: String, files: Vec<(String, String)>) -> Self {
        let port = Port { name: "eth0", flashed_name: "eth0".to_owned(), mac, plug: Plug::Nothing };
        let (air, active) = (Vec::new(), Vec::new());
        Self { kind: None, ports: vec![port], air, cell: None, files, active }
    }

    fn is_unknown(&self) -> bool {
        self.kind.is_none()
    }

    fn first_mac(&self) -> String {
        self.ports.first().map(|port| port.mac.clone()).unwrap_or_default()
    }

    /// Some access point is in range.
    pub(crate) fn has_air(&self) -> bool {
        !self.air.is_empty()
    }

    /// The interface that Raspbian is reached by.
    pub(crate) fn reached_by(&self) -> &'static str {
        match self.kind {
            None | Some(NetworkKind::WiredDhcp | NetworkKind::WiredStatic) => "eth0",
            Some(NetworkKind::TwoWired) => "eth1",
            Some(NetworkKind::Vlan) => "eth0.42",
            Some(NetworkKind::Cellular) if self.active.contains(&"ModemManager") => "wwan0",
            Some(NetworkKind::Cellular) => "ppp0",
            Some(_) => "wlan0",
        }
    }
}

/// The name of an interface on USB.
fn by_address(mac: &str) -> String {
    format!("enx{}", mac.replace(':', ""))
}

/// What is in range.
fn air(kind: NetworkKind, own: IpAddr) -> Vec<AccessPoint> {
    let by_dhcp = Lan::with_dhcp(own);
    let ((ssid, admits), lan) = match kind {
        NetworkKind::Wifi => (WLAN, by_dhcp),
        NetworkKind::WifiKey => (DEPOT, by_dhcp),
        NetworkKind::WifiHidden => (CELLAR, by_dhcp),
        NetworkKind::WifiOpen => (GUESTS, by_dhcp),
        NetworkKind::WifiSeveral => (SOUTH, by_dhcp),
        NetworkKind::WifiStatic => (WORKSHOP, Lan::by_hand(own)),
        NetworkKind::WifiEnterprise => (OFFICE, by_dhcp),
        NetworkKind::WiredDhcp
        | NetworkKind::WiredStatic
        | NetworkKind::Vlan
        | NetworkKind::TwoWired
        | NetworkKind::Cellular => return Vec::new(),
    };
    let hidden = kind == NetworkKind::WifiHidden;
    vec![AccessPoint { ssid, hidden, admits, lan }]
}
