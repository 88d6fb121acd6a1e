//! Update the firmware, as its vendor does: by the packages of the device's own release. There is no way back, and
//! none is needed: it stays Raspbian.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport};
use migos_events::Learned;
use migos_playbooks::plan::Boot;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let Boot::OneShot { update: Some(update), .. } = &device.plan().boot else {
        return Err(Failure::Failed("the plan has no update for it".into()));
    };
    let firmware = update.of;
    device.raspbian().await?.update(firmware).await?;
    Ok(Learned::default())
}
