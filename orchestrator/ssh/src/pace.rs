//! Keeps an upload gentle to the device.
//!
//! OpenSSH lets 2 MiB be on the way. If so much is, its buffer grows in small steps, and it copies and
//! wipes all of it at each: for 5 MB that costs seven to twelve times the processor time that 512 KiB on
//! the way cost. A Pi writes slower than the network sends, so without pacing it would always be so.
//!
//! A link of long round trips holds more than that by itself. So what may be on the way is what the link holds, that
//! is the rate at which the device takes it for the time of a round trip, and a little more, as BBR has it for TCP.

use migos_engine::bandwidth::Meter;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Bytes that may always be on the way, not yet taken by the command on the device. OpenSSH tells what was taken
/// after every 96 KiB, so with less it would stand still.
const ON_THE_WAY: i64 = 128 << 10;

/// The rate that is taken for a link before it has shown one, in bytes per second.
const ASSUMED_RATE: f64 = 1e6;

/// How much more than the link holds at the rate of now: room to find out that it could be faster.
const GAIN: f64 = 2.0;

/// Rates are taken over a round trip, and over no less than this.
const SHORTEST_SPAN: Duration = Duration::from_millis(20);

/// The fastest of so many rates counts, so that a hiccup slows nothing down.
const RATES: usize = 8;

/// The shortest round trip to a server that was seen, as channels were opened: the time that TCP takes for a connection
/// says less, since satellite links and proxies take it themselves.
#[derive(Debug)]
pub(crate) struct RoundTrip(AtomicU64);

impl Default for RoundTrip {
    fn default() -> Self {
        RoundTrip(AtomicU64::new(u64::MAX))
    }
}

impl RoundTrip {
    /// One more was seen.
    pub(crate) fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_min(micros, Ordering::Relaxed);
    }

    /// The shortest; none if none was seen.
    pub(crate) fn shortest(&self) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            u64::MAX => Duration::ZERO,
            micros => Duration::from_micros(micros),
        }
    }
}

/// The credit of one upload.
#[derive(Debug)]
pub(crate) struct Pace {
    state: Mutex<State>,
    changed: Notify,
    meter: Meter,
    round_trip: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// The window that the device gave when the command had started.
    window: i64,
    credit: i64,
    paced: bool,
    sent: i64,
    link: Link,
    held_back: HeldBack,
}

/// What is known of the link, by what the device has taken so far.
#[derive(Debug, Default)]
struct Link {
    /// When the rate was taken last, and how many bytes the device had taken then.
    since: Option<(Instant, i64)>,
    /// The last rates in bytes per second.
    rates: VecDeque<f64>,
}

/// What the limits of what may be sent have done to the upload.
#[derive(Debug, Default, Clone, Copy)]
enum HeldBack {
    #[default]
    Never,
    Now,
    Until(Instant),
}

impl Link {
    /// The device has taken so many bytes by now.
    fn taken(&mut self, bytes: i64, span: Duration) {
        let now = Instant::now();
        let Some((then, before)) = self.since else {
            self.since = Some((now, bytes));
            return;
        };
        let passed = now - then;
        if passed >= span {
            if self.rates.len() == RATES {
                self.rates.pop_front();
            }
            self.rates.push_back((bytes - before) as f64 / passed.as_secs_f64());
            self.since = Some((now, bytes));
        }
    }

    /// The bytes that may be on the way.
    fn holds(&self, round_trip: Duration) -> i64 {
        let rate = self.rates.iter().copied().reduce(f64::max).unwrap_or(ASSUMED_RATE);
        ON_THE_WAY + (GAIN * rate * round_trip.as_secs_f64()) as i64
    }
}

impl Pace {
    /// A pace for a link with such round trips, that these limits hold back besides.
    pub(crate) fn within(meter: Meter, round_trip: Duration) -> Pace {
        Pace { state: Mutex::default(), changed: Notify::new(), meter, round_trip }
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
            let on_the_way = state.window - size;
            let taken = state.sent - on_the_way;
            state.link.taken(taken, self.round_trip.max(SHORTEST_SPAN));
            state.credit = state.link.holds(self.round_trip).min(state.window) - on_the_way;
        } else {
            state.window = size;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The content begins: the command has started, and has had no more than a line so far.
    ///
    /// OpenSSH opens a channel without a window, and gives one now. Other servers give it with the channel,
    /// and tell what was taken only when half of it is used up: pacing would never let that happen, so
    /// they are left to the protocol.
    pub(crate) fn start(&self) {
        let mut state = self.state();
        state.paced = state.window > ON_THE_WAY;
        state.credit = state.link.holds(self.round_trip).min(state.window);
        state.link.since = Some((Instant::now(), 0));
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
                    state.sent += bytes;
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
    use tokio::time::{advance, timeout};

    const PIECE: usize = 32 << 10;
    const WINDOW: u32 = 2 << 20;

    /// How many of 64 pieces may be sent.
    async fn pieces(pace: &Pace) -> usize {
        for count in 0..64 {
            if timeout(Duration::from_micros(1), pace.take(PIECE)).await.is_err() {
                return count;
            }
        }
        64
    }

    fn started(round_trip: Duration) -> Pace {
        let pace = Pace::within(Meter::default(), round_trip);
        pace.window_is(WINDOW);
        pace.start();
        pace
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_credit_is_on_the_way() {
        let pace = started(Duration::ZERO);
        assert_eq!(pieces(&pace).await, 4);
        // 96 KiB of the 128 KiB were taken.
        pace.window_is(WINDOW - (128 << 10) + (96 << 10));
        assert_eq!(pieces(&pace).await, 3);
        // All of it was.
        pace.window_is(WINDOW);
        assert_eq!(pieces(&pace).await, 4);
    }

    /// How many pieces go in each round trip of so many milliseconds to a device that takes so many at most.
    async fn by_round_trip(millis: u64, most: usize) -> Vec<usize> {
        let round_trip = Duration::from_millis(millis);
        let pace = started(round_trip);
        let (mut queue, mut went) = (0, Vec::new());
        for _ in 0..8 {
            let more = pieces(&pace).await;
            went.push(more);
            queue += more;
            advance(round_trip).await;
            queue -= queue.min(most);
            pace.window_is(WINDOW - u32::try_from(queue * PIECE).unwrap_or(WINDOW));
        }
        went
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_link_is_filled_within_few_round_trips() {
        assert_eq!(by_round_trip(200, 64).await, [16, 35, 64, 64, 64, 64, 64, 64]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_that_takes_little_is_sent_little_ahead_on_a_long_link() {
        let went = by_round_trip(200, 10).await;
        assert_eq!(went[4..], [10; 4], "{went:?}");
        let ahead: usize = went.iter().sum::<usize>() - 10 * went.len();
        assert!(ahead <= 20, "{ahead} pieces are ahead of the device: {went:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn servers_of_another_kind_are_left_to_the_protocol() {
        let pace = Pace::within(Meter::default(), Duration::ZERO);
        pace.start();
        assert_eq!(pieces(&pace).await, 64);
        pace.window_is(1 << 20);
        assert_eq!(pieces(&pace).await, 64);
        let small = Pace::within(Meter::default(), Duration::ZERO);
        small.window_is(128 << 10);
        small.start();
        assert_eq!(pieces(&small).await, 64);
    }

    #[test]
    fn the_shortest_round_trip_counts() {
        let round_trip = RoundTrip::default();
        assert_eq!(round_trip.shortest(), Duration::ZERO);
        for millis in [30, 20, 25] {
            round_trip.took(Duration::from_millis(millis));
        }
        assert_eq!(round_trip.shortest(), Duration::from_millis(20));
    }
}
