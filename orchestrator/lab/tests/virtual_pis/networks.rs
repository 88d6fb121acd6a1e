//! Networks other than a cable with DHCP: who gets out, and who stays dark.

use std::collections::BTreeMap;

use crate::operator::{Operator, Trial, until};
use migos_contract::{Addressing, Command, DeadMan, Link, Network};
use migos_lab::State::{BalenaOs, Booting, Migos, Off, Raspbian};
use migos_lab::balena_api::HeartbeatState;
use migos_lab::{Lab, LabError, LabOptions, NetworkKind, Pace, VirtualPi, mixed_networks};

const WPA: &str = "network={\n\tssid=\"Kiosk WLAN\"\n\tpsk=\"correct horse; #1\"\n}\n";
const KEYFILE: &str = "[connection]\ntype=wifi\n[wifi]\nssid=Kiosk WLAN\n[wifi-security]\n\
    key-mgmt=wpa-psk\npsk=correct horse; #1\n";

/// What reaches a site's network.
struct Given {
    migos: Network,
    wifi: Option<String>,
    keyfile: String,
}

/// Boards of the lab that have what a kind of network needs.
fn place(kind: NetworkKind) -> &'static str {
    if kind.needs_radio() { "kiosk-003" } else { "kiosk-001" }
}

fn address(pi: &VirtualPi) -> String {
    format!("192.168.1.{}", pi.addr().port() % 200 + 10)
}

