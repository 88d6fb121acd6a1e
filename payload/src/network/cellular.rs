//! Modems that pppd or wvdial dial: access point, number, user and password.
//!
//! Source: pppd(8), chat(8), wvdial.conf(5). NetworkManager's own modems are read with its keyfiles.

use super::connection::{Cellular, Connection, Kind};
use super::interfaces::Ifupdown;
use super::reading::{Reading, place};
use super::{ConfigFile, Found};

const PEERS: &str = "/etc/ppp/peers/";
const WVDIAL: &str = "/etc/wvdial.conf";

/// Pushes the modems that come up by themselves.
pub(super) fn connections(found: &Found, ifupdown: &Ifupdown, reading: &mut Reading) {
    let mut used: Vec<String> = Vec::new();
    let providers =
        if found.active.contains("networking") { ifupdown.providers() } else { Vec::new() };
    for (file, at, provider) in providers {
        let path = format!("{PEERS}{provider}");
        match found.files.iter().find(|it| it.path == path) {
            Some(peer) => push(peers(peer, found, reading), reading),
            None => reading.refuse(file, at, format!("{path} was not found")),
        }
        used.push(path);
    }
    if found.active.contains("wvdial")
        && let Some(file) = found.files.iter().find(|it| it.path == WVDIAL)
    {
        push(wvdial(file, reading), reading);
        used.push(WVDIAL.to_owned());
    }
    let is_dialler = |it: &&ConfigFile| it.path.starts_with(PEERS) || it.path == WVDIAL;
    let has_way_out = !used.is_empty()
        || found.interfaces.is_empty()
        || found.interfaces.iter().any(|it| it.is_default_route)
        || reading.connections.iter().any(|it| !matches!(it.kind, Kind::Ethernet | Kind::Wifi(_)));
    for file in found.files.iter().filter(is_dialler).filter(|it| !used.contains(&it.path)) {
        if has_way_out || file.path.ends_with("/provider") {
            reading.note(format!(
                "nothing dials by {} when the device starts, so it does not count",
                file.path
            ));
        } else {
            let why = "the device's way out is none of its interfaces; it may be this modem, which nothing that is known \
                dials: name keyfiles of your own";
            reading.refuse(file, 0, why);
        }
    }
}

fn push(modem: Option<Cellular>, reading: &mut Reading) {
    let Some(modem) = modem else { return };
    reading.connections.push(Connection { kind: Kind::Cellular(modem), ..Connection::default() });
}

/// The words of a line, where quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let (mut quote, mut is_open) = (None, false);
    for letter in line.chars() {
        match (letter, quote) {
            ('"' | '\'', None) => {
                quote = Some(letter);
                if !is_open {
                    out.push(String::new());
                    is_open = true;
                }
            }
            (it, Some(end)) if it == end => quote = None,
            (it, None) if it.is_whitespace() => is_open = false,
            (it, _) => {
                if !is_open {
                    out.push(String::new());
                    is_open = true;
                }
                if let Some(last) = out.last_mut() {
                    last.push(it);
                }
            }
        }
    }
    out
}

/// The options of a peer, and its chat script.
fn peers(file: &ConfigFile, found: &Found, reading: &mut Reading) -> Option<Cellular> {
    let mut out = Cellular::default();
    let before = reading.refused.len();
    let mut user_line = 0;
    for (index, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let all = words(line);
        let at = index + 1;
        let value = || all.get(1).cloned();
        match all.first().map(String::as_str) {
            Some("user" | "name") => (out.user, user_line) = (value(), at),
            Some("password") => out.password = value(),
            Some("connect") => {
                chat(file, at, &value().unwrap_or_default(), found, &mut out, reading)
            }
            Some("call" | "file") => {
                reading.refuse(file, at, "options in further files are not read");
            }
            _ => {}
        }
    }
    if let Some(user) = &out.user
        && out.password.is_none()
    {
        match secret(found, user) {
            Some(password) => out.password = Some(password),
            None => reading.refuse(file, user_line, "there is no password of this user"),
        }
    }
    if out.apn.is_none() && reading.refused.len() == before {
        reading.refuse(file, 0, "the access point's name (APN) was not found");
    }
    (reading.refused.len() == before).then_some(out)
}

/// A user's password, of pap-secrets or chap-secrets: user, server, password.
fn secret(found: &Found, user: &str) -> Option<String> {
    let is_secrets =
        |it: &&ConfigFile| it.path.starts_with("/etc/ppp/") && it.path.ends_with("-secrets");
    let lines = found.files.iter().filter(is_secrets).flat_map(|it| it.text.lines());
    let mut all = lines.filter(|it| !it.trim_start().starts_with('#')).map(words);
    all.find(|it| it.first().is_some_and(|name| name == user || name == "*"))?.get(2).cloned()
}

