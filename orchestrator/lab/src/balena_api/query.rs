//! Queries of the v7 API: who may ask them, and what is read. What is written is in `write`.

use super::evaluate::{Unknown, View};
use super::odata::Query;
use super::reply::{self, Reply};
use super::schema::{self, Resource};
use super::state::{Device, Key, State};
use super::write;
use hyper::StatusCode;
use serde_json::{Value, json};

/// Carries out a query.
pub(super) fn answer(
    state: &mut State,
    asks: Option<Actor>,
    method: &str,
    query: &Query,
    body: &[u8],
) -> Reply {
    let Some(actor) = asks else { return reply::empty(StatusCode::UNAUTHORIZED) };
    // A resource that there is not is one that nobody may see.
    let Some(resource) = schema::resource(&query.resource).filter(|it| actor.reads(it)) else {
        return reply::empty(StatusCode::UNAUTHORIZED);
    };
    let done = match method {
        "GET" => read(state, actor, resource, query),
        _ if actor == Actor::Anybody => Ok(reply::empty(StatusCode::UNAUTHORIZED)),
        "POST" => write::create(state, actor, resource, body),
        "PUT" => write::replace(state, actor, resource, query, body),
        "PATCH" | "MERGE" => write::change(state, actor, resource, query, body),
        "DELETE" => write::delete(state, actor, resource, query),
        _ => Ok(reply::empty(StatusCode::METHOD_NOT_ALLOWED)),
    };
    done.unwrap_or_else(|Unknown(what)| {
        tracing::warn!(what, "the lab's API was asked for something that it does not have");
        reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    User,
    Device(u64),
    /// Who gives no key sees what is public.
    Anybody,
}

impl Actor {
    /// Who asks with this key, or without any.
    pub(super) fn of(bearer: Option<&str>, key: Option<Key>) -> Option<Self> {
        match (bearer, key) {
            (_, Some(Key::User)) => Some(Actor::User),
            (_, Some(Key::Device { device })) => Some(Actor::Device(device)),
            // A fleet's key may read nothing at all, not even devices that it registered.
            (_, Some(Key::Provisioning { .. })) | (Some(_), None) => None,
            (None, None) => Some(Actor::Anybody),
        }
    }

    pub(super) fn sees(self, device: &Device) -> bool {
        self.sees_device(device.id)
    }

    /// True if the device of this id, and what belongs to it, is for these eyes.
    pub(super) fn sees_device(self, id: u64) -> bool {
        self == Actor::User || self == Actor::Device(id)
    }

    fn reads(self, resource: &Resource) -> bool {
        let is_of_devices = resource.name == "device" || resource.is_link("device");
        match self {
            Actor::User => true,
            Actor::Device(_) => is_of_devices,
            Actor::Anybody => !is_of_devices,
        }
    }
}

fn read(
    state: &State,
    actor: Actor,
    resource: &'static Resource,
    query: &Query,
) -> Result<Reply, Unknown> {
    let view = View::new(state, actor);
    let rows = view.find(resource, &query.key, &query.options)?;
    let found = match query.count {
        true => json!(rows.len()),
        // Also a read of one row by its key is a list.
        false => Value::Array(view.shown(resource, &rows, &query.options)?),
    };
    Ok(reply::json(StatusCode::OK, &json!({ "d": found })))
}
