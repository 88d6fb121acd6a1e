//! The rows that are there from the start: fleets with what they are for and what they run.

use super::table::{Row, Tables, row};
use super::{ApiConfig, FleetConfig, OsImage, OsState, ReleaseConfig};
use serde_json::{Value, json};

/// All rows that the configuration asks for.
pub(super) fn tables(config: &ApiConfig) -> Tables {
    let mut tables = Tables::default();
    for fleet in &config.fleets {
        self::fleet(&mut tables, fleet);
    }
    for image in &config.images {
        operating_system(&mut tables, image);
    }
    tables
}

/// Puts in a fleet, with what it is for and what it runs.
pub(super) fn fleet(tables: &mut Tables, fleet: &FleetConfig) {
    let device_type = device_type(tables, &fleet.device_type, &fleet.architecture);
    let release = release_of(tables, fleet);
    let (handle, name) = fleet.slug.split_once('/').unwrap_or(("lab", &fleet.slug));
    let organization = tables.having("organization", "handle", handle);
    let application = row([
        ("app_name", json!(name)),
        ("slug", json!(fleet.slug)),
        ("uuid", json!(format!("{:032x}", fleet.id))),
        ("is_host", json!(false)),
        ("is_public", json!(false)),
        ("is_archived", json!(false)),
        ("is_of__class", json!("fleet")),
        ("is_for__device_type", json!(device_type)),
        ("organization", json!(organization)),
        ("should_be_running__release", release),
    ]);
    tables.insert_as("application", fleet.id, application);
}

/// Puts in a release that devices can be pinned to.
pub(super) fn release(tables: &mut Tables, release: ReleaseConfig) {
    let mut row = finished(release.fleet, "1.0.0");
    row.insert("commit".to_owned(), json!(release.commit));
    row.insert("is_final".to_owned(), json!(release.is_final));
    tables.insert_as("release", release.id, row);
}

/// The id of a device type, which is made if it is not there.
fn device_type(tables: &mut Tables, slug: &str, architecture: &str) -> u64 {
    let architecture = tables.having("cpu_architecture", "slug", architecture);
    let id = tables.having("device_type", "slug", slug);
    if let Some(row) = tables.row_mut("device_type", id) {
        row.insert("name".to_owned(), json!(slug));
        row.insert("is_of__cpu_architecture".to_owned(), json!(architecture));
    }
    // A slug is an alias of itself, and clients look for aliases only.
    let alias = tables.having("device_type_alias", "is_referenced_by__alias", slug);
    if let Some(row) = tables.row_mut("device_type_alias", alias) {
        row.insert("references__device_type".to_owned(), json!(id));
    }
    id
}

/// The id of a fleet's release; null if it has none.
fn release_of(tables: &mut Tables, fleet: &FleetConfig) -> Value {
    if fleet.release.is_empty() {
        return Value::Null;
    }
    let release = tables.insert("release", finished(fleet.id, "1.0.0"));
    for size in &fleet.release {
        // Sizes are big integers, so they are written as text.
        let image = tables.insert("image", row([("image_size", json!(size.to_string()))]));
        let part = row([("is_part_of__release", json!(release)), ("image", json!(image))]);
        tables.insert("release_image", part);
    }
    json!(release)
}

/// Operating systems are releases of public applications, one for each device type and line.
fn operating_system(tables: &mut Tables, image: &OsImage) {
    let device_type = device_type(tables, &image.device_type, &image.architecture);
    let line = if image.esr { "-esr" } else { "" };
    let name = format!("{}{line}", image.device_type);
    let slug = format!("balena_os/{name}");
    let application = tables.having("application", "slug", &slug);
    if let Some(known) = tables.row_mut("application", application) {
        known.extend(row([
            ("app_name", json!(name)),
            ("uuid", json!(format!("{application:032x}"))),
            ("is_host", json!(true)),
            ("is_public", json!(true)),
            ("is_archived", json!(false)),
            ("is_of__class", json!("app")),
            ("is_for__device_type", json!(device_type)),
        ]));
    }
    let policy = |row: &Row| row.get("application") == Some(&json!(application));
    if image.esr && !tables.rows("application_tag").any(policy) {
        let tag = row([
            ("tag_key", json!("release-policy")),
            ("value", json!("esr")),
            ("application", json!(application)),
        ]);
        tables.insert("application_tag", tag);
    }
    let mut release = finished(application, &image.version);
    release.insert("variant".to_owned(), json!(image.variant));
    release.insert("is_final".to_owned(), json!(image.state != OsState::Draft));
    release.insert("is_invalidated".to_owned(), json!(image.state == OsState::Invalidated));
    tables.insert("release", release);
}

/// A release of this fleet that is done and not taken back.
fn finished(application: u64, version: &str) -> Row {
    row([
        ("commit", json!(format!("{application:040x}"))),
        ("raw_version", json!(version)),
        ("variant", json!("")),
        ("phase", Value::Null),
        ("status", json!("success")),
        ("is_final", json!(true)),
        ("is_invalidated", json!(false)),
        ("belongs_to__application", json!(application)),
    ])
}
