//! Keys for fleets, and the registration of devices.

use super::reply::{self, Reply};
use super::state::{Key, State};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// `POST /api-key/v2`: a user makes a provisioning key for a fleet.
pub(super) fn mint(state: &mut State, key: Option<Key>, body: &[u8]) -> Reply {
    if key != Some(Key::User) {
        return reply::empty(StatusCode::UNAUTHORIZED);
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return bad("The body is not JSON.");
    };
    let of_a_fleet = body["actorType"] == "application"
        && body["roles"] == json!(["provisioning-api-key"])
        && body["actorTypeId"].as_u64().is_some_and(|id| state.fleet(id).is_some());
    let (true, Some(fleet)) = (of_a_fleet, body["actorTypeId"].as_u64()) else {
        return reply::empty(StatusCode::UNAUTHORIZED);
    };
    // `null` is a key for ever, but the field has to be there.
    let expires = match body.get("expiryDate") {
        Some(Value::Null) => None,
        Some(Value::String(date)) => match instant_of(date) {
            Some(instant) => Some(instant),
            None => return bad("expiryDate is not a date."),
        },
        _ => return bad("expiryDate is missing."),
    };
    let text = state.new_key();
    state.add_key(text.clone(), Key::Provisioning { fleet, expires });
    reply::json(StatusCode::OK, &json!(text))
}

#[derive(Deserialize)]
struct Registration {
    application: u64,
    device_type: String,
    uuid: String,
    api_key: Option<String>,
}

/// `POST /device/register`: takes in a device, with a key of its own.
///
/// The server does not check that the device type suits the fleet; clients have to.
pub(super) fn register(state: &mut State, key: Option<Key>, body: &[u8]) -> Reply {
    let Some(key) = key else {
        let message = json!({ "error": "API key required" });
        return reply::json(StatusCode::UNAUTHORIZED, &message);
    };
    let Ok(asked) = serde_json::from_slice::<Registration>(body) else {
        return bad("application, device_type and uuid are needed.");
    };
    let may = match key {
        Key::User => state.fleet(asked.application).is_some(),
        Key::Provisioning { fleet, .. } => fleet == asked.application,
        Key::Device { .. } => false,
    };
    if !may {
        return reply::empty(StatusCode::UNAUTHORIZED);
    }
    if !is_uuid(&asked.uuid) {
        return bad("Device UUID must be a 32 or 62 character long lower case hex string.");
    }
    if state.device(&asked.uuid).is_some() {
        return reply::text(StatusCode::CONFLICT, "\"uuid\" must be unique.");
    }
    let api_key = asked.api_key.unwrap_or_else(|| state.new_key());
    if state.key_is_taken(&api_key) {
        return reply::json(StatusCode::CONFLICT, &json!("\"key\" must be unique."));
    }
    let id = state.add_device(asked.application, asked.device_type, asked.uuid.clone());
    state.add_key(api_key.clone(), Key::Device { device: id });
    let made = json!({ "id": id, "uuid": asked.uuid, "api_key": api_key });
    reply::json(StatusCode::CREATED, &made)
}

fn is_uuid(text: &str) -> bool {
    matches!(text.len(), 32 | 62) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn bad(message: &str) -> Reply {
    reply::json(StatusCode::BAD_REQUEST, &json!(message))
}

/// The instant that a date such as `2026-11-23T15:04:05.250Z` means; fractions are dropped.
fn instant_of(date: &str) -> Option<SystemTime> {
    let (day, time) = date.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(time.split('.').next()?, ':')?;
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !fits {
        return None;
    }
    // Count in years that begin in March, so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    let seconds = days.checked_sub(719_468)? * 86_400 + hour * 3600 + minute * 60 + second;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let numbers: Vec<u64> = text.split(between).map(str::parse).collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn dates_are_understood() {
        let seconds = |date| {
            instant_of(date).map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
        };
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2024-02-29T12:00:00.5Z"), Some(1_709_208_000));
        assert_eq!(seconds("2026-11-23T15:04:05Z"), Some(1_795_446_245));
        for bad in
            ["", "tomorrow", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T15:04:05+01:00"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_uuid_is_lower_case_hex() {
        assert!(is_uuid("2925c2cf3cd44910aa623bdd717824e2"));
        assert!(is_uuid(&"0".repeat(62)));
        assert!(!is_uuid("2925C2CF3CD44910AA623BDD717824E2"));
        assert!(!is_uuid("2925c2c"));
    }
}
