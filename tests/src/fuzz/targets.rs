//! One function for each reader: it says what must hold, whatever the text. A new reader is one line of [`TARGETS`].

use super::{Target, inventories, records};
use migos_contract::{Job, Status};
use migos_events::{History, Record};
use migos_inventory::{DeviceId, Problems, select_from};
use migos_payload::boot_document::{CmdlineTxt, ConfigTxt};
use migos_payload::keyfile::Keyfile;
use migos_payload::network::{ConfigFile, Found, Interface, translate};
use migos_playbooks::facts::FactsFile;
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::Policy;
use migos_playbooks::rate::Rate;
use migos_playbooks::span::Span;
use migos_playbooks::window::check_hours;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

macro_rules! seeds {
    ($($file:literal),+) => { &[$(include_bytes!(concat!("../../fuzz/", $file))),+] };
}

/// All readers.
pub const TARGETS: &[Target] = &[
    Target { name: "inventory", read: inventory, seeds: seeds!("inventory.yaml", "small.yaml") },
    Target {
        name: "host-list",
        read: inventories::host_list,
        seeds: &[b"pi@kiosk-1,kiosk-2:2222,[::1]:22,"],
    },
    Target { name: "policy", read: policy, seeds: seeds!("policy.yaml") },
    Target { name: "playbook", read: playbook, seeds: seeds!("playbook.yaml") },
    Target { name: "settings", read: inventories::settings, seeds: seeds!("settings.yaml") },
    Target {
        name: "ansible",
        read: inventories::ansible,
        seeds: seeds!("ansible.yaml", "hosts.yml"),
    },
    Target { name: "ansible-listed", read: inventories::ansible, seeds: seeds!("listed.json") },
    Target { name: "ansible-hosts", read: inventories::hosts, seeds: HOSTS },
    Target { name: "group-vars", read: inventories::group_vars, seeds: seeds!("group_vars.yaml") },
    Target { name: "ansible-cfg", read: inventories::ansible_cfg, seeds: seeds!("ansible.cfg") },
    Target { name: "ssh-config", read: inventories::ssh_config, seeds: seeds!("ssh_config") },
    Target { name: "ssh-args", read: inventories::ssh_args, seeds: ARGUMENTS },
    Target { name: "table", read: inventories::table, seeds: seeds!("devices.csv") },
    Target { name: "known-hosts", read: records::known_hosts, seeds: seeds!("known_hosts") },
    Target { name: "ranges", read: ranges, seeds: &[b"kiosk-[001:060]", b"rack-[a:f]-[1:9:2]"] },
    Target { name: "limits", read: limits, seeds: LIMITS },
    Target { name: "patterns", read: inventories::patterns, seeds: PATTERNS },
    Target { name: "lengths", read: lengths, seeds: &[b"1h 30m", b"14d", b"4MB/s", b"500kB/s"] },
    Target { name: "dhcpcd", read: dhcpcd, seeds: seeds!("dhcpcd.conf") },
    Target { name: "wpa-supplicant", read: wpa, seeds: seeds!("wpa_supplicant.conf") },
    Target { name: "interfaces", read: interfaces, seeds: seeds!("interfaces") },
    Target { name: "networkmanager", read: networkmanager, seeds: seeds!("wifi.nmconnection") },
    Target { name: "netplan", read: netplan, seeds: seeds!("netplan.yaml") },
    Target { name: "networkd", read: networkd, seeds: seeds!("wire.network") },
    Target { name: "keyfile", read: keyfile, seeds: seeds!("wifi.nmconnection") },
    Target { name: "config-txt", read: config_txt, seeds: seeds!("config.txt") },
    Target { name: "cmdline-txt", read: cmdline_txt, seeds: seeds!("cmdline.txt") },
    Target { name: "probe", read: records::probe, seeds: seeds!("probe.txt") },
    Target { name: "status", read: again::<Status>, seeds: seeds!("status.json") },
    Target { name: "job", read: again::<Job>, seeds: seeds!("job.json") },
    Target { name: "plan", read: records::plan, seeds: seeds!("plan.json") },
    Target { name: "facts", read: again::<FactsFile>, seeds: seeds!("facts.json") },
    Target { name: "image", read: records::image, seeds: seeds!("card.img", "card.img.gz") },
    Target { name: "journal", read: journal, seeds: seeds!("journal.jsonl") },
];

