//! A virtual Pi: the board, its card and its faults, and what can be seen and done from outside.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use migos_payload::digest::Sha256;
use russh::keys::{PrivateKey, PublicKey};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::board::Model;
use crate::card::{Card, FileSystem, Loss, Pool};
use crate::faults::{DeviceFaults, Tier};
use crate::pace::Pace;
use crate::raspbian::RunningKernel;
use crate::release::Release;
use crate::seed::Seed;
use crate::site::{NetworkKind, Site};
use crate::stream::Meter;
use crate::twin::Twin;
use crate::{keys, mounts};

/// A board's serial number differs from that of the one beside it by these bits.
pub(crate) const OTHER_BOARD: u64 = 0x00a5_a5a5;

/// What a virtual Pi is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has no power.
    Off,
    /// Firmware and kernel are coming up; nothing listens yet.
    Booting,
    /// Raspbian answers.
    Raspbian,
    /// MIGOS runs.
    Migos,
    /// The flashed balenaOS runs.
    BalenaOs,
    /// Nothing came up, and nothing will until a watchdog or a power cut resets it.
    Dark,
}

/// The life of a virtual Pi so far.
#[derive(Debug, Clone)]
pub struct Life {
    /// What it is doing now.
    pub state: State,
    /// How often it has been started.
    pub boots: u32,
    /// Every state it has been in, the present one last.
    pub states: Vec<State>,
    /// Bytes of the image that MIGOS has written since its last start.
    pub flashed: u64,
    /// How often balena has taken a report of it.
    pub reports: u32,
    /// What stood in `/run/systemd/reboot-param` at each reboot that Raspbian was asked for.
    pub reboots: Vec<String>,
    /// Connections that Raspbian or MIGOS has taken.
    pub connections: u32,
}

/// What keeps Raspbian from doing what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// Somebody installs packages and holds dpkg's lock.
    PackagesLocked,
    /// `systemctl reboot` fails.
    RebootFails,
}

/// An order to the power supply, or to the reset line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The running system shuts down and resets; with the one-shot flag or without.
    Reboot { tryboot: bool },
    /// The power goes away and comes back.
    CutPower,
}

/// A virtual Pi.
pub struct VirtualPi {
    pub(crate) name: String,
    pub(crate) model: Model,
    pub(crate) release: Release,
    /// What it is the twin of, if it is one.
    pub(crate) twin: Option<Twin>,
    pub(crate) serial: u64,
    pub(crate) seed: Seed,
    /// What its network is like.
    pub(crate) site: Site,
    pub(crate) address: SocketAddr,
    pub(crate) faults: DeviceFaults,
    pub(crate) pace: Pace,
    pub(crate) pool: Pool,
    /// The key that may log in to Raspbian.
    pub(crate) operator: PublicKey,
    pub(crate) meter: Arc<Meter>,
    card: Mutex<Card>,
    /// `/run` and `/proc`: gone with the next reset.
    memory: Mutex<FileSystem>,
    hindrance: Mutex<Option<Hindrance>>,
    commands: Mutex<Vec<String>>,
    /// How `/etc/fstab` has the boot partition mounted.
    boot_read_only: AtomicBool,
    /// True while another board is in its place; whoever has a receiver of it sees them being swapped.
    pub(crate) other_board: watch::Sender<bool>,
    /// Held for as long as there is power; whoever has a receiver of it sees the power go.
    power: Mutex<Option<watch::Sender<()>>>,
    /// When it was made; its faults that pass are counted from here.
    pub(crate) made: Instant,
    life: watch::Sender<Life>,
    orders: mpsc::UnboundedSender<Order>,
}

/// What a virtual Pi is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) model: Model,
    pub(crate) release: Release,
    /// What it is the twin of, if it is one.
    pub(crate) twin: Option<Twin>,
    pub(crate) serial: u64,
    pub(crate) seed: Seed,
    pub(crate) site: Site,
    pub(crate) address: SocketAddr,
    pub(crate) faults: DeviceFaults,
    pub(crate) pace: Pace,
    pub(crate) pool: Pool,
    pub(crate) operator: PublicKey,
    pub(crate) card: Card,
}

