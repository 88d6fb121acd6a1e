//! Await MIGOS: under the host key that only it can have, with the job's nonce and the board's serial.

use super::{Failure, arm};
use crate::executor::{Device, Hang, Patience};
use crate::port::{BalenaApi, Session, Transport};
use migos_contract::{Command, State};
use migos_events::Learned;
use migos_playbooks::plan::Boot;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let mut patience = Patience::default();
    let mut hang = Hang::new(device.world.plan.dead_man.hung.0);
    let (mut armed_again, mut forced) = (false, false);
    loop {
        if let Ok(status) = device.ask_migos(&Command::Status).await {
            if status.state.is_committed() || status.state == State::Ready {
                return Ok(Learned::default());
            }
            if let Some(error) = status.error {
                return Err(Failure::Failed(format!("MIGOS goes back: {error}")));
            }
        } else {
            match device.verified_identity().await {
                Ok(identity) => {
                    // Somebody else answers at the address: Raspbian.
                    if device.learned.boot_id.as_ref() == Some(&identity.boot_id) {
                        device.force(&mut hang).await?;
                    } else if !armed_again && may_arm_again(device).await {
                        // A forced reboot does not carry the flag, and a power cut clears it: MIGOS has not
                        // even run.
                        (armed_again, forced) = (true, forced || hang.was_forced());
                        device
                            .note("Raspbian came back without MIGOS; armed once more".into())
                            .await;
                        let learned = arm::set_flag_and_reboot(device).await?;
                        device.learned.add(&learned);
                        hang = Hang::new(device.world.plan.dead_man.hung.0);
                    } else {
                        let forced = forced || hang.was_forced();
                        return Err(Failure::Failed(why_it_came_back(device, forced).await));
                    }
                }
                Err(failure) => device.wait_on(failure)?,
            }
        }
        patience.pause().await;
    }
}

async fn may_arm_again<T: Transport, B: BalenaApi>(device: &mut Device<T, B>) -> bool {
    matches!(device.plan().boot, Boot::OneShot { .. }) && last_words(device).await.is_none()
}

/// What MIGOS left on the card last, if it ran at all.
async fn last_words<T: Transport, B: BalenaApi>(device: &mut Device<T, B>) -> Option<String> {
    const LIMIT: u64 = 4096;
    let path = format!("{}/result.txt", device.boot_folder());
    let text = device.raspbian().await.ok()?.read(&path, LIMIT).await.ok()??;
    Some(String::from_utf8_lossy(&text).trim().lines().last()?.to_owned())
}

pub(super) async fn why_it_came_back<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
    forced: bool,
) -> String {
    match last_words(device).await {
        Some(last) => format!("Raspbian came back instead of MIGOS; MIGOS said: {last}"),
        None if forced => "its reboots hang, so the one-shot flag never sets in".to_owned(),
        None => {
            "Raspbian came back instead of MIGOS: the firmware ignored the one-shot flag, or MIGOS \
                 gave up without a word"
                .to_owned()
        }
    }
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    device.back_on_raspbian().await
}
