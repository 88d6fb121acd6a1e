//! What names and values the server takes.

use super::evaluate::Unknown;
use super::reply::{self, Reply};
use super::state::State;
use super::table::Row;
use hyper::StatusCode;
use serde_json::{Value, json};

/// How the names of variables begin that are balena's own.
const RESERVED: [&str; 2] = ["RESIN_", "BALENA_"];

/// What a row breaks, in the server's words.
pub(super) fn broken(resource: &str, row: &Row) -> Option<&'static str> {
    let text = |field: &str| row.get(field).and_then(Value::as_str);
    match resource {
        "device_tag" => tag(text("tag_key")),
        "device_config_variable" => config_variable(text("name"), text("value")),
        "device_environment_variable" => environment_variable(text("name"), text("value")),
        _ => None,
    }
}

fn tag(key: Option<&str>) -> Option<&'static str> {
    match key {
        Some(key) if key.contains(char::is_whitespace) => {
            Some("Tag keys cannot contain whitespace.")
        }
        Some(key) if (1..=100).contains(&key.chars().count()) => None,
        Some(_) | None => Some("Tag keys must be between 1 and 100 characters."),
    }
}

fn config_variable(name: Option<&str>, value: Option<&str>) -> Option<&'static str> {
    let name = name.unwrap_or_default();
    if !is_word(name) {
        Some(
            "Configuration variable names can only contain alphanumeric characters and underscores.",
        )
    } else if !RESERVED.iter().any(|start| name.starts_with(start)) {
        Some(
            "Configuration variables must be part of one of the following namespaces: RESIN_, BALENA_",
        )
    } else if value.is_none_or(|value| value.contains(['\r', '\n'])) {
        Some("Variable values cannot contain line break characters")
    } else {
        None
    }
}

fn environment_variable(name: Option<&str>, value: Option<&str>) -> Option<&'static str> {
    let name = name.unwrap_or_default();
    if name.is_empty() || !is_word(name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        Some("Environment variable names can only contain alphanumeric characters and underscores.")
    } else if RESERVED.iter().any(|start| name.starts_with(start)) {
        Some("Environment variables beginning with RESIN_ or BALENA_ are reserved.")
    } else if value.is_none() {
        Some("A variable needs a value.")
    } else {
        None
    }
}

fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What the server has against changes of these devices; fields that are not a user's to change are unknown.
pub(super) fn device_change(
    state: &State,
    devices: &[Row],
    changes: &Row,
) -> Result<Option<Reply>, Unknown> {
    for (field, value) in changes {
        let (status, message) = match field.as_str() {
            "device_name" if value.as_str().is_none_or(|name| name.contains(['\r', '\n'])) => {
                (StatusCode::BAD_REQUEST, "The device name cannot have line breaks.")
            }
            "belongs_to__application"
                if value.as_u64().and_then(|fleet| state.fleet(fleet)).is_none() =>
            {
                (StatusCode::NOT_FOUND, "Application doesn't exist or you have no access to it.")
            }
            "is_pinned_on__release" if !devices.iter().all(|it| may_pin(state, it, changes)) => (
                StatusCode::BAD_REQUEST,
                "It is necessary that each device that is pinned on a release, belongs to the application of that release.",
            ),
            "device_name" | "note" | "belongs_to__application" | "is_pinned_on__release" => {
                continue;
            }
            _ => return Err(Unknown(format!("device/{field} cannot be changed"))),
        };
        return Ok(Some(reply::json(status, &json!(message))));
    }
    Ok(None)
}

/// True if the pin that a device gets is to a release of the fleet that it is in then.
fn may_pin(state: &State, device: &Row, changes: &Row) -> bool {
    let Some(pin) = changes.get("is_pinned_on__release").filter(|pin| !pin.is_null()) else {
        return true;
    };
    let fleet = "belongs_to__application";
    let release = pin.as_u64().and_then(|id| state.tables.row("release", id));
    release.and_then(|row| row.get(fleet)) == changes.get(fleet).or_else(|| device.get(fleet))
}
