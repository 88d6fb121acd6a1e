//! Dials a device and agrees with it on keys and algorithms, each wait bounded.

use crate::host_key::{Expected, Guard, GuardError};
use crate::known_hosts::HostName;
use crate::pace::RoundTrip;
use crate::proxy::Proxy;
use crate::timeouts::Timeouts;
use migos_engine::port::{Cipher, Target, TransportError};
use russh::keys::PublicKey;
use russh::{Preferred, SshId, cipher, client, kex, mac};
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// What a server without instructions for AES is offered, and the slow end counts. AES-128-GCM is not in russh's
/// own list.
const CHACHA20_FIRST: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// What a server with instructions for AES is offered.
const AES_FIRST: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
];

/// A connection before or after login.
pub(crate) struct Connection {
    pub(crate) handle: client::Handle<Guard>,
    /// The host key that was accepted.
    pub(crate) shown: Arc<OnceLock<PublicKey>>,
    /// The connection that this one goes through, and that lives as long.
    pub(crate) via: Option<Box<Connection>>,
    /// The shortest round trip seen so far.
    pub(crate) round_trip: RoundTrip,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// Connects and checks the host key.
pub(crate) async fn connect(
    target: &Target,
    expected: Expected,
    timeouts: &Timeouts,
) -> Result<Connection, TransportError> {
    let Target { host, port, .. } = target;
    let stream = dial(host, *port, timeouts.connect).await;
    let stream = stream.map_err(|why| unreachable(host, *port, why))?;
    shake_hands(stream, None, target, expected, timeouts).await
}

/// The same, through a command.
pub(crate) async fn connect_by(
    command: &str,
    target: &Target,
    expected: Expected,
    timeouts: &Timeouts,
) -> Result<Connection, TransportError> {
    let Target { host, port, user, .. } = target;
    let failed = |why: &str| unreachable(host, *port, format!("by the proxy command: {why}"));
    let proxy = Proxy::start(command, host, *port, user).map_err(|why| failed(&why))?;
    let said = proxy.said();
    match shake_hands(proxy, None, target, expected, timeouts).await {
        Err(error @ TransportError::Unreachable(_)) => {
            Err(said.last_line().await.map_or(error, |line| failed(&line)))
        }
        other => other,
    }
}

/// The same, through a host that is logged in to; `host` and `port` are as that host sees them.
pub(crate) async fn connect_via(
    via: Connection,
    target: &Target,
    expected: Expected,
    timeouts: &Timeouts,
) -> Result<Connection, TransportError> {
    let (host, port) = (target.host.as_str(), target.port);
    let opening = via.handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0);
    let channel = match timeout(timeouts.connect, opening).await {
        Ok(Ok(channel)) => channel,
        Ok(Err(error)) => return Err(unreachable(host, port, error.to_string())),
        Err(_) => {
            let seconds = timeouts.connect.as_secs();
            return Err(unreachable(host, port, format!("no answer within {seconds} s")));
        }
    };
    let stream = channel.into_stream();
    shake_hands(stream, Some(Box::new(via)), target, expected, timeouts).await
}

fn unreachable(host: &str, port: u16, why: String) -> TransportError {
    TransportError::Unreachable(format!("{host}:{port}: {why}"))
}

async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    via: Option<Box<Connection>>,
    target: &Target,
    expected: Expected,
    timeouts: &Timeouts,
) -> Result<Connection, TransportError> {
    let (host, port) = (target.host.as_str(), target.port);
    let unreachable = |why| unreachable(host, port, why);
    let config = Arc::new(config(&expected, target, timeouts));
    let shown = Arc::new(OnceLock::new());
    let guard = Guard { host: HostName::new(host, port), expected, shown: shown.clone() };
    let handshake = client::connect_stream(config, stream, guard);
    match timeout(timeouts.key_exchange, handshake).await {
        Ok(Ok(handle)) => Ok(Connection { handle, shown, via, round_trip: RoundTrip::default() }),
        Ok(Err(GuardError::Key(error))) => Err(error),
        Ok(Err(GuardError::Protocol(error @ russh::Error::NoCommonAlgo { .. })))
            if !target.old_algorithms =>
        {
            Err(TransportError::Login(format!(
                "{host}:{port} is an old SSH server ({error}); set `old_algorithms: true` under `ssh:` in the \
                 inventory for this device to allow what it can do"
            )))
        }
        Ok(Err(GuardError::Protocol(error))) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable(format!(
            "it takes connections, but no SSH server answered within {} s",
            timeouts.key_exchange.as_secs()
        ))),
    }
}

