//! Texts without their secrets.
//!
//! What may hold a secret is told by what may not: values of the keys that are named here stay, all others are replaced,
//! and comments go, since `wpa_passphrase` leaves the passphrase itself in one. Lines stay where they are. A secret's
//! stand-in is of its kind, so that a text without secrets translates as the text does.

use super::keyfile::{present_name, unescape};
use super::mask_words::{DHCPCD_SECRETS, INTERFACES, NETPLAN, NETWORK_MANAGER, SYSTEMD, WPA};
use super::wpa_values::{line, text};
use super::{ConfigFile, SECRET, yaml};

/// The same file with a stand-in for every secret: [`SECRET`], and 64 zeros for a key in hex. Comments are gone.
pub fn mask(file: &ConfigFile) -> ConfigFile {
    let path = file.path.as_str();
    let under = |folder: &str| path.starts_with(folder);
    let text = if under("/etc/wpa_supplicant/") {
        by_line(&file.text, wpa)
    } else if under("/etc/netplan/") || under("/lib/netplan/") {
        netplan(&file.text)
    } else if path == "/etc/dhcpcd.conf" {
        by_line(&file.text, |line| without(line, &['#', ';'], dhcpcd))
    } else if under("/etc/network/") {
        interfaces(&file.text)
    } else if under("/etc/systemd/") {
        by_section(&file.text, &['#', ';'], systemd)
    } else if under("/etc/ppp/peers/") {
        by_line(&file.text, |line| without(line, &['#'], peer))
    } else if under("/etc/ppp/") {
        by_line(&file.text, |line| without(line, &['#'], ppp_secret))
    } else if under("/etc/chatscripts/") {
        by_line(&file.text, |line| without(line, &['#'], chat))
    } else if path == "/etc/wvdial.conf" {
        by_line(&file.text, |line| without(line, &['#', ';'], wvdial))
    } else {
        let is_wpa3 = file.text.contains("key-mgmt=sae");
        by_section(&file.text, &['#'], if is_wpa3 { keyfile_of_wpa3 } else { keyfile })
    };
    ConfigFile { path: file.path.clone(), text }
}

/// Each line by itself, with its end as it was.
fn by_line(text: &str, mut masked: impl FnMut(&str) -> String) -> String {
    let one = |whole: &str| {
        let line = whole.trim_end_matches(['\n']);
        let (line, end) = match line.strip_suffix('\r') {
            Some(line) => (line, "\r"),
            None => (line, ""),
        };
        let rest = if whole.ends_with('\n') { "\n" } else { "" };
        format!("{}{end}{rest}", masked(line))
    };
    text.split_inclusive('\n').map(one).collect()
}

/// Lines with the section that they stand in.
fn by_section(text: &str, comments: &[char], masked: fn(&str, &str, &str) -> String) -> String {
    let mut section = String::new();
    by_line(text, |line| {
        let trimmed = line.trim();
        if trimmed.starts_with(comments) {
            return "#".to_owned();
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = present_name(name).to_owned();
            return line.to_owned();
        }
        match line.split_once('=') {
            Some((key, value)) => format!("{key}={}", masked(&section, key.trim(), value)),
            None if trimmed.is_empty() => String::new(),
            None => SECRET.to_owned(),
        }
    })
}

/// A line, unless it is a comment.
fn without(line: &str, comments: &[char], masked: fn(&str) -> String) -> String {
    if line.trim_start().starts_with(comments) { "#".to_owned() } else { masked(line) }
}

/// The stand-in of a passphrase that MIGOS cannot be told.
const QUOTE_AND_HASH: &str = "<secret\"#>";

/// Whether a passphrase cannot stand in `wpa_supplicant.conf`, where after the second quote of a line a # begins a
/// comment (`wpa_supplicant` 2.10).
pub(super) fn has_quote_and_hash(passphrase: &str) -> bool {
    passphrase.split_once('"').is_some_and(|(_, rest)| rest.contains('#'))
}

/// The stand-in of a passphrase: a key in hex, a passphrase of a length that counts, or one that does not.
fn passphrase(value: &str) -> String {
    match value.len() {
        64 if value.bytes().all(|it| it.is_ascii_hexdigit()) => "0".repeat(64),
        _ if value.contains(char::is_control) => String::new(),
        8..=63 if has_quote_and_hash(value) => QUOTE_AND_HASH.to_owned(),
        8..=63 => SECRET.to_owned(),
        _ => String::new(),
    }
}

fn wpa(whole: &str) -> String {
    let line = line(whole);
    let indent = whole.get(..whole.len() - whole.trim_start().len()).unwrap_or_default();
    let Some((key, value)) = line.split_once('=') else {
        return if line.is_empty() || line == "}" {
            format!("{indent}{line}")
        } else {
            SECRET.to_owned()
        };
    };
    let masked = match key {
        key if WPA.contains(&key) => value.to_owned(),
        "psk" if value.starts_with('"') => {
            format!("\"{}\"", passphrase(&text(value).unwrap_or_default()))
        }
        "psk" => match passphrase(value).as_str() {
            zeros if zeros.len() == 64 => zeros.to_owned(),
            _ => SECRET.to_owned(),
        },
        _ if text(value).is_some_and(|it| !it.is_empty()) => format!("\"{SECRET}\""),
        _ => SECRET.to_owned(),
    };
    format!("{indent}{key}={masked}")
}

