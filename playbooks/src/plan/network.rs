//! What becomes of a device's network. Secrets are not part of it: when the job is written, the same files are read again
//! and translated with them.

use migos_contract::{Addressing, Network};
use migos_payload::digest::Sha256;
use migos_payload::keyfile::{self, Keyfile};
use migos_payload::network::{ConfigFile, Found, Networks, Untranslatable, mask, translate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What becomes of a device's network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkPlan {
    /// The files that configure it on Raspbian.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<NetworkSource>,
    /// What it is translated by besides those files: interfaces, running units, client identifiers.
    #[serde(default)]
    #[schemars(with = "serde_json::Value")]
    pub found: Found,
    /// The connections that balenaOS gets, by their names, without secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keyfiles: BTreeMap<String, String>,
    /// The connections that the inventory adds, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub added: BTreeMap<String, AddedKeyfile>,
    /// What MIGOS brings up.
    #[serde(default)]
    #[schemars(with = "serde_json::Value")]
    pub migos: Network,
    /// True if MIGOS uses a radio, so that its passphrases rest on the boot partition until the card is written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wifi: bool,
    /// The country whose rules the radio keeps: two letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Name servers that no connection of its own has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
    /// Time servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ntp: Vec<String>,
    /// What is left out, and why that does no harm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A file that configures a network on Raspbian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkSource {
    /// Its path.
    pub path: String,
    /// The digest of its text without secrets: a new passphrase is no change of the plan.
    pub sha256: Sha256,
}

/// A keyfile of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddedKeyfile {
    /// Its path as it is written in the inventory.
    pub path: String,
    /// The digest of its text without secrets.
    pub sha256: Sha256,
}

impl From<&ConfigFile> for NetworkSource {
    fn from(file: &ConfigFile) -> Self {
        NetworkSource { path: file.path.clone(), sha256: Sha256::of(mask(file).text.as_bytes()) }
    }
}

impl NetworkPlan {
    /// What becomes of a network that was found so; `found` is without secrets.
    ///
    /// # Errors
    /// The lines that cannot be carried over.
    pub fn of(found: &Found) -> Result<NetworkPlan, Vec<Untranslatable>> {
        let Networks { keyfiles, migos, wifi, country, dns, ntp, notes, .. } = translate(found)?;
        Ok(NetworkPlan {
            sources: found.files.iter().map(NetworkSource::from).collect(),
            found: Found { files: Vec::new(), ..found.clone() },
            keyfiles,
            added: BTreeMap::new(),
            migos,
            wifi: wifi.is_some(),
            country,
            dns,
            ntp,
            notes,
        })
    }

    /// True if nothing is said that balenaOS and MIGOS would not do by themselves.
    pub fn is_default(&self) -> bool {
        *self == NetworkPlan::default()
    }

    /// True if it is wired and by DHCP, so that nothing needs to be carried over.
    pub fn is_plain(&self) -> bool {
        let NetworkPlan { keyfiles, added, migos, wifi, country, dns, ntp, .. } = self;
        let has_settings = country.is_some() || !dns.is_empty() || !ntp.is_empty();
        let has_connections = !keyfiles.is_empty() || !added.is_empty() || *wifi;
        !has_settings && !has_connections && *migos == Network::default()
    }

    /// True if an address was set by hand.
    pub fn has_fixed_address(&self) -> bool {
        self.migos.links.iter().any(|link| addressing(&link.addressing, false).is_some())
    }

    /// Files that were added, changed or taken away since, in words.
    pub fn changes(&self, now: &Found) -> Vec<String> {
        let now: Vec<NetworkSource> = now.files.iter().map(NetworkSource::from).collect();
        let of = |list: &[NetworkSource], path: &str| {
            list.iter().find(|source| source.path == path).map(|source| source.sha256)
        };
        let then = self.sources.iter().filter_map(|then| match of(&now, &then.path) {
            None => Some(format!("{} is gone", then.path)),
            Some(digest) => (digest != then.sha256).then(|| format!("{} changed", then.path)),
        });
        let is_new = |source: &&NetworkSource| of(&self.sources, &source.path).is_none();
        let new = now.iter().filter(is_new).map(|source| format!("{} was added", source.path));
        then.chain(new).collect()
    }

    /// Each connection in a few words, as `wlan0: Wi-Fi "shop" by DHCP`; with `exact`, addresses are told one by one.
    pub fn words(&self, exact: bool) -> Vec<String> {
        let links = &self.migos.links;
        let mut words: Vec<String> = links
            .iter()
            .map(|link| {
                let interface = self.found.interfaces.iter().find(|it| it.mac == link.mac);
                let name = interface.map_or(link.mac.as_str(), |it| it.name.as_str());
                let by = addressing(&link.addressing, exact);
                match (link.wifi, &by) {
                    (true, Some(by)) => format!("{name}: {} with {by}", self.wifi_words()),
                    (true, None) => format!("{name}: {} by DHCP", self.wifi_words()),
                    (false, by) => format!("{name}: {}", by.as_deref().unwrap_or("DHCP")),
                }
            })
            .collect();
        if links.is_empty() {
            words.push("every wired interface: DHCP".to_owned());
        }
        if !self.added.is_empty() {
            let names: Vec<&str> = self.added.keys().map(String::as_str).collect();
            words.push(format!("added: {}", names.join(", ")));
        }
        words
    }

