//! `wpa_supplicant.conf`: the wireless networks, and how each is entered.
//!
//! Source: wpa_supplicant.conf(5) and wpa_supplicant/config.c of hostap.

use super::ConfigFile;
use super::connection::{Enterprise, Security, Wifi};
use super::reading::{Reading, place};
use super::wpa_values::{bytes, line, text};
use std::collections::BTreeMap;

/// One `network={…}` that is used.
pub(super) struct Known {
    /// The network.
    pub wifi: Wifi,
    /// Which of several is taken first: the greater.
    pub priority: i32,
}

/// Settings of the whole program that have nothing to do with which network is entered and how.
const HARMLESS: &[&str] = &[
    "ctrl_interface",
    "ctrl_interface_group",
    "update_config",
    "fast_reauth",
    "eapol_version",
    "p2p_disabled",
    "device_name",
    "device_type",
    "manufacturer",
    "model_name",
    "model_number",
    "serial_number",
    "config_methods",
    "os_version",
    "uuid",
    "disable_scan_offload",
    "passive_scan",
    "autoscan",
    "bgscan",
    "bss_max_count",
    "bss_expiration_age",
    "filter_ssids",
    "okc",
    "sae_pwe",
    "sae_groups",
    "preassoc_mac_addr",
    "mac_addr",
    "rand_addr_lifetime",
    "wps_cred_processing",
    "driver_param",
    "openssl_ciphers",
    "interworking",
    "access_network_type",
];
/// Settings of a network without which it is entered all the same.
const NARROWING: &[&str] = &[
    "proto",
    "pairwise",
    "group",
    "group_mgmt",
    "id_str",
    "bgscan",
    "scan_freq",
    "freq_list",
    "proactive_key_caching",
    "eapol_flags",
    "group_rekey",
    "wpa_ptk_rekey",
    "mixed_cell",
    "fragment_size",
    "ap_max_inactivity",
    "beacon_int",
    "dtim_period",
    "mac_addr",
    "disable_ht",
    "disable_ht40",
    "disable_vht",
    "ft_eap_pmksa_caching",
    "owe_only",
    "bssid_blacklist",
    "bssid_ignore",
];

/// A block as it is read: keys with values and lines.
type Block = BTreeMap<String, (String, usize)>;

/// The networks of a file. What cannot be carried over is refused.
pub(super) fn read(file: &ConfigFile, reading: &mut Reading) -> Vec<Known> {
    let mut all = Vec::new();
    let mut block: Option<(usize, Block)> = None;
    let mut pmf = None;
    for (index, whole) in file.text.lines().enumerate() {
        let (text, at) = (line(whole), index + 1);
        match (&mut block, text) {
            (_, "") => {}
            (None, "network={") => block = Some((at, Block::new())),
            (None, text) => setting(file, at, text, &mut pmf, reading),
            (Some(_), "}") => {
                let Some((first, block)) = block.take() else { continue };
                all.extend(network(file, first, &block, pmf, reading));
            }
            (Some((_, block)), text) => match text.split_once('=') {
                Some((key, value)) => {
                    block.insert(key.to_owned(), (value.to_owned(), at));
                }
                None => reading.refuse(file, at, "wpa_supplicant does not understand this line"),
            },
        }
    }
    if let Some((first, _)) = block {
        reading.refuse(file, first, "this network has no end: a line } is missing");
    }
    all
}

/// A setting of the whole program.
fn setting(file: &ConfigFile, at: usize, text: &str, pmf: &mut Option<u8>, reading: &mut Reading) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    match (key, value) {
        ("country", value) if reading.country(value) => {}
        ("country", _) => reading.refuse(file, at, "this is no country of two letters"),
        ("ap_scan", "1") => {}
        ("pmf", "0" | "1" | "2") => *pmf = value.parse().ok(),
        (key, _) if HARMLESS.contains(&key) => {}
        ("cred", _) => reading.refuse(file, at, "credentials for hotspots cannot be carried over"),
        (key, _) => {
            let why = format!("nothing is known of what becomes of `{key}` on balenaOS");
            reading.refuse(file, at, why);
        }
    }
}

