//! The network cable of a virtual Pi.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Counts what a device receives, and knows when to drop a connection once.
#[derive(Debug)]
pub(crate) struct Meter {
    received: AtomicU64,
    /// Bytes after which one connection is dropped.
    cut_after: Option<u64>,
    has_cut: AtomicBool,
}

impl Meter {
    pub(crate) fn new(cut_after: Option<u64>) -> Self {
        Self { received: AtomicU64::new(0), cut_after, has_cut: AtomicBool::new(false) }
    }

    /// Counts these bytes; true if the connection they came on is to be dropped now.
    fn count(&self, bytes: usize) -> bool {
        let received = self.received.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let due = self.cut_after.is_some_and(|limit| received >= limit);
        due && !self.has_cut.swap(true, Ordering::Relaxed)
    }
}

/// A TCP connection to a virtual Pi; it breaks when the Pi is reset, or another board takes its place.
pub(crate) struct Cable {
    stream: TcpStream,
    meter: Arc<Meter>,
    power: watch::Receiver<()>,
    board: watch::Receiver<bool>,
    /// Resolves when the Pi has no power, is reset, or is not there any more.
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
    broken: bool,
}

impl Cable {
    /// `power` is held by the sender for as long as the Pi runs.
    pub(crate) fn new(
        stream: TcpStream,
        meter: Arc<Meter>,
        power: watch::Receiver<()>,
        board: watch::Receiver<bool>,
    ) -> Self {
        let (mut has_power, mut is_there) = (power.clone(), board.clone());
        let gone = async move {
            let power_lost = async { while has_power.changed().await.is_ok() {} };
            tokio::select! {
                () = power_lost => {}
                _ = is_there.changed() => {}
            }
        };
        Self { stream, meter, power, board, gone: Box::pin(gone), broken: false }
    }

    /// From now on nothing passes; the peer is sent a reset and not a farewell, as after a power
    /// cut.
    fn cut(&mut self) -> io::Error {
        if !self.broken {
            self.broken = true;
            if let Err(error) = self.stream.set_zero_linger() {
                tracing::debug!(%error, "a connection ends with a farewell instead of a reset");
            }
        }
        io::ErrorKind::ConnectionReset.into()
    }

    fn poll_gone(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.broken || self.gone.as_mut().poll(context).is_ready() {
            return Err(self.cut());
        }
        Ok(())
    }
}

impl AsyncRead for Cable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_gone(context)?;
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.meter.count(buffer.filled().len() - before) {
            return Poll::Ready(Err(self.cut()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Cable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // What was answered in the instant of a power cut never leaves the Pi.
        let is_gone = self.power.has_changed().is_err() || self.board.has_changed().unwrap_or(true);
        if self.broken || is_gone {
            return Poll::Ready(Err(self.cut()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
