//! A transport that refuses one call for good, or holds it: of those that change a device the n-th, or the first of a
//! verb.

use migos_contract as contract;
use migos_engine::port::{
    Content, Guest, KeyPair, OwnOrder, Packed, Ran, Saved, Seed, Sent, Session, Target, Tier,
    Transport, TransportError,
};
use migos_inventory::DeviceId;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_playbooks::facts::{Identity, Tree};
use migos_playbooks::plan::FirmwareKind;
use migos_ssh::Ssh;
use std::collections::BTreeMap;
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Which call of a device is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The one of this number, from 0, fails.
    Call(usize),
    /// The first one of this verb fails.
    Verb(&'static str),
    /// The first one of this verb is never answered.
    Hold(&'static str),
}

/// Which call of which device is refused, and what has been called.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    calls: Mutex<BTreeMap<DeviceId, Calls>>,
    /// So many calls are held.
    held: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Calls {
    refusal: Option<Refusal>,
    so_far: usize,
    refused: Option<&'static str>,
}

impl Refusals {
    /// Refuses a call; the one that was to be refused before is let through.
    pub(crate) fn refuse(&self, device: &DeviceId, refusal: Refusal) {
        self.calls.lock().unwrap().entry(device.clone()).or_default().refusal = Some(refusal);
    }

    /// The verb that was refused or held, if it has come to that.
    pub(crate) fn refused(&self, device: &DeviceId) -> Option<&'static str> {
        self.calls.lock().unwrap().get(device).and_then(|calls| calls.refused)
    }

    /// Returns when so many calls are held.
    pub(crate) async fn are_held(&self, calls: usize) {
        self.held.subscribe().wait_for(|held| *held >= calls).await.unwrap();
    }

    /// The refusal that this call meets, if it meets one.
    fn met(&self, device: &DeviceId, verb: &'static str) -> Option<Refusal> {
        let mut all = self.calls.lock().unwrap();
        let calls = all.entry(device.clone()).or_default();
        let number = calls.so_far;
        calls.so_far += 1;
        let met = calls.refusal.take_if(|refusal| match refusal {
            Refusal::Call(wanted) => *wanted == number,
            Refusal::Verb(wanted) | Refusal::Hold(wanted) => *wanted == verb,
        });
        if met.is_some() {
            calls.refused = Some(verb);
        }
        met
    }

    async fn before(&self, device: &DeviceId, verb: &'static str) -> Result<(), TransportError> {
        match self.met(device, verb) {
            None => Ok(()),
            Some(Refusal::Hold(_)) => {
                self.held.send_modify(|held| *held += 1);
                pending().await
            }
            Some(Refusal::Call(_) | Refusal::Verb(_)) => {
                Err(TransportError::Refused { verb, message: "it was told to fail here".into() })
            }
        }
    }
}

/// SSH, but for the calls that are refused.
pub(crate) struct Refusing {
    pub(crate) real: Ssh,
    pub(crate) refusals: Arc<Refusals>,
}

/// A session, but for the calls that are refused.
pub(crate) struct RefusingSession {
    real: <Ssh as Transport>::Session,
    device: DeviceId,
    refusals: Arc<Refusals>,
}

impl Transport for Refusing {
    type Session = RefusingSession;

    async fn connect(&self, target: &Target) -> Result<Self::Session, TransportError> {
        let real = self.real.connect(target).await?;
        let refusals = self.refusals.clone();
        Ok(RefusingSession { real, device: target.device.clone(), refusals })
    }

    fn key_pair(&self, seed: &Seed) -> KeyPair {
        self.real.key_pair(seed)
    }
}

impl RefusingSession {
    async fn before(&self, verb: &'static str) -> Result<(), TransportError> {
        self.refusals.before(&self.device, verb).await
    }
}

impl Session for RefusingSession {
    async fn probe(&self, hosts: &[String]) -> Result<String, TransportError> {
        self.real.probe(hosts).await
    }

    async fn identity(&self) -> Result<Identity, TransportError> {
        self.real.identity().await
    }

    async fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TransportError> {
        self.real.read(path, limit).await
    }

    async fn write(&self, path: &str, mode: u32, content: &[u8]) -> Result<(), TransportError> {
        self.before("write").await?;
        self.real.write(path, mode, content).await
    }

    async fn sums(&self, paths: &[String]) -> Result<Vec<Option<Sha256>>, TransportError> {
        self.real.sums(paths).await
    }

    async fn send(
        &self,
        content: &Content,
        path: &str,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Sent, TransportError> {
        self.before("send").await?;
        self.real.send(content, path, progress).await
    }

    /// Mostly an undo; those are not refused.
    async fn remove(&self, paths: &[String]) -> Result<(), TransportError> {
        self.real.remove(paths).await
    }

    async fn update(&self, firmware: FirmwareKind) -> Result<(), TransportError> {
        self.before("update").await?;
        self.real.update(firmware).await
    }

    async fn run(&self, order: &OwnOrder) -> Result<Ran, TransportError> {
        self.before("run").await?;
        self.real.run(order).await
    }

    async fn arm(&self) -> Result<(), TransportError> {
        self.before("arm").await?;
        self.real.arm().await
    }

    async fn reboot(&self, tier: Tier) -> Result<(), TransportError> {
        self.before("reboot").await?;
        self.real.reboot(tier).await
    }

    async fn tree(&self, path: &str) -> Result<Tree, TransportError> {
        self.real.tree(path).await
    }

    async fn backup(&self, from: &str, to: &str) -> Result<Tree, TransportError> {
        self.before("backup").await?;
        self.real.backup(from, to).await
    }

    async fn pack(&self, path: &str, to: &Path) -> Result<Packed, TransportError> {
        self.before("pack").await?;
        self.real.pack(path, to).await
    }

    async fn sizes(
        &self,
        paths: &[String],
    ) -> Result<BTreeMap<String, Option<ByteCount>>, TransportError> {
        self.real.sizes(paths).await
    }

    async fn save(
        &self,
        path: &str,
        exclude: &[String],
        to: &Path,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Saved, TransportError> {
        self.real.save(path, exclude, to, progress).await
    }

    async fn lock(&self, owner: &str, lease: Duration) -> Result<(), TransportError> {
        self.before("lock").await?;
        self.real.lock(owner, lease).await
    }

    async fn unlock(&self, owner: &str) -> Result<(), TransportError> {
        self.real.unlock(owner).await
    }

    async fn admit(&self, guest: &Guest) -> Result<String, TransportError> {
        self.before("admit").await?;
        self.real.admit(guest).await
    }

    async fn dismiss(&self, name: &str) -> Result<(), TransportError> {
        self.real.dismiss(name).await
    }

    async fn migos(
        &self,
        command: &contract::Command,
        input: Option<&contract::Configuration>,
    ) -> Result<contract::Status, TransportError> {
        match command {
            contract::Command::Configure => self.before("configure").await?,
            contract::Command::Status
            | contract::Command::Commit { .. }
            | contract::Command::Abort
            | contract::Command::Stream
            | contract::Command::Log => {}
        }
        self.real.migos(command, input).await
    }

    async fn stream(
        &self,
        image: &Content,
        part: contract::Part,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<contract::Status, TransportError> {
        self.real.stream(image, part, progress).await
    }

    async fn close(self) {
        self.real.close().await;
    }
}
