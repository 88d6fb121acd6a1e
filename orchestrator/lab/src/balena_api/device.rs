//! What a device asks and reports: its target state, which is also its heartbeat, and its own state.

use super::reply::{self, Reply};
use super::state::{Device, Key, State};
use super::table::{Row, id};
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
    let mut config = state.variables(device.id);
    config.insert("RESIN_SUPERVISOR_POLL_INTERVAL".to_owned(), poll_interval);
    let target = json!({ "name": device.name, "apps": apps(state, device), "config": config });
    if own {
        state.beat(uuid);
    }
    reply::json(StatusCode::OK, &Value::Object(Map::from_iter([(uuid.to_owned(), target)])))
}

/// What a device shall run: its fleet's app, with the one release of it, if there is one.
fn apps(state: &State, device: &Device) -> Value {
    let text = |row: &Row, field: &str| row.get(field).and_then(Value::as_str).map(str::to_owned);
    let release = state.should_run(device).and_then(|id| state.tables.row("release", id));
    let release = release.and_then(|row| Some((text(row, "commit")?, json!({ "id": id(row) }))));
    let releases = Value::Object(release.into_iter().collect());
    let app = json!({ "id": device.fleet, "releases": releases });
    let fleet = state.tables.row("application", device.fleet);
    let uuid = fleet.and_then(|row| text(row, "uuid"));
    Value::Object(uuid.map(|uuid| (uuid, app)).into_iter().collect())
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
        let runs = running(state, report);
        let Some(device) = state.device_mut(uuid) else { continue };
        device.runs = runs.or(device.runs);
        let kept = [
            ("supervisor_version", &mut device.supervisor_version),
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

/// The release that a report tells of, by its app and its commit.
fn running(state: &State, report: &Value) -> Option<u64> {
    let (uuid, app) = report["apps"].as_object()?.iter().next()?;
    let has = |row: &Row, field: &str, value: &Value| row.get(field) == Some(value);
    let (uuid, commit) = (json!(uuid), app.get("release_uuid")?);
    let fleet = state.tables.rows("application").find(|row| has(row, "uuid", &uuid))?.get("id")?;
    let is_it =
        |row: &&Row| has(row, "belongs_to__application", fleet) && has(row, "commit", commit);
    state.tables.rows("release").find(is_it).and_then(id)
}
