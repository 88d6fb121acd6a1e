//! The executor: one task per device. It asks for a permit, performs the step, reports; nothing else.

mod device;
mod task;
mod undo;

pub use device::Device;
pub(crate) use device::{BOOT_BACKUP, Hang, IMAGE, Patience, Rebooted};
pub(crate) use task::{Answer, Link, Message, run};
pub(crate) use undo::{LEFT_DARK, UndoPatience, waits_to_take_back};

use crate::port::{BalenaApi, Clock, Content, Entropy, KeyPair, Target, Transport};
use crate::run::Secrets;
use migos_events::{Record, RunId};
use migos_inventory::DeviceId;
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_playbooks::balena::DeviceUuid;
use migos_playbooks::plan::CheckedPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Everything that the tasks of a run share.
pub struct World<T: Transport, B: BalenaApi> {
    /// The run's name; it is also the owner of the locks on devices.
    pub run: RunId,
    /// The plan.
    pub plan: Arc<CheckedPlan>,
    /// The folder for backups of boot partitions.
    pub backups: PathBuf,
    /// The way to the devices.
    pub transport: T,
    /// The way to balena.
    pub balena: B,
    /// How to reach each device on Raspbian.
    pub targets: BTreeMap<DeviceId, Target>,
    /// How to reach the bastion of each device that calls home.
    pub bastions: BTreeMap<DeviceId, Target>,
    /// The payloads of the plan.
    pub payloads: BTreeMap<Sha256, Arc<VerifiedPayload>>,
    /// The images of the plan.
    pub images: BTreeMap<Sha256, Content>,
    /// The texts of the keyfiles that the inventory adds to a device, by their names.
    pub keyfiles: BTreeMap<DeviceId, BTreeMap<String, String>>,
    /// The run's secrets.
    pub secrets: Secrets,
    /// The key that the controller logs in to MIGOS with.
    pub run_key: Arc<KeyPair>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Devices that balena has heard of since they were registered.
    pub seen: SeenOnBalena,
    /// What devices get besides what the plan says.
    pub provisions: Provisions,
}

/// What devices get on balena and in their `config.json`, and what does not stand in a plan.
#[derive(Default)]
pub struct Provisions {
    /// The name of the change request that the run belongs to.
    pub change: Option<String>,
    /// The certificates of the API's own authority, as PEM.
    pub ca: Option<String>,
    /// Values of environment variables that come from this computer; they may be secrets.
    pub environment: BTreeMap<DeviceId, BTreeMap<String, String>>,
}

/// Who is told what happens, while it happens.
pub trait Observer: Send + Sync + 'static {
    /// A record; it is on the disk already. None is left out.
    fn record(&self, record: &Record);

    /// Bytes moved so far, of all bytes of the step. May be left out at will.
    fn progress(&self, device: &DeviceId, done: u64, total: u64);
}

/// Devices that balena has heard of since they were registered.
#[derive(Debug, Default)]
pub struct SeenOnBalena(Mutex<BTreeSet<DeviceUuid>>);

impl SeenOnBalena {
    pub(crate) fn add(&self, uuid: &DeviceUuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uuid.clone());
    }

    fn contains(&self, uuid: &DeviceUuid) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(uuid)
    }
}
