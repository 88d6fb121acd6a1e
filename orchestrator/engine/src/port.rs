//! The ports: what the engine asks of the world, and the world's answers.
//!
//! [`Transport`] and [`Session`] reach devices, [`BalenaApi`] reaches balena, [`Clock`] and [`Entropy`]
//! are the wall clock and randomness. The engine is generic over them and never names what stands
//! behind.

mod balena;
mod work;

pub use balena::{BalenaApi, BalenaError, Registration, Table};
pub use work::{Content, OwnOrder, Packed, Ran, Saved, Sent, Source};

use crate::bandwidth::Meter;
use jiff::Timestamp;
use migos_contract as contract;
use migos_inventory::DeviceId;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{Identity, Tree};
use migos_playbooks::plan::FirmwareKind;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Opens sessions on devices.
pub trait Transport: Send + Sync + 'static {
    /// A session on one device.
    type Session: Session;

    /// Connects, checks the host key, logs in, and finds the way to root.
    fn connect(
        &self,
        target: &Target,
    ) -> impl Future<Output = Result<Self::Session, TransportError>> + Send;

    /// The ed25519 key pair that this seed stands for.
    fn key_pair(&self, seed: &Seed) -> KeyPair;
}

/// A logged-in connection to one device, on Raspbian or in MIGOS.
///
/// Every verb but [`migos`](Session::migos), and those of a bastion, is for Raspbian. Paths are absolute. A verb that writes
/// returns once the bytes are on the medium.
pub trait Session: Send + Sync + 'static {
    /// Reads everything the planner wants to know, in one round trip; see
    /// [`migos_playbooks::facts`] for the form. The device tries meanwhile which of these hosts it reaches, each
    /// `HOST:PORT`.
    fn probe(
        &self,
        hosts: &[String],
    ) -> impl Future<Output = Result<String, TransportError>> + Send;

    /// Reads again what tells this device and its boot files from any other.
    fn identity(&self) -> impl Future<Output = Result<Identity, TransportError>> + Send;

    /// Reads a file of at most `limit` bytes; `None` if there is none.
    fn read(
        &self,
        path: &str,
        limit: u64,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, TransportError>> + Send;

    /// Writes a small file whole: a new name, fsync, rename, fsync of the folder. Missing folders are
    /// made. `mode` is octal, e.g. `0o600`; FAT has none and ignores it.
    fn write(
        &self,
        path: &str,
        mode: u32,
        content: &[u8],
    ) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Digests of files, read from the medium after dropping caches; `None` where there is no file.
    fn sums(
        &self,
        paths: &[String],
    ) -> impl Future<Output = Result<Vec<Option<Sha256>>, TransportError>> + Send;

    /// Sends a large file: what is there already is not sent again, what was cut off is resumed, and the
    /// result is compared on the device with the content's digest. Missing folders are made.
    /// `progress` is told the bytes that are there so far.
    fn send(
        &self,
        content: &Content,
        path: &str,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> impl Future<Output = Result<Sent, TransportError>> + Send;

    /// Removes files and folders with all they hold, and what an interrupted `write` or `send` of these
    /// paths left; what is not there is fine.
    fn remove(&self, paths: &[String]) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Installs the vendor's newer firmware, by the packages of the device's own release. It goes on by itself
    /// when the connection is lost; asked for again, it is waited for.
    fn update(
        &self,
        firmware: FirmwareKind,
    ) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Runs a command of the user's own as root. It goes on by itself when the connection is lost; asked for again, it
    /// is waited for, and what was done is not done again.
    fn run(&self, order: &OwnOrder) -> impl Future<Output = Result<Ran, TransportError>> + Send;

    /// Sets the one-shot flag and reboots. Returns when the reboot has been asked for.
    fn arm(&self) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Reboots without the flag. Returns when the reboot has been asked for.
    fn reboot(&self, tier: Tier) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// All files and folders below a folder, read from the medium.
    fn tree(&self, path: &str) -> impl Future<Output = Result<Tree, TransportError>> + Send;

    /// Copies the folder `from` to `to` on the device, and compares the copy with the original. Gives what
    /// was copied.
    fn backup(
        &self,
        from: &str,
        to: &str,
    ) -> impl Future<Output = Result<Tree, TransportError>> + Send;

    /// Writes the content of a folder as a tar archive into a file on this computer, whole or not at all.
    fn pack(
        &self,
        path: &str,
        to: &Path,
    ) -> impl Future<Output = Result<Packed, TransportError>> + Send;

    /// What these files and folders take, by path; `None` where there is none.
    fn sizes(
        &self,
        paths: &[String],
    ) -> impl Future<Output = Result<BTreeMap<String, Option<ByteCount>>, TransportError>> + Send;

    /// Fetches a file or folder, but for names of these patterns, as a compressed tar archive into a file on this
    /// computer, whole or not at all. The digest is that of the device and of what arrived. `progress` is told the
    /// bytes that have arrived so far.
    fn save(
        &self,
        path: &str,
        exclude: &[String],
        to: &Path,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> impl Future<Output = Result<Saved, TransportError>> + Send;

    /// Takes the device for this owner, for so long of its uptime; the same owner renews.
    /// [`TransportError::Busy`] if another owner has it.
    fn lock(
        &self,
        owner: &str,
        lease: Duration,
    ) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Gives the device back, if this owner has it.
    fn unlock(&self, owner: &str) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// At a bastion: lets a guest in; the same name again takes its place. Gives the host key that the bastion has
    /// shown, as a known-hosts file has it.
    fn admit(&self, guest: &Guest) -> impl Future<Output = Result<String, TransportError>> + Send;

    /// At a bastion: lets the guest of this name in no more; one that is not there is fine.
    fn dismiss(&self, name: &str) -> impl Future<Output = Result<(), TransportError>> + Send;

    /// Runs `migos-ctl` in MIGOS. `input` is for [`contract::Command::Configure`].
    fn migos(
        &self,
        command: &contract::Command,
        input: Option<&contract::Configuration>,
    ) -> impl Future<Output = Result<contract::Status, TransportError>> + Send;

    /// Gives MIGOS the part of the image file that it wants. `progress` is told where in the file it is, in bytes.
    fn stream(
        &self,
        image: &Content,
        part: contract::Part,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> impl Future<Output = Result<contract::Status, TransportError>> + Send;

    /// Ends the session in good order.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// How hard a device is told to reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// As an administrator does: everything is stopped first.
    Orderly,
    /// Without stopping anything.
    Forced,
    /// By the kernel itself: sync, remount read-only, reset.
    Sysrq,
}

/// Whom to connect to, and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// The device, for messages.
    pub device: DeviceId,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// What to log in with.
    pub key: LoginKey,
    /// Which host key is right.
    pub host_key: HostKey,
    /// How to become root.
    pub root: Root,
    /// The host through which it is reached; `host` and `port` are as that host sees them.
    pub via: Option<Arc<Target>>,
    /// A command whose input and output are the connection; `%h`, `%p` and `%r` stand for host, port and user.
    pub proxy_command: Option<Arc<str>>,
    /// True if algorithms that only old servers need are allowed.
    pub old_algorithms: bool,
    /// The cipher that is asked for first.
    pub cipher: Cipher,
    /// The limits of what is sent to it and fetched from it.
    pub meter: Meter,
}

/// The cipher that is asked for first; others are taken where a server does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cipher {
    /// ChaCha20-Poly1305: the cheapest where the processor has no instructions for AES.
    #[default]
    ChaCha20,
    /// AES-128-GCM: the cheapest where it has.
    Aes,
}

/// A key that may offer one port of a bastion's loopback address to it, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// What it is called there: one word.
    pub name: String,
    /// The key, as an `authorized_keys` line without options.
    pub key: String,
    /// The port.
    pub listen: u16,
    /// How long it is let in.
    pub lease: Duration,
}

