//! What every reader gives: one way onto a network, whoever configured it.

use std::net::IpAddr;

/// One way onto a network.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Connection {
    /// Raspbian's name of the interface; `None`: any of its kind.
    pub interface: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// IPv4.
    pub v4: Family,
    /// IPv6.
    pub v6: Family,
    /// Which of several is taken first: the greater.
    pub priority: i32,
    /// The DHCP client identifier, type byte included, in hex.
    pub client_id: Option<String>,
    /// More of a keyfile, as it stands there: section, key, value.
    pub more: Vec<(&'static str, String, String)>,
}

/// What a connection goes over.
#[derive(Clone, Default, PartialEq)]
pub(super) enum Kind {
    /// A wire.
    #[default]
    Ethernet,
    /// A radio.
    Wifi(Wifi),
    /// A part of a wire, marked by number.
    Vlan {
        /// Raspbian's name of the wired interface.
        parent: String,
        /// The number.
        id: u16,
    },
    /// A modem.
    Cellular(Cellular),
}

/// A wireless network.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Wifi {
    /// Its name, which is bytes.
    pub ssid: Vec<u8>,
    /// Whether it does not tell its name by itself.
    pub hidden: bool,
    /// The one access point that is taken.
    pub bssid: Option<String>,
    /// How it is entered.
    pub security: Security,
    /// Protection of management frames, as `wpa_supplicant` counts: 0 no, 1 if possible, 2 always.
    pub pmf: Option<u8>,
}

/// How a wireless network is entered.
#[derive(Clone, Default, PartialEq)]
pub(super) enum Security {
    /// Freely.
    #[default]
    Open,
    /// By WPA with a passphrase, or with the 64 hex digits made of one.
    Psk(String),
    /// By WPA3 alone, with a passphrase.
    Sae(String),
    /// By a user's name and password.
    Enterprise(Enterprise),
}

/// A user of an enterprise's network.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Enterprise {
    /// `peap` or `ttls` and such.
    pub method: String,
    /// What proves the password inside: `mschapv2`, `pap` and such; and whether that is an EAP method itself.
    pub inner: Option<(String, bool)>,
    /// The user.
    pub identity: String,
    /// Who the user is for those outside.
    pub anonymous: Option<String>,
    /// The password.
    pub password: String,
}

/// How a modem is used.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Cellular {
    /// The access point's name.
    pub apn: Option<String>,
    /// What is dialled.
    pub number: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The card's number.
    pub pin: Option<String>,
}

/// One of the two families of addresses.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Family {
    /// Where addresses come from.
    pub method: Method,
    /// Addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// The router.
    pub gateway: Option<IpAddr>,
    /// Further routes.
    pub routes: Vec<Route>,
    /// The weight of all of its routes: the least is taken.
    pub metric: Option<u32>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Domains in which short names are looked up.
    pub search: Vec<String>,
    /// Whether name servers that the network tells are not asked.
    pub own_dns_only: bool,
    /// Whether it is never the way to everywhere.
    pub never_default: bool,
}

/// Where addresses come from.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Method {
    /// From the network.
    #[default]
    Auto,
    /// From the configuration alone.
    Manual,
    /// From the interface itself.
    LinkLocal,
    /// There are none.
    Disabled,
}

/// A way to a part of the world.
#[derive(Clone, PartialEq)]
pub(super) struct Route {
    /// The part's first address and prefix length.
    pub to: (IpAddr, u8),
    /// Through whom, unless it is on the wire.
    pub via: Option<IpAddr>,
    /// Its weight.
    pub metric: Option<u32>,
}

impl Family {
    /// No addresses at all.
    pub(super) fn disabled() -> Self {
        Self { method: Method::Disabled, ..Self::default() }
    }

    /// Those of the given family alone.
    pub(super) fn take_dns(&mut self, all: &[IpAddr], is_v6: bool) {
        self.dns = all.iter().filter(|it| it.is_ipv6() == is_v6).copied().collect();
    }
}

/// An address with a prefix length. `None` where either is none, or the length is missing.
pub(super) fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.trim().split_once('/')?;
    with_prefix(address.parse().ok()?, length.parse().ok()?)
}

/// The two together, if the family has lengths like that.
pub(super) fn with_prefix(address: IpAddr, length: u8) -> Option<(IpAddr, u8)> {
    (length <= widest(address)).then_some((address, length))
}

/// The prefix length of one address alone.
pub(super) fn widest(address: IpAddr) -> u8 {
    if address.is_ipv6() { 128 } else { 32 }
}

/// The prefix length of a mask such as 255.255.255.0. `None` where its ones are not all in front.
pub(super) fn mask_length(text: &str) -> Option<u8> {
    if let Ok(length) = text.parse::<u8>() {
        return Some(length);
    }
    let bits = u32::from(text.parse::<std::net::Ipv4Addr>().ok()?);
    let ones = bits.leading_ones();
    (bits.count_ones() == ones).then(|| u8::try_from(ones).ok()).flatten()
}

/// The name of a wireless network as a keyfile has it: text where that is safe, else its bytes.
pub(super) fn ssid_value(ssid: &[u8]) -> String {
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-.".contains(byte);
    let has_edge = ssid.first() == Some(&b' ') || ssid.last() == Some(&b' ');
    match std::str::from_utf8(ssid) {
        Ok(text) if ssid.iter().all(is_safe) && !has_edge => text.to_owned(),
        _ => ssid.iter().map(|byte| format!("{byte};")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_lengths_are_read_of_masks_and_held_against_the_family() {
        assert_eq!(mask_length("255.255.255.0"), Some(24));
        assert_eq!(mask_length("24"), Some(24));
        assert_eq!(mask_length("255.0.255.0"), None);
        assert_eq!(cidr("10.0.0.1/24"), Some(("10.0.0.1".parse().unwrap(), 24)));
        assert_eq!(cidr("fd00::1/64"), Some(("fd00::1".parse().unwrap(), 64)));
        for wrong in ["10.0.0.1", "10.0.0.1/33", "10.0.0/24", "fd00::1/129", ""] {
            assert_eq!(cidr(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_that_a_keyfile_might_misread_are_written_as_bytes() {
        assert_eq!(ssid_value(b"My Net-5"), "My Net-5");
        assert_eq!(ssid_value(b"a;b"), "97;59;98;");
        assert_eq!(ssid_value(b" a"), "32;97;");
        assert_eq!(ssid_value(&[0xff]), "255;");
        assert_eq!(ssid_value(b""), "");
    }
}
