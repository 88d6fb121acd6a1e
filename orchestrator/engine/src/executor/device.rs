//! One device while it is worked on: its plan, its secrets, its connection.

use super::World;
use super::task::Link;
use crate::action::Failure;
use crate::port::{
    BalenaApi, Content, HostKey, KeyPair, LoginKey, Root, Session, Target, Tier, Transport,
    TransportError,
};
use crate::run::DeviceSecrets;
use migos_contract::{Command, Part, Status, boot_path};
use migos_events::Learned;
use migos_inventory::DeviceId;
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use migos_playbooks::facts::Identity;
use migos_playbooks::plan::{Boot, DevicePlan, Handover};
use migos_playbooks::step::{Action, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Where the boot partition is copied to.
pub(crate) const BOOT_BACKUP: &str = "/var/lib/migos/boot";

/// How long a lock holds, of the device's own uptime; every new connection renews it.
const LEASE: Duration = Duration::from_secs(2 * 3600);

/// Where systemd keeps the one-shot flag until the reboot; in memory, so a power cut clears it.
const REBOOT_PARAM: &str = "/run/systemd/reboot-param";

/// Where the image waits for MIGOS.
pub(crate) const IMAGE: &str = "/var/lib/migos/image";

/// One device while it is worked on.
pub struct Device<T: Transport, B: BalenaApi> {
    pub(crate) id: DeviceId,
    pub(crate) world: Arc<World<T, B>>,
    pub(crate) secrets: DeviceSecrets,
    /// The host key that MIGOS will have.
    pub(crate) host_key: Arc<KeyPair>,
    /// What earlier steps found out.
    pub(crate) learned: Learned,
    /// True if it commits by itself and may be on its way to that already.
    pub(crate) may_have_left: bool,
    /// True if an earlier controller had begun the step that is now performed again.
    pub(crate) taken_up: bool,
    /// What this task has fetched of the device's data already, by path.
    pub(crate) saved: BTreeSet<String>,
    /// True while the device is locked for this run.
    pub(crate) locked: bool,
    /// True while steps are being taken back.
    pub(super) taking_back: bool,
    /// The boot that was watched for long enough to know that it does not go down any more.
    settled: Option<String>,
    /// What went wrong last while something was waited for.
    wait_failed: Option<String>,
    pub(super) link: Link,
    plan: DevicePlan,
    session: Option<(System, T::Session)>,
}

/// Which system a session is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Raspbian,
    Migos,
}

/// Pauses between looks at a device: short at first, never longer than a few seconds.
#[derive(Debug)]
pub(crate) struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Patience(Duration::from_millis(100))
    }
}

impl Patience {
    /// Waits, each time a little longer.
    pub(crate) async fn pause(&mut self) {
        const LONGEST: Duration = Duration::from_secs(5);
        tokio::time::sleep(self.0).await;
        self.0 = self.0.mul_f64(1.5).min(LONGEST);
    }
}

/// A reboot that was waited for.
pub(crate) struct Rebooted {
    /// The boot that answers now.
    pub(crate) boot_id: String,
    /// True if an orderly reboot hung; the one-shot flag is lost then.
    pub(crate) forced: bool,
}

/// How long an old system has been up although it was told to reboot, and what has been done about it.
pub(crate) struct Hang {
    limit: Duration,
    since: Instant,
    tier: Tier,
}

impl Hang {
    /// A reboot counts as hung after so long.
    pub(crate) fn new(limit: Duration) -> Self {
        Hang { limit, since: Instant::now(), tier: Tier::Orderly }
    }

    pub(crate) fn was_forced(&self) -> bool {
        self.tier != Tier::Orderly
    }
}

impl<T: Transport, B: BalenaApi> Device<T, B> {
    pub(super) fn new(
        id: DeviceId,
        world: Arc<World<T, B>>,
        learned: Learned,
        link: Link,
    ) -> Result<Self, String> {
        let missing = || format!("{id} is not in the plan");
        let plan = world.plan.devices.get(&id).ok_or_else(missing)?.clone();
        let secrets = world
            .secrets
            .device(&id, &*world.entropy)
            .map_err(|error| format!("failed to use the secrets of {id}: {error}"))?;
        let host_key = Arc::new(world.transport.key_pair(&secrets.host_key));
        Ok(Device {
            id,
            secrets,
            host_key,
            learned,
            may_have_left: false,
            taken_up: false,
            saved: BTreeSet::new(),
            locked: false,
            taking_back: false,
            settled: None,
            wait_failed: None,
            link,
            plan,
            session: None,
            world,
        })
    }