/// A passphrase of WPA3 may have any length.
fn keyfile_of_wpa3(section: &str, key: &str, value: &str) -> String {
    match (section, key) {
        ("wifi-security", "psk") if !value.trim().is_empty() => SECRET.to_owned(),
        _ => keyfile(section, key, value),
    }
}

fn keyfile(section: &str, key: &str, value: &str) -> String {
    let is_numbered = |name: &str| {
        key.strip_prefix(name).is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()))
    };
    let is_open = !matches!(section, "vpn" | "vpn-secrets" | "wireguard" | "user")
        && !section.starts_with("wireguard-peer");
    let is_list = (section == "ipv4" || section == "ipv6")
        && (is_numbered("address") || is_numbered("route"));
    if is_open && (NETWORK_MANAGER.contains(&key) || is_list || section == "vlan" && key == "id") {
        return value.to_owned();
    }
    match key {
        "psk" => match unescape(value.trim()) {
            Some(psk) if section == "wifi-security" => passphrase_or_none(&psk),
            _ => SECRET.to_owned(),
        },
        _ if value.trim().is_empty() => value.to_owned(),
        _ => SECRET.to_owned(),
    }
}

/// A passphrase that is too short or too long stays that.
fn passphrase_or_none(psk: &str) -> String {
    match passphrase(psk) {
        none if none.is_empty() && psk.len() < 8 => SECRET.chars().take(psk.len()).collect(),
        none if none.is_empty() => "-".repeat(65),
        masked => masked,
    }
}

fn netplan(text: &str) -> String {
    let Ok(root) = yaml::parse(text, 0) else {
        return format!("[{}", "\n".repeat(text.matches('\n').count()));
    };
    yaml::replaced(text, &root, |key, value| {
        let is_psk = value.len() == 64 && value.bytes().all(|it| it.is_ascii_hexdigit());
        let is_open = NETWORK_MANAGER.contains(&key) || NETPLAN.contains(&key);
        match (is_open, is_psk, value.is_empty()) {
            (true, ..) | (_, _, true) => None,
            (false, true, _) => Some(format!("\"{}\"", "0".repeat(64))),
            // The number of characters decides whether it is a passphrase at all.
            _ if key == "password" && value.len() < 8 => {
                Some(format!("\"{}\"", &SECRET[..value.len()]))
            }
            _ if key == "password" && value.len() > 63 => {
                Some(format!("\"{}\"", "-".repeat(value.len())))
            }
            _ if key == "password" && has_quote_and_hash(value) => {
                Some(format!("'{QUOTE_AND_HASH}'"))
            }
            _ => Some(format!("\"{SECRET}\"")),
        }
    })
}

fn dhcpcd(line: &str) -> String {
    let word = line.split_whitespace().next().unwrap_or_default();
    if DHCPCD_SECRETS.contains(&word) { format!("{word} {SECRET}") } else { line.to_owned() }
}

/// A line that goes on in the next one is of the same option.
fn interfaces(text: &str) -> String {
    let mut goes_on = false;
    by_line(text, |line| {
        let trimmed = line.trim_start();
        let is_first = !std::mem::replace(&mut goes_on, trimmed.ends_with('\\'));
        let end = if goes_on { "\\" } else { "" };
        if is_first && trimmed.starts_with('#') {
            goes_on = false;
            return "#".to_owned();
        }
        let (word, value) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        let value = value.trim();
        if !is_first {
            return if end.is_empty() { SECRET.to_owned() } else { format!("{SECRET}\\") };
        }
        let is_command =
            ["pre-up", "up", "post-up", "pre-down", "down", "post-down"].contains(&word);
        let is_open = INTERFACES.contains(&word)
            || word.starts_with("bond")
            || is_command && super::interfaces_lines::is_harmless(value);
        match (is_open || value.is_empty(), word) {
            (true, _) => line.to_owned(),
            (_, "wpa-psk") if value.starts_with('"') => format!("{word} \"{SECRET}\"{end}"),
            (_, "wpa-psk") if goes_on => format!("{word} {SECRET}{end}"),
            (_, "wpa-psk") => format!("{word} {}", passphrase_or_none(value)),
            _ => format!("{word} {SECRET}{end}"),
        }
    })
}

fn systemd(section: &str, _: &str, value: &str) -> String {
    if SYSTEMD.contains(&section) { value.to_owned() } else { SECRET.to_owned() }
}