/// `connect "chat -f FILE -T APN"`, or with the script in the line.
fn chat(
    file: &ConfigFile,
    at: usize,
    command: &str,
    found: &Found,
    out: &mut Cellular,
    reading: &mut Reading,
) {
    let all = words(command);
    let after = |flag: &str| {
        let index = all.iter().position(|it| it == flag)?;
        all.get(index + 1).cloned()
    };
    if !all.first().is_some_and(|it| it.ends_with("chat")) {
        return reading.refuse(file, at, "only chat is understood here");
    }
    let text = match after("-f") {
        None => command.to_owned(),
        Some(path) => match found.files.iter().find(|it| it.path == path) {
            Some(script) => script.text.clone(),
            None => return reading.refuse(file, at, format!("{path} was not found")),
        },
    };
    let text = match (text.contains("\\T"), after("-T")) {
        (true, Some(apn)) => text.replace("\\T", &apn),
        (true, None) => return reading.refuse(file, at, "the script wants a -T that is not there"),
        (false, _) => text,
    };
    for line in text.lines().filter(|it| !it.trim_start().starts_with('#')) {
        out.apn = apn(line).or(out.apn.take());
        out.number = number(line).or(out.number.take());
        if line.to_ascii_uppercase().contains("AUTH") {
            reading.refuse(
                file,
                at,
                "a user that the chat script tells the modem is not carried over",
            );
        }
    }
    if let Some((at, _)) = text.to_ascii_uppercase().match_indices("CPIN=").next() {
        let pin = text.get(at + 5..).unwrap_or_default();
        let digits: String =
            pin.trim_start_matches(['"', '\\']).chars().take_while(char::is_ascii_digit).collect();
        out.pin = Some(digits).filter(|it| !it.is_empty());
    }
}

/// The third of `AT+CGDCONT=1,"IP","internet"`.
fn apn(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("CGDCONT=")?;
    let part = rest.split(',').nth(2)?;
    let letters = part.trim_start_matches(['\\', '"']);
    let name: String = letters.chars().take_while(|it| !"\"\\' ,;".contains(*it)).collect();
    Some(name).filter(|it| !it.is_empty())
}

/// What is dialled: `ATDT*99#`.
fn number(line: &str) -> Option<String> {
    let start = line.find("ATD")? + "ATD".len();
    let rest = line.get(start..)?.trim_start_matches(['T', 'P']);
    let number: String =
        rest.chars().take_while(|it| it.is_ascii_digit() || "*#+".contains(*it)).collect();
    Some(number).filter(|it| !it.is_empty())
}

/// `wvdial.conf`, of which only `[Dialer Defaults]` is dialled by itself.
fn wvdial(file: &ConfigFile, reading: &mut Reading) -> Option<Cellular> {
    let mut out = Cellular::default();
    let mut is_default = false;
    for line in file.text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_default = line.eq_ignore_ascii_case("[Dialer Defaults]");
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_default) else { continue };
        if line.starts_with([';', '#']) {
            continue;
        }
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "phone" => out.number = Some(value.to_owned()),
            "username" => out.user = Some(value.to_owned()),
            "password" => out.password = Some(value.to_owned()),
            key if key.starts_with("init") => {
                let whole = line.split_once('=').map_or("", |(_, it)| it);
                out.apn = apn(whole).or(out.apn);
            }
            _ => {}
        }
    }
    if out.apn.is_none() {
        let place = place(file, 1);
        reading.refuse(file, 0, format!("the access point's name (APN) was not found in {place}"));
        return None;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> ConfigFile {
        ConfigFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_peer_is_read_with_its_script_and_its_secret() {
        let peer = file(
            "/etc/ppp/peers/gprs",
            "/dev/ttyUSB0\n115200\nuser \"web\"\nconnect \"/usr/sbin/chat -v -f /etc/chatscripts/gprs -T internet.de\"\n",
        );
        let found = Found {
            files: vec![
                file(
                    "/etc/chatscripts/gprs",
                    "ABORT BUSY\nOK AT+CGDCONT=1,\"IP\",\"\\T\",,0,0\nOK ATD*99#\n",
                ),
                file("/etc/ppp/pap-secrets", "# x\n\"web\" * \"pw d\" *\n"),
            ],
            ..Found::default()
        };
        let mut reading = Reading::default();
        let out = peers(&peer, &found, &mut reading);
        assert!(reading.refused.is_empty(), "{:?}", reading.refused);
        let out = out.unwrap();
        assert_eq!(out.apn.as_deref(), Some("internet.de"));
        assert_eq!(out.number.as_deref(), Some("*99#"));
        assert_eq!(out.password.as_deref(), Some("pw d"));
    }

    #[test]
    fn what_is_missing_is_refused() {
        let mut reading = Reading::default();
        let peer = file(
            "/etc/ppp/peers/gprs",
            "user web\nconnect '/usr/sbin/chat -f /etc/chatscripts/x'\n",
        );
        assert!(peers(&peer, &Found::default(), &mut reading).is_none());
        let all: Vec<_> = reading.refused.iter().map(|it| (it.line, it.why.as_str())).collect();
        assert_eq!(
            all,
            [
                (Some(2), "/etc/chatscripts/x was not found"),
                (Some(1), "there is no password of this user")
            ]
        );
    }

    #[test]
    fn wvdial_is_read() {
        let text = "[Dialer Defaults]\nInit2 = AT+CGDCONT=1,\"IP\",\"web\"\nPhone = *99#\nPassword = p\n[Dialer x]\nPhone = 1\n";
        let out = wvdial(&file(WVDIAL, text), &mut Reading::default()).unwrap();
        assert_eq!((out.apn.as_deref(), out.number.as_deref()), (Some("web"), Some("*99#")));
    }
}