    pub(crate) fn plan(&self) -> &DevicePlan {
        &self.plan
    }

    pub(crate) fn payload(&self) -> Result<Arc<VerifiedPayload>, Failure> {
        let found = self.world.payloads.get(&self.plan.payload).cloned();
        found.ok_or_else(|| Failure::Failed("its payload is not at hand".into()))
    }

    pub(crate) fn image(&self) -> Result<Content, Failure> {
        let found = self.world.images.get(&self.plan.image).cloned();
        found.ok_or_else(|| Failure::Failed("its image is not at hand".into()))
    }

    pub(crate) fn image_manifest(&self) -> Result<&ImageManifest, Failure> {
        let found = self.world.plan.images.get(&self.plan.image);
        found.ok_or_else(|| Failure::Failed("its image is not in the plan".into()))
    }

    /// The payload's folder on the boot partition.
    pub(crate) fn boot_folder(&self) -> String {
        format!("{}/{}", self.plan.boot_path, boot_path::FOLDER)
    }

    /// The values that it takes along to balena; `None` while they have not been read.
    pub(crate) fn carried(&self) -> Result<Option<BTreeMap<String, String>>, Failure> {
        let kept = self.world.secrets.values(&self.id);
        kept.map_err(|error| Failure::Failed(format!("failed to use what it takes along: {error}")))
    }

    /// Keeps the values that it takes along to balena.
    pub(crate) fn carry(&self, values: &BTreeMap<String, String>) -> Result<(), Failure> {
        let kept = self.world.secrets.keep_values(&self.id, values);
        kept.map_err(|error| {
            Failure::Failed(format!("failed to keep what it takes along: {error}"))
        })
    }

    pub(crate) fn was_seen_on_balena(&self) -> bool {
        self.world.seen.contains(&self.secrets.uuid)
    }

    /// A remark for people.
    pub(crate) async fn note(&self, message: String) {
        self.link.note(message).await;
    }

    /// A session on Raspbian. Whoever answers is asked first who he is: a wrong host is never touched.
    pub(crate) async fn raspbian(&mut self) -> Result<&T::Session, Failure> {
        self.session(System::Raspbian).await
    }

    /// A session in MIGOS, under the host key that only this device's MIGOS has.
    pub(crate) async fn migos(&mut self) -> Result<&T::Session, Failure> {
        self.session(System::Migos).await
    }

    async fn session(&mut self, wanted: System) -> Result<&T::Session, Failure> {
        if !matches!(&self.session, Some((system, _)) if *system == wanted) {
            self.hang_up().await;
            let target = match wanted {
                System::Raspbian => self.target()?.clone(),
                System::Migos => self.migos_target()?,
            };
            let session = self.world.transport.connect(&target).await?;
            if wanted == System::Raspbian {
                self.compare(&session.identity().await?)?;
                if self.locked {
                    let renewed = session.lock(&self.world.run.0, LEASE).await;
                    renewed.or_else(|error| self.without_lock(error))?;
                }
            }
            self.session = Some((wanted, session));
        }
        match &self.session {
            Some((_, session)) => Ok(session),
            None => Err(Failure::Transient("the connection is gone".into())),
        }
    }

    /// What it means that the lock cannot be renewed. To take back what was done, it is enough that nobody else
    /// has the device: a full disk, say, must not keep anything on it.
    fn without_lock(&self, error: TransportError) -> Result<(), Failure> {
        match error {
            error if error.is_transient() => Err(error.into()),
            _ if self.taking_back => Ok(()),
            error => Err(Failure::NotOurs(format!("it cannot be kept for this run: {error}"))),
        }
    }

    /// Goes on waiting after a failure that may pass: a device that boots refuses logins for a while. Keeps what
    /// happened, for the case that the time runs out.
    pub(crate) fn wait_on(&mut self, failure: Failure) -> Result<(), Failure> {
        if let Failure::NotOurs(_) = failure {
            return Err(failure);
        }
        self.wait_failed = Some(failure.message().to_owned());
        Ok(())
    }

    /// What went wrong last while something was waited for, to be added to a sentence.
    pub(super) fn last_failure(&mut self) -> String {
        self.wait_failed.take().map(|last| format!("; last: {last}")).unwrap_or_default()
    }

    /// What running out of time means: before the commit a failure, after it a loss.
    pub(super) fn out_of_time(&mut self, step: &Step) -> Failure {
        let message = format!("not done after {} s{}", step.limit.0.as_secs(), self.last_failure());
        match step.action {
            Action::Commit | Action::AwaitCommit | Action::AwaitFlash => Failure::Lost(message),
            _ => Failure::Failed(message),
        }
    }

