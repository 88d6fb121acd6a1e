//! The way to a Pi's SSH server, as it is on a network.
//!
//! QEMU takes every connection itself. While nobody answers in the Pi it knocks there again only after six seconds, then
//! after twelve, and the connection waits. On a network nobody would have taken it, and who comes a moment after the
//! server finds it at once. Here each connection knocks again and again, until the server greets or the caller leaves.

use anyhow::Result;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long a server may take to greet at the first try, which it does before it does anything else; a busy one is given
/// as much again at each further try.
const GREETING: Duration = Duration::from_secs(1);
/// How often it is tried: nobody waits for longer than that takes.
const TRIES: u32 = 8;

/// A port of 127.0.0.1 that leads to another one. It is closed when this is dropped.
#[derive(Debug)]
pub(super) struct Gate {
    port: u16,
    closed: Arc<AtomicBool>,
}

impl Gate {
    /// Opens one to a port.
    ///
    /// # Errors
    /// If there is no free port.
    pub(super) fn to(behind: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let closed = Arc::new(AtomicBool::new(false));
        let is_closed = Arc::clone(&closed);
        thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                if is_closed.load(Ordering::SeqCst) {
                    break;
                }
                // Whoever cannot be led in is sent away.
                thread::spawn(move || lead(&caller, behind));
            }
        });
        Ok(Self { port, closed })
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // It sees that when somebody comes.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn lead(caller: &TcpStream, behind: u16) -> io::Result<()> {
    caller.set_nodelay(true)?;
    for tries in 1..=TRIES {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, behind))?;
        server.set_nodelay(true)?;
        server.set_read_timeout(Some(GREETING * tries))?;
        match server.peek(&mut [0]) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                server.set_read_timeout(None)?;
                return carry(caller, &server);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        if has_left(caller)? {
            break;
        }
    }
    Ok(())
}

/// True if a caller has closed his end. He may have greeted already.
fn has_left(caller: &TcpStream) -> io::Result<bool> {
    caller.set_nonblocking(true)?;
    let left = matches!(caller.peek(&mut [0]), Ok(0));
    caller.set_nonblocking(false)?;
    Ok(left)
}

/// Carries both ways, until one side has closed both.
fn carry(caller: &TcpStream, server: &TcpStream) -> io::Result<()> {
    let (from, to) = (caller.try_clone()?, server.try_clone()?);
    let there = thread::spawn(move || one_way(&from, &to));
    one_way(server, caller);
    // What is still on its way to a server that has ended reaches nobody.
    let _ = caller.shutdown(Shutdown::Both);
    let _ = there.join();
    Ok(())
}

fn one_way(mut from: &TcpStream, mut to: &TcpStream) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_comes_late_is_found_and_an_end_is_carried() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let gate = Gate::to(listener.local_addr().unwrap().port()).unwrap();
        let mut caller = TcpStream::connect((Ipv4Addr::LOCALHOST, gate.port())).unwrap();
        caller.write_all(b"hello").unwrap();
        // The first who is let in is never greeted.
        let _silent = listener.accept().unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"SSH-").unwrap();
        let mut found = [0; 4];
        caller.read_exact(&mut found).unwrap();
        assert_eq!(&found, b"SSH-");
        caller.shutdown(Shutdown::Write).unwrap();
        let mut said = String::new();
        server.read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello");
        drop(server);
        assert_eq!(caller.read(&mut found).unwrap(), 0);
    }
}
