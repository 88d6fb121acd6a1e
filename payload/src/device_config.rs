//! `config.json`, which makes a flashed card this one device on balena.
//!
//! All four registration fields (`uuid`, `deviceApiKey`, `deviceId`, `registered_at`) and no `apiKey`: the
//! supervisor then makes no provisioning call at all. With any of them missing it would register again, as
//! another device, or never (balena-supervisor, src/lib/api-helper.ts).

use serde::Serialize;

/// The path of the file on balenaOS's boot partition.
pub const CONFIG_JSON: &str = "config.json";

/// What a device is registered as.
#[derive(Debug, Clone, Copy)]
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
}

/// The text of `config.json`. It holds the device's key: it is a secret.
///
/// # Errors
/// None in practice: the fields are plain data.
pub fn config_json(registered: &Registered<'_>) -> Result<String, serde_json::Error> {
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_all_four_registration_fields_and_no_provisioning_key() {
        let text = config_json(&Registered {
            api: "https://api.balena-cloud.com",
            fleet: 7,
            device_type: "raspberrypi3",
            uuid: "2925c2cf3cd44910aa623bdd717824e2",
            device_key: "52cd736ca5c84a2a997ba18789f0b96c",
            id: 41,
            at: 1_795_000_000,
            hostname: "kiosk-001",
        });
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