/// What is right for this kind of network; nothing where MIGOS has no way at all.
fn right(kind: NetworkKind, pi: &VirtualPi) -> Option<Given> {
    let interfaces = pi.interfaces();
    let link = |name: &str, addressing| Link {
        mac: interfaces[name].to_uppercase(),
        wifi: name == "wlan0",
        addressing,
    };
    let dhcp = || Addressing::Dhcp { client_id: None };
    let router = "192.168.1.1".parse().ok();
    let fixed = || Addressing::Static { addresses: vec![format!("{}/24", address(pi))], router };
    let static_ipv4 = format!(
        "[ipv4]\nmethod=manual\naddress1={}/24,192.168.1.1\ndns=192.168.1.53;\n",
        address(pi)
    );
    let over = |links, wifi: Option<&str>, keyfile: &str| {
        let dns = vec!["192.168.1.53".parse().unwrap()];
        let wifi = wifi.map(str::to_owned);
        Some(Given { migos: Network { links, dns }, wifi, keyfile: keyfile.to_owned() })
    };
    let wlan = |fields: &str, keys: &str| {
        let wifi = format!("country=GB\nnetwork={{\n{fields}\n}}\n");
        over(vec![link("wlan0", dhcp())], Some(&wifi), &format!("[connection]\ntype=wifi\n{keys}"))
    };
    let secured = |ssid: &str, psk: &str| {
        format!("[wifi]\nssid={ssid}\n[wifi-security]\nkey-mgmt=wpa-psk\npsk={psk}\n")
    };
    let key = "9f3f7572c2d9d6dc6d7c4c01bb8e34cae2a53d07e607aca1e4882a1f4b2b0953";
    match kind {
        NetworkKind::WiredDhcp => over(Vec::new(), None, "[connection]\ntype=ethernet\n"),
        NetworkKind::WiredStatic => over(
            vec![link("eth0", fixed())],
            None,
            &format!("[connection]\ntype=ethernet\n{static_ipv4}"),
        ),
        NetworkKind::Wifi => over(vec![link("wlan0", dhcp())], Some(WPA), KEYFILE),
        NetworkKind::WifiKey => wlan(&format!("ssid=\"Depot\"\npsk={key}"), &secured("Depot", key)),
        NetworkKind::WifiHidden => wlan(
            "ssid=\"cellar\"\nscan_ssid=1\npsk=\"back\\slash & \"quote\"\"",
            &secured("cellar\nhidden=true", r#"back\\slash & "quote""#),
        ),
        NetworkKind::WifiOpen => wlan("ssid=\"Guests\"\nkey_mgmt=NONE", "[wifi]\nssid=Guests\n"),
        NetworkKind::WifiSeveral => {
            let elsewhere = WPA.trim_end_matches("}\n");
            wlan(
                &format!("ssid=\"Depot South\"\npsk=\"south gate 2021\"\n}}\n{elsewhere}"),
                &secured("Depot South", "south gate 2021"),
            )
        }
        NetworkKind::WifiStatic => over(
            vec![link("wlan0", fixed())],
            Some("network={\nssid=\"Workshop\"\npsk=\"fixed and found\"\n}\n"),
            &format!(
                "[connection]\ntype=wifi\n{}{static_ipv4}",
                secured("Workshop", "fixed and found")
            ),
        ),
        NetworkKind::WifiEnterprise => wlan(
            "ssid=\"Office\"\nkey_mgmt=WPA-EAP\neap=PEAP\nidentity=\"kiosk\"\n\
             password=\"pea soup; 7\"\nphase2=\"auth=MSCHAPV2\"",
            "[wifi]\nssid=Office\n[wifi-security]\nkey-mgmt=wpa-eap\n[802-1x]\neap=peap;\n\
             identity=kiosk\npassword=pea soup; 7\nphase2-auth=mschapv2\n",
        ),
        NetworkKind::TwoWired => over(
            vec![link("eth1", dhcp())],
            None,
            &format!(
                "[connection]\ntype=ethernet\n[ethernet]\nmac-address={}\n[ipv4]\nmethod=manual\n\
                 address1=10.77.0.1/24\n",
                interfaces["eth0"]
            ),
        ),
        NetworkKind::Vlan | NetworkKind::Cellular => None,
    }
}

async fn raspbian(operator: &Operator, kind: NetworkKind) -> &VirtualPi {
    let pi = operator.lab.device(place(kind)).unwrap();
    until(pi, |life| life.state == Raspbian).await;
    assert_eq!(pi.network(), Some(kind));
    pi
}

async fn trial(operator: &Operator, pi: &VirtualPi, given: &Given) -> Trial {
    let mut trial = Trial::new(operator, pi).await;
    trial.job.network = given.migos.clone();
    trial.wifi.clone_from(&given.wifi);
    trial
}

/// Has MIGOS flash a device with these keyfiles; the uuid under which it would report.
async fn flash(
    operator: &Operator,
    pi: &VirtualPi,
    trial: &Trial,
    files: &[(&str, &str)],
) -> String {
    let migos = trial.start_migos(operator, pi).await;
    let uuid = "0123456789abcdef0123456789abcdef".to_owned();
    let mut configuration = operator.configuration(&uuid, pi).await;
    let keyfiles =
        files.iter().map(|(name, text)| (format!("system-connections/{name}"), (*text).to_owned()));
    configuration.files.extend(keyfiles);
    migos.migos(&Command::Configure, Some(&configuration)).await.unwrap();
    migos.migos(&trial.commit(), None).await.unwrap();
    uuid
}

#[tokio::test]
async fn every_network_that_migos_can_use_leads_to_balena() {
    for kind in NetworkKind::ALL {
        let operator = Operator::with_networks(3, [(place(kind), kind)], "").await;
        let pi = raspbian(&operator, kind).await;
        let Some(given) = right(kind, pi) else { continue };
        let trial = trial(&operator, pi, &given).await;
        let uuid = flash(&operator, pi, &trial, &[("migos-1", &given.keyfile)]).await;
        let life = until(pi, |life| life.reports > 0).await;
        assert_eq!(
            life.states,
            [Off, Booting, Raspbian, Booting, Migos, Booting, BalenaOs],
            "{kind:?}"
        );
        let way = match kind {
            NetworkKind::TwoWired => "eth1",
            kind if kind.needs_radio() => "wlan0",
            _ => "eth0",
        };
        let mac = pi.interfaces()[way].to_uppercase();
        assert_eq!(operator.record(&uuid).mac_address, Some(mac), "{kind:?}");
    }
}

/// What is wrong for a kind of network in two ways; for one that MIGOS cannot use nothing is right.
fn wrong(kind: NetworkKind, pi: &VirtualPi) -> Vec<Given> {
    let nothing = Given { migos: Network::default(), wifi: None, keyfile: String::new() };
    let Some(mut given) = right(kind, pi) else { return vec![nothing] };
    let unnamed = Given { wifi: given.wifi.clone(), ..nothing };
    given.wifi = given.wifi.map(|wifi| wifi.replace("#1", "#2"));
    if kind == NetworkKind::WiredStatic {
        given.migos.links[0].mac = "b8:27:eb:00:00:00".to_owned();
    }
    vec![unnamed, given]
}

#[tokio::test]
async fn migos_is_reached_by_its_job_s_network_alone() {
    let kinds =
        [NetworkKind::WiredStatic, NetworkKind::Wifi, NetworkKind::Vlan, NetworkKind::Cellular];
    for kind in kinds {
        let operator = Operator::with_networks(3, [(place(kind), kind)], "").await;
        let pi = raspbian(&operator, kind).await;
        for (number, given) in (1..).zip(&wrong(kind, pi)) {
            let mut trial = trial(&operator, pi, given).await;
            trial.job.dead_man = DeadMan { contact_seconds: 1, commit_seconds: 60 };
            let ssh = operator.login(pi).await;
            trial.stage(&operator, pi, &ssh).await;
            ssh.must("arm", &[], b"").await;
            let met = until(pi, |life| life.boots == 2 * number && life.state == Migos).await;
            assert!(trial.connect(pi).await.is_err(), "{kind:?}");
            let back = until(pi, |life| life.boots > met.boots && life.state == Raspbian).await;
            assert_eq!(back.boots, met.boots + 1, "{kind:?}: the dead-man brings it back");
        }
    }
}

#[tokio::test]
async fn a_device_that_lost_its_wifi_stays_dark() {
    for (keyfiles, why) in [
        (vec![], "none"),
        (vec![("migos.config", KEYFILE.to_owned())], "NetworkManager passes over such names"),
        (vec![("wifi", KEYFILE.replace("#1", "#2"))], "another passphrase"),
        (vec![("wifi", format!("{KEYFILE}[ipv4]\nmethod=manual\n"))], "no address"),
    ] {
        dark(&keyfiles, "", why).await;
    }
    dark(&[("wifi", KEYFILE.to_owned())], "kiosk-003: [lost-keyfiles]", "a fault").await;
}

/// The device with Wi-Fi is flashed, and long after a device beside it has reported nothing was heard of it.
async fn dark(keyfiles: &[(&str, String)], faults: &str, why: &str) {
    let kind = NetworkKind::Wifi;
    let operator = Operator::with_networks(3, [(place(kind), kind)], faults).await;
    let pi = raspbian(&operator, kind).await;
    let given = right(kind, pi).unwrap();
    let trial_of = trial(&operator, pi, &given).await;
    let files: Vec<(&str, &str)> =
        keyfiles.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let uuid = flash(&operator, pi, &trial_of, &files).await;
    until(pi, |life| life.state == BalenaOs).await;

    let beside = operator.lab.device("kiosk-001").unwrap();
    until(beside, |life| life.state == Raspbian).await;
    let other = Trial::new(&operator, beside).await;
    let migos = other.start_migos(&operator, beside).await;
    let configuration = operator.configuration(&"b".repeat(32), beside).await;
    migos.migos(&Command::Configure, Some(&configuration)).await.unwrap();
    migos.migos(&other.commit(), None).await.unwrap();
    until(beside, |life| life.reports > 1).await;
    assert_eq!(operator.record(&uuid).heartbeat, HeartbeatState::Unknown, "{why}");
    assert_eq!(pi.life().reports, 0, "{why}");
}

#[tokio::test]
async fn the_probe_tells_the_files_and_they_can_be_read() {
    let networks = mixed_networks(30, 1);
    let told = networks.iter().map(|(name, kind)| (name.as_str(), *kind));
    let operator = Operator::with_networks(30, told, "").await;
    let mut seen = String::new();
    for pi in operator.lab.devices() {
        until(pi, |life| life.state == Raspbian).await;
        let ssh = operator.login(pi).await;
        let text = ssh.must("probe", &[], b"").await;
        let all = |key: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.filter(|(own, _)| *own == key).map(|(_, value)| value).collect::<Vec<_>>()
        };
        let mut files = BTreeMap::new();
        for file in all("net.file") {
            let (number, path) = file.split_once(' ').unwrap();
            let lines = all("net.line").into_iter().filter_map(|line| {
                line.strip_prefix(number)?.strip_prefix(' ').map(|line| format!("{line}\n"))
            });
            let lines: String = lines.collect();
            assert_eq!(ssh.must("read", &[path, "65536"], b"").await, lines, "{path}");
            files.insert(path.to_owned(), lines);
        }
        let way = all("route")[0].split('\t').next().unwrap().to_owned();
        let line = format!(
            "{} {:?} {way} {:?} {:?}\n",
            pi.name(),
            pi.network().unwrap(),
            pi.release(),
            all("net.active")
        );
        seen += &line;
        for path in files.keys() {
            seen += &format!("  {path}\n");
        }
    }
    insta::assert_snapshot!(seen, @r#"
    kiosk-001 WiredDhcp eth0 Buster ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
    kiosk-002 WiredStatic eth0 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
    kiosk-003 WiredDhcp eth0 BookwormArm64 ["NetworkManager", "wpa_supplicant"]
    kiosk-004 WiredStatic eth0 BookwormArm64 ["NetworkManager", "wpa_supplicant"]
      /etc/NetworkManager/system-connections/Wired connection 1.nmconnection
    kiosk-005 Wifi wlan0 TrixieArm64 ["NetworkManager", "wpa_supplicant"]
      /etc/netplan/90-NM-63b1ba02-a6b8-fc29-7b56-498c4ae7d3f0.yaml
      /lib/netplan/00-network-manager-all.yaml
      /run/NetworkManager/system-connections/netplan-NM-63b1ba02-a6b8-fc29-7b56-498c4ae7d3f0-Kiosk%20WLAN.nmconnection
    kiosk-006 Vlan eth0.42 Stretch ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/network/interfaces.d/vlan
    kiosk-007 WifiKey wlan0 Buster ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/wpa_supplicant/wpa_supplicant.conf
    kiosk-008 WifiHidden wlan0 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/wpa_supplicant/wpa_supplicant.conf
    kiosk-009 TwoWired eth1 BookwormArm64 ["NetworkManager", "wpa_supplicant"]
      /etc/NetworkManager/system-connections/machine.nmconnection
      /etc/NetworkManager/system-connections/uplink.nmconnection
    kiosk-010 WifiOpen wlan0 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/wpa_supplicant/wpa_supplicant.conf
    kiosk-011 WifiSeveral wlan0 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/wpa_supplicant/wpa_supplicant.conf
    kiosk-012 WifiStatic wlan0 TrixieArm64 ["NetworkManager", "wpa_supplicant"]
      /etc/netplan/90-NM-663066fe-6c07-40fa-af95-8886af3ea7b9.yaml
      /lib/netplan/00-network-manager-all.yaml
      /run/NetworkManager/system-connections/netplan-NM-663066fe-6c07-40fa-af95-8886af3ea7b9-Workshop.nmconnection
    kiosk-013 WifiEnterprise wlan0 BookwormArm64 ["NetworkManager", "wpa_supplicant"]
      /etc/NetworkManager/system-connections/preconfigured.nmconnection
    kiosk-014 Cellular ppp0 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/chatscripts/provider
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/network/interfaces.d/modem
      /etc/ppp/peers/provider
    kiosk-015 Vlan eth0.42 Stretch ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/network/interfaces.d/vlan
    kiosk-016 TwoWired eth1 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
    kiosk-017 Cellular wwan0 TrixieArm64 ["NetworkManager", "wpa_supplicant", "ModemManager"]
      /etc/netplan/90-NM-d1409034-9d68-ca0f-9fa5-b84d4cf1fedd.yaml
      /lib/netplan/00-network-manager-all.yaml
      /run/NetworkManager/system-connections/netplan-NM-d1409034-9d68-ca0f-9fa5-b84d4cf1fedd.nmconnection
    kiosk-018 WiredDhcp eth0 Stretch ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
    kiosk-019 WiredStatic eth0 Buster ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
    kiosk-020 WiredDhcp eth0 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
    kiosk-021 WiredStatic eth0 BookwormArmhf ["NetworkManager", "wpa_supplicant"]
      /etc/NetworkManager/system-connections/Wired connection 1.nmconnection
    kiosk-022 Wifi wlan0 BookwormArm64 ["NetworkManager", "wpa_supplicant"]
      /etc/NetworkManager/system-connections/preconfigured.nmconnection
    kiosk-023 WifiKey wlan0 BookwormArmhf ["NetworkManager", "wpa_supplicant"]
      /etc/NetworkManager/system-connections/preconfigured.nmconnection
    kiosk-024 WifiHidden wlan0 BookwormArmhf ["NetworkManager", "wpa_supplicant"]
      /etc/NetworkManager/system-connections/preconfigured.nmconnection
    kiosk-025 WifiOpen wlan0 Buster ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/wpa_supplicant/wpa_supplicant.conf
    kiosk-026 Vlan eth0.42 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/network/interfaces.d/vlan
    kiosk-027 WifiSeveral wlan0 Buster ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/wpa_supplicant/wpa_supplicant.conf
    kiosk-028 WifiStatic wlan0 Buster ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/wpa_supplicant/wpa_supplicant.conf
    kiosk-029 WifiEnterprise wlan0 BookwormArm64 ["NetworkManager", "wpa_supplicant"]
      /etc/NetworkManager/system-connections/preconfigured.nmconnection
    kiosk-030 Vlan eth0.42 Bullseye ["dhcpcd", "networking", "wpa_supplicant"]
      /etc/dhcpcd.conf
      /etc/network/interfaces
      /etc/network/interfaces.d/vlan
    "#);
}

#[tokio::test]
async fn wifi_for_a_board_without_a_radio_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = |name: &str| LabOptions {
        devices: 2,
        seed: 1,
        faults: Default::default(),
        networks: BTreeMap::from([(name.to_owned(), NetworkKind::Wifi)]),
        pace: Pace::test(),
        dir: dir.path().to_owned(),
        api_port: 0,
    };
    let refused = Lab::start(options("kiosk-001")).await.err().unwrap();
    assert!(matches!(refused, LabError::NoRadio { .. }), "{refused}");
    let refused = Lab::start(options("kiosk-004")).await.err().unwrap();
    assert_eq!(
        refused.to_string(),
        "the networks name kiosk-004, but the lab's devices are kiosk-001 to kiosk-002"
    );
}