/// What to log in with.
#[derive(Debug, Clone)]
pub enum LoginKey {
    /// What the operator has.
    Operator(Arc<Credentials>),
    /// The run's own key, which MIGOS was told of.
    Own(Arc<KeyPair>),
}

impl LoginKey {
    /// The operator's private key in a file, and nothing else.
    pub fn file(path: PathBuf) -> Self {
        LoginKey::Operator(Arc::new(Credentials { keys: vec![path], ..Credentials::default() }))
    }
}

/// What an operator has to log in with.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Files of private keys, in the order in which they are tried.
    pub keys: Vec<PathBuf>,
    /// The certificate of one of the keys.
    pub certificate: Option<PathBuf>,
    /// The socket of an agent that is asked for further keys.
    pub agent: Option<PathBuf>,
    /// True if the agent is asked for the keys of these files only.
    pub identities_only: bool,
    /// The password, where the server asks for one.
    pub password: Option<Arc<str>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("keys", &self.keys)
            .field("certificate", &self.certificate)
            .field("agent", &self.agent)
            .field("identities_only", &self.identities_only)
            .finish_non_exhaustive()
    }
}

/// Which host key is right.
#[derive(Debug, Clone)]
pub enum HostKey {
    /// The one in the operator's known-hosts file, or else in the transport's own; a host in neither is
    /// taken in if `accept_new`, and refused if not.
    Known {
        /// The operator's file; `None` if there is none.
        operator: Option<PathBuf>,
        /// Whether a host that is in no file is taken in and written down.
        accept_new: bool,
    },
    /// Exactly the key of this pair.
    Pinned(Arc<KeyPair>),
}

