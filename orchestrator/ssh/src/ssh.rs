//! Opens sessions.

use crate::connect::{Connection, connect, connect_via};
use crate::host_key::{Expected, unusable};
use crate::keys::{KeyFiles, key_pair};
use crate::known_hosts::{Files, HostName};
use crate::login::login;
use crate::root;
use crate::session::Session;
use crate::timeouts::Timeouts;
use crate::transcript::{Log, Transcript};
use migos_engine::port::{HostKey, KeyPair, Seed, Target, Transport, TransportError};
use russh::keys::PublicKey;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use tokio::sync::Mutex;
use tokio::task;

/// Reaches devices over SSH.
pub struct Ssh {
    known_hosts: PathBuf,
    timeouts: Timeouts,
    transcript: Option<Transcript>,
    key_files: KeyFiles,
}

impl Ssh {
    /// A transport that writes new hosts down in `known_hosts`, which need not exist yet.
    pub fn new(
        known_hosts: impl Into<PathBuf>,
        timeouts: Timeouts,
        transcript: Option<Transcript>,
    ) -> Self {
        let (known_hosts, key_files) = (known_hosts.into(), KeyFiles::default());
        Ssh { known_hosts, timeouts, transcript, key_files }
    }

    async fn expected(&self, target: &Target) -> Result<Expected, TransportError> {
        let (operator, accept_new) = match &target.host_key {
            HostKey::Known { operator, accept_new } => (operator.clone(), *accept_new),
            HostKey::Pinned(pair) => {
                let key = PublicKey::from_openssh(&pair.public_line);
                let key = key.map_err(|error| TransportError::HostKey(error.to_string()))?;
                return Ok(Expected::Pinned(key));
            }
        };
        let host = HostName::new(&target.host, target.port);
        let files = Files { operator, own: self.known_hosts.clone() };
        let look_up = task::spawn_blocking(move || {
            let known = files.look_up(&host);
            known.map(|known| (files, known)).map_err(|(path, error)| unusable(&path, &error))
        });
        let found = look_up.await.map_err(|error| TransportError::HostKey(error.to_string()))?;
        let (files, known) = found?;
        Ok(Expected::Known { files, known, accept_new })
    }

    /// Connects and logs in, through other hosts where the target says so.
    fn reach<'a>(&'a self, target: &'a Target) -> Reaching<'a> {
        Box::pin(async move {
            let Target { host, port, .. } = target;
            let key = self.key_files.key(&target.key).await?;
            let expected = self.expected(target).await?;
            let mut connection = match &target.via {
                None => connect(host, *port, expected, &self.timeouts).await?,
                Some(next) => {
                    let via = self.reach(next).await.map_err(|error| on_the_way(next, error))?;
                    connect_via(via, host, *port, expected, &self.timeouts).await?
                }
            };
            login(&mut connection, target, key, &self.timeouts).await?;
            Ok(connection)
        })
    }

    async fn open(&self, target: &Target, log: &Log) -> Result<Session, TransportError> {
        let connection = self.reach(target).await?;
        let way = root::find(&connection, target, &self.timeouts).await?;
        let (timeouts, log) = (self.timeouts, log.clone());
        Ok(Session {
            connection,
            way,
            timeouts,
            meter: target.meter.clone(),
            log,
            turn: Mutex::new(()),
        })
    }
}

type Reaching<'a> = Pin<Box<dyn Future<Output = Result<Connection, TransportError>> + Send + 'a>>;

/// A host on the way that is away says nothing about the device; that it refuses, neither.
fn on_the_way(host: &Target, error: TransportError) -> TransportError {
    let place = format!("on the way, at {}:{}", host.host, host.port);
    match error {
        TransportError::Unreachable(why) => TransportError::Unreachable(why),
        TransportError::Login(why) => TransportError::Login(format!("{place}: {why}")),
        other => other,
    }
}

impl Transport for Ssh {
    type Session = Session;

    async fn connect(&self, target: &Target) -> Result<Session, TransportError> {
        let log = Log::new(target.device.clone(), self.transcript.clone());
        let Target { user, host, port, .. } = target;
        let opened = self.open(target, &log).await;
        match &opened {
            Ok(session) => {
                let way = session.way.rise.prefix().trim_end();
                let way = if way.is_empty() { String::new() } else { format!(", root by `{way}`") };
                let via = target.via.as_ref();
                let via = via.map(|via| format!(", through {}:{}", via.host, via.port));
                let via = via.unwrap_or_default();
                log.line(&format!("connected to {host}:{port} as {user}{way}{via}"));
            }
            Err(error) => log.line(&format!("{error} (as {user}, {host}:{port})")),
        }
        opened
    }

    fn key_pair(&self, seed: &Seed) -> KeyPair {
        key_pair(seed)
    }
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh").field("known_hosts", &self.known_hosts).finish_non_exhaustive()
    }
}
