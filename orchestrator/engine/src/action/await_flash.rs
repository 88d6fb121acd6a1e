//! Await the flash: MIGOS writes the card by itself; it is only watched.

use super::Failure;
use crate::executor::{Device, Patience};
use crate::port::{BalenaApi, Session, Transport};
use migos_contract::{Command, State};
use migos_events::Learned;

/// A power cut has taken the image out of the memory of MIGOS, which is permanent and waits for it. What is cut off
/// is sent anew: nothing of it rests on the card.
async fn send_again<T: Transport, B: BalenaApi>(device: &mut Device<T, B>) -> Result<(), Failure> {
    device.note("MIGOS was reset while it flashed, and is sent the image once more".into()).await;
    let (image, world, id) = (device.image()?, device.world.clone(), device.id.clone());
    let total = image.size;
    let progress = move |done| world.observer.progress(&id, done, total);
    match device.migos().await?.stream(&image, &progress).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_transient() => {
            device.hang_up().await;
            Ok(())
        }
        Err(error) => Err(Failure::Stuck(format!("MIGOS does not take the image: {error}"))),
    }
}

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    // Silent, MIGOS has rebooted into balenaOS and balena tells; or its power is gone, and when it has come up again it
    // wants the image. The next step waits for balena alone.
    let longest_silence = device.world.plan.arrival.late.0;
    let mut patience = Patience::default();
    let mut silent_since = tokio::time::Instant::now();
    loop {
        match device.ask_migos(&Command::Status).await {
            Ok(status) => {
                silent_since = tokio::time::Instant::now();
                device.world.observer.progress(&device.id, status.written, status.total);
                match status.state {
                    State::Flashed => break,
                    State::NeedsImage => send_again(device).await?,
                    State::Failed => {
                        let error = status.error.unwrap_or_else(|| "no reason given".into());
                        return Err(Failure::Stuck(format!("MIGOS cannot go on: {error}")));
                    }
                    State::Ready
                    | State::Leaving
                    | State::Committed
                    | State::Flashing
                    | State::Unknown => {}
                }
            }
            Err(_) if device.was_seen_on_balena() => break,
            Err(_) if silent_since.elapsed() >= longest_silence => break,
            Err(Failure::Transient(_)) => {}
            // Somebody else answers. If it is the Raspbian of the plan, then what is known contradicts what is
            // seen, and a person has to look.
            Err(_) if device.verified_identity().await.is_ok() => {
                let message = "it crossed the point of no return, and yet its old Raspbian answers";
                return Err(Failure::Contradiction(message.into()));
            }
            Err(_) => {}
        }
        patience.pause().await;
    }
    device.hang_up().await;
    Ok(Learned::default())
}
