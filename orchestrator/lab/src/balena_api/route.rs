//! Which request is meant.

use super::odata;
use super::query::Actor;
use super::reply::{self, Reply};
use super::state::{Key, State};
use super::{device, download, enrol, query};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::json;

/// A request, read whole.
pub(super) struct Asked {
    /// The method.
    pub(super) method: Method,
    /// Path and query as they came.
    pub(super) url: String,
    /// The host that it was sent to, with its port.
    pub(super) host: String,
    /// The key of the `Authorization` header.
    pub(super) bearer: Option<String>,
    /// The part of a file that is asked for.
    pub(super) range: Option<String>,
    /// The body.
    pub(super) body: Bytes,
}

impl Asked {
    /// True for the one request whose answer can be lost on order.
    pub(super) fn is_registration(&self) -> bool {
        self.method == Method::POST && self.url == "/device/register"
    }
}

/// Carries out a request.
pub(super) fn answer(state: &mut State, asked: &Asked) -> Reply {
    let key = asked.bearer.as_deref().and_then(|bearer| state.key(bearer));
    let (path, _) = asked.url.split_once('?').unwrap_or((&asked.url, ""));
    // A slash at the end of a path changes nothing.
    let path = path.strip_suffix('/').unwrap_or(path);
    match (asked.method.as_str(), path) {
        ("GET", "/ping") => reply::text(StatusCode::OK, "OK"),
        ("GET", "/actor/v1/whoami") => whoami(key),
        ("GET", "/download") => download::image(state, key, asked),
        ("POST", "/download-config") => {
            download::config(state, key, asked, &format!("http://{}", asked.host))
        }
        ("POST", "/api-key/v2") => enrol::mint(state, key, &asked.body),
        ("POST", "/device/register") => enrol::register(state, key, &asked.body),
        ("PATCH", "/device/v3/state") => device::report(state, key, &asked.body),
        (method, path) if path.starts_with("/v7/") => match odata::parse(&asked.url) {
            Ok(asked_for) => {
                let actor = Actor::of(asked.bearer.as_deref(), key);
                query::answer(state, actor, method, &asked_for, &asked.body)
            }
            Err(odata::Malformed) => {
                let message = format!("Malformed url: '{}'", asked.url);
                reply::json(StatusCode::BAD_REQUEST, &json!(message))
            }
        },
        ("GET", path) => match (device::state_path(path), download::size_path(path)) {
            (Some(uuid), _) => device::target_state(state, key, uuid),
            (None, Some((device_type, version))) => download::size(state, device_type, version),
            (None, None) => reply::empty(StatusCode::NOT_FOUND),
        },
        _ => reply::empty(StatusCode::NOT_FOUND),
    }
}

fn whoami(key: Option<Key>) -> Reply {
    let body = match key {
        None => return reply::empty(StatusCode::UNAUTHORIZED),
        Some(Key::User) => json!({
            "id": 2, "actorType": "user", "actorTypeId": 2,
            "username": "admin", "email": "admin@lab.invalid",
        }),
        Some(Key::Provisioning { fleet, .. }) => {
            json!({ "id": 1000 + fleet, "actorType": "application", "actorTypeId": fleet })
        }
        Some(Key::Device { device }) => {
            json!({ "id": 2000 + device, "actorType": "device", "actorTypeId": device })
        }
    };
    reply::json(StatusCode::OK, &body)
}
