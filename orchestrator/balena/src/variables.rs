//! Configuration variables of a device.

use crate::odata;
use crate::setup::Balena;
use migos_engine::port::BalenaError;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

impl Balena {
    /// Writes those that are not there yet, or have another value.
    pub(crate) async fn write_variables(
        &self,
        device: u64,
        wanted: &BTreeMap<String, String>,
    ) -> Result<(), BalenaError> {
        let missing = self.missing(device, wanted).await?;
        for (name, value) in &missing {
            let body = json!({ "value": value });
            let path = odata::variable(device, name);
            self.http.send(Method::PUT, &path, &self.token, Some(&body)).await?;
        }
        // PUT succeeds whatever it did, so only a look tells.
        match missing.is_empty() || self.missing(device, wanted).await?.is_empty() {
            true => Ok(()),
            false => {
                let message = format!("device {device} does not have the variables that were set");
                Err(BalenaError::Refused(message))
            }
        }
    }

    /// Those of the wanted ones that the device does not have so.
    async fn missing<'a>(
        &self,
        device: u64,
        wanted: &'a BTreeMap<String, String>,
    ) -> Result<Vec<(&'a String, &'a String)>, BalenaError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let there: Vec<Variable> = self.http.list(&odata::variables(device), &self.token).await?;
        let there: BTreeMap<&str, &str> =
            there.iter().map(|it| (it.name.as_str(), it.value.as_str())).collect();
        let is_there = |name: &str, value: &str| there.get(name) == Some(&value);
        Ok(wanted.iter().filter(|(name, value)| !is_there(name, value)).collect())
    }
}
