//! How long is waited for what.

use std::time::Duration;

/// The limits of all waits; nothing in this crate waits without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a name to be resolved, and for each of its addresses to take a TCP connection.
    pub connect: Duration,
    /// For the banner and the key exchange; a Pi 1 needs seconds.
    pub key_exchange: Duration,
    /// For the login to be taken or refused.
    pub login: Duration,
    /// For a channel to be opened.
    pub open: Duration,
    /// For some of what is being sent to be taken.
    pub progress: Duration,
    /// For a device to answer, and for each further piece of the answer. A device is silent while it
    /// writes to the card what it has in memory, and while it hashes an image: 1 GB at 5 MB/s is 200 s.
    pub answer: Duration,
    /// For the session to end in good order.
    pub close: Duration,
    /// Silence on the connection after which the device is asked for a sign of life; three unanswered
    /// questions end it.
    pub keepalive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(5),
            key_exchange: Duration::from_secs(15),
            login: Duration::from_secs(15),
            open: Duration::from_secs(10),
            progress: Duration::from_secs(30),
            answer: Duration::from_secs(600),
            close: Duration::from_secs(2),
            keepalive: Duration::from_secs(15),
        }
    }
}
