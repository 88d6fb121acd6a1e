//! Opens sessions.

use crate::agent::Agents;
use crate::connect::{Connection, connect, connect_by, connect_via};
use crate::host_key::{Expected, unusable};
use crate::keys::{KeyFile, KeyFiles, key_pair, local, own_key, public_half};
use crate::known_hosts::{Files, HostName};
use crate::login::{Offer, Offers, login};
use crate::root;
use crate::session::Session;
use crate::timeouts::Timeouts;
use crate::transcript::{Log, Transcript};
use migos_engine::port::{
    Credentials, HostKey, KeyPair, LoginKey, Seed, Target, Transport, TransportError,
};
use russh::keys::agent::AgentIdentity;
use russh::keys::{Certificate, PrivateKey, PublicKey};
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task;

/// Reaches devices over SSH.
pub struct Ssh {
    known_hosts: PathBuf,
    timeouts: Timeouts,
    transcript: Option<Transcript>,
    key_files: KeyFiles,
    agents: Agents,
}

impl Ssh {
    /// A transport that writes new hosts down in `known_hosts`, which need not exist yet.
    pub fn new(
        known_hosts: impl Into<PathBuf>,
        timeouts: Timeouts,
        transcript: Option<Transcript>,
    ) -> Self {
        let (known_hosts, key_files) = (known_hosts.into(), KeyFiles::default());
        Ssh { known_hosts, timeouts, transcript, key_files, agents: Agents::default() }
    }

    /// Opens the protected keys of these targets, and of the hosts on their way: `ask` gives the passphrase of a file,
    /// once. A key that an agent has needs none.
    ///
    /// # Errors
    /// If a file cannot be used, or what `ask` says.
    pub async fn unlock<E: From<TransportError>>(
        &self,
        targets: impl IntoIterator<Item = &Target>,
        ask: impl Fn(&Path) -> Result<Option<Arc<str>>, E>,
    ) -> Result<(), E> {
        let mut seen = HashSet::new();
        for target in targets {
            let mut host = Some(target);
            while let Some(one) = host {
                if let LoginKey::Operator(credentials) = &one.key {
                    for path in credentials.keys.iter().filter(|path| seen.insert((*path).clone()))
                    {
                        if matches!(self.key_files.key(path).await?, KeyFile::Locked)
                            && !self.agent_has(credentials, path).await
                            && let Some(passphrase) = ask(path)?
                        {
                            self.key_files.passphrase(path, passphrase);
                            self.key_files.key(path).await?;
                        }
                    }
                }
                host = one.via.as_deref();
            }
        }
        Ok(())
    }

    async fn agent_has(&self, credentials: &Credentials, path: &Path) -> bool {
        let (Some(socket), Some(public)) = (&credentials.agent, public_half(path)) else {
            return false;
        };
        let Ok(agent) = self.agents.open(socket).await else { return false };
        let has = |identity: &AgentIdentity| identity.public_key().key_data() == public.key_data();
        agent.identities().iter().any(has)
    }

    /// All that can be shown to the server of a target.
    async fn offers(&self, target: &Target) -> Result<Offers, TransportError> {
        let credentials = match &target.key {
            LoginKey::Own(pair) => {
                let key = Offer::Key(own_key(pair)?, "the run's own key".to_owned());
                return Ok(Offers { keys: vec![key], ..Offers::default() });
            }
            LoginKey::Operator(credentials) => credentials,
        };
        let mut offers = Offers { password: credentials.password.clone(), ..Offers::default() };
        let mut locked = Vec::new();
        for path in &credentials.keys {
            match self.key_files.key(path).await? {
                KeyFile::Open(key) => {
                    let name = path.display().to_string();
                    if let Some(certificate) = certificate(credentials, path, &key)? {
                        let name = format!("{name} and its certificate");
                        offers.keys.push(Offer::Certified(
                            key.clone(),
                            Box::new(certificate),
                            name,
                        ));
                    }
                    offers.keys.push(Offer::Key(key, name));
                }
                KeyFile::Locked => locked.push(path),
            }
        }
        if let Some(socket) = &credentials.agent {
            let agent = self.agents.open(socket).await?;
            let named: Vec<PublicKey> =
                credentials.keys.iter().filter_map(|path| public_half(path)).collect();
            let is_named = |identity: &AgentIdentity| {
                let public = identity.public_key();
                named.iter().any(|named| named.key_data() == public.key_data())
            };
            let (first, others): (Vec<_>, Vec<_>) =
                agent.identities().iter().cloned().partition(is_named);
            let others = others.into_iter().filter(|_| !credentials.identities_only);
            let of_agent = |identity| Offer::OfAgent(Box::new(identity));
            offers.keys.extend(first.into_iter().chain(others).map(of_agent));
            offers.agent = Some(agent);
        }
        let remark = |path: &&PathBuf| {
            format!(
                "the key {} is protected by a passphrase: load it with `ssh-add`",
                path.display()
            )
        };
        offers.unused = locked.iter().map(remark).collect();
        Ok(offers)
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
            let offers = self.offers(target).await?;
            let expected = self.expected(target).await?;
            let mut connection = match (&target.via, &target.proxy_command) {
                (Some(next), _) => {
                    let via = self.reach(next).await.map_err(|error| on_the_way(next, error))?;
                    connect_via(via, target, expected, &self.timeouts).await?
                }
                (None, Some(command)) => {
                    connect_by(command, target, expected, &self.timeouts).await?
                }
                (None, None) => connect(target, expected, &self.timeouts).await?,
            };
            login(&mut connection, target, offers, &self.timeouts).await?;
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

/// The certificate of a key: the one that is named, or that lies beside it.
fn certificate(
    credentials: &Credentials,
    path: &Path,
    key: &PrivateKey,
) -> Result<Option<Certificate>, TransportError> {
    let beside = || {
        let mut name = path.as_os_str().to_owned();
        name.push("-cert.pub");
        Some(PathBuf::from(name)).filter(|path| path.is_file())
    };
    let Some(file) = credentials.certificate.clone().or_else(beside) else { return Ok(None) };
    let text = std::fs::read_to_string(&file).map_err(|error| local(&file, &error.to_string()))?;
    let certificate = Certificate::from_openssh(text.trim())
        .map_err(|error| local(&file, &format!("it is no certificate: {error}")))?;
    let fits = certificate.public_key() == key.public_key().key_data();
    Ok(Some(certificate).filter(|_| fits))
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