/// One network, unless it is not used or cannot be carried over.
fn network(
    file: &ConfigFile,
    first: usize,
    block: &Block,
    pmf: Option<u8>,
    reading: &mut Reading,
) -> Option<Known> {
    let value = |key: &str| block.get(key).map(|(value, _)| value.as_str());
    let at = |key: &str| block.get(key).map_or(first, |(_, at)| *at);
    if value("disabled") == Some("1") {
        let place = place(file, first);
        reading.note(format!("the network at {place} is disabled, so it is left out"));
        return None;
    }
    let before = reading.refused.len();
    match value("mode") {
        None | Some("0") => {}
        Some(_) => reading.refuse(
            file,
            at("mode"),
            "an access point of the device's own, or a network without one, cannot be carried over",
        ),
    }
    let ssid = value("ssid").and_then(bytes).filter(|it| (1..=32).contains(&it.len()));
    let is_lost = |ssid: &Vec<u8>| {
        value("ssid").is_some_and(|it| it.starts_with('"') && it.contains('\u{fffd}'))
            && !ssid.is_empty()
    };
    match &ssid {
        None => reading.refuse(file, at("ssid"), "the network's name is missing or not readable"),
        Some(ssid) if is_lost(ssid) => {
            reading.refuse(file, at("ssid"), "this name is not UTF-8: write its bytes in hex");
        }
        Some(_) => {}
    }
    let number = |key: &str| value(key).map(|value| value.parse::<i32>().ok());
    if number("priority") == Some(None) {
        reading.refuse(file, at("priority"), "this is no number");
    }
    let security = security(file, first, block, reading);
    let mut narrowed = Vec::new();
    for (key, (_, at)) in block {
        if NARROWING.contains(&key.as_str()) {
            narrowed.push(key.as_str());
        } else if !KNOWN.contains(&key.as_str()) {
            let why = format!("nothing is known of what becomes of `{key}` on balenaOS");
            reading.refuse(file, *at, why);
        }
    }
    if !narrowed.is_empty() {
        let (place, keys) = (place(file, first), narrowed.join(", "));
        let choose = "NetworkManager chooses for itself what they say";
        reading.note(format!("the network at {place} goes without {keys}: {choose}"));
    }
    let own = match value("ieee80211w") {
        None | Some("3") => pmf,
        Some(value) => value.parse().ok().filter(|it| *it <= 2),
    };
    let wifi = Wifi {
        ssid: ssid?,
        hidden: value("scan_ssid") == Some("1"),
        bssid: value("bssid").map(str::to_owned),
        security: security?,
        pmf: own,
    };
    let priority = number("priority").flatten().unwrap_or(0);
    (reading.refused.len() == before).then_some(Known { wifi, priority })
}

/// Settings of a network that are carried over.
const KNOWN: &[&str] = &[
    "ssid",
    "psk",
    "sae_password",
    "key_mgmt",
    "priority",
    "scan_ssid",
    "bssid",
    "disabled",
    "mode",
    "ieee80211w",
    "auth_alg",
    "eap",
    "identity",
    "anonymous_identity",
    "password",
    "phase1",
    "phase2",
    "wep_key0",
    "wep_key1",
    "wep_key2",
    "wep_key3",
    "wep_tx_keyidx",
    "ca_cert",
    "ca_path",
    "ca_cert2",
    "client_cert",
    "client_cert2",
    "private_key",
    "private_key2",
    "private_key_passwd",
    "private_key2_passwd",
    "pac_file",
];

