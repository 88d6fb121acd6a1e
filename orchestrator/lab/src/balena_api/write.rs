//! Rows made, replaced, changed and deleted over the v7 API.
//!
//! Only a POST says what it did. The others succeed without a word, also where nothing matched.

use super::Fault;
use super::evaluate::{Unknown, View};
use super::odata::Query;
use super::query::Actor;
use super::reply::{self, Reply};
use super::rule;
use super::schema::{Resource, WrittenBy};
use super::state::State;
use super::table::{Row, id};
use hyper::StatusCode;
use serde_json::{Value, json};

/// `POST`: a new row.
pub(super) fn create(
    state: &mut State,
    actor: Actor,
    resource: &'static Resource,
    body: &[u8],
) -> Result<Reply, Unknown> {
    if resource.written_by != WrittenBy::OwnersOfTheDevice {
        return Ok(reply::empty(StatusCode::UNAUTHORIZED));
    }
    let row = match asked(resource, body)? {
        Ok(row) => row,
        Err(refusal) => return Ok(refusal),
    };
    if let Some(refusal) = refusal(state, actor, resource, &row) {
        return Ok(refusal);
    }
    Ok(insert(state, resource, row))
}

/// `PUT`: the row of this key, made or replaced. The id of a replaced row is another.
pub(super) fn replace(
    state: &mut State,
    actor: Actor,
    resource: &'static Resource,
    query: &Query,
    body: &[u8],
) -> Result<Reply, Unknown> {
    if resource.written_by != WrittenBy::OwnersOfTheDevice {
        return Ok(reply::empty(StatusCode::UNAUTHORIZED));
    }
    let mut row = match asked(resource, body)? {
        Ok(row) => row,
        Err(refusal) => return Ok(refusal),
    };
    row.extend(query.key.iter().cloned());
    let old = View::new(state, actor).find(resource, &query.key, &query.options)?;
    if let [only] = old.as_slice() {
        // It does not stand in its own way.
        row.insert("id".to_owned(), only["id"].clone());
    }
    if let Some(refusal) = refusal(state, actor, resource, &row) {
        return Ok(refusal);
    }
    for id in old.iter().filter_map(id) {
        state.tables.remove(resource.name, id);
    }
    insert(state, resource, row);
    Ok(reply::empty(StatusCode::OK))
}

/// `PATCH`: some fields of the rows that match.
pub(super) fn change(
    state: &mut State,
    actor: Actor,
    resource: &'static Resource,
    query: &Query,
    body: &[u8],
) -> Result<Reply, Unknown> {
    let mut changes = match asked(resource, body)? {
        Ok(changes) => changes,
        Err(refusal) => return Ok(refusal),
    };
    let rows = View::new(state, actor).find(resource, &query.key, &query.options)?;
    match resource.written_by {
        WrittenBy::Nobody => return Ok(reply::empty(StatusCode::UNAUTHORIZED)),
        WrittenBy::Registration => {
            if state.fault == Fault::NoMoves {
                changes.remove("belongs_to__application");
            }
            if let Some(refusal) = rule::device_change(state, &rows, &changes)? {
                return Ok(refusal);
            }
            for id in rows.iter().filter_map(id) {
                state.change_device(id, &changes);
            }
        }
        WrittenBy::OwnersOfTheDevice => {
            for mut row in rows {
                row.extend(changes.clone());
                if let Some(refusal) = refusal(state, actor, resource, &row) {
                    return Ok(refusal);
                }
                if let Some(kept) = id(&row).and_then(|id| state.tables.row_mut(resource.name, id))
                {
                    *kept = row;
                }
            }
        }
    }
    Ok(reply::empty(StatusCode::OK))
}

/// `DELETE`: the rows that match.
pub(super) fn delete(
    state: &mut State,
    actor: Actor,
    resource: &'static Resource,
    query: &Query,
) -> Result<Reply, Unknown> {
    let rows = View::new(state, actor).find(resource, &query.key, &query.options)?;
    for id in rows.iter().filter_map(id) {
        match (resource.written_by, actor) {
            (WrittenBy::OwnersOfTheDevice, _) => state.tables.remove(resource.name, id),
            (WrittenBy::Registration, Actor::User) => state.remove_device(id),
            (WrittenBy::Registration, Actor::Device(_) | Actor::Anybody)
            | (WrittenBy::Nobody, _) => {
                return Ok(reply::empty(StatusCode::UNAUTHORIZED));
            }
        }
    }
    Ok(reply::empty(StatusCode::OK))
}

/// The fields of a body; one that there is not is unknown like in a query.
fn asked(resource: &Resource, body: &[u8]) -> Result<Result<Row, Reply>, Unknown> {
    let Ok(Value::Object(row)) = serde_json::from_slice::<Value>(body) else {
        let message = json!("The body is not an object.");
        return Ok(Err(reply::json(StatusCode::BAD_REQUEST, &message)));
    };
    match row.keys().find(|field| !resource.has(field) || *field == "id") {
        Some(field) => Err(Unknown(format!("{}/{field}", resource.name))),
        None => Ok(Ok(row)),
    }
}

/// Puts in a row that nothing was found against, and says so.
fn insert(state: &mut State, resource: &'static Resource, mut row: Row) -> Reply {
    if resource.fields.contains(&"created_at") {
        row.insert("created_at".to_owned(), json!(state.date()));
    }
    let id = state.tables.insert(resource.name, row.clone());
    row.insert("id".to_owned(), json!(id));
    for (link, _) in resource.links {
        if let Some(to) = row.get_mut(*link) {
            *to = json!({ "__id": to.take() });
        }
    }
    let location = format!("/{}({id})", resource.name);
    reply::created(&Value::Object(row), &location)
}

/// What the server has against a row that belongs to a device.
fn refusal(state: &State, actor: Actor, resource: &Resource, row: &Row) -> Option<Reply> {
    if let Some(message) = rule::broken(resource.name, row) {
        return Some(reply::json(StatusCode::BAD_REQUEST, &json!(message)));
    }
    let device = row.get("device").and_then(Value::as_u64);
    if !device.is_some_and(|id| actor.sees_device(id) && state.devices.contains_key(&id)) {
        return Some(reply::empty(StatusCode::UNAUTHORIZED));
    }
    state.tables.is_taken(resource, row).then(|| {
        let fields: Vec<String> =
            resource.unique.iter().map(|field| format!("\"{field}\"")).collect();
        let message = json!(format!("{} must be unique.", fields.join(" and ")));
        reply::json(StatusCode::CONFLICT, &message)
    })
}
