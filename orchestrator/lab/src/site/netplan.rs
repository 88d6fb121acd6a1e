//! NetworkManager's connections as netplan keeps them: in YAML, of which it makes keyfiles at every start.

use super::radio::Admits;
use super::raspbian::{Connection, Means};
use super::{CELL, NAME_SERVER, Tenant, VLAN};

const RENDERER: &str = "network:\n  version: 2\n  renderer: NetworkManager\n";

/// The files that stand for these connections, those that netplan makes included.
pub(super) fn files(all: &[Connection], tenant: &Tenant<'_>) -> Vec<(String, String)> {
    let mut files =
        vec![("/lib/netplan/00-network-manager-all.yaml".to_owned(), RENDERER.to_owned())];
    for connection in all {
        let uuid = connection.uuid(tenant);
        let made = |name: &str| {
            format!("/run/NetworkManager/system-connections/netplan-{name}.nmconnection")
        };
        if let Means::Vlan = connection.means {
            let name = connection.interface;
            files.push(("/etc/netplan/60-vlan.yaml".to_owned(), vlan()));
            files.push((made(name), connection.keyfile(&format!("netplan-{name}"), &uuid)));
            continue;
        }
        let name = match &connection.means {
            Means::Wlan { ssid, .. } => format!("NM-{uuid}-{}", in_names(ssid)),
            _ => format!("NM-{uuid}"),
        };
        files.push((format!("/etc/netplan/90-NM-{uuid}.yaml"), yaml(connection, &uuid)));
        files.push((made(&name), connection.keyfile(connection.id, &uuid)));
    }
    files
}

/// A VLAN as people write it.
fn vlan() -> String {
    format!(
        "network:\n  version: 2\n  ethernets:\n    eth0:\n      optional: true\n  vlans:\n    \
         eth0.{VLAN}:\n      id: {VLAN}\n      link: eth0\n      dhcp4: true\n"
    )
}

/// A connection as NetworkManager writes it.
fn yaml(connection: &Connection, uuid: &str) -> String {
    let section = match connection.means {
        Means::Wired => "ethernets",
        Means::Wlan { .. } => "wifis",
        Means::Vlan => "vlans",
        Means::Modem => "modems",
    };
    let mut text = format!(
        "network:\n  version: 2\n  {section}:\n    NM-{uuid}:\n      renderer: NetworkManager\n"
    );
    if let Means::Modem = connection.means {
        text += &format!(
            "      match: {{}}\n      apn: \"{}\"\n      number: \"*99#\"\n      \
             username: \"{}\"\n      password: \"{}\"\n",
            CELL.apn, CELL.username, CELL.password
        );
    } else {
        text += &format!("      match:\n        name: \"{}\"\n", connection.interface);
    }
    text += &match connection.fixed() {
        None => "      dhcp4: true\n      dhcp6: true\n".to_owned(),
        Some((address, None)) => format!("      addresses:\n      - \"{address}\"\n"),
        Some((address, Some(router))) => format!(
            "      addresses:\n      - \"{address}\"\n      nameservers:\n        addresses:\n        \
             - {NAME_SERVER}\n      routes:\n      - to: \"default\"\n        via: \"{router}\"\n"
        ),
    };
    let own = format!("uuid: \"{uuid}\"\n          name: \"{}\"\n", connection.id);
    match &connection.means {
        Means::Wlan { ssid, admits, as_key, hidden } => {
            let point = format!("      access-points:\n        {}:\n", quoted(ssid));
            text += &point;
            if *hidden {
                text += "          hidden: true\n";
            }
            text += &auth(admits, *as_key);
            text += &format!(
                "          networkmanager:\n            {}",
                own.replace("\n          ", "\n            ")
            );
            if connection.priority != 0 {
                text += &format!(
                    "            passthrough:\n              \
                     connection.autoconnect-priority: \"{}\"\n",
                    connection.priority
                );
            }
        }
        _ => {
            text +=
                &format!("      networkmanager:\n        {}", own.replace("          ", "        "))
        }
    }
    text
}

fn auth(admits: &Admits, as_key: bool) -> String {
    match admits {
        Admits::All => String::new(),
        Admits::Psk { passphrase, key } => format!(
            "          auth:\n            key-management: \"psk\"\n            password: {}\n",
            quoted(if as_key { key } else { passphrase })
        ),
        Admits::Peap { identity, password } => format!(
            "          auth:\n            key-management: \"eap\"\n            method: \"peap\"\n            \
             identity: {}\n            password: {}\n            phase2-auth: \"mschapv2\"\n",
            quoted(identity),
            quoted(password)
        ),
    }
}

/// A text between quotation marks, as YAML has it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A network's name in the name of a file.
fn in_names(ssid: &str) -> String {
    let sign = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    ssid.bytes().map(sign).collect()
}