/// How to become root on the device.
#[derive(Clone)]
pub enum Root {
    /// `sudo -n`, unless the login is root.
    Passwordless,
    /// `sudo -n`, and where sudo asks, this password on standard input.
    Password(Arc<str>),
    /// MIGOS: the login is root and nothing else is wanted.
    NotNeeded,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Root::Passwordless => "Passwordless",
            Root::Password(_) => "Password(…)",
            Root::NotNeeded => "NotNeeded",
        })
    }
}

/// 32 random bytes that a key pair is made from.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// An ed25519 key pair in the forms that are wanted of it.
#[derive(Clone)]
pub struct KeyPair {
    /// The seed it was made from.
    pub seed: Seed,
    /// The public half as an `authorized_keys` line, without options.
    pub public_line: String,
    /// The private half in dropbear's own form, which is the only one dropbear takes for host keys.
    pub dropbear: Vec<u8>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public_line).finish()
    }
}

/// Why a device did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection could be made.
    #[error("failed to connect: {0}")]
    Unreachable(String),
    /// Another machine, or a changed one, answers at this address.
    #[error("host key refused: {0}")]
    HostKey(String),
    /// The login was refused.
    #[error("login refused: {0}")]
    Login(String),
    /// The login cannot become root.
    #[error("cannot become root: {0}")]
    Root(String),
    /// The connection was lost while the verb ran; it may or may not have been done.
    #[error("connection lost during {verb}")]
    Lost {
        /// The verb.
        verb: &'static str,
    },
    /// Nothing moved for too long.
    #[error("no progress for {seconds} s during {verb}")]
    Stalled {
        /// The verb.
        verb: &'static str,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// The file system is full.
    #[error("no space left on device: {path}")]
    NoSpace {
        /// The file that did not fit.
        path: String,
    },
    /// What is on the medium is not what was sent.
    #[error("{path} on the medium differs from what was sent")]
    Damaged {
        /// The file.
        path: String,
    },
    /// The device is busy with something that must not be disturbed.
    #[error("not now: {0}")]
    Busy(String),
    /// The verb ran and said no.
    #[error("{verb} failed: {message}")]
    Refused {
        /// The verb.
        verb: &'static str,
        /// What the device said.
        message: String,
    },
    /// The answer is not of the verb's form.
    #[error("{verb} answered what cannot be understood: {message}")]
    Garbled {
        /// The verb.
        verb: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A file of this computer could not be used.
    #[error("failed to use {path} on this computer: {message}")]
    Local {
        /// The file.
        path: String,
        /// Why.
        message: String,
    },
}

impl TransportError {
    /// True if the same may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            TransportError::Unreachable(_)
            | TransportError::Lost { .. }
            | TransportError::Stalled { .. }
            | TransportError::Busy(_) => true,
            TransportError::HostKey(_)
            | TransportError::Login(_)
            | TransportError::Root(_)
            | TransportError::NoSpace { .. }
            | TransportError::Damaged { .. }
            | TransportError::Refused { .. }
            | TransportError::Garbled { .. }
            | TransportError::Local { .. } => false,
        }
    }
}

/// The wall clock; used for times shown to people and kept in the journal, never for deadlines.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// A source of randomness fit for keys.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}
