//! A controller in this process: the engine as the program wires it, over real SSH and HTTP, against a lab.
//!
//! [`Ground`] is what a controller is given of a lab, and makes plans from a real probe of it; [`Controller`] is a run
//! that is carried out, or carried on. What is special of a test goes in as transport, balena and observer.

use crate::fleet::{Bench, WallClock};
use anyhow::{Context, Result};
use migos_balena::{Authority, Balena, Token};
use migos_engine::bandwidth::Meter;
use migos_engine::dispatcher::{Dispatch, GateCheck, dispatch};
use migos_engine::executor::{Observer, Provisions, SeenOnBalena, World};
use migos_engine::journal::Journal;
use migos_engine::ledger::Ledger;
use migos_engine::port::{
    BalenaApi, Cipher, Clock, Content, Entropy, HostKey, LoginKey, Root, Source, Target, Transport,
};
use migos_engine::probe::probe_all;
use migos_engine::rollout::{Order, Rollout};
use migos_engine::run::{Holder, RunDir};
use migos_events::{CheckVerdict, History, Outcome, Record};
use migos_inventory::{Bastion, DeviceId, Fleet, HostKeys};
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, ImageManifest};
use migos_playbooks::balena::FleetView;
use migos_playbooks::estimate::Experience;
use migos_playbooks::facts::FactsByDevice;
use migos_playbooks::plan::{CheckedPlan, Handover, Plan};
use migos_playbooks::planner::{Situation, plan};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::Policy;
use migos_playbooks::requirement::hosts;
use migos_ssh::Ssh;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Policies here have no gates with a check.
struct NoChecks;

impl GateCheck for NoChecks {
    fn ask(
        &self,
        _: usize,
        _: &History,
    ) -> Pin<Box<dyn Future<Output = (CheckVerdict, String)> + Send>> {
        Box::pin(async { (CheckVerdict::Unsure, "nobody checks here".to_owned()) })
    }
}

/// Probes at a time.
const PROBES: usize = 64;

/// What a controller is given of a lab.
pub struct Ground {
    lab: PathBuf,
    fleet: Fleet,
    payloads: BTreeMap<Sha256, Arc<VerifiedPayload>>,
    /// The images by their path in the inventory, and the files themselves.
    images: BTreeMap<String, (ImageManifest, PathBuf)>,
}

/// What was found out about a lab, for plans.
pub struct Found {
    facts: FactsByDevice,
    view: FleetView,
}

impl Ground {
    /// Reads the folder of a lab.
    ///
    /// # Errors
    /// If something in it cannot be read.
    pub fn of(bench: &Bench) -> Result<Self> {
        let lab = bench.lab().dir().to_owned();
        let text = fs::read_to_string(bench.lab().inventory())?;
        let fleet = migos_inventory::parse("inventory.yaml", &text)
            .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        let mut payloads = BTreeMap::new();
        for path in files(&lab.join("payloads"))? {
            let payload = VerifiedPayload::read(&fs::read(path)?)?;
            payloads.insert(payload.digest(), Arc::new(payload));
        }
        let mut images = BTreeMap::new();
        for path in files(&lab.join("images"))? {
            let name = path.strip_prefix(&lab)?.to_str().context("a name is text")?;
            if let Some(image) = name.strip_suffix(IMAGE_MANIFEST_SUFFIX) {
                let manifest = serde_json::from_slice(&fs::read(&path)?)?;
                images.insert(image.to_owned(), (manifest, lab.join(image)));
            }
        }
        Ok(Ground { lab, fleet, payloads, images })
    }

    /// The fleet of the lab's inventory.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// A transport that keeps the hosts it comes to know in this folder.
    pub fn ssh(&self, folder: &Path) -> Ssh {
        Ssh::new(folder.join("known_hosts"), migos_ssh::Timeouts::default(), None)
    }

    /// A client of the lab's balena.
    ///
    /// # Errors
    /// If the lab's token cannot be used.
    pub fn balena(&self) -> Result<Balena> {
        let token = Token::new(fs::read_to_string(self.lab.join("token"))?.trim())?;
        let (api, timeouts) = (&self.fleet.settings.api, migos_balena::Timeouts::default());
        Ok(Balena::new(api, Authority::Public, token, "test", timeouts, Arc::new(WallClock))?)
    }