    fn target(&self) -> Result<&Target, Failure> {
        let found = self.world.targets.get(&self.id);
        found.ok_or_else(|| Failure::Failed("nobody knows how to reach it".into()))
    }

    fn migos_target(&self) -> Result<Target, Failure> {
        let target = self.target()?.clone();
        let (host, port, via, proxy_command) = match &self.plan.handover {
            // Seen from the bastion.
            Handover::CallHome { .. } => {
                let (bastion, listen) = self.bastion()?;
                ("127.0.0.1".to_owned(), listen, Some(Arc::new(bastion.clone())), None)
            }
            Handover::Attended | Handover::Unattended => {
                (target.host, target.port, target.via, target.proxy_command)
            }
        };
        Ok(Target {
            device: target.device,
            host,
            port,
            user: "root".into(),
            key: LoginKey::Own(self.world.run_key.clone()),
            host_key: HostKey::Pinned(self.host_key.clone()),
            root: Root::NotNeeded,
            via,
            proxy_command,
            old_algorithms: false,
            cipher: target.cipher,
            meter: target.meter,
        })
    }

    /// The bastion that its MIGOS calls, and the port there that leads to it.
    pub(crate) fn bastion(&self) -> Result<(&Target, u16), Failure> {
        match (&self.plan.handover, self.world.bastions.get(&self.id)) {
            (Handover::CallHome { listen, .. }, Some(bastion)) => Ok((bastion, *listen)),
            _ => Err(Failure::Failed("it has no bastion to call".into())),
        }
    }

    /// A session at its bastion.
    pub(crate) async fn at_bastion(&self) -> Result<T::Session, Failure> {
        let (bastion, _) = self.bastion()?;
        let session = self.world.transport.connect(bastion).await;
        session.map_err(|error| match Failure::from(error) {
            Failure::Transient(message) => Failure::Transient(format!("its bastion: {message}")),
            failure => Failure::Failed(format!("its bastion: {}", failure.message())),
        })
    }

    /// The key that its MIGOS calls home with.
    pub(crate) fn call_home_key(&self) -> KeyPair {
        self.world.transport.key_pair(&self.secrets.call_home_key)
    }

    /// Ends the connection, if there is one.
    pub(crate) async fn hang_up(&mut self) {
        if let Some((_, session)) = self.session.take() {
            session.close().await;
        }
    }

    /// Forgets a connection that is broken.
    pub(super) fn drop_session(&mut self) {
        self.session = None;
    }

