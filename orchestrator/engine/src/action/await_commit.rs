//! Await the commit of a device that gives it to itself: MIGOS has committed, or Raspbian has come back, or nothing is
//! heard of it for so long that only balena can tell.

use super::{Failure, await_migos, release};
use crate::executor::{Device, Hang, Patience};
use crate::port::{BalenaApi, Transport};
use migos_contract::Command;
use migos_events::Learned;
use std::time::Duration;
use tokio::time::Instant;

/// Longer than the largest card takes to be written: where MIGOS cannot be reached, all of it is silence.
const FLASH: Duration = Duration::from_secs(3 * 3600);

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let mut patience = Patience::default();
    let mut hang = Hang::new(device.world.plan.dead_man.hung.0);
    let longest = release::BOOT + device.world.plan.dead_man.commit.0 + FLASH;
    let mut heard = Instant::now();
    loop {
        if device.was_seen_on_balena() {
            return Ok(Learned::default());
        }
        if let Ok(status) = device.ask_migos(&Command::Status).await {
            if status.state.is_committed() {
                return Ok(Learned::default());
            }
            heard = Instant::now();
        } else {
            match device.verified_identity().await {
                Ok(identity) if device.learned.boot_id.as_ref() == Some(&identity.boot_id) => {
                    heard = Instant::now();
                    device.force(&mut hang).await?;
                }
                Ok(_) => {
                    let forced = hang.was_forced();
                    return Err(Failure::Failed(
                        await_migos::why_it_came_back(device, forced).await,
                    ));
                }
                Err(failure) => device.wait_on(failure)?,
            }
        }
        if heard.elapsed() >= longest {
            let silent = "nothing is heard of it; whether it has committed, balena will tell";
            device.note(silent.into()).await;
            return Ok(Learned::default());
        }
        patience.pause().await;
    }
}