impl VirtualPi {
    /// A Pi without power, and where its orders arrive.
    pub(crate) fn new(parts: Parts) -> (Arc<Self>, mpsc::UnboundedReceiver<Order>) {
        let Parts {
            name,
            model,
            release,
            twin,
            serial,
            seed,
            site,
            address,
            faults,
            pace,
            pool,
            operator,
            card,
        } = parts;
        let (orders, inbox) = mpsc::unbounded_channel();
        let life = Life {
            state: State::Off,
            boots: 0,
            states: vec![State::Off],
            flashed: 0,
            reports: 0,
            reboots: Vec::new(),
            connections: 0,
        };
        let pi = Self {
            meter: Arc::new(Meter::new(faults.cut_upload)),
            card: Mutex::new(card),
            memory: Mutex::new(mounts::memory()),
            hindrance: Mutex::new(None),
            commands: Mutex::new(Vec::new()),
            boot_read_only: AtomicBool::new(faults.read_only_boot),
            other_board: watch::Sender::new(false),
            power: Mutex::new(None),
            made: Instant::now(),
            life: watch::Sender::new(life),
            orders,
            name,
            model,
            release,
            twin,
            serial,
            seed,
            site,
            address,
            faults,
            pace,
            pool,
            operator,
        };
        (Arc::new(pi), inbox)
    }

