//! Reads of fleets and devices, and PATCH and DELETE of devices: exactly the queries that are used.

use super::FleetConfig;
use super::odata::{Query, Shaped};
use super::reply::{self, Reply};
use super::state::{DEVICE_FIELDS, Device, Key, State};
use super::variable;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

/// The expansions of a fleet that are used.
const DEVICE_TYPE: &str =
    "is_for__device_type($select=slug;$expand=is_of__cpu_architecture($select=slug))";
const RELEASE: &str = "should_be_running__release($select=id;\
     $expand=release_image($select=id;$expand=image($select=image_size)))";

/// The fields of a fleet that may be selected.
const FLEET_FIELDS: &[&str] = &["id", "slug"];

/// Carries out a query; one that is not used by anybody is refused.
pub(super) fn answer(
    state: &mut State,
    key: Option<Key>,
    method: &str,
    query: &Query,
    body: &[u8],
) -> Reply {
    // A fleet's key may read nothing at all, not even devices that it registered.
    let actor = match key {
        Some(Key::User) => Actor::User,
        Some(Key::Device { device }) => Actor::Device(device),
        Some(Key::Provisioning { .. }) | None => return reply::empty(StatusCode::UNAUTHORIZED),
    };
    let done = match (method, query.resource.shape.as_str()) {
        ("GET", "application" | "application(slug=?)") => fleets(state, actor, query),
        ("GET", "device" | "device(uuid=?)") => devices(state, actor, query),
        ("PATCH", "device(uuid=?)") => change(state, actor, query, body),
        ("DELETE", "device(uuid=?)") => delete(state, actor, query),
        (method, resource) if resource.starts_with(variable::RESOURCE) => {
            variable::answer(state, actor, method, query, body)
        }
        _ => Err(Unknown),
    };
    done.unwrap_or_else(|Unknown| reply::not_in_the_lab(&format!("{method} {}", written(query))))
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    User,
    Device(u64),
}

impl Actor {
    pub(super) fn sees(self, device: &Device) -> bool {
        self == Actor::User || self == Actor::Device(device.id)
    }
}

/// A query that nobody uses.
pub(super) struct Unknown;

fn fleets(state: &State, actor: Actor, query: &Query) -> Result<Reply, Unknown> {
    only(query, &["$filter", "$select", "$expand"])?;
    if actor != Actor::User {
        return Ok(reply::empty(StatusCode::UNAUTHORIZED));
    }
    let slug = match (query.resource.literals.as_slice(), query.option("$filter")) {
        ([slug], None) => slug,
        ([], Some(Shaped { shape, literals })) if shape == "slug eq ?" => {
            literals.first().ok_or(Unknown)?
        }
        _ => return Err(Unknown),
    };
    let expand: Option<Expand> = match query.option("$expand") {
        None => None,
        Some(Shaped { shape, .. }) if shape == DEVICE_TYPE => Some(device_type),
        Some(Shaped { shape, .. }) if shape == RELEASE => Some(release),
        Some(_) => return Err(Unknown),
    };
    let fields = selected(query, FLEET_FIELDS)?;
    let mut rows = Vec::new();
    for fleet in state.config.fleets.iter().filter(|fleet| fleet.slug == *slug) {
        let whole = json!({ "id": fleet.id, "slug": fleet.slug });
        let mut row = pick(&whole, &fields);
        row.extend(expand.map(|expand| expand(fleet)).map(|(name, rows)| (name.to_owned(), rows)));
        rows.push(Value::Object(row));
    }
    Ok(list(rows))
}

