//! Configuration variables of devices, which their supervisors carry out.

use super::odata::Query;
use super::query::{Actor, Unknown, list, only, pick};
use super::reply::{self, Reply};
use super::state::State;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// How the resource begins.
pub(super) const RESOURCE: &str = "device_config_variable";

/// The fields that may be selected.
const FIELDS: &[&str] = &["id", "name", "value"];

/// Carries out a query of this resource.
pub(super) fn answer(
    state: &mut State,
    actor: Actor,
    method: &str,
    query: &Query,
    body: &[u8],
) -> Result<Reply, Unknown> {
    let key = query.resource.shape.strip_prefix(RESOURCE).ok_or(Unknown)?;
    match (method, key) {
        ("GET", "") => variables(state, actor, query),
        ("POST", "") => {
            only(query, &[])?;
            create(state, actor, serde_json::from_slice(body).map_err(|_| Unknown)?)
        }
        ("PUT", key) => {
            only(query, &[])?;
            let device = key.strip_prefix("(device=").and_then(|key| key.strip_suffix(",name=?)"));
            let device = device.and_then(|id| id.parse().ok()).ok_or(Unknown)?;
            let name = query.resource.literals.first().ok_or(Unknown)?.clone();
            let Put { value } = serde_json::from_slice(body).map_err(|_| Unknown)?;
            replace(state, actor, Variable { device, name, value })
        }
        _ => Err(Unknown),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    device: u64,
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    value: String,
}

impl Variable {
    /// What the server has against it.
    fn refusal(&self) -> Option<Reply> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let message = if !self.name.chars().all(is_word) {
            "Configuration variable names can only contain alphanumeric characters and underscores."
        } else if !["RESIN_", "BALENA_"].iter().any(|start| self.name.starts_with(start)) {
            "Configuration variables must be part of one of the following namespaces: RESIN_, BALENA_"
        } else if self.value.contains(['\r', '\n']) {
            "Variable values cannot contain line break characters"
        } else {
            return None;
        };
        Some(reply::json(StatusCode::BAD_REQUEST, &json!(message)))
    }
}

fn variables(state: &State, actor: Actor, query: &Query) -> Result<Reply, Unknown> {
    only(query, &["$filter", "$select"])?;
    let filter = query.option("$filter").ok_or(Unknown)?;
    let device: u64 =
        filter.shape.strip_prefix("device eq ").and_then(|id| id.parse().ok()).ok_or(Unknown)?;
    let select = query.option("$select").ok_or(Unknown)?;
    let fields: Vec<&str> = select.shape.split(',').collect();
    if !fields.iter().all(|field| FIELDS.contains(field)) {
        return Ok(reply::empty(StatusCode::INTERNAL_SERVER_ERROR));
    }
    let device = state.devices.get(&device).filter(|device| actor.sees(device));
    let variables = device.into_iter().flat_map(|device| &device.variables);
    let rows = variables.map(|(name, (id, value))| {
        let whole = json!({ "id": id, "name": name, "value": value });
        Value::Object(pick(&whole, &fields))
    });
    Ok(list(rows.collect()))
}

fn create(state: &mut State, actor: Actor, asked: Variable) -> Result<Reply, Unknown> {
    if let Some(refusal) = asked.refusal() {
        return Ok(refusal);
    }
    let Some(device) = state.devices.get(&asked.device).filter(|device| actor.sees(device)) else {
        return Ok(reply::empty(StatusCode::UNAUTHORIZED));
    };
    if device.variables.contains_key(&asked.name) {
        let message = json!("\"device\" and \"name\" must be unique.");
        return Ok(reply::json(StatusCode::CONFLICT, &message));
    }
    let id = state.set_variable(asked.device, &asked.name, &asked.value).ok_or(Unknown)?;
    let device = json!({ "__id": asked.device });
    let made = json!({ "id": id, "device": device, "name": asked.name, "value": asked.value });
    Ok(reply::json(StatusCode::CREATED, &made))
}

/// A PUT makes or replaces the row, whose id is then another, and says nothing.
fn replace(state: &mut State, actor: Actor, asked: Variable) -> Result<Reply, Unknown> {
    if let Some(refusal) = asked.refusal() {
        return Ok(refusal);
    }
    match state.devices.get(&asked.device).is_some_and(|device| actor.sees(device)) {
        true => {
            state.set_variable(asked.device, &asked.name, &asked.value).ok_or(Unknown)?;
            Ok(reply::empty(StatusCode::OK))
        }
        false => Ok(reply::empty(StatusCode::UNAUTHORIZED)),
    }
}
