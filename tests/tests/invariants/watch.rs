//! Watches what is done to devices and to balena: every call goes on to the real thing, but first the journal is
//! read from the disk, and what is about to be done must be permitted there.

use migos_contract as contract;
use migos_engine::journal::Journal;
use migos_engine::port::{
    BalenaApi, BalenaError, Content, Guest, KeyPair, OwnOrder, Packed, Ran, Registration, Saved,
    Seed, Sent, Session, Table, Target, Tier, Transport, TransportError,
};
use migos_events::{DeviceEvent, DeviceState, Event, History, Record, StepRef};
use migos_inventory::{DeviceId, FleetSlug};
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_playbooks::balena::{BalenaFleet, DeviceUuid, SeenRelease, Sighting};
use migos_playbooks::facts::{Identity, Tree};
use migos_playbooks::plan::FirmwareKind;
use migos_playbooks::step::Action;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What changes a device, or what balena knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Lock,
    Backup,
    Write,
    Send,
    Remove,
    Update,
    Run,
    Arm,
    Reboot,
    Configure,
    Commit,
    Abort,
    Register,
    Describe,
    Move,
    Withdraw,
    Admit,
    Dismiss,
}

/// The watch over one run.
pub(crate) struct Watch {
    journal: PathBuf,
    seen: Mutex<Seen>,
}

/// What the watch has seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// How often each verb was about to be used.
    pub(crate) verbs: BTreeMap<Verb, usize>,
    /// What was about to be done without a permit.
    pub(crate) violations: Vec<String>,
    /// Who registered under which uuid.
    registered: BTreeMap<DeviceUuid, DeviceId>,
    /// Who has which id on balena.
    ids: BTreeMap<u64, DeviceId>,
}

