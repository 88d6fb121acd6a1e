//! Await the flash: MIGOS writes the card by itself; it is only watched.

use super::Failure;
use super::mirror::{Bringer, Mirror};
use crate::executor::{Device, Patience};
use crate::port::{BalenaApi, Transport};
use migos_contract::{Command, Part, State};
use migos_events::Learned;

/// MIGOS may refuse what it has just asked for, if it gets it from somebody else in the same moment: an older connection,
/// or its own download. So often it is asked again.
const REFUSALS: u32 = 5;

/// MIGOS is permanent and waits for the image, or for the next part of it: it never had room for the whole, or a power
/// cut has taken it out of its memory. What is cut off, MIGOS asks for again.
async fn send_wanted<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
    part: Part,
    refusals: &mut u32,
) -> Result<(), Failure> {
    if device.plan().streamed.is_none() {
        let again = "MIGOS was reset while it flashed, and is sent the image once more";
        device.note(again.into()).await;
    }
    match device.stream(part).await {
        Ok(()) => *refusals = 0,
        Err(Failure::Transient(_)) => {}
        Err(_) if *refusals < REFUSALS => *refusals += 1,
        Err(failure) => {
            let why = failure.message();
            return Err(Failure::Stuck(format!("MIGOS does not take the image: {why}")));
        }
    }
    Ok(())
}

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    // Silent, MIGOS has rebooted into balenaOS and balena tells; or its power is gone, and when it has come up again it
    // wants the image. The next step waits for balena alone.
    let longest_silence = device.world.plan.arrival.late.0;
    let mut patience = Patience::default();
    let (mut refusals, mut mirror) = (0, Mirror::of(device.plan()));
    let mut silent_since = tokio::time::Instant::now();
    loop {
        match device.ask_migos(&Command::Status).await {
            Ok(status) => {
                silent_since = tokio::time::Instant::now();
                device.world.observer.progress(&device.id, status.written, status.total);
                match status.state {
                    State::Flashed => break,
                    State::NeedsImage => {
                        if let Some(part) = status.wants
                            && let Bringer::Controller(words) = mirror.bringer(&status)
                        {
                            if let Some(words) = words {
                                device.note(format!("{words}; it is sent from here")).await;
                            }
                            send_wanted(device, part, &mut refusals).await?;
                        }
                    }
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
