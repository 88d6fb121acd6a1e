//! A controller in this process: the engine as the program wires it, but under watch.

use super::watch::{Watch, Watched};
use migos_balena::{Balena, Token};
use migos_engine::dispatcher::{Dispatch, dispatch};
use migos_engine::executor::{Observer, SeenOnBalena, World};
use migos_engine::journal::Journal;
use migos_engine::ledger::Ledger;
use migos_engine::port::{Content, Entropy, HostKey, LoginKey, Root, Source, Target, Transport};
use migos_engine::rollout::{Order, Rollout};
use migos_engine::run::RunDir;
use migos_events::{Outcome, Record};
use migos_inventory::{DeviceId, HostKeys, Login};
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, ImageManifest};
use migos_playbooks::plan::{CheckedPlan, Plan};
use migos_report::{RunLines, Style};
use migos_ssh::Ssh;
use migos_tests::fleet::{Bench, WallClock};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// Without colours, in the width that the program takes where there is no terminal.
pub(crate) const STYLE: Style = Style { color: false, width: 100 };

/// A run of a whole lab.
pub(crate) struct Controlled<'a> {
    bench: &'a Bench,
    pub(crate) run: RunDir,
    pub(crate) plan: Arc<CheckedPlan>,
    pub(crate) watch: Arc<Watch>,
}

/// What an observer has heard of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) records: Vec<Record>,
    /// What was printed.
    pub(crate) lines: Vec<String>,
}

/// Hears everything, prints it, and reacts to it.
struct Listener {
    heard: Mutex<(RunLines, Heard)>,
    react: Box<dyn Fn(&Record) + Send + Sync>,
}

impl Observer for Listener {
    fn record(&self, record: &Record) {
        let mut heard = self.heard.lock().unwrap();
        let (lines, heard) = &mut *heard;
        heard.lines.extend(lines.record(record));
        heard.records.push(record.clone());
        (self.react)(record);
    }

    fn progress(&self, _device: &DeviceId, _done: u64, _total: u64) {}
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        File::open("/dev/urandom").unwrap().read_exact(buffer).unwrap();
    }
}

impl<'a> Controlled<'a> {
    /// A new run, by the plan that the program makes.
    pub(crate) fn new(bench: &'a Bench) -> Self {
        let home = &bench.home;
        let args = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "-o", "plan.json"];
        let ended = home.run(&args).unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let plan = Plan::from_json(&home.read("plan.json").unwrap()).unwrap().check().unwrap();
        let run = RunDir::create(&home.path().join("runs"), &plan).unwrap();
        let watch = Watch::over(run.journal());
        Controlled { bench, run, plan: Arc::new(plan), watch }
    }

    /// Lets a controller take up the run until it ends; gives what was heard meanwhile. `order` may interrupt it at
    /// a record.
    pub(crate) fn carry_on(
        &self,
        order: impl Fn(&Record) -> Option<Order> + Send + Sync + 'static,
    ) -> (Outcome, Heard) {
        let _lock = self.run.lock().unwrap();
        let (journal, past) = Journal::open(&self.run.journal()).unwrap();
        let mut lines = RunLines::new(&self.plan, STYLE, true);
        past.iter().for_each(|record| drop(lines.record(record)));
        let (orders_to, orders) = mpsc::channel(4);
        let react = Box::new(move |record: &Record| {
            if let Some(order) = order(record) {
                // One that was given already is enough.
                let _ = orders_to.try_send(order);
            }
        });
        let heard = Mutex::new((lines, Heard::default()));
        let listener = Arc::new(Listener { heard, react });
        let rollout =
            Rollout::new(self.plan.clone(), self.run.id().clone(), "test", &past).unwrap();
        let work = dispatch(Dispatch {
            world: Arc::new(self.world(listener.clone())),
            rollout,
            journal,
            ledger: Ledger::of(&self.runs()),
            run: self.run.id().clone(),
            orders,
        });
        let (outcome, _) = self.bench.runtime.block_on(work).unwrap();
        let heard = listener.heard.lock().unwrap().1.clone();
        (outcome, heard)
    }

    fn runs(&self) -> PathBuf {
        self.bench.home.path().join("runs")
    }

    fn world(&self, observer: Arc<dyn Observer>) -> World<Watched<Ssh>, Watched<Balena>> {
        let lab = self.bench.lab().dir();
        let ssh = Ssh::new(self.runs().join("known_hosts"), migos_ssh::Timeouts::default(), None);
        let token = Token::new(&fs::read_to_string(lab.join("token")).unwrap()).unwrap();
        let timeouts = migos_balena::Timeouts::default();
        let clock = Arc::new(WallClock);
        let balena = Balena::new(&self.plan.api, token, "test", timeouts, clock.clone()).unwrap();
        let entropy = SystemEntropy;
        let secrets = self.run.secrets().unwrap();
        let run_key = ssh.key_pair(&secrets.run_key(&entropy).unwrap());
        let targets = self
            .plan
            .devices
            .iter()
            .map(|(id, device)| (id.clone(), target(lab, id, &device.login)));
        World {
            run: self.run.id().clone(),
            backups: self.run.backups().unwrap(),
            plan: self.plan.clone(),
            transport: Watched { real: ssh, watch: self.watch.clone() },
            balena: Watched { real: balena, watch: self.watch.clone() },
            targets: targets.collect(),
            payloads: payloads(&lab.join("payloads")),
            images: images(&lab.join("images")),
            secrets,
            run_key: Arc::new(run_key),
            clock,
            entropy: Arc::new(entropy),
            observer,
            seen: SeenOnBalena::default(),
        }
    }
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

fn payloads(folder: &Path) -> BTreeMap<Sha256, Arc<VerifiedPayload>> {
    let read = |path: PathBuf| VerifiedPayload::read(&fs::read(path).unwrap()).unwrap();
    files(folder).map(read).map(|payload| (payload.digest(), Arc::new(payload))).collect()
}

fn images(folder: &Path) -> BTreeMap<Sha256, Content> {
    let content = |path: PathBuf| {
        let image = path.to_str()?.strip_suffix(IMAGE_MANIFEST_SUFFIX)?.to_owned();
        let manifest: ImageManifest = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        let source = Source::File(Arc::new(image.into()));
        Some((manifest.sha256, Content { source, size: manifest.size.0, sha256: manifest.sha256 }))
    };
    files(folder).filter_map(content).collect()
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}
