//! Masked texts: they hold no secret, and translate as the texts do.

use super::corpus::cases;
use migos_payload::network::{
    ConfigFile, Found, Interface, Networks, SECRET, Untranslatable, mask, translate,
};
use proptest::prelude::*;

fn masked(found: &Found) -> Found {
    Found { files: found.files.iter().map(mask).collect(), ..found.clone() }
}

/// What is made of networks, with the stand-in of every secret.
fn shape(
    result: Result<Networks, Vec<Untranslatable>>,
) -> Result<Vec<String>, Vec<Untranslatable>> {
    let networks = result?;
    let of = |path: String, text: &String| mask(&ConfigFile { path, text: text.clone() }).text;
    let keyfile = |(name, text): (&String, &String)| {
        of(format!("/etc/NetworkManager/system-connections/{name}"), text)
    };
    let mut all: Vec<String> = networks.keyfiles.iter().map(keyfile).collect();
    let wifi = networks.wifi.as_ref();
    all.extend(wifi.map(|it| of("/etc/wpa_supplicant/wpa_supplicant.conf".to_owned(), it)));
    all.push(format!("{:?} {:?}", networks.migos, networks.migos_cannot));
    all.push(format!("{:?} {:?} {:?}", networks.country, networks.ntp, networks.notes));
    Ok(all)
}

#[test]
fn masked_cases_translate_as_they_do_unmasked() {
    for (name, found) in cases() {
        let masked = masked(&found);
        for (file, bare) in found.files.iter().zip(&masked.files) {
            assert_eq!(file.text.lines().count(), bare.text.lines().count(), "{name}: {file:?}");
            assert_eq!(mask(bare), *bare, "{name}: {file:?}");
        }
        assert_eq!(shape(translate(&masked)), shape(translate(&found)), "{name}");
        for secret in [
            "hunter2",
            "correct horse",
            "passphrase",
            "pass;word",
            "web;pass",
            "a\"b",
            "a1b2c3d4a1",
        ] {
            let all = masked.files.iter().any(|it| it.text.contains(secret));
            assert!(!all, "{name} still has {secret}");
        }
    }
}

