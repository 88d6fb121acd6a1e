//! Which keys of NetworkManager's keyfiles are read, carried over as they stand, or do without.
//!
//! Source: nm-settings(5).

/// Keys that say nothing about how a network is entered.
const HARMLESS: &[(&str, &str)] = &[
    ("connection", "id"),
    ("connection", "uuid"),
    ("connection", "type"),
    ("connection", "autoconnect"),
    ("connection", "interface-name"),
    ("connection", "timestamp"),
    ("connection", "autoconnect-retries"),
    ("connection", "zone"),
    ("connection", "metered"),
    ("connection", "mdns"),
    ("connection", "llmnr"),
    ("connection", "lldp"),
    ("connection", "stable-id"),
    ("connection", "wait-device-timeout"),
    ("wifi", "seen-bssids"),
    ("wifi", "mac-address-blacklist"),
    ("wifi", "powersave"),
    ("ethernet", "mac-address-blacklist"),
    ("ethernet", "auto-negotiate"),
    ("ethernet", "wake-on-lan"),
    ("ipv4", "may-fail"),
    ("ipv6", "may-fail"),
    ("ipv4", "dhcp-hostname"),
    ("ipv4", "dhcp-send-hostname"),
    ("ipv6", "dhcp-hostname"),
    ("gsm", "network-id"),
    ("gsm", "home-only"),
    ("gsm", "auto-config"),
];
/// Keys that are carried over as they stand.
pub(super) const AS_THEY_STAND: &[(&str, &[&str])] = &[
    ("wifi", &["band", "channel", "cloned-mac-address", "mac-address", "mtu"]),
    ("ethernet", &["cloned-mac-address", "mac-address", "mtu"]),
    ("wifi-security", &["proto", "pairwise", "group", "auth-alg"]),
    ("802-1x", &["domain-suffix-match", "altsubject-matches"]),
    ("ipv4", &["dns-options", "dns-priority", "dhcp-timeout", "dad-timeout", "route-table"]),
    (
        "ipv6",
        &["addr-gen-mode", "ip6-privacy", "dns-options", "dns-priority", "dhcp-duid", "token"],
    ),
    ("ppp", &["refuse-eap", "refuse-pap", "refuse-chap", "refuse-mschap", "refuse-mschapv2"]),
    ("serial", &["baud"]),
];

/// Whether a key has been looked at, or says nothing that matters.
pub(super) fn is_known(section: &str, key: &str) -> bool {
    let is_numbered = |name: &str| {
        key.strip_prefix(name).is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()))
    };
    let known: &[&str] = match section {
        "connection" => &[
            "autoconnect-priority",
            "permissions",
            "master",
            "controller",
            "slave-type",
            "port-type",
            "secondaries",
        ],
        "wifi" => &["ssid", "mode", "hidden", "bssid"],
        "wifi-security" => &["key-mgmt", "psk", "psk-flags", "pmf"],
        "802-1x" => &[
            "eap",
            "identity",
            "anonymous-identity",
            "password",
            "password-flags",
            "phase2-auth",
            "phase2-autheap",
        ],
        "ipv4" | "ipv6" => {
            if is_numbered("address") || is_numbered("route") {
                return true;
            }
            &[
                "method",
                "gateway",
                "dns",
                "dns-search",
                "ignore-auto-dns",
                "never-default",
                "route-metric",
            ]
        }
        "vlan" => &["id", "parent", "flags"],
        "gsm" => &["apn", "number", "username", "password", "password-flags", "pin", "pin-flags"],
        "proxy" | "user" | ".nmmeta" => return true,
        _ => &[],
    };
    known.contains(&key) || HARMLESS.contains(&(section, key))
}
