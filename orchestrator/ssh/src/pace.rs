//! Keeps an upload gentle to the device.
//!
//! OpenSSH lets 2 MiB be on the way. If so much is, its buffer grows in small steps, and it copies and
//! wipes all of it at each: for 5 MB that costs seven to twelve times the processor time that 512 KiB on
//! the way cost. A Pi writes slower than the network sends, so without pacing it would always be so.

use migos_engine::bandwidth::Meter;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that may be on the way, not yet taken by the command on the device. OpenSSH tells what was taken
/// after every 96 KiB.
const ON_THE_WAY: i64 = 512 << 10;

/// The credit of one upload.
#[derive(Debug)]
pub(crate) struct Pace {
    state: Mutex<State>,
    changed: Notify,
    meter: Meter,
}

#[derive(Debug, Default)]
struct State {
    /// The window that the device gave when the command had started.
    window: i64,
    credit: i64,
    paced: bool,
    held_back: HeldBack,
}

/// What the limits of what may be sent have done to the upload.
#[derive(Debug, Default, Clone, Copy)]
enum HeldBack {
    #[default]
    Never,
    Now,
    Until(Instant),
}

impl Pace {
    /// A pace that these limits hold back besides.
    pub(crate) fn within(meter: Meter) -> Pace {
        Pace { state: Mutex::default(), changed: Notify::new(), meter }
    }

    /// Until when a limit has held the upload back: now, if it does; `None` if none ever has.
    pub(crate) fn held_back_until(&self) -> Option<Instant> {
        match self.state().held_back {
            HeldBack::Never => None,
            HeldBack::Now => Some(Instant::now()),
            HeldBack::Until(moment) => Some(moment),
        }
    }

    /// The device told that its window is so large now.
    pub(crate) fn window_is(&self, size: u32) {
        let size = i64::from(size);
        let mut state = self.state();
        if state.paced {
            state.credit = ON_THE_WAY - (state.window - size);
        } else {
            state.window = size;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The command has started; nothing was sent yet.
    ///
    /// OpenSSH opens a channel without a window, and gives one now. Other servers give it with the channel,
    /// and tell what was taken only when half of it is used up: pacing would never let that happen, so
    /// they are left to the protocol.
    pub(crate) fn start(&self) {
        let mut state = self.state();
        state.paced = state.window > ON_THE_WAY;
        state.credit = ON_THE_WAY;
    }

    /// Waits until so many bytes may be sent.
    pub(crate) async fn take(&self, bytes: usize) {
        if !self.meter.is_unbounded() {
            self.state().held_back = HeldBack::Now;
            self.meter.take(bytes).await;
            self.state().held_back = HeldBack::Until(Instant::now());
        }
        let bytes = bytes as i64;
        loop {
            {
                let mut state = self.state();
                if !state.paced || state.credit >= bytes {
                    state.credit -= bytes;
                    return;
                }
            }
            self.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const PIECE: usize = 32 << 10;

    /// How many of 64 pieces may be sent.
    async fn pieces(pace: &Pace) -> usize {
        for count in 0..64 {
            if timeout(Duration::from_secs(1), pace.take(PIECE)).await.is_err() {
                return count;
            }
        }
        64
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_credit_is_on_the_way() {
        let pace = Pace::within(Meter::default());
        pace.window_is(2 << 20);
        pace.start();
        assert_eq!(pieces(&pace).await, 16);
        // 96 KiB of the 512 KiB were taken.
        pace.window_is((2 << 20) - (512 << 10) + (96 << 10));
        assert_eq!(pieces(&pace).await, 3);
        // All of it was.
        pace.window_is(2 << 20);
        assert_eq!(pieces(&pace).await, 16);
    }

    #[tokio::test(start_paused = true)]
    async fn servers_of_another_kind_are_left_to_the_protocol() {
        let pace = Pace::within(Meter::default());
        pace.start();
        assert_eq!(pieces(&pace).await, 64);
        pace.window_is(1 << 20);
        assert_eq!(pieces(&pace).await, 64);
        let small = Pace::within(Meter::default());
        small.window_is(256 << 10);
        small.start();
        assert_eq!(pieces(&small).await, 64);
    }
}