/// How a network is entered.
fn security(
    file: &ConfigFile,
    first: usize,
    block: &Block,
    reading: &mut Reading,
) -> Option<Security> {
    let value = |key: &str| block.get(key).map(|(value, _)| value.as_str());
    let at = |key: &str| block.get(key).map_or(first, |(_, at)| *at);
    if let Some((_, (_, at))) = block.iter().find(|(key, _)| key.starts_with("wep_key")) {
        reading.refuse(
            file,
            *at,
            "WEP is not what a balenaOS can be trusted to know: change the access point to WPA2",
        );
        return None;
    }
    if value("auth_alg").is_some_and(|it| it != "OPEN") {
        reading.refuse(file, at("auth_alg"), "only OPEN can be carried over");
        return None;
    }
    let management = value("key_mgmt").unwrap_or("WPA-PSK WPA-EAP");
    let has = |word: &str| management.split_whitespace().any(|it| it == word);
    let known = ["NONE", "WPA-PSK", "WPA-PSK-SHA256", "SAE", "WPA-EAP", "WPA-EAP-SHA256"];
    let faster = ["FT-PSK", "FT-SAE", "FT-EAP"];
    let is_known = |word: &str| known.contains(&word) || faster.contains(&word);
    if let Some(word) = management.split_whitespace().find(|word| !is_known(word)) {
        reading.refuse(file, at("key_mgmt"), format!("{word} cannot be carried over"));
        return None;
    }
    let by_key = has("WPA-PSK") || has("WPA-PSK-SHA256") || has("FT-PSK");
    let by_sae = has("SAE") || has("FT-SAE");
    if has("NONE") {
        return Some(Security::Open);
    }
    if by_sae && !by_key {
        let key = if block.contains_key("sae_password") { "sae_password" } else { "psk" };
        let password = value(key).filter(|it| it.starts_with(['"', 'P'])).and_then(text);
        let why = "WPA3 needs the passphrase itself, in quotes";
        let password = password.filter(|it| !it.is_empty());
        return password.map(Security::Sae).or_else(|| refused(file, at(key), why, reading));
    }
    if by_key && let Some(psk) = value("psk") {
        let why = "a passphrase is 8 to 63 characters in quotes, or 64 hex digits";
        return passphrase(psk)
            .map(Security::Psk)
            .or_else(|| refused(file, at("psk"), why, reading));
    }
    if block.contains_key("eap") {
        return enterprise(file, first, block, reading).map(Security::Enterprise);
    }
    refused(file, first, "neither a passphrase nor a user is given", reading)
}

/// A passphrase in quotes, or the 64 hex digits made of one.
fn passphrase(value: &str) -> Option<String> {
    let is_hex = value.len() == 64 && value.bytes().all(|it| it.is_ascii_hexdigit());
    if is_hex {
        return Some(value.to_owned());
    }
    let text = text(value).filter(|_| value.starts_with('"'))?;
    ((8..=63).contains(&text.len()) && !text.contains(char::is_control)).then_some(text)
}

/// A user of an enterprise's network: with a password, since files are not carried over.
fn enterprise(
    file: &ConfigFile,
    first: usize,
    block: &Block,
    reading: &mut Reading,
) -> Option<Enterprise> {
    const FILES: [&str; 10] = [
        "ca_cert",
        "ca_path",
        "ca_cert2",
        "client_cert",
        "client_cert2",
        "private_key",
        "private_key2",
        "private_key_passwd",
        "private_key2_passwd",
        "pac_file",
    ];
    let value = |key: &str| block.get(key).map(|(value, _)| value.as_str());
    let at = |key: &str| block.get(key).map_or(first, |(_, at)| *at);
    if let Some(key) = FILES.iter().find(|key| block.contains_key(**key)) {
        let why =
            "files with certificates and keys are not carried over: name keyfiles of your own";
        return refused(file, at(key), why, reading);
    }
    let method = value("eap").unwrap_or_default().to_ascii_lowercase();
    if !["peap", "ttls", "pwd"].contains(&method.as_str()) {
        let why =
            "of enterprise's networks only PEAP, TTLS and PWD with a password can be carried over";
        return refused(file, at("eap"), why, reading);
    }
    let phase1 = value("phase1").map(|it| it.trim_matches('"'));
    if !matches!(phase1, None | Some("" | "peaplabel=0" | "peaplabel=1" | "peapver=0")) {
        return refused(file, at("phase1"), "this cannot be carried over", reading);
    }
    let inner = match value("phase2").and_then(text).as_deref() {
        None => None,
        Some(words) => match inner(words) {
            Some(inner) => Some(inner),
            None => return refused(file, at("phase2"), "this cannot be carried over", reading),
        },
    };
    let password = value("password").and_then(text);
    let Some(password) = password else {
        return refused(file, at("password"), "the password itself is needed, in quotes", reading);
    };
    let Some(identity) = value("identity").and_then(text) else {
        return refused(file, at("identity"), "the user is missing or not readable", reading);
    };
    let anonymous = value("anonymous_identity").and_then(text);
    Some(Enterprise { method, inner, identity, anonymous, password })
}

