//! The life of a virtual Pi: power on, boot, run, reset, again.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use migos_firmware::Reset;
use russh::keys::PrivateKey;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::boot::{self, Outcome};
use crate::device::{Order, State, VirtualPi};
use crate::raspbian::{Raspbian, RunningKernel};
use crate::server::{self, Shell};
use crate::{balena_os, migos};

/// Lives until it is dropped; then everything on the Pi stops at once.
pub(crate) async fn live(pi: Arc<VirtualPi>, mut orders: mpsc::UnboundedReceiver<Order>) {
    if pi.faults.unreachable {
        return pending().await;
    }
    let mut reset = Reset::default();
    loop {
        reset = match one_boot(&pi, reset, &mut orders).await {
            Order::Reboot { tryboot } => {
                // Whoever resets without a power cut has synced first.
                pi.card().sync();
                Reset { tryboot: tryboot && !pi.faults.one_shot_ignored, partition: 0 }
            }
            Order::CutPower => {
                pi.enter(State::Off);
                sleep(pi.pace.power_cut).await;
                // The flag does not survive a power cut.
                Reset::default()
            }
        };
    }
}

/// From one reset to the next; returns what ended it.
async fn one_boot(
    pi: &Arc<VirtualPi>,
    reset: Reset,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) -> Order {
    let has_power = pi.power_on();
    // The power goes when `one_boot` ends, however it ends.
    let _power = Supply(pi);
    let mut system = pin!(run(pi, reset, has_power));
    let order = tokio::select! {
        biased;
        Some(order) = orders.recv() => order,
        () = &mut system => return Order::Reboot { tryboot: false },
    };
    if order == Order::CutPower {
        return order;
    }
    // A system that shuts down still answers for a moment.
    tokio::select! {
        biased;
        Some(Order::CutPower) = orders.recv() => Order::CutPower,
        () = sleep(pi.pace.shutdown) => order,
        () = &mut system => order,
    }
}

/// Keeps a Pi powered until it is dropped.
struct Supply<'a>(&'a VirtualPi);

impl Drop for Supply<'_> {
    fn drop(&mut self) {
        self.0.power_off();
    }
}

/// Boots and runs what comes up; returns when that asks for a reset.
async fn run(pi: &Arc<VirtualPi>, reset: Reset, power: watch::Receiver<()>) {
    pi.enter(State::Booting);
    let boots = pi.boot_count();
    // Twins do not come up in the same instant.
    let share = (pi.seed.number(&format!("{} boot time {boots}", pi.name)) % 1000) as u32;
    sleep(pi.pace.boot + pi.pace.boot * share / 1000 + pi.faults.slow_boot.unwrap_or_default())
        .await;

    pi.card().drop_overlay();
    let outcome = boot::boot(&pi.model, pi.release, pi.present_serial(), &pi.card(), reset);
    tracing::debug!(device = pi.name, ?outcome, "booted");
    match outcome {
        Outcome::Raspbian(kernel) => raspbian(pi, pi.settle(kernel), boots, power).await,
        // A hang ends by the watchdog, if somebody has armed it by then.
        Outcome::Migos(migos) if pi.faults.hangs_before_watchdog => {
            let bites = migos.watchdog.then_some(pi.pace.watchdog);
            dark(pi, "the kernel hangs before its watchdog driver starts", bites).await;
        }
        Outcome::Migos(_) if pi.faults.hangs_after_watchdog => {
            dark(pi, "the kernel hangs", Some(pi.pace.watchdog)).await;
        }
        Outcome::Migos(migos) => migos::run(Arc::clone(pi), migos, power).await,
        Outcome::BalenaOs(image) => {
            pi.enter(State::BalenaOs);
            balena_os::run(Arc::clone(pi), image).await;
        }
        Outcome::Panic { reason } => dark(pi, &reason, Some(pi.pace.panic)).await,
        Outcome::Nothing { reason, watchdog } => {
            dark(pi, &reason, watchdog.then_some(pi.pace.watchdog)).await;
        }
    }
}

async fn raspbian(
    pi: &Arc<VirtualPi>,
    kernel: RunningKernel,
    boots: u32,
    power: watch::Receiver<()>,
) {
    let system = match Raspbian::start(pi, kernel, boots, power.clone()) {
        Ok(system) => system,
        Err(error) => return dark(pi, &format!("Raspbian did not start: {error}"), None).await,
    };
    match listen(pi, pi.address, pi.shown_key(), Arc::new(system), power).await {
        Ok((_, serving)) => {
            pi.enter(State::Raspbian);
            serving.await;
        }
        Err(error) => dark(pi, &format!("its address is taken: {error}"), None).await,
    }
}

/// Opens the port, so that whoever is told that the system is up can connect; gives its address, and what serves.
pub(crate) async fn listen(
    pi: &VirtualPi,
    address: SocketAddr,
    host_key: PrivateKey,
    shell: Arc<dyn Shell>,
    power: watch::Receiver<()>,
) -> io::Result<(SocketAddr, impl Future<Output = ()> + use<>)> {
    let listener = TcpListener::bind(address).await?;
    let other_board = pi.other_board.subscribe();
    let address = listener.local_addr()?;
    let meter = Arc::clone(&pi.meter);
    Ok((address, server::serve(listener, host_key, shell, meter, power, other_board)))
}

/// Nothing runs, for good or until a reset.
async fn dark(pi: &VirtualPi, reason: &str, until: Option<Duration>) {
    tracing::info!(device = pi.name, reason, "nothing came up");
    pi.enter(State::Dark);
    match until {
        Some(time) => sleep(time).await,
        None => pending().await,
    }
}
