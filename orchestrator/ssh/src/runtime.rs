//! The runtime that sessions are cheapest in.

use std::io;
use tokio::runtime::{Builder, Runtime};

/// A runtime for many sessions: one thread for all of them, and more only for what waits for disks and resolvers.
///
/// With a thread for each processor, whoever feeds an upload and the session that sends it wake each other over and over:
/// a quarter of the processor time, for nothing, since one thread seals more than a gigabit per second.
///
/// # Errors
/// If the thread cannot be started.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).enable_all().build()
}
