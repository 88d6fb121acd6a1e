//! A controller in this process: the engine over real SSH, on a plan made from a real probe.

use super::refusing::{Refusals, Refusing};
use migos_balena::{Balena, Token};
use migos_engine::dispatcher::{Dispatch, dispatch};
use migos_engine::executor::{Observer, SeenOnBalena, World};
use migos_engine::journal::Journal;
use migos_engine::ledger::Ledger;
use migos_engine::port::{
    BalenaApi, Content, Entropy, HostKey, LoginKey, Root, Session, Source, Target, Transport,
};
use migos_engine::probe::probe_all;
use migos_engine::rollout::Rollout;
use migos_engine::run::RunDir;
use migos_events::{DeviceState, History, Outcome, Record};
use migos_inventory::{DeviceId, Fleet, HostKeys, Login};
use migos_lab::{Pace, VirtualPi};
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, ImageManifest};
use migos_playbooks::balena::FleetView;
use migos_playbooks::plan::{CheckedPlan, Plan};
use migos_playbooks::planner::{Situation, plan};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::Policy;
use migos_playbooks::span::Span;
use migos_ssh::Ssh;
use migos_tests::fleet::{Bench, WallClock};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// All at once, each device proves its one-shot boot, and whatever goes wrong stops nobody else.
const POLICY: &str = "\
policy: 1
order: inventory
parallel: 64
per_site: 64
prove: per-device
stages: [{ name: all, to: 100%, gate: { tolerate: 100% } }]
budget: { failed: 9999, stuck: 9999, lost: 9999 }
arrival: { late: 30s, lost: 60s, poll: 200ms }
dead_man: { contact: 20s, commit: 40s, hung: 2s }
";

/// A device that was cut off is looked for again after so long: a virtual Pi boots in an instant.
const PAUSE: Span = Span(Duration::from_millis(200));

/// A run of a whole lab, each device of which is an experiment of its own.
pub(crate) struct Saga {
    pub(crate) bench: Bench,
    pub(crate) refusals: Arc<Refusals>,
    run: RunDir,
    plan: Arc<CheckedPlan>,
    trees: BTreeMap<DeviceId, BTreeMap<String, Sha256>>,
}

struct Listener<F>(F);

impl<F: Fn(&Record) + Send + Sync + 'static> Observer for Listener<F> {
    fn record(&self, record: &Record) {
        (self.0)(record);
    }

    fn progress(&self, _device: &DeviceId, _done: u64, _total: u64) {}
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        File::open("/dev/urandom").unwrap().read_exact(buffer).unwrap();
    }
}