/// Names of hosts, as Ansible takes them.
const HOSTS: &[&[u8]] = &[b"www[01:50:2].example.org:2222", b"[fe80::1]:22", b"db-[a:c]-[:3]"];

/// Arguments for ssh, and hosts on the way.
const ARGUMENTS: &[&[u8]] = &[
    b"-C -o ControlMaster=auto -oPort=22 -i '~/a b' -p2222 -l admin -J ops@b.example:2200,[::1]:7",
    b"-o ProxyCommand=\"ssh -q -W %h:%p -p 2200 ops@b\" -o 'UserKnownHostsFile /dev/null' -F none",
    b"ops@b.example:2200,ssh://[fe80::1]:22/,none",
];

/// Patterns without groups.
const LIMITS: &[&[u8]] = &[b"kiosk-[1:3],!b,kiosk-*", b"all:&a:!kiosk-2"];

/// Patterns, and positions in groups.
const PATTERNS: &[&[u8]] =
    &[b"north:&south,!kiosk-00[1:4]", b"~kiosk-0.*5$,kiosk-*[6:]", b"south[-1],all[1-2],bench-?"];

pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// What is refused is refused with words, at a place that the text has, and sends nothing to the terminal.
pub(super) fn told<T>(read: Result<T, Problems>, text: &str) -> Option<T> {
    let problems = match read {
        Ok(value) => return Some(value),
        Err(problems) => problems,
    };
    assert!(!problems.0.is_empty());
    let lines = text.split(['\n', '\r']).count();
    for problem in problems.0 {
        assert!(problem.line >= 1 && problem.column >= 1 && problem.line <= lines + 1, "{problem}");
        assert!(!problem.to_string().contains('\u{1b}'), "{problem}");
    }
    None
}

fn inventory(bytes: &[u8]) {
    let text = text(bytes);
    let read = migos_inventory::parse_with("any.yaml", &text, &check_hours);
    if let Some(fleet) = told(read, &text) {
        assert_eq!(fleet.order.len(), fleet.devices.len());
        assert!(!fleet.order.is_empty());
    }
}

fn policy(bytes: &[u8]) {
    let text = text(bytes);
    if let Some(policy) = told(Policy::parse("any.yaml", &text), &text) {
        assert!(policy.most_in_flight() >= 1 && !policy.stages.is_empty());
    }
}

fn playbook(bytes: &[u8]) {
    let text = text(bytes);
    if let Some(playbook) = told(Playbook::parse("any.yaml", &text), &text) {
        assert_eq!(Playbook::new(playbook.steps().to_vec()).ok(), Some(playbook));
    }
}

fn ranges(bytes: &[u8]) {
    let name = serde_json::to_string(&text(bytes)).unwrap_or_default();
    let text = format!("migos: 1\ngroups: {{ a: {{ devices: [{name}] }} }}\n");
    let _ = told(migos_inventory::parse("any.yaml", &text), &text);
}

fn limits(bytes: &[u8]) {
    let names = ["kiosk-1", "kiosk-2", "b"].into_iter().filter_map(|name| DeviceId::new(name).ok());
    let names: Vec<DeviceId> = names.collect();
    match select_from(&names, Some(&text(bytes))) {
        Ok(chosen) => assert!(chosen.iter().all(|name| names.contains(name))),
        Err(error) => assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
    }
}

