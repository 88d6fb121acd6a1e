//! A balena API on a loopback port, as far as this project and its devices use it.
//!
//! It knows one user with one token, the fleets it was started with, and whatever is registered with
//! it; all of it in memory. What it answers follows what real servers were seen to answer, down to
//! their oddities: an unknown device is an empty list, a PATCH of nothing succeeds, an error is a bare
//! JSON string, an unknown field is a 500. Any query is understood that balena's own clients write.
//!
//! ```text
//! server   connections, bodies, faults           odata    the URL of a query, and what is malformed
//! route    which request is meant                schema   resources, their fields and links
//! state    fleets, devices, keys, heartbeats     evaluate what a query finds, once `check` knows all names
//! table    rows of all else, `seed` the first    query    who may ask it, and reads; `write` all else
//! client   the device's own side of it           rule     what names and values are taken
//! device   what a device asks and reports        enrol    keys for fleets, registration of devices
//! download images of operating systems
//! ```

mod check;
mod client;
mod device;
mod download;
mod enrol;
mod evaluate;
mod odata;
mod query;
mod reply;
mod route;
mod rule;
mod schema;
mod seed;
mod server;
mod state;
mod table;
mod write;

pub use client::{DeviceClient, DeviceClientError, Reported};
pub use state::{DeviceRecord, HeartbeatState};

use state::State;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Gives the present instant; a test may put its own in and turn it.
pub type Now = Arc<dyn Fn() -> Instant + Send + Sync>;

/// What the API is started with.
#[derive(Clone)]
pub struct ApiConfig {
    /// The user's token, which may do everything.
    pub token: String,
    /// The fleets that exist.
    pub fleets: Vec<FleetConfig>,
    /// The images of operating systems that it gives out; without any it is like openBalena, which has none.
    pub images: Vec<OsImage>,
    /// Where downloads are sent on to, as balenaCloud sends them to a storage service.
    pub download_host: Option<String>,
    /// How often devices are told to ask for their state. After 1.5 times this without a request, a
    /// device that was online is in time-out.
    pub poll_interval: Duration,
    /// How long a device is in time-out before it counts as offline.
    pub offline_after: Duration,
    /// The clock that heartbeats and expiry dates go by.
    pub now: Now,
    /// The wall time at the start, which expiry dates are compared with.
    pub wall: SystemTime,
}

impl ApiConfig {
    /// The times of a balena server with its own defaults (10 minutes between polls, 15 seconds of
    /// time-out) and the computer's clocks.
    #[expect(
        clippy::disallowed_methods,
        reason = "the lab's API is a server of its own, which dates keys as balena's does"
    )]
    pub fn new(token: impl Into<String>, fleets: Vec<FleetConfig>) -> Self {
        Self {
            token: token.into(),
            fleets,
            images: Vec::new(),
            download_host: None,
            poll_interval: Duration::from_secs(600),
            offline_after: Duration::from_secs(15),
            now: Arc::new(Instant::now),
            wall: SystemTime::now(),
        }
    }
}

/// A fleet that exists from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetConfig {
    /// The slug, `organisation/name`.
    pub slug: String,
    /// The device type it was made for, such as `raspberrypi4-64`.
    pub device_type: String,
    /// That type's architecture: `rpi`, `armv7hf` or `aarch64`.
    pub architecture: String,
    /// The numeric id.
    pub id: u64,
    /// The sizes of the images of the release that its devices should run; empty: it has no release.
    pub release: Vec<u64>,
}

/// A release that devices can be pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseConfig {
    /// The numeric id of its fleet.
    pub fleet: u64,
    /// Its numeric id.
    pub id: u64,
    /// Its commit.
    pub commit: String,
    /// False for a draft.
    pub is_final: bool,
}

/// An image of an operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsImage {
    /// The device type it is for.
    pub device_type: String,
    /// That type's architecture.
    pub architecture: String,
    /// Its version as it has to be asked for, such as `6.0.24+rev1`.
    pub version: String,
    /// `prod` or `dev` where there are two of a version, as there were; empty where there is one.
    pub variant: String,
    /// Whether it is offered.
    pub state: OsState,
    /// True for the line with extended support, whose versions are years: `2024.1.0`.
    pub esr: bool,
    /// The gzip file.
    pub file: PathBuf,
}

/// Whether a version of an operating system is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OsState {
    /// It is.
    Final,
    /// It is not finished.
    Draft,
    /// It was, and is not any more.
    Invalidated,
}

/// What is wrong with the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every connection is closed without an answer, and nothing is done.
    Away,
    /// Every request is answered with 429.
    RateLimited {
        /// The seconds of the `Retry-After` header.
        seconds: u64,
    },
    /// Devices are not moved to other fleets; everything else works.
    NoMoves,
    /// Registrations are carried out, but their answers are lost; everything else works.
    LostRegistrations,
    /// Every download breaks off.
    CutDownloads {
        /// After so many bytes.
        after: usize,
        /// Whether a download may begin where the last one broke off.
        ranges: bool,
    },
}

/// A running API. It stops when dropped.
pub struct BalenaApi {
    addr: SocketAddr,
    state: Arc<Mutex<State>>,
    tasks: JoinSet<()>,
}

impl BalenaApi {
    /// Starts to listen; port 0 takes any free one.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn start(listen: SocketAddr, config: ApiConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::new(config)));
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&state)));
        Ok(Self { addr, state, tasks })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Makes something go wrong from the next request on, or puts it right again.
    pub fn set_fault(&self, fault: Fault) {
        lock(&self.state).fault = fault;
    }

    /// Takes in another fleet.
    pub fn add_fleet(&self, fleet: FleetConfig) {
        lock(&self.state).add_fleet(fleet);
    }

    /// Takes in a release.
    pub fn add_release(&self, release: ReleaseConfig) {
        seed::release(&mut lock(&self.state).tables, release);
    }

    /// Takes in a device that somebody registers; nobody has its key.
    pub fn enrol(&self, fleet: u64, device_type: &str, uuid: &str) -> u64 {
        lock(&self.state).add_device(fleet, device_type.to_owned(), uuid.to_owned())
    }

    /// All devices as they are now, by id.
    pub fn devices(&self) -> Vec<DeviceRecord> {
        lock(&self.state).records()
    }

    /// Stops, closing the port and every connection.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// A panic while the state was locked has been reported where it happened; the state is still whole,
/// because requests check before they change anything.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
