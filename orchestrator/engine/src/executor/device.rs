//! One device while it is worked on: its plan, its secrets, its connection.

use super::World;
use super::task::Link;
use crate::action::Failure;
use crate::port::{
    BalenaApi, Content, HostKey, KeyPair, LoginKey, Root, Session, Target, Transport,
    TransportError,
};
use crate::run::DeviceSecrets;
use migos_contract::{Command, Status, boot_path};
use migos_events::Learned;
use migos_inventory::DeviceId;
use migos_payload::archive::VerifiedPayload;
use migos_payload::image::ImageManifest;
use migos_playbooks::facts::Identity;
use migos_playbooks::plan::DevicePlan;
use std::sync::Arc;
use std::time::Duration;

/// The folder on the root file system of Raspbian that is ours.
pub const ROOM: &str = "/var/lib/migos";

/// Where the image waits for MIGOS.
pub const IMAGE: &str = "/var/lib/migos/image";

/// One device while it is worked on.
pub struct Device<T: Transport, B: BalenaApi> {
    pub(crate) id: DeviceId,
    pub(crate) world: Arc<World<T, B>>,
    pub(crate) secrets: DeviceSecrets,
    /// The host key that MIGOS will have.
    pub(crate) host_key: Arc<KeyPair>,
    /// What earlier steps found out.
    pub(crate) learned: Learned,
    /// True if an earlier controller had begun the step that is now performed again.
    pub(crate) taken_up: bool,
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
pub struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Patience(Duration::from_millis(100))
    }
}

impl Patience {
    /// Waits, each time a little longer.
    pub async fn pause(&mut self) {
        const LONGEST: Duration = Duration::from_secs(5);
        tokio::time::sleep(self.0).await;
        self.0 = self.0.mul_f64(1.5).min(LONGEST);
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
            taken_up: false,
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
            }
            self.session = Some((wanted, session));
        }
        match &self.session {
            Some((_, session)) => Ok(session),
            None => Err(Failure::Transient("the connection is gone".into())),
        }
    }

    fn target(&self) -> Result<&Target, Failure> {
        let found = self.world.targets.get(&self.id);
        found.ok_or_else(|| Failure::Failed("nobody knows how to reach it".into()))
    }

    fn migos_target(&self) -> Result<Target, Failure> {
        Ok(Target {
            user: "root".into(),
            key: LoginKey::Own(self.world.run_key.clone()),
            host_key: HostKey::Pinned(self.host_key.clone()),
            root: Root::NotNeeded,
            ..self.target()?.clone()
        })
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
        if identity.sums != self.plan.boot_sums {
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

    /// Brings the device back to Raspbian: orders MIGOS to go, or waits until it has gone by itself.
    pub(crate) async fn back_on_raspbian(&mut self) -> Result<(), Failure> {
        let mut patience = Patience::default();
        loop {
            if let Ok(status) = self.ask_migos(&Command::Status).await {
                if status.state.is_committed() {
                    let message = "MIGOS is past the point of no return already".to_owned();
                    return Err(Failure::Stuck(message));
                }
                // A refusal shows in the next status.
                let _ = self.ask_migos(&Command::Abort).await;
            } else if self.verified_identity().await.is_ok() {
                return Ok(());
            }
            patience.pause().await;
        }
    }
}