    /// Reads the identity of the Raspbian that answers now, and holds it against the plan.
    pub(crate) async fn verified_identity(&mut self) -> Result<Identity, Failure> {
        let asked = match self.raspbian().await {
            Ok(session) => session.identity().await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        if asked.is_err() {
            self.drop_session();
        }
        let identity = asked?;
        self.compare(&identity)?;
        if identity.sums != self.plan.boot_sums && !self.has_our_config(&identity) {
            let changed = "config.txt or cmdline.txt changed since the plan was made";
            return Err(Failure::Refused(changed.into()));
        }
        Ok(identity)
    }

    fn compare(&self, identity: &Identity) -> Result<(), Failure> {
        let differs = |what: &str, found: &str, expected: &str| {
            Err(Failure::Refused(format!(
                "another device answers at its address: {what} {found}, the plan says {expected}"
            )))
        };
        if identity.serial != self.plan.serial {
            return differs("serial number", &identity.serial, &self.plan.serial);
        }
        if identity.machine_id != self.plan.machine_id {
            return differs("machine id", &identity.machine_id, &self.plan.machine_id);
        }
        Ok(())
    }

    /// Gives MIGOS a command, and holds its answer against the plan.
    pub(crate) async fn ask_migos(&mut self, command: &Command) -> Result<Status, Failure> {
        let asked = match self.migos().await {
            Ok(session) => session.migos(command, None).await,
            Err(failure) => return Err(failure),
        };
        if asked.as_ref().is_err_and(TransportError::is_transient) {
            self.drop_session();
        }
        let status = asked?;
        if status.nonce != self.secrets.nonce {
            return Err(Failure::Refused("MIGOS has another job".into()));
        }
        if status.serial != self.plan.serial {
            let found = status.serial;
            return Err(Failure::Refused(format!("MIGOS runs on another board, serial {found}")));
        }
        Ok(status)
    }

    /// Gives MIGOS the part of the image that it wants.
    pub(crate) async fn stream(&mut self, part: Part) -> Result<(), Failure> {
        let (image, world, id) = (self.image()?, self.world.clone(), self.id.clone());
        let total = image.size;
        let progress = move |at| world.observer.progress(&id, at, total);
        let sent = self.migos().await?.stream(&image, part, &progress).await;
        if sent.as_ref().is_err_and(TransportError::is_transient) {
            self.drop_session();
        }
        Ok(sent.map(drop)?)
    }

    /// True if `config.txt` is the one that we replaced the original with, and nothing else has changed.
    fn has_our_config(&self, identity: &Identity) -> bool {
        let mut ours = self.plan.boot_sums.clone();
        let text = Sha256::of(self.plan.tryboot_txt.as_bytes());
        ours.insert(boot_path::CONFIG.to_owned(), text);
        matches!(self.plan.boot, Boot::Rewrite { .. }) && identity.sums == ours
    }

    /// Takes the device for this run, or goes on having it.
    pub(crate) async fn renew_lock(&mut self) -> Result<(), Failure> {
        let owner = self.world.run.to_string();
        Ok(self.raspbian().await?.lock(&owner, LEASE).await?)
    }

    /// The command line of the kernel that runs now.
    pub(crate) async fn kernel_cmdline(&mut self) -> Result<String, Failure> {
        const LIMIT: u64 = 16 * 1024;
        let text = self.raspbian().await?.read("/proc/cmdline", LIMIT).await?;
        Ok(String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
    }

    /// Waits until Raspbian answers from another boot than the one that was told to end.
    pub(crate) async fn another_boot(&mut self) -> Result<Rebooted, Failure> {
        let mut patience = Patience::default();
        let mut hang = Hang::new(self.world.plan.dead_man.hung.0);
        loop {
            match self.verified_identity().await {
                Ok(Identity { boot_id, .. }) if self.learned.boot_id.as_ref() != Some(&boot_id) => {
                    return Ok(Rebooted { boot_id, forced: hang.was_forced() });
                }
                Ok(_) => self.force(&mut hang).await?,
                Err(Failure::Refused(message)) => return Err(Failure::Refused(message)),
                Err(failure) => self.wait_on(failure)?,
            }
            patience.pause().await;
        }
    }

    /// Reboots harder, tier by tier, once the old system has been up for too long.
    pub(crate) async fn force(&mut self, hang: &mut Hang) -> Result<(), Failure> {
        if hang.since.elapsed() < hang.limit {
            // The connection would hold up nothing, but it dies with the reboot anyway.
            self.hang_up().await;
            return Ok(());
        }
        hang.tier = match hang.tier {
            Tier::Orderly => Tier::Forced,
            Tier::Forced => Tier::Sysrq,
            Tier::Sysrq => {
                return Err(Failure::Failed("it does not reboot, however it is told to".into()));
            }
        };
        hang.since = Instant::now();
        let tier = hang.tier;
        match self.raspbian().await?.reboot(tier).await {
            Ok(()) | Err(TransportError::Lost { .. } | TransportError::Stalled { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.hang_up().await;
        Ok(())
    }

    /// Brings the device back to Raspbian: orders MIGOS to go, or waits until it has gone by itself. A Raspbian
    /// that was told to reboot and is still up may yet go down: it is disarmed, and watched for a while.
    pub(crate) async fn back_on_raspbian(&mut self) -> Result<(), Failure> {
        let mut patience = Patience::default();
        let since = Instant::now();
        loop {
            if let Ok(status) = self.ask_migos(&Command::Status).await {
                if status.state.is_committed() {
                    let message = "MIGOS is past the point of no return already".to_owned();
                    return Err(Failure::Stuck(message));
                }
                // A refusal shows in the next status.
                let _ = self.ask_migos(&Command::Abort).await;
            } else {
                match self.verified_identity().await {
                    Ok(identity) => {
                        let is_another = self.learned.boot_id.as_ref() != Some(&identity.boot_id);
                        let session = self.raspbian().await?;
                        session.remove(&[REBOOT_PARAM.to_owned()]).await?;
                        let is_settled = is_another
                            || self.settled.as_ref() == Some(&identity.boot_id)
                            || since.elapsed() >= self.world.plan.dead_man.hung.0;
                        if is_settled {
                            self.settled = Some(identity.boot_id);
                            return Ok(());
                        }
                        self.hang_up().await;
                    }
                    Err(failure) => self.wait_on(failure)?,
                }
            }
            patience.pause().await;
        }
    }
}