    /// How to reach a device on Raspbian.
    ///
    /// # Errors
    /// If the inventory does not tell.
    pub fn target(&self, device: &DeviceId) -> Result<Target> {
        let found = self.fleet.devices.get(device).context("it is in the inventory")?;
        let login = &found.login;
        let identity = login.identities.first().context("the lab's logins have keys")?;
        Ok(Target {
            device: device.clone(),
            host: login.host.clone(),
            port: login.port,
            user: login.user.clone(),
            key: LoginKey::file(self.lab.join(identity)),
            host_key: HostKey::Known {
                operator: login.known_hosts.as_ref().map(|path| self.lab.join(path)),
                accept_new: login.host_keys == HostKeys::AcceptNew,
            },
            root: Root::Passwordless,
            via: None,
            proxy_command: None,
            old_algorithms: false,
            cipher: Cipher::default(),
            meter: Meter::default(),
        })
    }

    /// How to reach the bastion of a device.
    fn bastion(&self, device: &DeviceId, bastion: &Bastion) -> Result<Target> {
        let reach = bastion.reach();
        let identity = bastion.identity.as_ref().context("the bastion's login has a key")?;
        let operator = bastion.known_hosts.as_ref().map(|path| self.lab.join(path));
        Ok(Target {
            host: reach.host,
            port: reach.port,
            user: bastion.user.clone(),
            key: LoginKey::file(self.lab.join(identity)),
            host_key: HostKey::Known { operator, accept_new: false },
            root: Root::NotNeeded,
            ..self.target(device)?
        })
    }

    /// Probes all devices, and asks balena for their fleets.
    ///
    /// # Errors
    /// If balena does not know a fleet.
    pub async fn look(&self) -> Result<Found> {
        let targets: Result<Vec<Target>> =
            self.fleet.order.iter().map(|device| self.target(device)).collect();
        let hosts = hosts(&self.fleet.settings.api);
        let facts =
            probe_all(Arc::new(self.ssh(&self.lab)), targets?, hosts, BTreeMap::new(), PROBES)
                .await;
        let slugs = self.fleet.devices.values().filter_map(|device| device.balena_fleet.clone());
        let balena = self.balena()?;
        let mut view = FleetView::default();
        for slug in slugs.collect::<BTreeSet<_>>() {
            let found = balena.fleet(&slug).await?.context("balena knows the fleet")?;
            view.fleets.insert(slug, found);
        }
        Ok(Found { facts, view })
    }

    /// The plan for these devices, by the built-in playbook.
    ///
    /// # Errors
    /// If the policy is wrong, or there can be no plan.
    pub fn plan(&self, found: &Found, selection: &[DeviceId], policy: &str) -> Result<Plan> {
        let payloads =
            self.payloads.iter().map(|(sha256, payload)| (*sha256, payload.manifest().clone()));
        let images = self.images.iter().map(|(path, (image, _))| (path.clone(), image.clone()));
        let policy = Policy::parse("policy.yaml", policy)
            .map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        let situation = Situation {
            experience: &Experience::default(),
            facts_read: jiff::Timestamp::UNIX_EPOCH,
            fleet: &self.fleet,
            selection,
            facts: &found.facts,
            payloads: &payloads.collect(),
            images: &images.collect(),
            keyfiles: &BTreeMap::new(),
            balena: &found.view,
            playbook: &Playbook::migrate()?,
            policy: &policy,
        };
        Ok(plan(&situation)?)
    }

