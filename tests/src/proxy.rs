//! Stands between a client and a server, and breaks the connection.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What befalls a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is cut once the client has sent so many bytes.
    CutAfter(u64),
    /// Nothing goes through any more once the client has sent so many bytes, but nobody is told.
    FreezeAfter(u64),
}

/// A running proxy. The fault befalls the first connection; later ones are left alone.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    passed: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts a proxy to a port on 127.0.0.1. It lives as long as the test's process.
    ///
    /// # Errors
    /// If no port is free.
    pub fn start(target: u16, fault: Fault) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let passed = Arc::new(AtomicU64::new(0));
        let proxy = Proxy { port, passed: passed.clone() };
        thread::spawn(move || {
            let mut fault = Some(fault);
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { break };
                let (fault, passed) = (fault.take(), passed.clone());
                let _ = join(client, server, fault, passed);
            }
        });
        Ok(proxy)
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The bytes that all clients have sent so far.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

fn join(
    client: TcpStream,
    server: TcpStream,
    fault: Option<Fault>,
    passed: Arc<AtomicU64>,
) -> std::io::Result<()> {
    let (back_from, back_to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let mut went = 0;
        copy(&client, &server, |bytes| {
            went += bytes;
            passed.fetch_add(bytes, Ordering::Relaxed);
            match fault {
                Some(Fault::CutAfter(limit)) => went < limit,
                Some(Fault::FreezeAfter(limit)) if went >= limit => loop {
                    thread::park();
                },
                _ => true,
            }
        });
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        copy(&back_from, &back_to, |_| true);
        let _ = back_to.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// Copies until an end, or until `goes_on` says no.
fn copy(mut from: &TcpStream, mut to: &TcpStream, mut goes_on: impl FnMut(u64) -> bool) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        if !goes_on(size as u64) || to.write_all(&buffer[..size]).is_err() {
            return;
        }
    }
}