    /// The commands of the user's own that it has run, in order.
    pub fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn has_run(&self, command: &str) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push(command.to_owned());
    }

    /// Its name in the inventory, which is also its host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What kind of Pi it is.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The release of Raspbian it came with; of a twin the nearest of the lab's.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Where Raspbian has its boot partition mounted.
    pub fn boot_path(&self) -> &str {
        let told = self.twin.as_ref().and_then(|twin| twin.told.first("boot.path"));
        told.filter(|path| path.len() > 1).unwrap_or_else(|| self.release.boot_path())
    }

    /// The name that it gives itself.
    pub(crate) fn hostname(&self) -> &str {
        let told = self.twin.as_ref().and_then(|twin| twin.told.first("hostname"));
        told.unwrap_or(&self.name)
    }

    /// The running kernel, in the words of this device.
    pub(crate) fn settle(&self, kernel: RunningKernel) -> RunningKernel {
        match &self.twin {
            Some(twin) => twin.settle(kernel),
            None => kernel,
        }
    }

    /// It is reached through a tunnel of Raspbian's own.
    pub(crate) fn is_tunnelled(&self) -> bool {
        self.faults.tunnel || self.twin.as_ref().is_some_and(Twin::is_tunnelled)
    }

    /// Its serial number: 16 hex digits.
    pub fn serial(&self) -> String {
        format!("{:016x}", self.serial)
    }

    /// The address of its network interface; of Ethernet, where the board's serial number gives the second half.
    pub fn mac(&self) -> String {
        let told = self.twin.as_ref().and_then(Twin::mac).map(str::to_owned);
        told.unwrap_or_else(|| self.model.mac(self.serial))
    }

    /// The kind of its network; of a twin's nothing is known.
    pub fn network(&self) -> Option<NetworkKind> {
        self.site.kind
    }

    /// The addresses of its network interfaces by the names that Raspbian gives them.
    pub fn interfaces(&self) -> BTreeMap<String, String> {
        let port = |port: &crate::site::Port| (port.name.to_owned(), port.mac.clone());
        self.site.ports.iter().map(port).collect()
    }

    /// Where its SSH server listens, while it does.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The public half of Raspbian's host key, as `known_hosts` has it.
    pub fn raspbian_host_key(&self) -> PublicKey {
        self.raspbian_key().public_key().clone()
    }

    /// What it is doing now.
    pub fn state(&self) -> State {
        self.life.borrow().state
    }

    /// How often it has been started.
    pub fn boot_count(&self) -> u32 {
        self.life.borrow().boots
    }

    /// Its life so far.
    pub fn life(&self) -> Life {
        self.life.borrow().clone()
    }

    /// Waits until its life is as asked for, and returns it. States that have come and gone are in
    /// [`Life::states`].
    pub async fn until(&self, condition: impl FnMut(&Life) -> bool) -> Life {
        match self.life.subscribe().wait_for(condition).await {
            Ok(life) => life.clone(),
            // The sender is part of `self` and outlives this call.
            Err(_) => self.life(),
        }
    }

    /// The files of Raspbian's boot partition by path, with their digests; empty once it is gone.
    pub fn boot_tree(&self) -> BTreeMap<String, Sha256> {
        let card = self.card();
        let files = card.partitions().into_iter().flat_map(|partitions| partitions.boot.files());
        files.map(|(path, bytes)| (path.to_owned(), Sha256::of(bytes))).collect()
    }

    /// Puts something in the way of Raspbian, or takes it away again.
    pub fn hinder(&self, hindrance: Option<Hindrance>) {
        *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) = hindrance;
    }

    pub(crate) fn is_hindered_by(&self, hindrance: Hindrance) -> bool {
        let installs = hindrance == Hindrance::PackagesLocked
            && self.faults.dpkg_locked.is_some_and(|time| self.made.elapsed() < time);
        let is_set =
            *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) == Some(hindrance);
        installs || is_set
    }

    /// Mounts the boot partition read-only, now and at every start, as some owners do, or read-write
    /// again.
    pub fn set_boot_read_only(&self, read_only: bool) {
        self.boot_read_only.store(read_only, Ordering::Relaxed);
        self.mount_boot();
    }

    /// True if the boot partition is mounted read-only at this moment.
    pub fn is_boot_read_only(&self) -> bool {
        self.card().partitions().is_some_and(|partitions| partitions.boot.is_read_only())
    }

    /// Mounts the boot partition as `/etc/fstab` has it.
    pub(crate) fn mount_boot(&self) {
        if let Some(partitions) = self.card().partitions_mut() {
            partitions.boot.set_read_only(self.boot_read_only.load(Ordering::Relaxed));
        }
    }

    /// How many writes its card has had since the lab's start. Each change of the boot partition or the
    /// root file system is one: a file made, filled, renamed or removed, a piece of an upload, a piece
    /// of the image.
    pub fn writes(&self) -> u64 {
        self.card().writes()
    }

    /// Has the power go at once with this write, counted as in [`writes`](Self::writes), and come back
    /// after [`Pace::power_cut`]. The write has then been done or, with the others that no sync has
    /// followed, been lost. A later call takes the place of an earlier one; for a write that has already
    /// been, nothing happens.
    pub fn cut_power_at_write(&self, write: u64, loss: Loss) {
        self.card().cut_at(write, loss);
    }

    /// Puts another board in its place, with a copy of its card and all that runs on it, or puts it back.
    /// Connections to the board that goes are lost.
    pub fn swap_board(&self) {
        self.other_board.send_modify(|is_other| *is_other = !*is_other);
    }

    /// The serial number of the board that is in its place now.
    pub(crate) fn present_serial(&self) -> u64 {
        match *self.other_board.borrow() {
            true => self.serial ^ OTHER_BOARD,
            false => self.serial,
        }
    }

    /// Cuts the power for a moment.
    pub fn cut_power(&self) {
        self.order(Order::CutPower);
    }

    /// There is power from here on; whoever gets the result sees it go.
    pub(crate) fn power_on(&self) -> watch::Receiver<()> {
        let (power, has_power) = watch::channel(());
        *self.power.lock().unwrap_or_else(PoisonError::into_inner) = Some(power);
        has_power
    }

    /// Nothing that runs on it can do anything any more.
    pub(crate) fn power_off(&self) {
        *self.power.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The power goes at once, and comes back later.
    pub(crate) fn lose_power(&self) {
        self.power_off();
        self.order(Order::CutPower);
    }

    pub(crate) fn card(&self) -> MutexGuard<'_, Card> {
        self.card.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, FileSystem> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host key that Raspbian has, or had when its operator wrote it down.
    fn raspbian_key(&self) -> PrivateKey {
        keys::private_key(&self.seed.bytes(&format!("{} host key", self.name)))
    }

    /// The host key that Raspbian's SSH server shows.
    pub(crate) fn shown_key(&self) -> PrivateKey {
        if !self.faults.wrong_host_key {
            return self.raspbian_key();
        }
        keys::private_key(&self.seed.bytes(&format!("{} host key, made anew", self.name)))
    }

    /// Raspbian asks for a reboot, with this parameter for the kernel; it comes a moment later, unless
    /// this way to reboot hangs.
    pub(crate) fn reboot(&self, tier: Tier, parameter: &str) {
        self.life.send_modify(|life| life.reboots.push(parameter.to_owned()));
        if self.faults.reboot_hangs.is_some_and(|hangs| tier <= hangs) {
            tracing::debug!(device = self.name, ?tier, "the reboot hangs");
            return;
        }
        // What the kernel's firmware driver looks for.
        self.order(Order::Reboot { tryboot: parameter.contains(" tryboot") });
    }

    pub(crate) fn enter(&self, state: State) {
        self.life.send_modify(|life| {
            life.state = state;
            life.states.push(state);
            if state == State::Booting {
                life.boots += 1;
                life.flashed = 0;
            }
        });
    }

    /// Counts a connection; how many there have been.
    pub(crate) fn count_connection(&self) -> u32 {
        self.life.send_modify(|life| life.connections += 1);
        self.life.borrow().connections
    }

    pub(crate) fn has_reported(&self) {
        self.life.send_modify(|life| life.reports += 1);
    }

    pub(crate) fn has_flashed(&self, bytes: u64) {
        self.life.send_modify(|life| life.flashed = bytes);
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::debug!(device = self.name, ?order, "the lab has stopped");
        }
    }
}

impl fmt::Debug for VirtualPi {
    /// The card is left out: it is large, and keeps secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualPi")
            .field("name", &self.name)
            .field("model", &self.model.name)
            .field("release", &self.release)
            .field("life", &self.life())
            .finish_non_exhaustive()
    }
}