impl Watch {
    pub(crate) fn over(journal: PathBuf) -> Arc<Watch> {
        Arc::new(Watch { journal, seen: Mutex::default() })
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    fn before(&self, device: &DeviceId, verb: Verb) {
        // A violation does not panic: the engine would take that for a fault of the device's task.
        let judged = match Journal::read(&self.journal) {
            Ok(records) => judge(&records, device, verb),
            Err(error) => Err(error.to_string()),
        };
        let mut seen = self.seen.lock().unwrap();
        *seen.verbs.entry(verb).or_default() += 1;
        if let Err(why) = judged {
            seen.violations.push(format!("{verb:?} on {device}: {why}"));
        }
    }
}

/// Whether these records, which are all that is on the disk, permit this verb now.
pub(crate) fn judge(records: &[Record], device: &DeviceId, verb: Verb) -> Result<(), String> {
    let history = History::replay(records).map_err(|error| error.to_string())?;
    let told = history.devices.get(device);
    let state = told.map_or(&DeviceState::Pending, |told| &told.state);
    // Arrived, it is moved, and that alone.
    let settles =
        told.and_then(|told| told.last_step).is_some_and(|step| step.action == Action::Settle);
    if *state == DeviceState::Migrated && settles {
        return match verb {
            Verb::Move | Verb::Describe => Ok(()),
            _ => Err(format!("it has arrived, and is not to {verb:?}")),
        };
    }
    if !may(state, verb) {
        return Err(format!("the journal says that it is {state:?}"));
    }
    if verb == Verb::Commit { judge_commit(records, device) } else { Ok(()) }
}

/// Which verbs a permitted step, or the taking back of one, may use. A lock is renewed by every new connection.
fn may(state: &DeviceState, verb: Verb) -> bool {
    // A released device that cannot be rebooted is made sure of before anything is taken back.
    const MADE_SURE: [Verb; 3] = [Verb::Remove, Verb::Abort, Verb::Write];
    let leaves = |step: &StepRef| step.action >= Action::Arm && step.action <= Action::AwaitCommit;
    if let DeviceState::Running { step, done: false, permitted: true } = state
        && leaves(step)
        && MADE_SURE.contains(&verb)
    {
        return true;
    }
    let verbs: &[Verb] = match state {
        DeviceState::Running { step, done: false, .. } => match step.action {
            Action::Run => &[Verb::Run],
            Action::UpdateFirmware => &[Verb::Update],
            Action::Backup => &[Verb::Backup],
            Action::ProveWrite
            | Action::WriteJob
            | Action::WriteTryboot
            | Action::Release
            | Action::RewriteConfig => &[Verb::Write],
            Action::ProveArm | Action::Arm => &[Verb::Arm],
            Action::UpdateReboot | Action::ProveReturn | Action::Reboot => &[Verb::Reboot],
            // A reboot that hangs is forced, and the device armed once more.
            Action::ProveSeen | Action::AwaitMigos => &[Verb::Reboot, Verb::Arm],
            Action::UpdateSeen => &[Verb::Reboot],
            Action::ProveGone => &[Verb::Reboot, Verb::Remove],
            Action::SendPayload | Action::SendImage => &[Verb::Send],
            Action::Preregister | Action::Register => &[Verb::Register, Verb::Describe],
            Action::Admit => &[Verb::Admit],
            Action::Dismiss => &[Verb::Dismiss],
            // A reboot that hangs is forced.
            Action::AwaitCommit => &[Verb::Reboot],
            Action::Configure => &[Verb::Configure],
            Action::Commit => &[Verb::Commit],
            Action::Check
            | Action::Lock
            | Action::SaveData
            | Action::AwaitFlash
            | Action::AwaitBalena
            | Action::Settle => &[],
        },
        DeviceState::Undoing { step: Some(step), .. } => match step.action {
            Action::Backup
            | Action::ProveWrite
            | Action::SendPayload
            | Action::SendImage
            | Action::WriteJob
            | Action::WriteTryboot => &[Verb::Remove],
            Action::UpdateReboot
            | Action::ProveArm
            | Action::ProveReturn
            | Action::Arm
            | Action::Reboot
            | Action::AwaitMigos => &[Verb::Remove, Verb::Reboot, Verb::Abort],
            Action::Run => &[Verb::Run],
            Action::RewriteConfig => &[Verb::Write],
            Action::Preregister | Action::Register => &[Verb::Withdraw],
            Action::Admit => &[Verb::Dismiss],
            _ => &[],
        },
        _ => return false,
    };
    verb == Verb::Lock || verbs.contains(&verb)
}

/// The permit to cross was asked for, and given while no pause, stop or interruption stood in the journal.
fn judge_commit(records: &[Record], device: &DeviceId) -> Result<(), String> {
    let of_device = |record: &Record, is: fn(&DeviceEvent) -> bool| matches!(&record.event, Event::Device { device: of, what } if of == device && is(what));
    let is_asked = |what: &DeviceEvent| matches!(what, DeviceEvent::CommitAsked);
    let is_given = |what: &DeviceEvent| matches!(what, DeviceEvent::StepStarted { step } if step.action == Action::Commit);
    let asked = records.iter().rposition(|record| of_device(record, is_asked));
    let asked = asked.ok_or("the permit was never asked for")?;
    let after = records[asked..].iter().position(|record| of_device(record, is_given));
    let given = asked + after.ok_or("the permit was asked for and not given")?;
    let taken_up = records[..given]
        .iter()
        .rposition(|record| {
            matches!(record.event, Event::RunStarted { .. } | Event::RunResumed { .. })
        })
        .ok_or("the run was never begun")?;
    let closed = records[taken_up..given].iter().find(|record| {
        matches!(record.event, Event::Paused { .. } | Event::Stopped { .. } | Event::Interrupted)
    });
    match closed {
        None => Ok(()),
        Some(record) => Err(format!("permitted after record {}: {:?}", record.seq, record.event)),
    }
}

/// A transport, or a balena API, under watch.
pub(crate) struct Watched<T> {
    pub(crate) real: T,
    pub(crate) watch: Arc<Watch>,
}

/// A session under watch.
pub(crate) struct WatchedSession<S> {
    real: S,
    device: DeviceId,
    watch: Arc<Watch>,
}

impl<T: Transport> Transport for Watched<T> {
    type Session = WatchedSession<T::Session>;

    async fn connect(&self, target: &Target) -> Result<Self::Session, TransportError> {
        let real = self.real.connect(target).await?;
        Ok(WatchedSession { real, device: target.device.clone(), watch: self.watch.clone() })
    }

    fn key_pair(&self, seed: &Seed) -> KeyPair {
        self.real.key_pair(seed)
    }
}

impl<S> WatchedSession<S> {
    fn before(&self, verb: Verb) {
        self.watch.before(&self.device, verb);
    }
}

impl<S: Session> Session for WatchedSession<S> {
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
        self.before(Verb::Write);
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
        self.before(Verb::Send);
        self.real.send(content, path, progress).await
    }

    async fn remove(&self, paths: &[String]) -> Result<(), TransportError> {
        self.before(Verb::Remove);
        self.real.remove(paths).await
    }

