//! Await the flash: MIGOS writes the card by itself; it is only watched.

use super::Failure;
use crate::executor::{Device, Patience};
use crate::port::{BalenaApi, Transport};
use migos_contract::{Command, State};
use migos_events::Learned;
use std::time::Duration;

/// Silence after which MIGOS is taken to have rebooted. Should it be a power cut instead, MIGOS goes on by
/// itself; either way balena tells the end of it.
const SILENCE: Duration = Duration::from_secs(10);

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let mut patience = Patience::default();
    let mut silent_since = tokio::time::Instant::now();
    loop {
        match device.ask_migos(&Command::Status).await {
            Ok(status) => {
                silent_since = tokio::time::Instant::now();
                device.world.observer.progress(&device.id, status.written, status.total);
                match status.state {
                    State::Flashed => break,
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
            Err(_) if silent_since.elapsed() >= SILENCE || device.was_seen_on_balena() => break,
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
