//! Values of a device: its variables and tags.

use crate::odata;
use crate::setup::Balena;
use migos_engine::port::{BalenaError, Table};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "tag_key")]
    name: String,
    value: String,
}

impl Balena {
    /// Writes those that are not there yet, or have another value.
    pub(crate) async fn write_values(
        &self,
        device: u64,
        table: Table,
        wanted: &BTreeMap<String, String>,
    ) -> Result<(), BalenaError> {
        let missing = self.missing(device, table, wanted).await?;
        for (name, value) in &missing {
            let body = json!({ "value": value });
            let path = odata::value(table, device, name);
            self.http.send(Method::PUT, &path, &self.token, Some(&body)).await?;
        }
        // PUT succeeds whatever it did, so only a look tells.
        match missing.is_empty() || self.missing(device, table, wanted).await?.is_empty() {
            true => Ok(()),
            false => {
                let message =
                    format!("device {device} does not have the {} that were set", words(table));
                Err(BalenaError::Refused(message))
            }
        }
    }

    /// Those of the wanted ones that the device does not have so.
    async fn missing<'a>(
        &self,
        device: u64,
        table: Table,
        wanted: &'a BTreeMap<String, String>,
    ) -> Result<Vec<(&'a String, &'a String)>, BalenaError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let there: Vec<Row> = self.http.list(&odata::values(table, device), &self.token).await?;
        let there: BTreeMap<&str, &str> =
            there.iter().map(|it| (it.name.as_str(), it.value.as_str())).collect();
        let is_there = |name: &str, value: &str| there.get(name) == Some(&value);
        Ok(wanted.iter().filter(|(name, value)| !is_there(name, value)).collect())
    }
}

fn words(table: Table) -> &'static str {
    match table {
        Table::Config => "configuration variables",
        Table::Environment => "environment variables",
        Table::Tags => "tags",
    }
}
