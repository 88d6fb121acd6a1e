//! The JSON Schemas of the files that people write, for editors, as they are published in `docs/schemas`.
//!
//! The readers decide what is right; a schema says the same of the form. It may take what a reader refuses, since it
//! cannot look from one place to another, but never refuses what a reader takes.

mod playbook;
mod policy;

use self::playbook::PlaybookFile;
use self::policy::{PolicyChoice, PolicyFile};
use migos_inventory::schema;
use schemars::Schema;

/// The schema of an inventory in the native form, with the policy that may stand in it.
///
/// # Errors
/// None in practice: a schema is plain data.
pub fn inventory_schema() -> Result<String, serde_json::Error> {
    text(&schema::inventory::<PolicyChoice>())
}

/// The schema of a file of settings, such as `migos.yaml` beside an inventory.
///
/// # Errors
/// None in practice: a schema is plain data.
pub fn settings_schema() -> Result<String, serde_json::Error> {
    text(&schema::settings::<PolicyChoice>())
}

/// The schema of a policy.
///
/// # Errors
/// None in practice: a schema is plain data.
pub fn policy_schema() -> Result<String, serde_json::Error> {
    text(&schema::of::<PolicyFile>())
}

/// The schema of a playbook of a user's own.
///
/// # Errors
/// None in practice: a schema is plain data.
pub fn playbook_schema() -> Result<String, serde_json::Error> {
    text(&schema::of::<PlaybookFile>())
}

fn text(schema: &Schema) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(schema).map(|text| text + "\n")
}

/// Holds the keys of a form against those that its reader knows.
#[cfg(test)]
fn assert_same_keys<T: schemars::JsonSchema>(keys: &migos_inventory::yaml::Keys) {
    use std::collections::BTreeSet;
    let schema = schema::of::<T>();
    let properties = schema.get("properties").and_then(|it| it.as_object());
    let written: BTreeSet<&str> =
        properties.into_iter().flatten().map(|it| it.0.as_str()).collect();
    assert_eq!(written, keys.known.iter().copied().collect(), "{}", T::schema_name());
    let closed = Some(&serde_json::Value::Bool(false));
    assert_eq!(schema.get("additionalProperties"), closed, "{}", T::schema_name());
}
