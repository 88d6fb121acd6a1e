//! Images of operating systems, and the configuration that goes into one.
//!
//! openBalena has no images; an API without any answers like it.

use super::reply::{self, Reply};
use super::route::Asked;
use super::state::{Key, State};
use super::{Fault, OsImage};
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::fs;

/// `GET /download?deviceType=…&version=…&fileType=.gz`: an image that nothing was configured in.
pub(super) fn image(state: &State, key: Option<Key>, asked: &Asked) -> Reply {
    // A storage service refuses credentials that it does not know, rather than to pass them over.
    if asked.bearer.is_some() && key.is_none() {
        return reply::empty(StatusCode::UNAUTHORIZED);
    }
    let (_, query) = asked.url.split_once('?').unwrap_or_default();
    let said = |name: &str| {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.and_then(form_decoded).unwrap_or_default()
    };
    let (device_type, version) = (said("deviceType"), said("version"));
    let Some(image) = find(state, &device_type, &version) else {
        return reply::text(StatusCode::NOT_FOUND, "Not Found");
    };
    if said("fileType") != ".gz" {
        return reply::text(StatusCode::BAD_REQUEST, "The lab's images are .gz files.");
    }
    if let Some(host) = &state.config.download_host {
        return reply::found(&format!("{host}{}", asked.url));
    }
    let Ok(file) = fs::read(&image.file) else {
        return reply::empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let from = match &state.fault {
        Fault::CutDownloads { ranges: false, .. } => None,
        _ => asked.range.as_deref().and_then(range_start),
    };
    let whole = file.len();
    let part = Bytes::from(file).slice(from.unwrap_or(0).min(whole)..);
    let sent = match state.fault {
        Fault::CutDownloads { after, .. } => part.len().min(after),
        _ => part.len(),
    };
    reply::file(part, sent, from, whole)
}

/// `GET /device-types/v1/<slug>/images/<version>/download-size`.
pub(super) fn size(state: &State, device_type: &str, version: &str) -> Reply {
    let version = form_decoded(&version.replace('+', "%2B")).unwrap_or_default();
    let image = find(state, device_type, &version);
    match image.and_then(|image| fs::metadata(&image.file).ok()) {
        Some(file) => reply::json(StatusCode::OK, &json!({ "size": file.len() })),
        None => reply::text(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// The slug and version of `/device-types/v1/<slug>/images/<version>/download-size`.
pub(super) fn size_path(path: &str) -> Option<(&str, &str)> {
    let inner = path.strip_prefix("/device-types/v1/")?.strip_suffix("/download-size")?;
    inner.split_once("/images/")
}

/// `POST /download-config`: what a new device of a fleet is to be given, with a new key of the fleet.
pub(super) fn config(state: &mut State, key: Option<Key>, asked: &Asked, api: &str) -> Reply {
    if key != Some(Key::User) {
        return reply::empty(StatusCode::UNAUTHORIZED);
    }
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let bad = |message: &str| reply::json(StatusCode::BAD_REQUEST, &json!(message));
    let Some(fleet) = body["appId"].as_u64().and_then(|id| state.fleet(id)).cloned() else {
        return bad("An appId parameter is required.");
    };
    let Some(version) = body["version"].as_str() else {
        return bad("A version parameter is required.");
    };
    if version.is_empty() {
        return bad("A version parameter is required.");
    }
    let made = state.new_key();
    state.add_key(made.clone(), Key::Provisioning { fleet: fleet.id, expires: None });
    // Minutes in the request are milliseconds in the answer.
    let poll_interval = body["appUpdatePollInterval"].as_u64().unwrap_or(1).max(10) * 60_000;
    let mut config = json!({
        "applicationId": fleet.id,
        "deviceType": body["deviceType"].as_str().unwrap_or(&fleet.device_type),
        "userId": 2,
        "appUpdatePollInterval": poll_interval,
        "listenPort": 48484,
        "vpnPort": 443,
        "apiEndpoint": api,
        "vpnEndpoint": "vpn.lab.invalid",
        "registryEndpoint": "registry2.lab.invalid",
        "deltaEndpoint": "https://delta.lab.invalid",
        "apiKey": made,
    });
    for passed_on in ["wifiSsid", "wifiKey", "developmentMode"] {
        if let Some(value) = body.get(passed_on) {
            config[passed_on] = value.clone();
        }
    }
    reply::json(StatusCode::OK, &config)
}

fn find<'a>(state: &'a State, device_type: &str, version: &str) -> Option<&'a OsImage> {
    state.config.images.iter().find(|it| it.device_type == device_type && it.version == version)
}

/// Where `bytes=7-` begins.
fn range_start(range: &str) -> Option<usize> {
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// A value as forms write it: a bare `+` is a space.
fn form_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_has_to_be_encoded() {
        assert_eq!(form_decoded("6.0.24%2Brev1").as_deref(), Some("6.0.24+rev1"));
        assert_eq!(form_decoded("6.0.24+rev1").as_deref(), Some("6.0.24 rev1"));
        assert_eq!(form_decoded("50%"), None);
    }

    #[test]
    fn paths_and_ranges_are_read() {
        let path = "/device-types/v1/raspberrypi3/images/6.0.24%2Brev1/download-size";
        assert_eq!(size_path(path), Some(("raspberrypi3", "6.0.24%2Brev1")));
        assert_eq!(size_path("/device-types/v1/raspberrypi3"), None);
        assert_eq!(range_start("bytes=7-"), Some(7));
        assert_eq!(range_start("bytes=7-9"), None);
    }
}
