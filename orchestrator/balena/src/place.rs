//! Where a device is, and what it is pinned to: both are changed, and looked at again.

use crate::odata;
use crate::setup::Balena;
use migos_engine::port::BalenaError;
use migos_playbooks::balena::{DeviceUuid, SeenRelease};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// Expanded links are lists, even where there can be only one.
#[derive(Deserialize)]
struct Place {
    #[serde(rename = "belongs_to__application")]
    fleets: Vec<Id>,
    #[serde(rename = "is_pinned_on__release")]
    pins: Vec<Id>,
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

#[derive(Deserialize)]
struct Release {
    id: u64,
    status: Option<String>,
    is_final: Option<bool>,
    is_invalidated: Option<bool>,
}

impl Release {
    /// Why no device may be pinned to it.
    fn unfit(&self) -> Option<String> {
        match self.status.as_deref() {
            Some("success") => {}
            status => {
                return Some(format!(
                    "was not built: its status is {}",
                    status.unwrap_or("unknown")
                ));
            }
        }
        match (self.is_final, self.is_invalidated) {
            (_, Some(true)) => Some("was invalidated".to_owned()),
            (Some(true), _) => None,
            _ => Some("is not final".to_owned()),
        }
    }
}

impl Balena {
    /// The release of this commit in a fleet.
    pub(crate) async fn release_of(
        &self,
        fleet: u64,
        commit: &str,
    ) -> Result<Option<SeenRelease>, BalenaError> {
        let path = odata::release_of_commit(fleet, commit);
        let releases: Vec<Release> = self.http.list(&path, &self.token).await?;
        // A commit may have been built more than once; one that is fit counts.
        let fit = releases.iter().find(|release| release.unfit().is_none());
        let release = fit.or(releases.first());
        Ok(release.map(|release| SeenRelease { id: release.id, unfit: release.unfit() }))
    }

    /// Pins a device, unless it is so already.
    pub(crate) async fn pin_to(&self, uuid: &DeviceUuid, release: u64) -> Result<(), BalenaError> {
        let is_there = |place: &Place| place.pins.iter().any(|pin| pin.id == release);
        let change = json!({ "is_pinned_on__release": release });
        self.bring_about(uuid, &change, is_there, "is not pinned").await
    }

    /// Moves a device, unless it is there already.
    pub(crate) async fn move_into(&self, uuid: &DeviceUuid, fleet: u64) -> Result<(), BalenaError> {
        let is_there = |place: &Place| place.fleets.iter().any(|there| there.id == fleet);
        let change = json!({ "belongs_to__application": fleet });
        self.bring_about(uuid, &change, is_there, "was not moved").await
    }

    /// PATCH succeeds whatever it did, so only a look tells.
    async fn bring_about(
        &self,
        uuid: &DeviceUuid,
        change: &Value,
        is_there: impl Fn(&Place) -> bool,
        otherwise: &str,
    ) -> Result<(), BalenaError> {
        if is_there(&self.place(uuid).await?) {
            return Ok(());
        }
        let path = odata::device(uuid);
        self.http.send(Method::PATCH, &path, &self.token, Some(change)).await?;
        match is_there(&self.place(uuid).await?) {
            true => Ok(()),
            false => {
                let message = format!("device {} {otherwise}, though balena took it", uuid.short());
                Err(BalenaError::Refused(message))
            }
        }
    }

    async fn place(&self, uuid: &DeviceUuid) -> Result<Place, BalenaError> {
        let places: Vec<Place> = self.http.list(&odata::place(uuid), &self.token).await?;
        let gone = || BalenaError::Refused(format!("device {} is not there", uuid.short()));
        places.into_iter().next().ok_or_else(gone)
    }
}