    fn contents(&self) -> BTreeMap<Sha256, Content> {
        let content = |(image, path): &(ImageManifest, PathBuf)| {
            let source = Source::File(Arc::new(path.clone()));
            (image.sha256, Content { source, size: image.size.0, sha256: image.sha256 })
        };
        self.images.values().map(content).collect()
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// A run, and what it takes to carry it out.
pub struct Controller {
    /// Its folder.
    pub run: RunDir,
    /// Its plan.
    pub plan: Arc<CheckedPlan>,
    ground: Arc<Ground>,
    runs: PathBuf,
}

impl Controller {
    /// A new run, among others in the folder `runs`.
    ///
    /// # Errors
    /// If its folder cannot be made.
    pub fn new(ground: Arc<Ground>, runs: &Path, plan: CheckedPlan) -> Result<Self> {
        let run = RunDir::create(runs, &plan)?;
        Ok(Controller { run, plan: Arc::new(plan), ground, runs: runs.to_owned() })
    }

    /// What it is carried out on.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The real way to the devices.
    pub fn ssh(&self) -> Ssh {
        self.ground.ssh(&self.runs)
    }

    /// All records that are on the disk; none if it has not begun.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn records(&self) -> Result<Vec<Record>> {
        let journal = self.run.journal();
        if !journal.exists() {
            return Ok(Vec::new());
        }
        Ok(Journal::read(&journal)?)
    }

    /// Carries the run on until it ends, and says how. `take_back` are devices that a person wants back as they
    /// were.
    ///
    /// # Errors
    /// If the run's folder cannot be used.
    pub async fn carry_on<T: Transport, B: BalenaApi>(
        &self,
        (transport, balena): (T, B),
        observer: Arc<dyn Observer>,
        orders: mpsc::Receiver<Order>,
        take_back: Vec<DeviceId>,
    ) -> Result<(Outcome, History)> {
        let _lock = self.run.lock(holder())?;
        let (journal, past) = Journal::open(&self.run.journal())?;
        let run = self.run.id().clone();
        let rollout = Rollout::new(self.plan.clone(), run.clone(), "test", &past)?;
        let work = dispatch(Dispatch {
            world: Arc::new(self.world(transport, balena, observer)?),
            rollout: rollout.taking_back(take_back),
            journal,
            ledger: Ledger::of(&self.runs),
            run,
            orders,
            checks: Arc::new(NoChecks),
        });
        Ok(work.await?)
    }

    fn world<T: Transport, B: BalenaApi>(
        &self,
        transport: T,
        balena: B,
        observer: Arc<dyn Observer>,
    ) -> Result<World<T, B>> {
        let secrets = self.run.secrets()?;
        let devices = self.plan.devices.keys();
        let targets: Result<_> =
            devices.map(|device| Ok((device.clone(), self.ground.target(device)?))).collect();
        let bastions = self.plan.devices.iter().filter_map(|(id, device)| match &device.handover {
            Handover::CallHome { bastion, .. } => {
                Some(self.ground.bastion(id, bastion).map(|target| (id.clone(), target)))
            }
            Handover::Attended | Handover::Unattended => None,
        });
        let bastions: Result<_> = bastions.collect();
        Ok(World {
            run: self.run.id().clone(),
            plan: self.plan.clone(),
            backups: self.run.backups()?,
            run_key: Arc::new(transport.key_pair(&secrets.run_key(&SystemEntropy)?)),
            transport,
            balena,
            targets: targets?,
            bastions: bastions?,
            payloads: self.ground.payloads.clone(),
            images: self.ground.contents(),
            keyfiles: BTreeMap::new(),
            secrets,
            clock: Arc::new(WallClock),
            entropy: Arc::new(SystemEntropy),
            observer,
            seen: SeenOnBalena::default(),
            provisions: Provisions::default(),
        })
    }
}

/// Hears every record as it is on the disk and nothing has come of it yet.
pub struct Listener<F>(pub F);

impl<F: Fn(&Record) + Send + Sync + 'static> Observer for Listener<F> {
    fn record(&self, record: &Record) {
        (self.0)(record);
    }

    fn progress(&self, _device: &DeviceId, _done: u64, _total: u64) {}
}

/// This process, as the holder of a run.
fn holder() -> Holder {
    let (user, host, token) = ("test".to_owned(), "test".to_owned(), "test".to_owned());
    Holder { user, host, pid: std::process::id(), since: WallClock.now(), token }
}

/// The system's randomness.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::expect_used, reason = "a computer without randomness cannot run any test")]
    fn fill(&self, buffer: &mut [u8]) {
        let mut random = File::open("/dev/urandom").expect("there is /dev/urandom");
        random.read_exact(buffer).expect("there is randomness");
    }
}
