//! NetworkManager's own reader: whether every keyfile means to it what it was written for.
//!
//! `nmcli --offline connection modify` reads a keyfile, changes one thing, and writes what it has understood
//! (NetworkManager 1.42 of bookworm).

use super::corpus::cases;
use migos_payload::network::translate;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

type Settings = BTreeMap<(String, String), String>;

/// What NetworkManager understands of a keyfile.
fn understood(name: &str, text: &str) -> String {
    let mut nmcli = Command::new("nmcli")
        .args(["--offline", "connection", "modify", "connection.autoconnect-retries", "5"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("nmcli is there: apt-get install network-manager");
    nmcli.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = nmcli.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && errors.is_empty(), "{name}: {errors}\n{text}");
    String::from_utf8(out.stdout).unwrap()
}

/// Sections, keys and values, in one of several spellings.
fn settings(text: &str) -> Settings {
    let mut section = "";
    let mut out = Settings::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = line.split_once('=') {
            out.insert((section.to_owned(), key.to_owned()), value.to_owned());
        }
    }
    for family in ["ipv4", "ipv6"] {
        let key = |name: &str| (family.to_owned(), name.to_owned());
        // A router may stand beside the first address.
        if let Some(gateway) = out.remove(&key("gateway"))
            && let Some(first) = out.get_mut(&key("address1"))
        {
            first.push_str(&format!(",{gateway}"));
        }
    }
    out
}

/// The bytes that a value of a keyfile stands for.
fn bytes(value: &str) -> Vec<u8> {
    let numbers: Option<Vec<u8>> = value
        .strip_suffix(';')
        .and_then(|it| it.split(';').map(|it| it.trim().parse().ok()).collect());
    numbers.unwrap_or_else(|| {
        let text = value.replace("\\s", " ").replace("\\t", "\t").replace("\\\\", "\\");
        text.replace("\\;", ";").into_bytes()
    })
}

#[test]
fn networkmanager_understands_every_keyfile_as_it_was_meant() {
    let mut count = 0;
    for (name, found) in cases() {
        let Ok(networks) = translate(&found) else { continue };
        for (file, text) in &networks.keyfiles {
            let wanted = settings(text);
            let had = settings(&understood(&name, text));
            for ((section, key), value) in &wanted {
                let other = had.get(&(section.clone(), key.clone()));
                // NetworkManager leaves out what is its default.
                let is_default = matches!(
                    (key.as_str(), value.as_str()),
                    ("mode", "infrastructure")
                        | ("flags", "1")
                        | ("never-default" | "hidden", "false")
                );
                let is_same = other.is_some_and(|it| bytes(it) == bytes(value));
                assert!(
                    is_same || other.is_none() && is_default,
                    "{name}, {file}: {section}.{key}={value} became {other:?}"
                );
            }
            count += 1;
        }
    }
    assert!(count > 40, "{count} keyfiles");
}