    async fn update(&self, firmware: FirmwareKind) -> Result<(), TransportError> {
        self.before(Verb::Update);
        self.real.update(firmware).await
    }

    async fn run(&self, order: &OwnOrder) -> Result<Ran, TransportError> {
        self.before(Verb::Run);
        self.real.run(order).await
    }

    async fn arm(&self) -> Result<(), TransportError> {
        self.before(Verb::Arm);
        self.real.arm().await
    }

    async fn reboot(&self, tier: Tier) -> Result<(), TransportError> {
        self.before(Verb::Reboot);
        self.real.reboot(tier).await
    }

    async fn tree(&self, path: &str) -> Result<Tree, TransportError> {
        self.real.tree(path).await
    }

    async fn backup(&self, from: &str, to: &str) -> Result<Tree, TransportError> {
        self.before(Verb::Backup);
        self.real.backup(from, to).await
    }

    async fn pack(&self, path: &str, to: &Path) -> Result<Packed, TransportError> {
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
        self.before(Verb::Lock);
        self.real.lock(owner, lease).await
    }

    async fn unlock(&self, owner: &str) -> Result<(), TransportError> {
        self.before(Verb::Lock);
        self.real.unlock(owner).await
    }

    async fn admit(&self, guest: &Guest) -> Result<String, TransportError> {
        self.before(Verb::Admit);
        self.real.admit(guest).await
    }

    async fn dismiss(&self, name: &str) -> Result<(), TransportError> {
        self.before(Verb::Dismiss);
        self.real.dismiss(name).await
    }

    async fn migos(
        &self,
        command: &contract::Command,
        input: Option<&contract::Configuration>,
    ) -> Result<contract::Status, TransportError> {
        match command {
            contract::Command::Status | contract::Command::Stream | contract::Command::Log => {}
            contract::Command::Configure => self.before(Verb::Configure),
            contract::Command::Commit { .. } => self.before(Verb::Commit),
            contract::Command::Abort => self.before(Verb::Abort),
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

impl<B> Watched<B> {
    fn before_change_of(&self, uuid: &DeviceUuid, verb: Verb) {
        let device = self.watch.seen().registered.get(uuid).cloned();
        if let Some(device) = device {
            self.watch.before(&device, verb);
        }
    }
}

impl<B: BalenaApi> BalenaApi for Watched<B> {
    async fn whoami(&self) -> Result<String, BalenaError> {
        self.real.whoami().await
    }

    async fn fleet(&self, slug: &FleetSlug) -> Result<Option<BalenaFleet>, BalenaError> {
        self.real.fleet(slug).await
    }

    async fn sightings(&self, fleets: &[FleetSlug]) -> Result<Vec<Sighting>, BalenaError> {
        self.real.sightings(fleets).await
    }

    async fn sightings_of(&self, devices: &[DeviceUuid]) -> Result<Vec<Sighting>, BalenaError> {
        self.real.sightings_of(devices).await
    }

    async fn release(&self, fleet: u64, commit: &str) -> Result<Option<SeenRelease>, BalenaError> {
        self.real.release(fleet, commit).await
    }

    async fn register(&self, registration: &Registration) -> Result<u64, BalenaError> {
        let device = DeviceId::new(registration.name.clone()).unwrap();
        self.watch.before(&device, Verb::Register);
        self.watch
            .seen
            .lock()
            .unwrap()
            .registered
            .insert(registration.uuid.clone(), device.clone());
        let id = self.real.register(registration).await?;
        self.watch.seen.lock().unwrap().ids.insert(id, device);
        Ok(id)
    }

    async fn set_values(
        &self,
        device: u64,
        table: Table,
        values: &BTreeMap<String, String>,
    ) -> Result<(), BalenaError> {
        let name = self.watch.seen().ids.get(&device).cloned().unwrap();
        self.watch.before(&name, Verb::Describe);
        self.real.set_values(device, table, values).await
    }

    async fn pin(&self, uuid: &DeviceUuid, release: u64) -> Result<(), BalenaError> {
        self.before_change_of(uuid, Verb::Describe);
        self.real.pin(uuid, release).await
    }

    async fn move_to(&self, uuid: &DeviceUuid, fleet: u64) -> Result<(), BalenaError> {
        self.before_change_of(uuid, Verb::Move);
        self.real.move_to(uuid, fleet).await
    }

    async fn withdraw(&self, uuid: &DeviceUuid) -> Result<bool, BalenaError> {
        self.before_change_of(uuid, Verb::Withdraw);
        self.real.withdraw(uuid).await
    }
}
