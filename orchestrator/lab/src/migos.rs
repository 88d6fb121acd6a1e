//! MIGOS as it runs on a virtual Pi: the ramdisk's part of a migration.
//!
//! It follows the contract with the controller in [`migos_contract`] and nothing else: what it
//! needs stands under the payload's folder on the boot partition, what it is told comes in over
//! SSH.

mod control;
mod flash;
mod job;
mod switch;

use std::future::pending;
use std::sync::Arc;

use migos_contract::State as Doing;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::boot::MigosBoot;
use crate::device::{State, VirtualPi};
use crate::life;
use crate::mounts::Hands;
use control::Control;
use job::Folder;

/// Runs MIGOS; returns when it resets.
pub(crate) async fn run(pi: Arc<VirtualPi>, boot: MigosBoot, power: watch::Receiver<()>) {
    let started = Instant::now();
    let hands = Hands::new(&pi, power.clone());
    let control = Arc::new(Control::start(&pi, Folder::new(&boot), hands));
    let committed = control.is_committed();
    // After the commit nothing but the network can fail, and the fault is about a first meeting.
    let hangs = !boot.has_drivers || (pi.faults.hangs_in_migos && !committed);
    let serving = match control.host_key() {
        Some(key) if !hangs => life::listen(&pi, key, Arc::clone(&control) as _, power).await.ok(),
        _ => None,
    };
    pi.enter(State::Migos);
    let serving = async {
        match serving {
            Some(serving) => serving.await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = serving => {}
        () = work(&pi, &control, started) => {}
    }
}

/// Waits for orders or for its time to run out, and does what is due.
async fn work(pi: &Arc<VirtualPi>, control: &Arc<Control>, started: Instant) {
    let mut progress = control.subscribe();
    loop {
        let now = progress.borrow_and_update().clone();
        match now.state {
            Doing::Ready => {
                let deadline = control.deadline(started, now.contacted);
                tokio::select! {
                    changed = progress.changed() => if changed.is_err() { return },
                    () = sleep_until(deadline) => {
                        tracing::info!(device = pi.name, "the dead-man's time has run out");
                        return;
                    }
                }
            }
            Doing::Leaving => return sleep(pi.pace.leaving).await,
            Doing::Committed => match flash::flash(pi, control).await {
                Ok(()) => {
                    // Long enough for the controller to see it.
                    sleep(pi.pace.shutdown).await;
                    return;
                }
                Err(error) => control.fail(error),
            },
            // The SSH server stays up, and only a person or a power cut changes anything.
            Doing::NeedsImage => {
                if progress.changed().await.is_err() {
                    return;
                }
            }
            Doing::Failed | Doing::Flashing | Doing::Flashed | Doing::Unknown => {
                return pending().await;
            }
        }
    }
}