/// What an expansion adds to a fleet: the name of a link, and its rows.
type Expand = fn(&FleetConfig) -> (&'static str, Value);

fn device_type(fleet: &FleetConfig) -> (&'static str, Value) {
    let architecture = json!([{ "slug": fleet.architecture }]);
    let rows = json!([{ "slug": fleet.device_type, "is_of__cpu_architecture": architecture }]);
    ("is_for__device_type", rows)
}

/// The release, of which there is one at most; sizes are big integers, so they are written as text.
fn release(fleet: &FleetConfig) -> (&'static str, Value) {
    let image = |(id, size): (usize, &u64)| json!({ "id": id + 1, "image": [{ "image_size": size.to_string() }] });
    let images: Vec<Value> = fleet.release.iter().enumerate().map(image).collect();
    let rows = match images.is_empty() {
        true => json!([]),
        false => json!([{ "id": fleet.id, "release_image": images }]),
    };
    ("should_be_running__release", rows)
}

fn devices(state: &State, actor: Actor, query: &Query) -> Result<Reply, Unknown> {
    only(query, &["$filter", "$select", "$orderby"])?;
    // The devices are kept by id, which is also the only order that is asked for.
    if query.option("$orderby").is_some_and(|order| order.shape != "id asc") {
        return Err(Unknown);
    }
    let wanted = match (query.resource.literals.as_slice(), query.option("$filter")) {
        ([uuid], None) => Wanted::Uuid(uuid),
        ([], Some(filter)) => wanted(filter)?,
        _ => return Err(Unknown),
    };
    let fields = selected(query, DEVICE_FIELDS)?;
    let mut rows = Vec::new();
    for device in state.devices.values().filter(|device| actor.sees(device)) {
        let fits = match wanted {
            Wanted::Uuid(uuid) => device.uuid == *uuid,
            Wanted::InFleets(slugs) => {
                state.fleet(device.fleet).is_some_and(|fleet| slugs.contains(&fleet.slug))
            }
        };
        if fits {
            rows.push(Value::Object(pick(&state.row(device), &fields)));
        }
    }
    Ok(list(rows))
}

/// Which devices are wanted.
enum Wanted<'a> {
    Uuid(&'a String),
    InFleets(&'a [String]),
}

fn wanted(filter: &Shaped) -> Result<Wanted<'_>, Unknown> {
    if filter.shape == "uuid eq ?" {
        return filter.literals.first().map(Wanted::Uuid).ok_or(Unknown);
    }
    let slugs = filter
        .shape
        .strip_prefix("belongs_to__application/any(a:")
        .and_then(|rest| rest.strip_suffix(')'))
        .ok_or(Unknown)?;
    if slugs.split(" or ").all(|part| part == "a/slug eq ?") {
        Ok(Wanted::InFleets(&filter.literals))
    } else {
        Err(Unknown)
    }
}

fn change(state: &mut State, actor: Actor, query: &Query, body: &[u8]) -> Result<Reply, Unknown> {
    only(query, &[])?;
    let uuid = query.resource.literals.first().ok_or(Unknown)?;
    let Ok(Value::Object(changes)) = serde_json::from_slice(body) else { return Err(Unknown) };
    if changes.keys().any(|field| field != "device_name" && field != "note") {
        return Err(Unknown);
    }
    let text = |field: &str| changes.get(field).and_then(Value::as_str).map(str::to_owned);
    let (name, note) = (text("device_name"), text("note"));
    if name.as_ref().is_some_and(|name| name.contains(['\r', '\n'])) {
        let message = json!("The device name cannot have line breaks.");
        return Ok(reply::json(StatusCode::BAD_REQUEST, &message));
    }
    // A PATCH that matches nothing succeeds just the same.
    if let Some(device) = state.device_mut(uuid).filter(|device| actor.sees(device)) {
        if let Some(name) = name {
            device.name = name;
        }
        if note.is_some() {
            device.note = note;
        }
    }
    Ok(reply::empty(StatusCode::OK))
}

fn delete(state: &mut State, actor: Actor, query: &Query) -> Result<Reply, Unknown> {
    only(query, &["$filter"])?;
    if actor != Actor::User {
        return Ok(reply::empty(StatusCode::UNAUTHORIZED));
    }
    let uuid = query.resource.literals.first().ok_or(Unknown)?;
    let heartbeat = match query.option("$filter") {
        None => None,
        Some(Shaped { shape, literals }) if shape == "api_heartbeat_state eq ?" => literals.first(),
        Some(_) => return Err(Unknown),
    };
    let fits = |device: &&Device| {
        heartbeat.is_none_or(|wanted| state.heartbeat(device).to_string() == *wanted)
    };
    if let Some(id) = state.device(uuid).filter(fits).map(|device| device.id) {
        state.remove_device(id);
    }
    Ok(reply::empty(StatusCode::OK))
}

/// Refuses options other than these, and any that is given twice.
pub(super) fn only(query: &Query, known: &[&str]) -> Result<(), Unknown> {
    let mut seen = Vec::new();
    for (name, _) in &query.options {
        if !known.contains(&name.as_str()) || seen.contains(&name) {
            return Err(Unknown);
        }
        seen.push(name);
    }
    Ok(())
}

/// The selected fields. Without a selection, a device's secrets would be in the answer, so nobody may
/// leave it out.
fn selected<'a>(query: &'a Query, known: &[&str]) -> Result<Vec<&'a str>, Unknown> {
    let select = query.option("$select").ok_or(Unknown)?;
    let fields: Vec<&str> = select.shape.split(',').collect();
    if fields.iter().all(|field| known.contains(field)) { Ok(fields) } else { Err(Unknown) }
}

pub(super) fn pick(whole: &Value, fields: &[&str]) -> Map<String, Value> {
    fields.iter().map(|field| ((*field).to_owned(), whole[field].clone())).collect()
}

pub(super) fn list(rows: Vec<Value>) -> Reply {
    reply::json(StatusCode::OK, &json!({ "d": rows }))
}

/// The query for the message that refuses it, with `?` for literals.
fn written(query: &Query) -> String {
    let options: Vec<String> =
        query.options.iter().map(|(name, value)| format!("{name}={}", value.shape)).collect();
    format!("{}?{}", query.resource.shape, options.join("&"))
}
