//! Keyfiles: a network connection as NetworkManager reads it, in the form of GLib's key files.

use crate::digest::Sha256;
use crate::network::{self, ConfigFile};
use std::collections::BTreeMap;
use std::fmt;

/// The folder of balenaOS's boot partition that its keyfiles are taken from.
pub const FOLDER: &str = "system-connections";

/// Where NetworkManager itself keeps them.
const HOME: &str = "/etc/NetworkManager/system-connections";

/// A keyfile that was read. It may hold secrets, so `Debug` prints the names of its sections alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyfile {
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

impl fmt::Debug for Keyfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.sections.keys()).finish()
    }
}

/// Why NetworkManager would not take a file. What stands in it is not repeated: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyfileError {
    /// A line that is none of what a line can be.
    #[error("line {0} is no section, no `key=value` and no comment")]
    Line(usize),
    /// A value that stands above all sections.
    #[error("line {0} stands above the first section")]
    Homeless(usize),
    /// Without it NetworkManager does not know what to make of the file.
    #[error("there is no `{key}=` under [{section}]")]
    Missing {
        /// The section.
        section: &'static str,
        /// The key.
        key: &'static str,
    },
}

impl Keyfile {
    /// Reads a keyfile.
    ///
    /// # Errors
    /// [`KeyfileError`]: the first line that is wrong, or what every connection needs.
    pub fn parse(text: &str) -> Result<Keyfile, KeyfileError> {
        let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut current = None;
        for (index, line) in text.lines().enumerate() {
            let (number, line) = (index + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                current = Some(name.to_owned());
                sections.entry(name.to_owned()).or_default();
                continue;
            }
            let (key, value) = line.split_once('=').ok_or(KeyfileError::Line(number))?;
            if key.trim().is_empty() {
                return Err(KeyfileError::Line(number));
            }
            let section = current.as_ref().and_then(|name| sections.get_mut(name));
            let section = section.ok_or(KeyfileError::Homeless(number))?;
            section.insert(key.trim().to_owned(), value.trim().to_owned());
        }
        let keyfile = Keyfile { sections };
        keyfile.need("connection", "type")?;
        if keyfile.is_wifi() {
            let section = if keyfile.sections.contains_key("wifi") { "wifi" } else { WIRELESS };
            keyfile.need(section, "ssid")?;
        }
        Ok(keyfile)
    }

    fn need(&self, section: &'static str, key: &'static str) -> Result<(), KeyfileError> {
        match self.get(section, key).is_some_and(|value| !value.is_empty()) {
            true => Ok(()),
            false => Err(KeyfileError::Missing { section, key }),
        }
    }

    /// What stands under this section for this key.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.sections.get(section)?.get(key).map(String::as_str)
    }

    /// True for a Wi-Fi network.
    pub fn is_wifi(&self) -> bool {
        matches!(self.get("connection", "type"), Some("wifi" | WIRELESS))
    }

    /// The name of its Wi-Fi network, as it is written there.
    pub fn ssid(&self) -> Option<&str> {
        self.get("wifi", "ssid").or_else(|| self.get(WIRELESS, "ssid"))
    }
}

/// What NetworkManager calls Wi-Fi besides `wifi`.
const WIRELESS: &str = "802-11-wireless";

/// The name that balenaOS keeps a keyfile of this path under.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What a keyfile is known by where nobody may learn its secrets: the digest of its text without them. From the digest
/// of the text itself a short passphrase could be found by trying.
pub fn digest(name: &str, text: &str) -> Sha256 {
    let file = ConfigFile { path: format!("{HOME}/{name}"), text: text.to_owned() };
    Sha256::of(network::mask(&file).text.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHOP: &str = "# the shop\n[connection]\nid=shop\ntype=wifi\n\n[wifi]\nssid = my shop\n\
                        [wifi-security]\npsk=s3cret=7\n";

    #[test]
    fn a_connection_is_read() {
        let shop = Keyfile::parse(SHOP).unwrap();
        assert!(shop.is_wifi());
        assert_eq!(shop.ssid(), Some("my shop"));
        assert_eq!(shop.get("wifi-security", "psk"), Some("s3cret=7"));
        assert!(!format!("{shop:?}").contains("s3cret"));
        let wired = Keyfile::parse("[connection]\ntype=ethernet\n").unwrap();
        assert!(!wired.is_wifi());
    }

    #[test]
    fn what_is_no_connection_is_told_without_its_secrets() {
        let texts = [
            "psk=s3cret\n",
            "[wifi-security]\npsk s3cret\n",
            "[wifi-security]\n=s3cret\n",
            "",
            "[connection]\ntype=wifi\n[wifi]\nmode=infrastructure\n",
        ];
        let told = texts.map(|text| Keyfile::parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(told.join("\n"), @r###"
        line 1 stands above the first section
        line 2 is no section, no `key=value` and no comment
        line 2 is no section, no `key=value` and no comment
        there is no `type=` under [connection]
        there is no `ssid=` under [wifi]
        "###);
    }

    #[test]
    fn the_digest_does_not_depend_on_a_secret() {
        let other = SHOP.replace("s3cret=7", "another passphrase");
        assert_eq!(digest("shop", SHOP), digest("shop", &other));
        assert_ne!(digest("shop", SHOP), digest("shop", &SHOP.replace("my shop", "mine")));
    }
}