fn peer(line: &str) -> String {
    let word = line.split_whitespace().next().unwrap_or_default();
    match word {
        "password" => format!("{word} \"{SECRET}\""),
        "connect" | "init" | "disconnect" if line.to_ascii_uppercase().contains("AT") => {
            // A script in the line may tell the modem a secret.
            if line.contains("-f") { line.to_owned() } else { chat(line) }
        }
        _ => line.to_owned(),
    }
}

/// User and server stay, the third word goes.
fn ppp_secret(line: &str) -> String {
    let mut quote = None;
    let mut end = None;
    let (mut count, mut is_open) = (0, false);
    for (at, letter) in line.char_indices() {
        match (letter, quote) {
            ('"' | '\'', None) => (quote, is_open) = (Some(letter), true),
            (it, Some(close)) if it == close => quote = None,
            (it, None) if it.is_whitespace() => {
                count += usize::from(std::mem::take(&mut is_open));
                if count == 2 && end.is_none() {
                    end = Some(at);
                }
            }
            _ => is_open = true,
        }
    }
    match end {
        Some(end) => format!("{} \"{SECRET}\"", line.get(..end).unwrap_or_default()),
        None if line.trim().is_empty() => line.to_owned(),
        None => SECRET.to_owned(),
    }
}

/// Scripts stay, besides what they tell a modem of a user or a card.
fn chat(line: &str) -> String {
    let upper = line.to_ascii_uppercase();
    match ["AUTH", "CPIN="].iter().filter_map(|it| upper.find(it).map(|at| at + it.len())).min() {
        // A card's number stays a number.
        Some(at) if upper.contains("CPIN=") && !upper.contains("AUTH") => {
            format!("{}0000", line.get(..at).unwrap_or_default())
        }
        Some(at) => format!("{}={SECRET}", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}

fn wvdial(line: &str) -> String {
    match line.split_once('=') {
        Some((key, value)) => match key.trim().to_ascii_lowercase().as_str() {
            "phone" | "username" | "modem" | "baud" | "modem type" | "isdn" | "stupid mode"
            | "new pppd" => line.to_owned(),
            key if key.starts_with("init") => chat(line),
            _ if value.trim().is_empty() => line.to_owned(),
            _ => format!("{key}= {SECRET}"),
        },
        None if line.trim().starts_with('[') || line.trim().is_empty() => line.to_owned(),
        None => SECRET.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(path: &str, text: &str) -> String {
        mask(&ConfigFile { path: path.to_owned(), text: text.to_owned() }).text
    }

    #[test]
    fn secrets_and_comments_go_and_their_kind_stays() {
        let path = "/etc/wpa_supplicant/wpa_supplicant.conf";
        let text =
            "network={\r\n\tssid=\"x\"\r\n\t#psk=\"hunter22\"\r\n\tpsk=\"hunter22\" # it\r\n}\n";
        assert_eq!(
            masked(path, text),
            "network={\r\n\tssid=\"x\"\r\n\t\r\n\tpsk=\"<secret>\"\r\n}\n"
        );
        assert_eq!(
            masked(path, &format!("psk={}\n", "a1".repeat(32))),
            format!("psk={}\n", "0".repeat(64))
        );
        assert_eq!(
            masked(path, "pks=\"hunter22\"\npsk=\"short\"\n"),
            "pks=\"<secret>\"\npsk=\"\"\n"
        );
        let path = "/etc/NetworkManager/system-connections/x";
        assert_eq!(
            masked(path, "[wifi-security]\npsk=hunter22\n# hunter22\n[vpn-secrets]\nid=hunter22\n"),
            "[wifi-security]\npsk=<secret>\n#\n[vpn-secrets]\nid=<secret>\n"
        );
    }

    #[test]
    fn other_kinds_of_files_keep_no_secret_either() {
        for (path, text) in [
            (
                "/etc/network/interfaces",
                "iface w inet dhcp\n wpa-psk hunter22\n up login \\\n hunter22\n# hunter22\n",
            ),
            (
                "/etc/netplan/x.yaml",
                "a:\n  password: hunter22 # hunter22\n  auth: {password: 'hunter22'}\n",
            ),
            ("/etc/netplan/x.yaml", "a: [hunter22\n"),
            ("/etc/systemd/network/x.netdev", "[WireGuard]\nPrivateKey=hunter22\n"),
            ("/etc/ppp/peers/x", "password hunter22\n"),
            ("/etc/ppp/pap-secrets", "u * hunter22 *\nu\t*\t\"hunter22 x\"\n"),
            ("/etc/chatscripts/x", "OK AT+CGAUTH=1,\"u\",\"hunter22\"\nOK AT+CPIN=hunter22\n"),
            ("/etc/wvdial.conf", "[Dialer Defaults]\nPassword = hunter22\n"),
            ("/etc/dhcpcd.conf", "authtoken 1 \"\" forever hunter22\n"),
        ] {
            let out = masked(path, text);
            assert!(!out.contains("hunter22"), "{path}: {out}");
            assert_eq!(out.lines().count(), text.lines().count(), "{path}: {out}");
            assert_eq!(masked(path, &out), out, "{path}");
        }
    }
}
