//! Wi-Fi: what is in range, and whom it lets in; and what `wpa_supplicant.conf` tries.

use std::collections::BTreeMap;

use super::lan::Lan;

/// An access point in range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessPoint {
    /// Its name.
    pub(crate) ssid: &'static str,
    /// It keeps its name to itself: only who asks for it by name finds it.
    pub(crate) hidden: bool,
    /// Whom it lets in.
    pub(crate) admits: Admits,
    /// What it leads to.
    pub(crate) lan: Lan,
}

/// Whom an access point lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admits {
    /// Everybody.
    All,
    /// Who has the passphrase, or the key that follows from it (PBKDF2 with the network's name, 4096 rounds).
    Psk {
        /// The passphrase.
        passphrase: &'static str,
        /// The key: 64 hex digits.
        key: &'static str,
    },
    /// Who has a name and a password (PEAP with MSCHAPv2).
    Peap {
        /// The name.
        identity: &'static str,
        /// The password.
        password: &'static str,
    },
}

/// One network that a device tries to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The name, as bytes.
    pub(crate) ssid: Vec<u8>,
    /// It asks for the name.
    pub(crate) seeks_hidden: bool,
    /// What it shows.
    pub(crate) shows: Shows,
}

/// What a device shows to be let in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Nothing.
    Nothing,
    /// A passphrase, or 64 hex digits.
    Psk(String),
    /// A name and a password.
    Peap { identity: String, password: String },
}

impl std::fmt::Debug for Shows {
    /// Secrets are left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Shows::Nothing => "nothing",
            Shows::Psk(_) => "a key",
            Shows::Peap { .. } => "a name and a password",
        })
    }
}

impl AccessPoint {
    /// It lets this one in.
    pub(crate) fn lets_in(&self, attempt: &Attempt) -> bool {
        let finds = self.ssid.as_bytes() == attempt.ssid && (!self.hidden || attempt.seeks_hidden);
        finds
            && match (&self.admits, &attempt.shows) {
                (Admits::All, Shows::Nothing) => true,
                (Admits::Psk { passphrase, key }, Shows::Psk(psk)) => {
                    psk == passphrase || psk.eq_ignore_ascii_case(key)
                }
                (
                    Admits::Peap { identity: name, password: word },
                    Shows::Peap { identity, password },
                ) => name == identity && word == password,
                _ => false,
            }
    }
}

/// True for a passphrase, or a key of 64 hex digits.
pub(crate) fn is_psk(text: &str) -> bool {
    (8..=63).contains(&text.len()) || is_key(text)
}

fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads `wpa_supplicant.conf`. One line that `wpa_supplicant` does not understand keeps it from starting at all.
pub(crate) fn attempts(text: &str) -> Result<Vec<Attempt>, String> {
    let mut attempts = Vec::new();
    let mut block: Option<BTreeMap<&str, &str>> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = uncommented(line).trim();
        let bad = || format!("line {number} of wpa_supplicant.conf is not understood");
        match (&mut block, line) {
            (_, "") => {}
            (None, "network={") => block = Some(BTreeMap::new()),
            (None, line) => _ = line.split_once('=').ok_or_else(bad)?,
            (Some(fields), "}") => {
                attempts.extend(of_block(fields).ok_or_else(bad)?);
                block = None;
            }
            (Some(fields), line) => {
                let (key, value) = line.split_once('=').ok_or_else(bad)?;
                fields.insert(key.trim_end(), value.trim_start());
            }
        }
    }
    match block {
        Some(_) => Err("wpa_supplicant.conf ends within a network".to_owned()),
        None => Ok(attempts),
    }
}

/// A line without its comment, which begins behind the last quotation mark.
fn uncommented(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    let quoted = match (line.find('"'), line.rfind('"')) {
        (Some(first), Some(last)) if first < last => last,
        _ => 0,
    };
    line[quoted..].find('#').map_or(line, |at| &line[..quoted + at])
}

