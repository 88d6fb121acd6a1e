//! The part of the probe that tells of networks: interfaces, addresses, routes, and the files that set them up.

use super::{Lines, TUNNEL, text};
use crate::raspbian::Raspbian;
use crate::site::{BESIDE_MACHINE, NetworkKind};

/// Files that set up networks: folder and end of the name.
const FILES: [(&str, &str); 15] = [
    ("/etc/wpa_supplicant/", ".conf"),
    ("/etc/dhcpcd.conf", ""),
    ("/etc/network/interfaces", ""),
    ("/etc/network/interfaces.d/", ""),
    ("/etc/NetworkManager/system-connections/", ""),
    ("/run/NetworkManager/system-connections/", ""),
    ("/etc/netplan/", ".yaml"),
    ("/lib/netplan/", ".yaml"),
    ("/etc/systemd/network/", ""),
    ("/etc/systemd/timesyncd.conf", ""),
    ("/etc/ppp/peers/", ""),
    ("/etc/ppp/pap-secrets", ""),
    ("/etc/ppp/chap-secrets", ""),
    ("/etc/chatscripts/", ""),
    ("/etc/wvdial.conf", ""),
];

/// What `cfg80211` was told of the country.
const COUNTRY: &str = "GB";

pub(super) fn add(lines: &mut Lines, system: &Raspbian) {
    let pi = &system.pi;
    let site = &pi.site;
    let way = site.reached_by();
    lines.add("address", "lo 127.0.0.1");
    let reached_by = if pi.faults.tunnel { TUNNEL } else { way };
    lines.add("address", format_args!("{reached_by} {}", system.address()));
    let has_machine = site.kind == Some(NetworkKind::TwoWired);
    if has_machine {
        lines.add("address", format_args!("eth0 {BESIDE_MACHINE}"));
    }
    lines.add("virtual", "lo");
    if pi.faults.tunnel {
        lines.add("virtual", TUNNEL);
    }
    // Neither a VLAN nor a dialled line is hardware.
    if way.contains('.') || way.starts_with("ppp") {
        lines.add("virtual", way);
    }
    let metric = if way == "wlan0" { 302 } else { 202 };
    let mut route = |interface: &str, to: &str, by: &str, flags: &str, mask: &str| {
        // Interface, destination, gateway, flags, counts, metric, mask.
        lines.add(
            "route",
            format_args!("{interface}\t{to}\t{by}\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0"),
        );
    };
    // 192.168.1.0/24 with 192.168.1.1.
    route(way, "00000000", "0101A8C0", "0003", "00000000");
    route(way, "0001A8C0", "00000000", "0001", "00FFFFFF");
    if has_machine {
        route("eth0", "00004D0A", "00000000", "0001", "00FFFFFF");
    }
    for port in &site.ports {
        if port.is_radio() {
            lines.add("wireless", port.name);
        }
        lines.add("mac", format_args!("{} {}", port.name, port.mac));
    }
    if way.contains('.')
        && let Some(port) = site.ports.first()
    {
        lines.add("mac", format_args!("{way} {}", port.mac));
    }
    add_files(lines, system);
    for unit in &site.active {
        lines.add("net.active", unit);
    }
    if site.has_air() {
        lines.add("net.country", COUNTRY);
    }
}

/// Every file that sets up a network, each line of it.
fn add_files(lines: &mut Lines, system: &Raspbian) {
    let mut paths: Vec<(usize, String)> = Vec::new();
    let mut see = |path: &str| {
        let path = format!("/{path}");
        paths.extend(place(&path).map(|place| (place, path)));
    };
    system.pi.memory().files().for_each(|(path, _)| see(path));
    if let Some(partitions) = system.pi.card().partitions() {
        partitions.root.files().for_each(|(path, _)| see(path));
    }
    paths.sort();
    for (number, (_, path)) in (1..).zip(paths) {
        lines.add("net.file", format_args!("{number} {path}"));
        let text = text(system, &path).unwrap_or_default();
        for line in text.split_terminator('\n') {
            lines.add("net.line", format_args!("{number} {line}"));
        }
    }
}

/// The place of a file among those that set up networks.
fn place(path: &str) -> Option<usize> {
    FILES.iter().position(|(start, end)| match path.strip_prefix(start) {
        Some(name) if start.ends_with('/') => {
            !name.is_empty() && !name.contains('/') && !name.starts_with('.') && name.ends_with(end)
        }
        Some(rest) => rest.is_empty(),
        None => false,
    })
}
