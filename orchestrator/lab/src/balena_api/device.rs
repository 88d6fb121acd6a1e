//! What a device asks and reports: its target state, which is also its heartbeat, and its own state.

use super::reply::{self, Reply};
use super::state::{Key, State};
use hyper::StatusCode;
use serde_json::{Map, Value, json};

/// The uuid of `/device/v3/<uuid>/state`.
pub(super) fn state_path(path: &str) -> Option<&str> {
    let uuid = path.strip_prefix("/device/v3/")?.strip_suffix("/state")?;
    (!uuid.is_empty() && !uuid.contains('/')).then_some(uuid)
}

/// `GET /device/v3/<uuid>/state`: what the device shall run. Asked with the device's own key, it is
/// the heartbeat.
pub(super) fn target_state(state: &mut State, key: Option<Key>, uuid: &str) -> Reply {
    // A deleted device is told that nothing has changed, and never learns that it is gone.
    let Some(device) = state.device(uuid) else { return reply::empty(StatusCode::NOT_MODIFIED) };
    let own = match key {
        Some(Key::Device { device: id }) if id == device.id => true,
        Some(Key::User) => false,
        Some(Key::Device { .. } | Key::Provisioning { .. }) | None => {
            return reply::empty(StatusCode::UNAUTHORIZED);
        }
    };
    let poll_interval = state.config.poll_interval.as_millis().to_string();
    let mut config = device.values();
    config.insert("RESIN_SUPERVISOR_POLL_INTERVAL".to_owned(), poll_interval);
    let target = json!({ "name": device.name, "apps": {}, "config": config });
    if own {
        state.beat(uuid);
    }
    reply::json(StatusCode::OK, &Value::Object(Map::from_iter([(uuid.to_owned(), target)])))
}

/// `PATCH /device/v3/state`: the device tells about itself, by its uuid. What the lab does not keep is
/// passed over.
pub(super) fn report(state: &mut State, key: Option<Key>, body: &[u8]) -> Reply {
    let Some(Key::Device { device: id }) = key else {
        return reply::empty(StatusCode::UNAUTHORIZED);
    };
    let Ok(Value::Object(reports)) = serde_json::from_slice(body) else {
        return reply::json(StatusCode::BAD_REQUEST, &json!("The body is not an object."));
    };
    let is_own = |uuid: &String| state.device(uuid).is_some_and(|device| device.id == id);
    if !reports.keys().all(is_own) {
        return reply::empty(StatusCode::UNAUTHORIZED);
    }
    for (uuid, report) in &reports {
        let Some(device) = state.device_mut(uuid) else { continue };
        let kept = [
            ("os_version", &mut device.os_version),
            ("mac_address", &mut device.mac_address),
            ("ip_address", &mut device.ip_address),
        ];
        for (field, place) in kept {
            if let Some(text) = report.get(field).and_then(Value::as_str) {
                *place = Some(text.to_owned());
            }
        }
    }
    reply::empty(StatusCode::OK)
}
