//! Writing the card, past the point of no return.

use std::collections::BTreeMap;
use std::sync::Arc;

use migos_contract::State;
use tokio::time::sleep;

use super::control::Control;
use crate::card::{Card, Content, Flashed, Medium};
use crate::device::VirtualPi;

/// The image is written in so many pieces.
const PIECES: u32 = 16;

/// Writes the image. It can be cut off at any instant: until the last piece, the next boot is MIGOS
/// again, which starts anew.
///
/// The boot partition that MIGOS boots from is kept behind what is being written until then. The image is in memory
/// only: after a power cut it is asked for.
pub(super) async fn flash(pi: &Arc<VirtualPi>, control: &Arc<Control>) -> Result<(), String> {
    let (job, image, configuration) = control.material().ok_or("there is nothing to write")?;
    let total = job.image.raw_size;
    for piece in 1..=PIECES {
        sleep(pi.pace.flash / PIECES).await;
        if piece < PIECES {
            control.hands.write(|card| match piece {
                1 => overwrite_raspbian(card),
                _ => Ok(()),
            })?;
            // Each piece is read back from the medium before the next.
            control.hands.sync();
            let written = total * u64::from(piece) / u64::from(PIECES);
            control.enter(State::Flashing, written);
            pi.has_flashed(written);
        }
    }
    control.hands.write(|card| {
        let mut files = configuration.files;
        if pi.faults.lost_keyfiles {
            files.retain(|path, _| !path.starts_with("system-connections/"));
        }
        finish(card, image, files);
        Ok(())
    })?;
    control.hands.sync();
    control.enter(State::Flashed, total);
    pi.has_flashed(total);
    Ok(())
}

/// With the first piece Raspbian is gone.
fn overwrite_raspbian(card: &mut Card) -> Result<(), String> {
    let partitions = card.partitions_mut().ok_or("the card is not Raspbian's any more")?;
    partitions.root.clear();
    Ok(())
}

/// The last piece is sector 0: with it the card is balenaOS.
fn finish(card: &mut Card, image: Content, files: BTreeMap<String, String>) {
    card.medium = Medium::Flashed(Flashed { image, files });
}
