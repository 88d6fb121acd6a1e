//! Network translation: from what configures a Raspbian's network to what balenaOS and MIGOS need.
//!
//! `stack` finds out which program governs which interface, and has the files of that program read, each kind by a
//! reader of its own: `wpa_supplicant`, `dhcpcd`, `interfaces`, `network_manager`, `netplan`, `networkd` and
//! `cellular`. All of them give `connection`s. `written` makes keyfiles of those, and what MIGOS is given. Files of
//! programs that do not run are told of and not read.
//!
//! Whatever a reader does not know is refused by file and line, since a device without its network is a lost one.

mod cellular;
mod connection;
mod dhcpcd;
mod interfaces;
mod interfaces_lines;
mod keyfile;
mod mask;
mod mask_words;
mod migos;
mod netplan;
mod network_manager;
mod networkd;
mod nm_keys;
mod reading;
mod stack;
mod wpa_supplicant;
mod wpa_values;
mod written;
mod yaml;

pub use mask::mask;

use migos_contract::Network;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use reading::Reading;

/// What a passphrase or password is told as; see [`mask`].
pub const SECRET: &str = "<secret>";

/// The files that may configure a network, as patterns of a shell.
pub const FILES: &[&str] = &[
    "/etc/wpa_supplicant/*.conf",
    "/etc/dhcpcd.conf",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/*",
    "/etc/NetworkManager/system-connections/*",
    "/run/NetworkManager/system-connections/*",
    "/etc/netplan/*.yaml",
    "/lib/netplan/*.yaml",
    "/etc/systemd/network/*",
    "/etc/systemd/timesyncd.conf",
    "/etc/ppp/peers/*",
    "/etc/ppp/pap-secrets",
    "/etc/ppp/chap-secrets",
    "/etc/chatscripts/*",
    "/etc/wvdial.conf",
];

/// A configuration file as it stood on the device. It may hold secrets, so `Debug` prints the path alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Its absolute path.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// A network interface as the probe saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Raspbian's name for it.
    pub name: String,
    /// Its hardware address, as `b8:27:eb:12:34:56`.
    pub mac: String,
    /// True for a radio.
    #[serde(default)]
    pub wireless: bool,
    /// The addresses that it has.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// True if the default route with the least metric goes through it.
    #[serde(default)]
    pub is_default_route: bool,
}

/// All that the translation looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The configuration files.
    #[serde(default)]
    pub files: Vec<ConfigFile>,
    /// The interfaces that are hardware.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
    /// Units of systemd that run, of those that may manage a network: `dhcpcd`, `NetworkManager`, `systemd-networkd`,
    /// `networking`, `wpa_supplicant`, `ModemManager`.
    #[serde(default)]
    pub active: BTreeSet<String>,
    /// The DHCP client identifier that an interface sends, type byte included, in hex, where that could be told.
    #[serde(default)]
    pub client_ids: BTreeMap<String, String>,
    /// The country whose rules the radio keeps: two letters.
    #[serde(default)]
    pub country: Option<String>,
}

/// What balenaOS and MIGOS are given.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Networks {
    /// NetworkManager's keyfiles by their names under `system-connections/`. They may hold secrets.
    pub keyfiles: BTreeMap<String, String>,
    /// What MIGOS brings up.
    pub migos: Network,
    /// `wpa_supplicant.conf` for MIGOS, where it uses a radio. It may hold secrets.
    pub wifi: Option<String>,
    /// Why MIGOS cannot use this network; `None` if it can.
    pub migos_cannot: Option<String>,
    /// The country whose rules the radio keeps: two letters.
    pub country: Option<String>,
    /// Name servers that no connection of its own has.
    pub dns: Vec<IpAddr>,
    /// Time servers.
    pub ntp: Vec<String>,
    /// For people: what was left out, and why that does no harm.
    pub notes: Vec<String>,
}

impl fmt::Debug for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keyfiles.keys()).finish()
    }
}

/// A line that cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Untranslatable {
    /// The file.
    pub path: String,
    /// The line, counted from 1, where it is one.
    pub line: Option<u32>,
    /// What stands there, without secrets.
    pub text: String,
    /// Why.
    pub why: String,
}

/// Works out what balenaOS and MIGOS need to reach the network that Raspbian reaches.
///
/// # Errors
/// Every line that cannot be carried over: nothing is guessed.
pub fn translate(found: &Found) -> Result<Networks, Vec<Untranslatable>> {
    let mut reading = Reading::default();
    stack::read(found, &mut reading);
    if !reading.refused.is_empty() {
        return Err(reading.refused);
    }
    Ok(written::networks(found, reading))
}