/// What a `network={…}` tries; nothing if one of its values cannot be.
fn of_block(fields: &BTreeMap<&str, &str>) -> Option<Vec<Attempt>> {
    let is_set = |key: &str| fields.get(key).is_some_and(|value| *value == "1");
    let ssid = match fields.get("ssid") {
        Some(value) => string(value).map(String::into_bytes).or_else(|| hex(value))?,
        None => return Some(Vec::new()),
    };
    let psk = match fields.get("psk") {
        Some(value) => {
            let psk = string(value).filter(|psk| (8..=63).contains(&psk.len()));
            Some(psk.or_else(|| is_key(value).then(|| (*value).to_owned()))?)
        }
        None => None,
    };
    if is_set("disabled") {
        return Some(Vec::new());
    }
    let management = fields.get("key_mgmt").copied().unwrap_or("WPA-PSK WPA-EAP");
    let shows = management.split_ascii_whitespace().filter_map(|word| match word {
        "NONE" => Some(Shows::Nothing),
        "WPA-PSK" => psk.clone().map(Shows::Psk),
        "WPA-EAP" => peap(fields),
        _ => None,
    });
    let attempt = |shows| Attempt { ssid: ssid.clone(), seeks_hidden: is_set("scan_ssid"), shows };
    Some(shows.map(attempt).collect())
}

/// Name and password, where nothing else is asked for that the device has not got: of certificates it has none.
fn peap(fields: &BTreeMap<&str, &str>) -> Option<Shows> {
    let methods = fields.get("eap").copied().unwrap_or("PEAP");
    let inner = fields.get("phase2").and_then(|value| string(value)).unwrap_or_default();
    let fits = methods.split_ascii_whitespace().any(|method| method == "PEAP")
        && (!inner.contains("auth") || inner.contains("auth=MSCHAPV2"))
        && !fields.contains_key("ca_cert");
    let text = |key: &str| {
        let value = fields.get(key)?;
        string(value).or_else(|| String::from_utf8(hex(value)?).ok())
    };
    fits.then_some(())?;
    Some(Shows::Peap { identity: text("identity")?, password: text("password")? })
}

/// A text in quotation marks, or in those of `printf`.
fn string(value: &str) -> Option<String> {
    let inner = |text: &str| Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    match value.strip_prefix('P') {
        Some(rest) => Some(inner(rest)?.replace("\\\"", "\"").replace("\\\\", "\\")),
        None => inner(value),
    }
}

fn hex(value: &str) -> Option<Vec<u8>> {
    let is_even = !value.is_empty() && value.is_ascii() && value.len().is_multiple_of(2);
    let pair = |at: usize| u8::from_str_radix(&value[at..at + 2], 16).ok();
    is_even.then(|| (0..value.len()).step_by(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(text: &str) -> Attempt {
        let all = attempts(text).unwrap();
        <[Attempt; 1]>::try_from(all).unwrap()[0].clone()
    }

    #[test]
    fn networks_are_read_as_wpa_supplicant_does() {
        let text = "country=GB # here\n# network={\nnetwork={\n\tssid=\"a # \"b\"\" # c\n\
            scan_ssid=1\n  psk=\"12345678 #\"\n}\n";
        let read = one(text);
        assert_eq!(read.ssid, b"a # \"b\"");
        assert!(read.seeks_hidden && read.shows == Shows::Psk("12345678 #".to_owned()));
        let read = one("network={\nssid=6b31\nkey_mgmt=NONE\n}");
        assert_eq!(
            (read.ssid, read.seeks_hidden, read.shows),
            (b"k1".to_vec(), false, Shows::Nothing)
        );
        let peap = "network={\nssid=\"w\"\nkey_mgmt=WPA-EAP\neap=PEAP\nidentity=\"i\"\n\
            password=\"p\"\nphase2=\"auth=MSCHAPV2\"\n}";
        let shows = Shows::Peap { identity: "i".to_owned(), password: "p".to_owned() };
        assert_eq!(one(peap).shows, shows);
        assert_eq!(one(&peap.replace("\"i\"", "69")).shows, shows, "in hex");
        let certificate = peap.replace("eap=PEAP", "eap=PEAP\nca_cert=\"/etc/ssl/ca.pem\"");
        assert_eq!(attempts(&certificate), Ok(Vec::new()));
        assert_eq!(attempts("network={\nssid=\"a\"\ndisabled=1\nkey_mgmt=NONE\n}"), Ok(Vec::new()));
    }

    #[test]
    fn one_bad_line_spoils_the_file() {
        for text in [
            "network={\nssid=\"a\"\npsk=\"short\"\n}",
            "network={\nssid=\"a\"\npsk=0123\n}",
            "network={\nssid=a\"\nkey_mgmt=NONE\n}",
            "network={\nssid=\"a\"\n",
            "hello\n",
        ] {
            assert!(attempts(text).is_err(), "{text}");
        }
    }
}