    /// `Wi-Fi "shop"`, or how many of them there are.
    fn wifi_words(&self) -> String {
        let read = |text: &String| Keyfile::parse(text).ok();
        let radios: Vec<Keyfile> =
            self.keyfiles.values().filter_map(read).filter(Keyfile::is_wifi).collect();
        match radios.as_slice() {
            [one] => format!("Wi-Fi \"{}\"", one.ssid().unwrap_or_default()),
            all => format!("{} Wi-Fi networks", all.len()),
        }
    }
}

/// An address that was set by hand; `None` for DHCP.
fn addressing(addressing: &Addressing, exact: bool) -> Option<String> {
    match addressing {
        Addressing::Dhcp { .. } => None,
        Addressing::Static { addresses, .. } if exact => Some(addresses.join(", ")),
        Addressing::Static { .. } => Some("a fixed address".to_owned()),
    }
}

/// The keyfiles of an inventory's list, by their names; `None` if one of them was not read.
pub(crate) fn added(
    paths: &[String],
    read: &BTreeMap<String, Sha256>,
) -> Option<BTreeMap<String, AddedKeyfile>> {
    let entry = |path: &String| {
        let sha256 = *read.get(path)?;
        Some((keyfile::name(path).to_owned(), AddedKeyfile { path: path.clone(), sha256 }))
    };
    paths.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use migos_contract::Link;
    use migos_payload::network::Interface;

    fn plan() -> NetworkPlan {
        let interface = |name: &str, mac: &str, wireless| Interface {
            name: name.into(),
            mac: mac.into(),
            wireless,
            addresses: Vec::new(),
            is_default_route: wireless,
        };
        let shop = "[connection]\ntype=wifi\n[wifi]\nssid=shop\n[wifi-security]\npsk=<secret>\n";
        let fixed = vec!["192.168.1.12/24".to_owned()];
        NetworkPlan {
            found: Found {
                interfaces: vec![
                    interface("eth0", "b8:27:eb:00:00:01", false),
                    interface("wlan0", "b8:27:eb:00:00:02", true),
                ],
                ..Found::default()
            },
            keyfiles: [("wifi-1".to_owned(), shop.to_owned())].into(),
            migos: Network {
                links: vec![
                    Link {
                        mac: "b8:27:eb:00:00:02".into(),
                        wifi: true,
                        addressing: Addressing::Dhcp { client_id: None },
                    },
                    Link {
                        mac: "b8:27:eb:00:00:01".into(),
                        wifi: false,
                        addressing: Addressing::Static { addresses: fixed, router: None },
                    },
                ],
                dns: Vec::new(),
            },
            ..NetworkPlan::default()
        }
    }

    #[test]
    fn connections_are_told_in_a_few_words() {
        let mut plan = plan();
        let shop = "wlan0: Wi-Fi \"shop\" by DHCP";
        assert_eq!(plan.words(true), [shop, "eth0: 192.168.1.12/24"]);
        assert_eq!(plan.words(false), [shop, "eth0: a fixed address"]);
        let other = plan.keyfiles["wifi-1"].replace("shop", "store");
        plan.keyfiles.insert("wifi-2".into(), other);
        assert_eq!(plan.words(true)[0], "wlan0: 2 Wi-Fi networks by DHCP");
        let read = [("keys/lte".to_owned(), Sha256::of(b""))].into();
        let added = added(&["keys/lte".to_owned()], &read).unwrap();
        let wired = NetworkPlan { added, ..NetworkPlan::default() };
        assert_eq!(wired.words(true), ["every wired interface: DHCP", "added: lte"]);
    }

    #[test]
    fn files_that_changed_are_told() {
        let file = |path: &str, text: &str| ConfigFile { path: path.into(), text: text.into() };
        let found = |files: Vec<ConfigFile>| Found { files, ..Found::default() };
        let interfaces = "auto eth0\niface eth0 inet dhcp\n";
        let then =
            [file("/etc/dhcpcd.conf", "hostname\n"), file("/etc/network/interfaces", interfaces)];
        let sources = then.iter().map(NetworkSource::from).collect();
        let plan = NetworkPlan { sources, ..NetworkPlan::default() };
        assert_eq!(plan.changes(&found(then.to_vec())), Vec::<String>::new());
        let now = vec![
            file("/etc/dhcpcd.conf", "interface eth0\nstatic ip_address=192.0.2.7/24\n"),
            file("/etc/wpa_supplicant/wpa_supplicant.conf", "network={\n\tssid=\"x\"\n}\n"),
        ];
        assert_eq!(
            plan.changes(&found(now)),
            [
                "/etc/dhcpcd.conf changed",
                "/etc/network/interfaces is gone",
                "/etc/wpa_supplicant/wpa_supplicant.conf was added"
            ]
        );
    }
}