/// What proves the password inside: `auth=MSCHAPV2` or `autheap=…`.
fn inner(words: &str) -> Option<(String, bool)> {
    let (key, value) = words.trim().split_once('=')?;
    let value = value.trim().to_ascii_lowercase();
    let is_known = ["mschapv2", "mschap", "pap", "chap", "gtc", "md5"].contains(&value.as_str());
    match key {
        "auth" if is_known => Some((value, false)),
        "autheap" if is_known => Some((value, true)),
        _ => None,
    }
}

fn refused<T>(file: &ConfigFile, at: usize, why: &str, reading: &mut Reading) -> Option<T> {
    reading.refuse(file, at, why);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(text: &str) -> (Vec<Known>, Reading) {
        let path = "/etc/wpa_supplicant/wpa_supplicant.conf".to_owned();
        let mut reading = Reading::default();
        let all = read(&ConfigFile { path, text: text.to_owned() }, &mut reading);
        (all, reading)
    }

    #[test]
    fn networks_are_read_with_all_that_matters() {
        let (all, reading) = reading(
            "ctrl_interface=DIR=/var/run/wpa_supplicant GROUP=netdev\r\ncountry=GB\r\n\
             network={\r\n ssid=\"a#b\" # mine\r\n psk=\"pass\"word\"\r\n priority=3\r\n scan_ssid=1\r\n}\r\n\
             network={\nssid=c3a9ff\nkey_mgmt=NONE\n}\nnetwork={\nssid=\"off\"\ndisabled=1\n}\n",
        );
        assert!(reading.refused.is_empty(), "{:?}", reading.refused);
        assert_eq!(reading.country.as_deref(), Some("GB"));
        assert_eq!(reading.notes.len(), 1);
        assert!(all[0].wifi.ssid == b"a#b" && all[0].wifi.hidden && all[0].priority == 3);
        assert!(all[0].wifi.security == Security::Psk("pass\"word".to_owned()));
        assert!(all[1].wifi.ssid == [0xc3, 0xa9, 0xff] && all[1].wifi.security == Security::Open);
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn what_cannot_be_carried_over_is_refused_by_its_line() {
        for (line, why) in [
            ("wep_key0=1234567890\nkey_mgmt=NONE", "WEP"),
            ("psk=\"short\"", "8 to 63"),
            ("mode=2\npsk=\"12345678\"", "access point"),
            ("key_mgmt=WPA-EAP\neap=TLS\nidentity=\"i\"", "PEAP"),
            ("ca_cert=\"/etc/ca.pem\"\nkey_mgmt=WPA-EAP\neap=PEAP", "certificates"),
            ("surprise=1\npsk=\"12345678\"", "surprise"),
            ("psk = \"12345678\"", "psk "),
        ] {
            let (_, reading) = reading(&format!("network={{\nssid=\"x\"\n{line}\n}}\n"));
            let all: Vec<_> = reading.refused.iter().map(|it| it.why.clone()).collect();
            assert!(all.iter().any(|it| it.contains(why)), "{line}: {all:?}");
        }
        let (_, reading) = reading("network={\nssid=\"x\"\n");
        assert!(reading.refused[0].why.contains("no end"));
    }

    #[test]
    fn a_user_with_a_password_is_carried_over() {
        let (all, _) = reading(
            "network={\nssid=\"x\"\nkey_mgmt=WPA-EAP\neap=PEAP\nidentity=\"me\"\npassword=\"pw\"\n\
             phase2=\"auth=MSCHAPV2\"\n}\n",
        );
        let Security::Enterprise(user) = &all[0].wifi.security else { panic!("no user") };
        assert!(user.method == "peap" && user.inner == Some(("mschapv2".to_owned(), false)));
    }
}
