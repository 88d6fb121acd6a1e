//! MIGOS as it runs on a virtual Pi: the ramdisk's part of a migration.
//!
//! It follows the contract with the controller in [`migos_contract`] and nothing else: what it
//! needs stands under the payload's folder on the boot partition, what it is told comes in over
//! SSH.

mod call_home;
mod control;
mod fetch;
mod flash;
mod job;
mod switch;
mod unattended;

use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::Arc;

use migos_contract::State as Doing;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::boot::MigosBoot;
use crate::device::{State, VirtualPi};
use crate::life;
use crate::mounts::Hands;
use crate::site::Way;
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
    let way = if hangs { Way::Down } else { control.way() };
    let gets_out = way == Way::Out;
    // Who waits to be called needs no names of hosts.
    let is_found = if control.way_home().is_some() { gets_out } else { way.is_called() };
    if !is_found {
        tracing::info!(device = pi.name, ?way, "MIGOS is not reached");
    }
    let reachable = async {
        if !is_found {
            return pending().await;
        }
        serve(&pi, &control, power).await;
    };
    let fetching = async {
        match control.url() {
            Some(url) if gets_out => fetch::fetch(&control, &url).await,
            _ => pending().await,
        }
    };
    pi.enter(State::Migos);
    tokio::select! {
        () = reachable => {}
        () = fetching => {}
        () = work(&pi, &control, started, gets_out) => {}
    }
}

/// Lets the controller in, by the way that the job says.
async fn serve(pi: &Arc<VirtualPi>, control: &Arc<Control>, power: watch::Receiver<()>) {
    let Some(host_key) = control.host_key() else { return pending().await };
    let shell = Arc::clone(control);
    let Some((bastion, key)) = control.way_home() else {
        if pi.is_tunnelled() {
            return pending().await;
        }
        return match life::listen(pi, pi.address, host_key, shell, power).await {
            Ok((_, serving)) => serving.await,
            Err(_) => pending().await,
        };
    };
    // Nobody else is told this address.
    let unknown = (Ipv4Addr::LOCALHOST, 0).into();
    match life::listen(pi, unknown, host_key, shell, power.clone()).await {
        Ok((server, serving)) => {
            let calling = call_home::call(Arc::clone(pi), bastion, key, server, power);
            tokio::select! {
                () = serving => {}
                () = calling => {}
            }
        }
        Err(_) => pending().await,
    }
}

/// Waits for orders or for its time to run out, and does what is due.
async fn work(pi: &Arc<VirtualPi>, control: &Arc<Control>, started: Instant, has_network: bool) {
    let mut progress = control.subscribe();
    loop {
        let now = progress.borrow_and_update().clone();
        match now.state {
            Doing::Ready => {
                let deadline = control.deadline(started, now.contacted);
                let permit = control.permit().filter(|_| has_network);
                let deciding = async {
                    match &permit {
                        Some(permit) => unattended::decide(control, permit).await,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    () = deciding => {}
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
