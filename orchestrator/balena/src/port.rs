//! The verbs of the port.

use crate::http::Http;
use crate::odata;
use crate::setup::Balena;
use migos_engine::port::{BalenaApi, BalenaError, Registration, Table};
use migos_inventory::FleetSlug;
use migos_playbooks::balena::{BalenaFleet, DeviceUuid, Heartbeat, SeenRelease, Sighting};
use reqwest::Method;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The head of a request has room for no more uuids.
const UUIDS_AT_ONCE: usize = 300;

impl BalenaApi for Balena {
    async fn whoami(&self) -> Result<String, BalenaError> {
        let answer = self.http.send(Method::GET, "/actor/v1/whoami", &self.token, None).await?;
        let actor: Actor = answer.json()?;
        // Keys of fleets and devices are valid, too, but could not do what is to come.
        if actor.kind != "user" {
            let message = format!("it belongs to a balena {}; give a user's API key", actor.kind);
            return Err(BalenaError::Token(message));
        }
        Ok(actor.username.unwrap_or_else(|| format!("user {}", actor.id)))
    }

    async fn fleet(&self, slug: &FleetSlug) -> Result<Option<BalenaFleet>, BalenaError> {
        let fleets: Vec<SeenFleet> = self.http.list(&odata::fleet(slug), &self.token).await?;
        let Some(fleet) = fleets.into_iter().next() else { return Ok(None) };
        let device_type = fleet.device_types.into_iter().next();
        let architecture = device_type
            .as_ref()
            .and_then(|device_type| device_type.architectures.first())
            .map(|architecture| architecture.slug.clone());
        match (device_type, architecture) {
            (Some(device_type), Some(architecture)) => Ok(Some(BalenaFleet {
                id: fleet.id,
                slug: slug.clone(),
                device_type: device_type.slug,
                architecture,
                app: self.app(slug).await,
            })),
            _ => Err(BalenaError::Garbled(format!("{slug} comes without its device type"))),
        }
    }

    async fn sightings(&self, fleets: &[FleetSlug]) -> Result<Vec<Sighting>, BalenaError> {
        if fleets.is_empty() {
            return Ok(Vec::new());
        }
        let devices: Vec<SeenDevice> =
            self.http.list(&odata::sightings(fleets), &self.token).await?;
        Ok(devices.into_iter().map(Sighting::from).collect())
    }

    async fn sightings_of(&self, devices: &[DeviceUuid]) -> Result<Vec<Sighting>, BalenaError> {
        let mut seen = Vec::new();
        for some in devices.chunks(UUIDS_AT_ONCE) {
            let some: Vec<SeenDevice> =
                self.http.list(&odata::sightings_of(some), &self.token).await?;
            seen.extend(some.into_iter().map(Sighting::from));
        }
        Ok(seen)
    }

    async fn release(&self, fleet: u64, commit: &str) -> Result<Option<SeenRelease>, BalenaError> {
        self.release_of(fleet, commit).await
    }

    async fn register(&self, registration: &Registration) -> Result<u64, BalenaError> {
        self.register_once(registration).await
    }

    async fn set_values(
        &self,
        device: u64,
        table: Table,
        values: &BTreeMap<String, String>,
    ) -> Result<(), BalenaError> {
        self.write_values(device, table, values).await
    }

    async fn pin(&self, uuid: &DeviceUuid, release: u64) -> Result<(), BalenaError> {
        self.pin_to(uuid, release).await
    }

    async fn move_to(&self, uuid: &DeviceUuid, fleet: u64) -> Result<(), BalenaError> {
        self.move_into(uuid, fleet).await
    }

    async fn withdraw(&self, uuid: &DeviceUuid) -> Result<bool, BalenaError> {
        self.withdraw_unseen(uuid).await
    }
}

/// The heartbeat of a device; `None` if there is no such device.
pub(crate) async fn heartbeat(
    http: &Http,
    token: &crate::Token,
    uuid: &DeviceUuid,
) -> Result<Option<Heartbeat>, BalenaError> {
    #[derive(Deserialize)]
    struct Beating {
        api_heartbeat_state: SeenHeartbeat,
    }
    let devices: Vec<Beating> = http.list(&odata::heartbeat(uuid), token).await?;
    Ok(devices.first().map(|device| device.api_heartbeat_state.into()))
}

#[derive(Deserialize)]
struct Actor {
    id: u64,
    #[serde(rename = "actorType")]
    kind: String,
    username: Option<String>,
}

#[derive(Deserialize)]
struct SeenFleet {
    id: u64,
    // An expanded link is a list, even where there can be only one.
    #[serde(rename = "is_for__device_type")]
    device_types: Vec<SeenDeviceType>,
}

#[derive(Deserialize)]
struct SeenDeviceType {
    slug: String,
    #[serde(rename = "is_of__cpu_architecture")]
    architectures: Vec<SeenArchitecture>,
}

#[derive(Deserialize)]
struct SeenArchitecture {
    slug: String,
}

#[derive(Deserialize)]
struct SeenDevice {
    uuid: String,
    device_name: Option<String>,
    api_heartbeat_state: SeenHeartbeat,
    is_connected_to_vpn: Option<bool>,
    os_version: Option<String>,
    supervisor_version: Option<String>,
    #[serde(rename = "is_running__release", default)]
    runs: Vec<SeenId>,
    #[serde(rename = "should_be_running__release", default)]
    should_run: Vec<SeenId>,
}

#[derive(Deserialize)]
struct SeenId {
    id: u64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SeenHeartbeat {
    Unknown,
    Online,
    Timeout,
    Offline,
}

impl From<SeenHeartbeat> for Heartbeat {
    fn from(seen: SeenHeartbeat) -> Self {
        match seen {
            SeenHeartbeat::Unknown => Heartbeat::Unknown,
            SeenHeartbeat::Online => Heartbeat::Online,
            SeenHeartbeat::Timeout => Heartbeat::Timeout,
            SeenHeartbeat::Offline => Heartbeat::Offline,
        }
    }
}

impl From<SeenDevice> for Sighting {
    fn from(seen: SeenDevice) -> Self {
        Sighting {
            uuid: DeviceUuid(seen.uuid),
            name: seen.device_name.unwrap_or_default(),
            heartbeat: seen.api_heartbeat_state.into(),
            vpn: seen.is_connected_to_vpn.unwrap_or(false),
            os_version: seen.os_version,
            supervisor: seen.supervisor_version,
            runs: seen.runs.first().map(|release| release.id),
            should_run: seen.should_run.first().map(|release| release.id),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_device_is_read_as_the_api_writes_it() {
        let seen: SeenDevice = serde_json::from_str(
            r#"{"uuid":"5e91c2","device_name":"kiosk-001","api_heartbeat_state":"timeout",
                "is_connected_to_vpn":true,"os_version":null,"supervisor_version":"17.4.0",
                "is_running__release":[],"should_be_running__release":[{"id":7}]}"#,
        )
        .unwrap();
        let sighting = Sighting {
            uuid: DeviceUuid("5e91c2".to_owned()),
            name: "kiosk-001".to_owned(),
            heartbeat: Heartbeat::Timeout,
            vpn: true,
            os_version: None,
            supervisor: Some("17.4.0".to_owned()),
            runs: None,
            should_run: Some(7),
        };
        assert_eq!(Sighting::from(seen), sighting);
    }
}