/// A file of a kind, and what runs then.
fn file(kind: u8, ssid: &str, secret: &str) -> (ConfigFile, &'static str) {
    let (path, text, active) = match kind {
        0 => (
            "/etc/wpa_supplicant/wpa_supplicant.conf",
            format!(
                "network={{\n\tssid=\"{ssid}\"\n\t#psk=\"{secret}\"\n\tpsk=\"{secret}\" # {secret}\n}}\n"
            ),
            "dhcpcd",
        ),
        1 => (
            "/etc/wpa_supplicant/wpa_supplicant.conf",
            format!(
                "network={{\n\tssid=\"{ssid}\"\n\tkey_mgmt=SAE\n\tsae_password=\"{secret}\"\n}}\n"
            ),
            "dhcpcd",
        ),
        2 => (
            "/etc/wpa_supplicant/wpa_supplicant.conf",
            format!(
                "network={{\n\tssid=\"{ssid}\"\n\tkey_mgmt=WPA-EAP\n\teap=PEAP\n\tidentity=\"me\"\n\tpassword=\"{secret}\"\n}}\n"
            ),
            "dhcpcd",
        ),
        3 => (
            "/etc/NetworkManager/system-connections/x",
            format!(
                "[connection]\ntype=wifi\n[wifi]\nssid={ssid}\n[wifi-security]\n# {secret}\nkey-mgmt=wpa-psk\npsk={}\n",
                secret.replace('\\', "\\\\").replace(' ', "\\s")
            ),
            "NetworkManager",
        ),
        4 => (
            "/etc/NetworkManager/system-connections/x",
            format!(
                "[connection]\ntype=wireguard\n[wireguard]\nprivate-key={secret}\nlisten-port={secret}\n"
            ),
            "NetworkManager",
        ),
        5 => (
            "/etc/network/interfaces",
            format!(
                "auto wlan0\niface wlan0 inet dhcp\n wpa-ssid {ssid}\n wpa-psk {secret}\n# {secret}\n down curl -d {secret}\n"
            ),
            "networking",
        ),
        6 => (
            "/etc/netplan/x.yaml",
            format!(
                "network:\n  renderer: NetworkManager\n  wifis:\n    wlan0:\n      dhcp4: yes # {}\n      access-points:\n        \
                 \"{ssid}\": {{password: {}}}\n",
                secret,
                serde_json::to_string(secret).unwrap()
            ),
            "NetworkManager",
        ),
        _ => (
            "/etc/wvdial.conf",
            format!(
                "[Dialer Defaults]\nInit = AT+CGDCONT=1,\"IP\",\"web\"\nUsername = u\nPassword = {secret}\n"
            ),
            "wvdial",
        ),
    };
    (ConfigFile { path: path.to_owned(), text }, active)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_masked_text_keeps_a_secret(
        kind in 0u8..8,
        ssid in "[A-Za-z0-9]{1,20}",
        secret in r##"[!-~é]([ -~é]{6,60})[!-~é]"##,
    ) {
        // What the text says anyway is no secret.
        prop_assume!(!SECRET.contains(secret.as_str()) && !ssid.contains(secret.as_str()));
        // There a line that ends with a backslash goes on in the next one.
        prop_assume!(kind != 5 || !secret.ends_with('\\'));
        let (file, active) = file(kind, &ssid, &secret);
        let interface = Interface {
            name: "wlan0".to_owned(),
            mac: "b8:27:eb:00:00:02".to_owned(),
            wireless: true,
            addresses: Vec::new(),
            is_default_route: true,
        };
        let found = Found {
            files: vec![file],
            interfaces: vec![interface],
            active: [active.to_owned()].into(),
            ..Found::default()
        };
        let bare = masked(&found);
        let text = &bare.files[0].text;
        prop_assert!(!text.contains(&secret), "{}", text);
        prop_assert!(!text.contains(secret.get(..6).unwrap_or(&secret)), "{}", text);
        prop_assert_eq!(shape(translate(&bare)), shape(translate(&found)));
    }

    #[test]
    fn whatever_stands_in_a_file_is_read_to_its_end(
        path in prop::sample::select(vec![
            "/etc/wpa_supplicant/wpa_supplicant.conf",
            "/etc/dhcpcd.conf",
            "/etc/network/interfaces",
            "/etc/NetworkManager/system-connections/x",
            "/etc/netplan/x.yaml",
            "/etc/systemd/network/x.network",
            "/etc/ppp/peers/x",
            "/etc/wvdial.conf",
        ]),
        words in prop::collection::vec(
            prop_oneof![
                Just("network={\n".to_owned()), Just("ssid=".to_owned()), Just("psk=\"".to_owned()), Just("}\n".to_owned()),
                Just("interface wlan0\n".to_owned()), Just("static ip_address=".to_owned()), Just("P\"\\x".to_owned()),
                Just("[connection]\ntype=wifi\n[wifi]\n".to_owned()), Just("network:\n  wifis:\n    ".to_owned()),
                Just("[Match]\nName=*\n[Network]\n".to_owned()), Just("iface wlan0 inet static\n".to_owned()),
                Just("[wifi-security]\npsk=".to_owned()), Just("AT+CPIN=".to_owned()), Just("\\\n".to_owned()),
                "[ -~é\n\r\t]{0,12}",
            ],
            0..24,
        ),
    ) {
        let file = ConfigFile { path: path.to_owned(), text: words.concat() };
        let bare = mask(&file);
        prop_assert_eq!(bare.text.matches('\n').count(), file.text.matches('\n').count());
        let interface = Interface {
            name: "wlan0".to_owned(),
            mac: "b8:27:eb:00:00:02".to_owned(),
            wireless: true,
            addresses: Vec::new(),
            is_default_route: true,
        };
        for active in ["dhcpcd", "networking", "NetworkManager", "systemd-networkd", "wvdial"] {
            let found = Found {
                files: vec![file.clone()],
                interfaces: vec![interface.clone()],
                active: [active.to_owned()].into(),
                ..Found::default()
            };
            let _ = translate(&found);
        }
    }
}
