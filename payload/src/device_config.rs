//! `config.json`, which makes a flashed card this one device on balena.
//!
//! All four registration fields (`uuid`, `deviceApiKey`, `deviceId`, `registered_at`) and no `apiKey`: the
//! supervisor then makes no provisioning call at all. With any of them missing it would register again, as
//! another device, or never (balena-supervisor, src/lib/api-helper.ts).

use serde::Serialize;

/// The path of the file on balenaOS's boot partition.
pub const CONFIG_JSON: &str = "config.json";

/// What a device is registered as.
#[derive(Debug, Clone)]
pub struct Registered<'a> {
    /// The API it speaks to, without a slash at the end.
    pub api: &'a str,
    /// The numeric id of its fleet.
    pub fleet: u64,
    /// Its balena device type.
    pub device_type: &'a str,
    /// Its uuid.
    pub uuid: &'a str,
    /// Its own key.
    pub device_key: &'a str,
    /// Its numeric id.
    pub id: u64,
    /// When it was registered, in seconds since 1970.
    pub at: i64,
    /// The host name it had.
    pub hostname: &'a str,
    /// What balenaOS itself is told.
    pub system: System<'a>,
}

/// What balenaOS itself is told; nothing of it has to be.
#[derive(Debug, Clone, Default)]
pub struct System<'a> {
    /// Public keys that may log in as root on port 22222.
    pub ssh_keys: &'a [String],
    /// Time servers instead of balena's.
    pub ntp_servers: Vec<String>,
    /// Name servers besides those of the network.
    pub dns_servers: Vec<String>,
    /// The country whose rules its Wi-Fi keeps: two letters.
    pub country: Option<&'a str>,
    /// The certificates of the API's own authority, as PEM.
    pub ca: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigJson<'a> {
    api_endpoint: &'a str,
    application_id: u64,
    device_type: &'a str,
    uuid: &'a str,
    device_api_key: &'a str,
    device_id: u64,
    #[serde(rename = "registered_at")]
    registered_at: i64,
    /// Milliseconds; the supervisor's own default.
    app_update_poll_interval: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    hostname: &'a str,
    /// Lists are texts, with spaces between.
    #[serde(skip_serializing_if = "String::is_empty")]
    ntp_servers: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    dns_servers: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    /// Base64 of PEM.
    #[serde(rename = "balenaRootCA", skip_serializing_if = "Option::is_none")]
    root_ca: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<Os<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Os<'a> {
    ssh_keys: &'a [String],
}

/// The text of `config.json`. It holds the device's key: it is a secret.
///
/// # Errors
/// None in practice: the fields are plain data.
pub fn config_json(registered: &Registered<'_>) -> Result<String, serde_json::Error> {
    let system = &registered.system;
    serde_json::to_string_pretty(&ConfigJson {
        api_endpoint: registered.api,
        application_id: registered.fleet,
        device_type: registered.device_type,
        uuid: registered.uuid,
        device_api_key: registered.device_key,
        device_id: registered.id,
        registered_at: registered.at,
        app_update_poll_interval: 900_000,
        hostname: registered.hostname,
        ntp_servers: system.ntp_servers.join(" "),
        dns_servers: system.dns_servers.join(" "),
        country: system.country,
        root_ca: system.ca.map(|pem| base64(pem.as_bytes())),
        os: (!system.ssh_keys.is_empty()).then_some(Os { ssh_keys: system.ssh_keys }),
    })
}

/// Base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |n: usize| u32::from(three.get(n).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let sign = SIGNS.get((bits >> (18 - 6 * n) & 63) as usize).copied();
            let sign = sign.filter(|_| n <= three.len()).unwrap_or(b'=');
            text.push(char::from(sign));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIOSK: Registered<'_> = Registered {
        api: "https://api.balena-cloud.com",
        fleet: 7,
        device_type: "raspberrypi3",
        uuid: "2925c2cf3cd44910aa623bdd717824e2",
        device_key: "52cd736ca5c84a2a997ba18789f0b96c",
        id: 41,
        at: 1_795_000_000,
        hostname: "kiosk-001",
        system: System {
            ssh_keys: &[],
            ntp_servers: Vec::new(),
            dns_servers: Vec::new(),
            country: None,
            ca: None,
        },
    };

    #[test]
    fn base64_is_padded() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let told = texts.map(|text| base64(text.as_bytes())).join(" ");
        assert_eq!(told, " Zg== Zm8= Zm9v Zm9vYg== Zm9vYmE= Zm9vYmFy");
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn what_the_system_is_told_stands_in_it() {
        let (keys, servers) =
            (["ssh-ed25519 AAAA me".into()], ["10.0.0.1".into(), "10.0.0.2".into()]);
        let system = System {
            ssh_keys: &keys,
            ntp_servers: servers.to_vec(),
            dns_servers: servers[..1].to_vec(),
            country: Some("DE"),
            ca: Some("PEM"),
        };
        let text = config_json(&Registered { system, ..KIOSK }).unwrap_or_default();
        insta::assert_snapshot!(text.split_once("\"hostname\"").map_or("", |(_, rest)| rest), @r###"
        : "kiosk-001",
          "ntpServers": "10.0.0.1 10.0.0.2",
          "dnsServers": "10.0.0.1",
          "country": "DE",
          "balenaRootCA": "UEVN",
          "os": {
            "sshKeys": [
              "ssh-ed25519 AAAA me"
            ]
          }
        }
        "###);
    }

    #[test]
    fn it_has_all_four_registration_fields_and_no_provisioning_key() {
        let text = config_json(&KIOSK);
        insta::assert_snapshot!(text.unwrap_or_default(), @r###"
        {
          "apiEndpoint": "https://api.balena-cloud.com",
          "applicationId": 7,
          "deviceType": "raspberrypi3",
          "uuid": "2925c2cf3cd44910aa623bdd717824e2",
          "deviceApiKey": "52cd736ca5c84a2a997ba18789f0b96c",
          "deviceId": 41,
          "registered_at": 1795000000,
          "appUpdatePollInterval": 900000,
          "hostname": "kiosk-001"
        }
        "###);
    }
}
