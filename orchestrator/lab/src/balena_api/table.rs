//! Rows that are kept as they are: all but devices, of which some is computed.

use super::schema::Resource;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One row: values by field; links hold the id of the row they lead to.
pub(super) type Row = Map<String, Value>;

/// The rows of all resources, by resource and id.
#[derive(Default)]
pub(super) struct Tables {
    rows: BTreeMap<&'static str, BTreeMap<u64, Row>>,
    /// The highest id ever given, by resource: no id is given twice.
    last: BTreeMap<&'static str, u64>,
}

impl Tables {
    /// Puts in a row under a new id, which it returns.
    pub(super) fn insert(&mut self, resource: &'static str, row: Row) -> u64 {
        let id = self.last.get(resource).map_or(1, |last| last + 1);
        self.insert_as(resource, id, row);
        id
    }

    /// Puts in a row under an id of one's own choice.
    pub(super) fn insert_as(&mut self, resource: &'static str, id: u64, mut row: Row) {
        row.insert("id".to_owned(), json!(id));
        let last = self.last.entry(resource).or_default();
        *last = (*last).max(id);
        self.rows.entry(resource).or_default().insert(id, row);
    }

    /// The id of the row of which this field has this value; the row is made if there is none.
    pub(super) fn having(&mut self, resource: &'static str, field: &str, value: &str) -> u64 {
        let known =
            self.rows(resource).find(|row| row.get(field) == Some(&json!(value))).and_then(id);
        match known {
            Some(id) => id,
            None => self.insert(resource, row([(field, json!(value))])),
        }
    }

    /// All rows of a resource, by id.
    pub(super) fn rows(&self, resource: &str) -> impl Iterator<Item = &Row> {
        self.rows.get(resource).into_iter().flat_map(BTreeMap::values)
    }

    /// The row of this id.
    pub(super) fn row(&self, resource: &str, id: u64) -> Option<&Row> {
        self.rows.get(resource)?.get(&id)
    }

    /// The row of this id, to be changed.
    pub(super) fn row_mut(&mut self, resource: &str, id: u64) -> Option<&mut Row> {
        self.rows.get_mut(resource)?.get_mut(&id)
    }

    /// Takes out a row.
    pub(super) fn remove(&mut self, resource: &str, id: u64) {
        self.rows.get_mut(resource).and_then(|rows| rows.remove(&id));
    }

    /// Takes out all rows that belong to a device.
    pub(super) fn remove_of_device(&mut self, device: u64) {
        for rows in self.rows.values_mut() {
            rows.retain(|_, row| row.get("device") != Some(&json!(device)));
        }
    }

    /// True if there is a row that agrees with this one in all fields that together occur only once.
    pub(super) fn is_taken(&self, resource: &Resource, row: &Row) -> bool {
        let same = |other: &&Row| {
            resource.unique.iter().all(|field| other.get(*field) == row.get(*field))
                && other.get("id") != row.get("id")
        };
        self.rows(resource.name).find(same).is_some()
    }

    /// What two fields of all rows of a device say, as names and values.
    pub(super) fn pairs(
        &self,
        resource: &str,
        name: &str,
        device: u64,
    ) -> BTreeMap<String, String> {
        let text =
            |row: &Row, field: &str| row.get(field).and_then(Value::as_str).map(str::to_owned);
        self.rows(resource)
            .filter(|row| row.get("device") == Some(&json!(device)))
            .filter_map(|row| Some((text(row, name)?, text(row, "value")?)))
            .collect()
    }
}

/// A row of these values.
pub(super) fn row<const N: usize>(values: [(&str, Value); N]) -> Row {
    values.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

/// The id of a row.
pub(super) fn id(row: &Row) -> Option<u64> {
    row.get("id").and_then(Value::as_u64)
}
