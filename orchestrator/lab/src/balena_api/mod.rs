//! A balena API on a loopback port, as far as this project and its devices use it.
//!
//! It knows one user with one token, the fleets it was started with, and whatever is registered with
//! it; all of it in memory. What it answers follows what real servers were seen to answer, down to
//! their oddities: an unknown device is an empty list, a PATCH of nothing succeeds, an error is a bare
//! JSON string. A query it does not know is refused loudly, so that a mistake in a client shows.
//!
//! ```text
//! server   connections, bodies, faults           odata    the URL of a query, and what is malformed
//! route    which request is meant                query    reads, PATCH and DELETE of devices
//! state    fleets, devices, keys, heartbeats     enrol    keys for fleets, registration of devices
//! client   the device's own side of it           device   what a device asks and reports
//! variable configuration variables of devices
//! ```

mod client;
mod device;
mod enrol;
mod odata;
mod query;
mod reply;
mod route;
mod server;
mod state;
mod variable;

pub use client::{DeviceClient, DeviceClientError, Reported};
pub use state::{DeviceRecord, HeartbeatState};

use state::State;
use std::io;
use std::net::SocketAddr;
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
    /// Registrations are carried out, but their answers are lost; everything else works.
    LostRegistrations,
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