impl Saga {
    /// A lab of so many devices, and a plan for all of them.
    pub(crate) fn start(devices: usize) -> Saga {
        let bench = Bench::start(devices, "", Pace::test()).unwrap();
        let lab = bench.lab().dir();
        let text = fs::read_to_string(bench.lab().inventory()).unwrap();
        let fleet = migos_inventory::parse("inventory.yaml", &text).unwrap();
        let plan = Arc::new(bench.runtime.block_on(planned(&fleet, lab)));
        assert_eq!(plan.devices.len(), devices, "{:?}", plan.set_aside);
        let run = RunDir::create(&bench.home.path().join("runs"), &plan).unwrap();
        let trees = plan.devices.keys().map(|id| {
            let pi = bench.device(id.as_str()).unwrap();
            (id.clone(), pi.boot_tree())
        });
        let trees = trees.collect();
        Saga { bench, refusals: Arc::default(), run, plan, trees }
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = (&DeviceId, &Arc<VirtualPi>)> {
        self.plan.devices.keys().map(|id| (id, self.bench.device(id.as_str()).unwrap()))
    }

    /// True if every file of the boot partition is what it was before the run, and no other is there.
    pub(crate) fn has_its_boot_files(&self, device: &DeviceId) -> bool {
        self.bench.device(device.as_str()).unwrap().boot_tree() == self.trees[device]
    }

    /// Carries the run out and hears every record as it is on the disk and nothing has come of it yet.
    pub(crate) fn carry_out(
        &self,
        hear: impl Fn(&Record) + Send + Sync + 'static,
    ) -> BTreeMap<DeviceId, DeviceState> {
        let (outcome, history) = self.carry(Vec::new(), hear);
        assert_eq!(outcome, Outcome::Finished);
        history.devices.into_iter().map(|(id, progress)| (id, progress.state)).collect()
    }

    /// Takes these devices back, as a person would who has changed his mind.
    pub(crate) fn take_back(&self, devices: Vec<DeviceId>) -> (Outcome, History) {
        self.carry(devices, |_| {})
    }

    fn carry(
        &self,
        take_back: Vec<DeviceId>,
        hear: impl Fn(&Record) + Send + Sync + 'static,
    ) -> (Outcome, History) {
        let _lock = self.run.lock().unwrap();
        let (journal, past) = Journal::open(&self.run.journal()).unwrap();
        let rollout =
            Rollout::new(self.plan.clone(), self.run.id().clone(), "test", &past).unwrap();
        // Nobody orders anything.
        let (_orders_to, orders) = mpsc::channel(1);
        let work = dispatch(Dispatch {
            world: Arc::new(self.world(Arc::new(Listener(hear)))),
            rollout: rollout.taking_back(take_back),
            journal,
            ledger: Ledger::of(&self.bench.home.path().join("runs")),
            run: self.run.id().clone(),
            orders,
        });
        self.bench.runtime.block_on(work).unwrap()
    }

    fn world(&self, observer: Arc<dyn Observer>) -> World<Refusing, Balena> {
        let lab = self.bench.lab().dir();
        let real = ssh(lab);
        let secrets = self.run.secrets().unwrap();
        let targets = self.plan.devices.iter();
        World {
            run: self.run.id().clone(),
            backups: self.run.backups().unwrap(),
            plan: self.plan.clone(),
            run_key: Arc::new(real.key_pair(&secrets.run_key(&SystemEntropy).unwrap())),
            transport: Refusing { real, refusals: self.refusals.clone() },
            balena: balena(&self.plan.api, lab),
            targets: targets.map(|(id, it)| (id.clone(), target(lab, id, &it.login))).collect(),
            payloads: payloads(lab),
            images: images(lab).into_values().map(|(image, at)| content(&image, at)).collect(),
            secrets,
            clock: Arc::new(WallClock),
            entropy: Arc::new(SystemEntropy),
            observer,
            seen: SeenOnBalena::default(),
        }
    }

    /// Which of these files are on the device, as it says itself.
    pub(crate) fn found(&self, device: &DeviceId, paths: &[&str]) -> Vec<String> {
        let lab = self.bench.lab().dir();
        let target = target(lab, device, &self.plan.devices[device].login);
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let asked = async {
            let session = ssh(lab).connect(&target).await.unwrap();
            let sums = session.sums(&paths).await.unwrap();
            session.close().await;
            sums
        };
        let sums = self.bench.runtime.block_on(asked);
        let there = paths.iter().zip(sums).filter(|(_, sum)| sum.is_some());
        there.map(|(path, _)| path.clone()).collect()
    }
}

async fn planned(fleet: &Fleet, lab: &Path) -> CheckedPlan {
    let targets = fleet.devices.iter().map(|(id, device)| target(lab, id, &device.login));
    let facts = probe_all(&ssh(lab), targets.collect(), 64).await;
    let balena = balena(&fleet.settings.api, lab);
    let mut view = FleetView::default();
    let slugs: BTreeSet<_> =
        fleet.devices.values().filter_map(|device| device.balena_fleet.clone()).collect();
    for slug in slugs {
        let found = balena.fleet(&slug).await.unwrap().unwrap();
        view.fleets.insert(slug, found);
    }
    let manifests = payloads(lab).into_iter().map(|(sha, it)| (sha, it.manifest().clone()));
    let images = images(lab).into_iter().map(|(path, (image, _))| (path, image));
    let situation = Situation {
        fleet,
        selection: &fleet.order,
        facts: &facts,
        payloads: &manifests.collect(),
        images: &images.collect(),
        balena: &view,
        playbook: &Playbook::migrate().unwrap(),
        policy: &Policy::parse("saga.yaml", POLICY).unwrap(),
    };
    hasty(plan(&situation).unwrap())
}

/// The same plan, with pauses to match the lab's pace.
fn hasty(mut plan: Plan) -> CheckedPlan {
    plan.steps.iter_mut().for_each(|step| step.retry.pause = PAUSE);
    plan.id = plan.digest().unwrap();
    plan.check().unwrap()
}

fn ssh(lab: &Path) -> Ssh {
    Ssh::new(lab.join("own_known_hosts"), migos_ssh::Timeouts::default(), None)
}

fn balena(api: &str, lab: &Path) -> Balena {
    let token = Token::new(&fs::read_to_string(lab.join("token")).unwrap()).unwrap();
    let timeouts = migos_balena::Timeouts::default();
    Balena::new(api, token, "test", timeouts, Arc::new(WallClock)).unwrap()
}

fn target(lab: &Path, device: &DeviceId, login: &Login) -> Target {
    Target {
        device: device.clone(),
        host: login.host.clone(),
        port: login.port,
        user: login.user.clone(),
        key: LoginKey::File(lab.join(login.identity.as_ref().unwrap())),
        host_key: HostKey::Known {
            operator: login.known_hosts.as_ref().map(|path| lab.join(path)),
            accept_new: login.host_keys == HostKeys::AcceptNew,
        },
        root: Root::Passwordless,
    }
}

fn payloads(lab: &Path) -> BTreeMap<Sha256, Arc<VerifiedPayload>> {
    let read = |path: PathBuf| VerifiedPayload::read(&fs::read(path).unwrap()).unwrap();
    let payloads = files(&lab.join("payloads")).map(read);
    payloads.map(|payload| (payload.digest(), Arc::new(payload))).collect()
}

/// The images by their path in the inventory.
fn images(lab: &Path) -> BTreeMap<String, (ImageManifest, PathBuf)> {
    let image = |path: PathBuf| {
        let at = path.to_str()?.strip_suffix(IMAGE_MANIFEST_SUFFIX)?.to_owned();
        let name = at.strip_prefix(&format!("{}/", lab.to_str()?))?.to_owned();
        Some((name, (serde_json::from_slice(&fs::read(&path).ok()?).ok()?, at.into())))
    };
    files(&lab.join("images")).filter_map(image).collect()
}

fn content(image: &ImageManifest, at: PathBuf) -> (Sha256, Content) {
    let source = Source::File(Arc::new(at));
    (image.sha256, Content { source, size: image.size.0, sha256: image.sha256 })
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}
