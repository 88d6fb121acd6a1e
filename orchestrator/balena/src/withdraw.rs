//! Taking a registration back, as long as the device has not shown up.

use crate::odata;
use crate::port::heartbeat;
use crate::setup::Balena;
use migos_engine::port::BalenaError;
use migos_playbooks::balena::{DeviceUuid, Heartbeat};
use reqwest::Method;

impl Balena {
    /// Deletes a device that was never seen. True if it is gone, also if it never was; false if it has
    /// been seen and was left alone.
    pub(crate) async fn withdraw_unseen(&self, uuid: &DeviceUuid) -> Result<bool, BalenaError> {
        match heartbeat(&self.http, &self.token, uuid).await? {
            None => return Ok(true),
            Some(Heartbeat::Online | Heartbeat::Timeout | Heartbeat::Offline) => return Ok(false),
            Some(Heartbeat::Unknown) => {}
        }
        self.http.send(Method::DELETE, &odata::never_seen(uuid), &self.token, None).await?;
        // DELETE succeeds whatever it did, so only a look tells. A device that is still there has either
        // shown up in between, or the token may not delete it.
        match heartbeat(&self.http, &self.token, uuid).await? {
            None => Ok(true),
            Some(Heartbeat::Online | Heartbeat::Timeout | Heartbeat::Offline) => Ok(false),
            Some(Heartbeat::Unknown) => {
                let message = format!("device {} is still there after its deletion", uuid.short());
                Err(BalenaError::Refused(message))
            }
        }
    }
}
