//! Addresses for virtual Pis: every one has its own on the loopback interface.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

/// Ports start above this one, and stay below those that the system gives to clients (32768 and up
/// on Linux).
const PORT: u16 = 22_000;
/// A lab has at most so many devices.
pub const MAX_DEVICES: usize = 10_000;
/// The host part of the address that stands for a whole range.
const CLAIM: u8 = 254;
/// Devices with addresses of their own; more of them share addresses, and differ in their ports.
const HOSTS: usize = 250;

/// A range `127.0.N.0/24` for one lab. Two labs on one computer never share one.
#[derive(Debug)]
pub(crate) struct Range {
    third: u8,
    /// Nobody ever connects; that it is bound keeps other labs away.
    _claim: TcpListener,
}

impl Range {
    /// Claims the first range that is free.
    ///
    /// # Errors
    /// The last range's, if all are taken.
    pub(crate) async fn claim() -> io::Result<Self> {
        let mut failure = io::ErrorKind::AddrInUse.into();
        for third in 2..=250 {
            match TcpListener::bind((Ipv4Addr::new(127, 0, third, CLAIM), PORT)).await {
                Ok(claim) => return Ok(Self { third, _claim: claim }),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The address of the device at this place, counted from 0.
    pub(crate) fn address(&self, place: usize) -> SocketAddr {
        let host = (place % HOSTS) as u8 + 1;
        let port = PORT + 1 + (place % MAX_DEVICES) as u16;
        (Ipv4Addr::new(127, 0, self.third, host), port).into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn two_labs_do_not_share_addresses() {
        let (one, two) = (Range::claim().await.unwrap(), Range::claim().await.unwrap());
        assert_ne!(one.address(0), two.address(0));
        let text = one.address(250).to_string();
        assert!(text.starts_with("127.0.") && text.ends_with(".1:22251"), "{text}");
    }
}
