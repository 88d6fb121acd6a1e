//! Ctrl-C and its kin: once is an order to interrupt, twice ends the program at once.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How many wait for signals: where nobody does, a signal is the end.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Waits for what asks the program to end: Ctrl-C, a termination, a closed terminal.
pub(crate) struct Signals(Vec<Signal>);

impl Signals {
    /// Begins to watch. What cannot be watched ends the program as the system does it.
    pub(crate) fn watch() -> Self {
        WAITING.fetch_add(1, Ordering::SeqCst);
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Signals(kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect())
    }

    /// From here on a signal that nobody waits for ends the program only after this was done.
    pub(crate) fn before_end(tidy: fn()) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let (watches, watched) = channel();
            // A thread of its own: who is asked for a password holds up the program.
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let Ok(runtime) = runtime else { return };
                runtime.block_on(async {
                    let mut signals = Signals::watch();
                    let _ = watches.send(());
                    loop {
                        signals.next().await;
                        // It is one of them itself.
                        if WAITING.load(Ordering::SeqCst) == 1 {
                            tidy();
                            end();
                        }
                    }
                });
            });
            // Nothing comes where signals cannot be watched; then the system ends the program as ever.
            let _ = watched.recv();
        });
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

impl Drop for Signals {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever is asked in the terminal holds up main")]
fn end() {
    std::process::exit(INTERRUPTED);
}