/// Key exchanges, codes and ciphers that servers before OpenSSH 6.5 need (SHA-1 and CBC), in their order.
const OLD_KEX: &[kex::Name] = &[
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_G14_SHA1,
    kex::DH_GEX_SHA1,
];
const OLD_MACS: &[mac::Name] = &[mac::HMAC_SHA1_ETM, mac::HMAC_SHA1];
const OLD_CIPHERS: &[cipher::Name] =
    &[cipher::AES_256_CBC, cipher::AES_192_CBC, cipher::AES_128_CBC];

/// What is agreed on with a server, best first.
fn preferred(expected: &Expected, target: &Target) -> Preferred {
    let ciphers = match target.cipher {
        Cipher::ChaCha20 => CHACHA20_FIRST,
        Cipher::Aes => AES_FIRST,
    };
    let preferred = Preferred {
        cipher: Cow::Borrowed(ciphers),
        key: Cow::Owned(expected.algorithms()),
        ..Preferred::DEFAULT
    };
    if !target.old_algorithms {
        return preferred;
    }
    // The last names of russh's list are marks of extensions, and stay last.
    let is_mark = |name: &&kex::Name| {
        let name = name.as_ref();
        name.starts_with("ext-info") || name.starts_with("kex-strict")
    };
    let (marks, exchanges): (Vec<_>, Vec<_>) = preferred.kex.iter().partition(is_mark);
    let old = OLD_KEX.iter().filter(|name| !exchanges.contains(name));
    Preferred {
        kex: exchanges.iter().copied().chain(old).chain(marks.iter().copied()).copied().collect(),
        mac: with(&preferred.mac, OLD_MACS),
        cipher: with(ciphers, OLD_CIPHERS),
        ..preferred
    }
}

fn with<T: Copy + PartialEq>(first: &[T], more: &[T]) -> Cow<'static, [T]> {
    let more = more.iter().filter(|one| !first.contains(one));
    first.iter().chain(more).copied().collect()
}

fn config(expected: &Expected, target: &Target, timeouts: &Timeouts) -> client::Config {
    client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-migos-fleet_",
            env!("CARGO_PKG_VERSION")
        ))),
        preferred: preferred(expected, target),
        keepalive_interval: Some(timeouts.keepalive),
        keepalive_max: 3,
        // Covers what keepalives do not: the time before login, and writes that block. Without it, a peer
        // that never speaks would keep the connection for ever after the time-out here.
        inactivity_timeout: Some(timeouts.keepalive * 5),
        ..client::Config::default()
    }
}

async fn dial(host: &str, port: u16, limit: Duration) -> Result<QuickAck, String> {
    let seconds = limit.as_secs();
    let addresses: Vec<SocketAddr> = match timeout(limit, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(format!("the name has no address: {error}")),
        Err(_) => return Err(format!("the name was not resolved within {seconds} s")),
    };
    let mut failed = "the name has no address".to_owned();
    for address in addresses {
        failed = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return QuickAck::new(stream).map_err(|error| error.to_string()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {seconds} s"),
        };
    }
    Err(failed)
}

/// A stream that acknowledges what it reads at once while the connection is young.
///
/// OpenSSH sends small packets by Nagle's rule: it waits for the acknowledgement of the one before, which
/// Linux delays by 40 ms. That costs each connection these 40 ms, half of the time it takes on a LAN.
struct QuickAck {
    stream: TcpStream,
    /// The same socket, for the option that tokio does not have, while it is wanted.
    young: Option<(std::net::TcpStream, u32)>,
}

/// How many reads the beginning of a connection takes.
const YOUNG_READS: u32 = 64;

impl QuickAck {
    fn new(stream: TcpStream) -> io::Result<Self> {
        // Nagle's rule on our side would cost another 45 ms.
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let young =
            if cfg!(target_os = "linux") { Some((stream.try_clone()?, YOUNG_READS)) } else { None };
        Ok(QuickAck { stream: TcpStream::from_std(stream)?, young })
    }

    fn acknowledge(&mut self) {
        let Some((socket, left)) = &mut self.young else { return };
        *left -= 1;
        // Linux forgets the option by itself, so it is set again after each read. A failure costs time only.
        #[cfg(target_os = "linux")]
        let _ = std::os::linux::net::TcpStreamExt::set_quickack(&*socket, true);
        #[cfg(not(target_os = "linux"))]
        let _ = socket;
        if *left == 0 {
            self.young = None;
        }
    }
}

impl AsyncRead for QuickAck {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.acknowledge();
        }
        read
    }
}

impl AsyncWrite for QuickAck {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