fn lengths(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(span) = text.parse::<Span>() {
        // What is read can be added up.
        assert!(span.0.checked_mul(1000).is_some());
        assert_eq!(span.to_string().parse(), Ok(span));
    }
    if let Ok(rate) = text.parse::<Rate>() {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
}

/// A file that configures a network, read as the one of a device that uses it.
fn network(path: &str, bytes: &[u8]) {
    let interface = |name: &str, mac: &str, wireless| Interface {
        name: name.to_owned(),
        mac: mac.to_owned(),
        wireless,
        addresses: Vec::new(),
        is_default_route: wireless,
    };
    let units = ["dhcpcd", "networking", "NetworkManager", "systemd-networkd", "wpa_supplicant"];
    for active in [&units[..], &units[..1], &units[1..2], &units[2..3], &units[3..4]] {
        let found = Found {
            files: vec![ConfigFile { path: path.to_owned(), text: text(bytes).into_owned() }],
            interfaces: vec![
                interface("eth0", "b8:27:eb:00:00:01", false),
                interface("wlan0", "b8:27:eb:00:00:02", true),
            ],
            active: active.iter().map(|unit| (*unit).to_owned()).collect(),
            ..Found::default()
        };
        if let Err(refused) = translate(&found) {
            assert!(refused.iter().all(|line| !line.why.is_empty()));
        }
    }
}

fn dhcpcd(bytes: &[u8]) {
    network("/etc/dhcpcd.conf", bytes);
}

fn wpa(bytes: &[u8]) {
    network("/etc/wpa_supplicant/wpa_supplicant.conf", bytes);
}

fn interfaces(bytes: &[u8]) {
    network("/etc/network/interfaces", bytes);
}

fn networkmanager(bytes: &[u8]) {
    network("/etc/NetworkManager/system-connections/a.nmconnection", bytes);
}

fn netplan(bytes: &[u8]) {
    network("/etc/netplan/a.yaml", bytes);
}

fn networkd(bytes: &[u8]) {
    network("/etc/systemd/network/a.network", bytes);
}

fn keyfile(bytes: &[u8]) {
    if let Ok(keyfile) = Keyfile::parse(&text(bytes)) {
        let _ = (keyfile.is_wifi(), keyfile.ssid());
    }
}

fn config_txt(bytes: &[u8]) {
    let config = ConfigTxt::parse(bytes);
    assert_eq!(config.to_bytes(), bytes);
    assert!(config.remarks().iter().all(|remark| !remark.to_string().contains('\n')));
}

fn cmdline_txt(bytes: &[u8]) {
    let cmdline = CmdlineTxt::parse(bytes);
    assert_eq!(cmdline.to_bytes(), bytes);
    assert!(cmdline.dropping(|_| true).line().is_empty());
}

/// What is read is written again as it is meant.
fn again<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return };
    let Ok(written) = serde_json::to_value(&value) else { return };
    let read =
        serde_json::from_value::<T>(written.clone()).map(|value| serde_json::to_value(&value).ok());
    assert_eq!(read.ok().flatten(), Some(written));
}

fn journal(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n');
    let records: Vec<Record> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let _ = History::replay(&records);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use migos_inventory::{Ground, Source, load};
    use migos_playbooks::plan::Plan;

    #[test]
    fn what_is_changed_is_understood_as_it_stands() {
        let seed = |name: &str| {
            let target = TARGETS.iter().find(|target| target.name == name).unwrap();
            std::str::from_utf8(target.seeds.first().unwrap()).unwrap()
        };
        let load = |name| {
            let source =
                Source { name, text: seed(name), folder: None, variables: &[], is_list: false };
            let listed = load(&[source], &Ground::default(), &check_hours);
            listed
                .map(|loaded| loaded.fleet.order.len())
                .map_err(|refused| refused.problems.0.len())
        };
        // What is encrypted, or a template, is refused; all else of it is read.
        assert_eq!(load("ansible"), Err(2));
        assert_eq!(load("ansible-listed"), Ok(3));
        migos_inventory::parse_with("inventory", seed("inventory"), &check_hours).unwrap();
        migos_inventory::from_csv("table", seed("table").as_bytes(), &[]).unwrap();
        Policy::parse("policy", seed("policy")).unwrap();
        Playbook::parse("playbook", seed("playbook")).unwrap();
        Keyfile::parse(seed("keyfile")).unwrap();
        migos_playbooks::facts::parse(seed("probe")).unwrap();
        Plan::from_json(seed("plan")).unwrap().check().unwrap();
        serde_json::from_str::<FactsFile>(seed("facts")).unwrap();
        serde_json::from_str::<Status>(seed("status")).unwrap();
        serde_json::from_str::<Job>(seed("job")).unwrap();
        serde_json::from_str::<Record>(seed("journal")).unwrap();
        // Two, and one that is revoked, as `ssh-keygen -F kiosk-1` has it.
        assert_eq!(migos_ssh::known_keys(seed("known-hosts"), "kiosk-1", 22).len(), 3);
    }
}
