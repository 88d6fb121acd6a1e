//! A long way, and a bad one: a port of this computer that leads to a server far away.
//!
//! What is modelled is one TCP connection with Reno's congestion control: so many bytes are under way at most; every round
//! trip lets a packet more be so; a lost packet arrives a round trip later, holds up all behind it, and halves what may be
//! under way. The kernel's own netem would do better, but kernels of build machines have none.

use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// What an Ethernet packet carries of a TCP connection.
const PACKET: usize = 1448;
/// What Linux lets be under way at most, where nothing is tuned: `tcp_wmem`.
const MOST: f64 = 4.0 * 1024.0 * 1024.0;
/// What may be under way at first: ten packets (RFC 6928).
const FIRST: f64 = 10.0 * PACKET as f64;
/// After a loss, two packets at least (RFC 5681).
const LEAST: f64 = 2.0 * PACKET as f64;

/// What a way is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// There and back.
    pub(crate) round_trip: Duration,
    /// The part of all packets that is lost.
    pub(crate) loss: f64,
}

/// A port that leads somewhere by such a way.
pub(crate) struct Link {
    port: u16,
}

impl Link {
    /// Opens a port. It lives as long as this process.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn open(to: SocketAddr, way: Way) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let joined = TcpStream::connect(to).and_then(|server| {
                    pass(client.try_clone()?, server.try_clone()?, way, 1);
                    pass(server, client, way, 2);
                    Ok(())
                });
                if joined.is_err() {
                    break;
                }
            }
        });
        Ok(Link { port })
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// Some bytes, and when they arrive.
type Parcel = (Instant, Vec<u8>);

fn pass(from: TcpStream, to: TcpStream, way: Way, seed: u64) {
    // What nobody takes at the other end is not sent on.
    let (sender, receiver) = sync_channel::<Parcel>(MOST as usize / PACKET);
    let _ = to.set_nodelay(true);
    thread::spawn(move || leave(from, &sender, way, seed));
    thread::spawn(move || arrive(&receiver, to));
}

fn leave(mut from: TcpStream, sender: &SyncSender<Parcel>, way: Way, seed: u64) {
    let mut flow = Flow::new(way, seed);
    // Lossy ways are slow: each packet has its own fate. On others packets go in bundles.
    let mut buffer = vec![0; if way.loss > 0.0 { PACKET } else { 8 * PACKET }];
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        let now = Instant::now();
        let (departs, arrives) = flow.send(now, size);
        thread::sleep(departs.saturating_duration_since(now));
        if sender.send((arrives, buffer[..size].to_vec())).is_err() {
            return;
        }
    }
}

fn arrive(receiver: &Receiver<Parcel>, mut to: TcpStream) {
    while let Ok((arrives, bytes)) = receiver.recv() {
        thread::sleep(arrives.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// One direction of a connection.
#[derive(Debug)]
struct Flow {
    way: Way,
    /// What may be under way, in bytes.
    window: f64,
    /// True until the first loss: then a packet that has arrived makes room for two.
    slow_start: bool,
    /// What is under way, with the time when the sender knows that it has arrived.
    under_way: VecDeque<(Instant, usize)>,
    bytes: usize,
    /// Nothing arrives before what was sent before.
    last: Option<Instant>,
    /// One loss for each round trip counts.
    calm_from: Option<Instant>,
    random: u64,
}

impl Flow {
    fn new(way: Way, seed: u64) -> Self {
        Flow {
            way,
            window: FIRST,
            slow_start: true,
            under_way: VecDeque::new(),
            bytes: 0,
            last: None,
            calm_from: None,
            random: seed,
        }
    }

    /// When these bytes depart, and when they arrive.
    fn send(&mut self, now: Instant, size: usize) -> (Instant, Instant) {
        let mut departs = now;
        while let Some((known, bytes)) = self.under_way.front().copied() {
            let full = (self.bytes + size) as f64 > self.window;
            if known > departs && !full {
                break;
            }
            departs = departs.max(known);
            self.under_way.pop_front();
            self.bytes -= bytes;
            let grown =
                if self.slow_start { bytes as f64 } else { (PACKET * bytes) as f64 / self.window };
            self.window = (self.window + grown).min(MOST);
        }
        let mut arrives = departs + self.way.round_trip / 2;
        if self.is_lost() {
            arrives += self.way.round_trip;
            if self.calm_from.is_none_or(|calm| departs >= calm) {
                self.window = (self.window / 2.0).max(LEAST);
                self.slow_start = false;
                self.calm_from = Some(departs + self.way.round_trip);
            }
        }
        let arrives = self.last.map_or(arrives, |last| arrives.max(last));
        self.last = Some(arrives);
        self.under_way.push_back((arrives + self.way.round_trip / 2, size));
        self.bytes += size;
        (departs, arrives)
    }

    /// The same fates in each connection: xorshift by Marsaglia.
    fn is_lost(&mut self) -> bool {
        let mut random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random = random;
        ((random >> 11) as f64) < self.way.loss * (1_u64 << 53) as f64
    }
}

/// All bytes that have crossed the loopback interface.
///
/// # Errors
/// If the kernel does not tell.
pub(crate) fn loopback_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/dev")?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    let words = line.context("there is no loopback interface")?.split_whitespace();
    words.map_while(|word| word.parse().ok()).next().context("it has no count")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: f64 = 1.0;

    /// Bytes per second over a minute, as fast as they may depart.
    fn rate(way: Way) -> f64 {
        let (mut flow, start) = (Flow::new(way, 1), Instant::now());
        let (mut now, mut sent) = (start, 0.0);
        while now < start + Duration::from_secs(60) {
            now = flow.send(now, PACKET).0;
            sent += PACKET as f64;
        }
        sent / (60.0 * SECOND)
    }

    #[test]
    fn a_long_way_carries_its_window_each_round_trip() {
        let rate = rate(Way { round_trip: Duration::from_millis(200), loss: 0.0 });
        assert!((rate / (MOST / 0.2) - 1.0).abs() < 0.1, "{rate}");
    }

    #[test]
    fn a_lossy_way_carries_what_mathis_says() {
        // Mathis, Semke, Mahdavi, Ott 1997: rate = MSS / RTT * 1.22 / sqrt(loss).
        let way = Way { round_trip: Duration::from_millis(20), loss: 0.01 };
        let expected = PACKET as f64 / 0.02 * 1.22 / 0.1;
        let rate = rate(way);
        assert!((0.6..1.4).contains(&(rate / expected)), "{rate} {expected}");
    }
}
