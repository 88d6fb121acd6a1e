//! Commit: the point of no return. MIGOS makes itself permanent, then rewrites the card.

use super::Failure;
use crate::executor::{Device, Patience};
use crate::port::{BalenaApi, Transport};
use migos_contract::Command;
use migos_events::Learned;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let commit = Command::Commit { nonce: device.secrets.nonce.clone() };
    let mut patience = Patience::default();
    let mut asked = device.taken_up;
    loop {
        if device.was_seen_on_balena() {
            return Ok(Learned::default());
        }
        // The status is asked first: it also shows, once more, that this is the board of the plan.
        match device.ask_migos(&Command::Status).await {
            Ok(status) if status.state.is_committed() => return Ok(Learned::default()),
            Ok(status) => {
                if let Some(error) = status.error {
                    return Err(Failure::Failed(format!("MIGOS goes back: {error}")));
                }
                asked = true;
                match device.ask_migos(&commit).await {
                    Ok(status) if status.state.is_committed() => return Ok(Learned::default()),
                    Ok(_) => {}
                    Err(Failure::Transient(_)) => {}
                    Err(failure) => return Err(failure),
                }
            }
            Err(Failure::Transient(_)) => {}
            Err(failure) if !asked => return Err(failure),
            // Somebody else answers: Raspbian, or balenaOS already. Which of them is settled below.
            Err(_) => {
                if device.verified_identity().await.is_ok() {
                    let message = "Raspbian came back before the commit".to_owned();
                    return Err(Failure::Failed(message));
                }
            }
        }
        patience.pause().await;
    }
}
