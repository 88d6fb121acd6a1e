//! Look what the update has brought: all facts are read anew. That the new firmware boots once is proven next.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport};
use migos_events::Learned;
use migos_playbooks::facts;
use migos_playbooks::requirement::after_update;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let rebooted = device.another_boot().await?;
    let payload = device.payload()?;
    let text = device.raspbian().await?.probe(&[]).await?;
    let facts = facts::parse(&text).map_err(|error| {
        Failure::Failed(format!("its facts are not understood after the update: {error}"))
    })?;
    match after_update(&facts, payload.manifest()) {
        Some(finding) => {
            Err(Failure::Refused(format!("{}; remedy: {}", finding.reason, finding.remedy)))
        }
        None => Ok(Learned { boot_id: Some(rebooted.boot_id), ..Learned::default() }),
    }
}
