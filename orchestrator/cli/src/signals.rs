//! Ctrl-C and its kin: once is an order to interrupt, twice ends the program at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for what asks the program to end: Ctrl-C, a termination, a closed terminal.
pub(crate) struct Signals(Vec<Signal>);

impl Signals {
    /// Begins to watch. What cannot be watched ends the program as the system does it.
    pub(crate) fn watch() -> Self {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Signals(kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect())
    }

    /// The next such signal.
    pub(crate) async fn next(&mut self) {
        let waits = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        if waits.len() == 0 {
            return std::future::pending().await;
        }
        let _ = futures::future::select_all(waits).await;
    }
}
