//! What all runs share: a lab, what was found in it, and what is at hand to migrate it.

use migos_balena::{Balena, Token};
use migos_engine::port::{BalenaApi, Content, Entropy, HostKey, LoginKey, Root, Source, Target};
use migos_engine::probe::probe_all;
use migos_inventory::{DeviceId, Fleet, HostKeys};
use migos_lab::{Life, Pace};
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_MANIFEST_SUFFIX, ImageManifest};
use migos_payload::manifest::Manifest;
use migos_playbooks::balena::FleetView;
use migos_playbooks::facts::FactsByDevice;
use migos_playbooks::plan::CheckedPlan;
use migos_playbooks::planner::{Situation, plan};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::Policy;
use migos_ssh::Ssh;
use migos_tests::fleet::{Bench, WallClock};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who is not heard of for so long in a lab is broken, on the busiest computer too.
const LIMITS: &str = "\
arrival: { late: 30s, lost: 60s, poll: 200ms }
dead_man: { contact: 20s, commit: 40s, hung: 10s }
";

/// The system's randomness.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        File::open("/dev/urandom").unwrap().read_exact(buffer).unwrap();
    }
}

/// What all runs share.
pub(crate) struct Ground {
    bench: Bench,
    fleet: Fleet,
    policy: Policy,
    facts: FactsByDevice,
    view: FleetView,
    manifests: BTreeMap<Sha256, Manifest>,
    by_path: BTreeMap<String, ImageManifest>,
    pub(crate) payloads: BTreeMap<Sha256, Arc<VerifiedPayload>>,
    pub(crate) images: BTreeMap<Sha256, Content>,
}

impl Ground {
    /// Starts a lab whose devices all have this fault, or none, and probes it.
    pub(crate) fn start(devices: usize, prove: &str, fault: &str) -> Self {
        let faults = (1..=devices).map(|number| format!("kiosk-{number:03}: [{fault}]\n"));
        let bench = Bench::start(devices, &faults.collect::<String>(), Pace::test()).unwrap();
        let lab = bench.lab().dir().to_owned();
        let text = fs::read_to_string(bench.lab().inventory()).unwrap();
        let fleet = migos_inventory::parse("inventory.yaml", &text).unwrap();
        let policy = format!(
            "policy: 1\norder: inventory\nparallel: 1\nprove: {prove}\n\
             stages: [{{ name: all, to: 100%, gate: {{ tolerate: 1 }} }}]\n{LIMITS}"
        );
        let policy = Policy::parse("policy.yaml", &policy).unwrap();
        let (by_path, images) = images(&lab);
        let payloads = payloads(&lab.join("payloads"));
        let manifests =
            payloads.iter().map(|(digest, payload)| (*digest, payload.manifest().clone()));
        let mut ground = Ground {
            manifests: manifests.collect(),
            facts: FactsByDevice::new(),
            view: FleetView::default(),
            bench,
            fleet,
            policy,
            by_path,
            payloads,
            images,
        };
        let targets = ground.fleet.order.iter().map(|device| ground.target(device)).collect();
        let ssh = ground.ssh(&lab);
        ground.facts = ground.bench.runtime.block_on(probe_all(&ssh, targets, 16));
        let slugs = ground.fleet.devices.values().filter_map(|device| device.balena_fleet.clone());
        let slugs: BTreeSet<_> = slugs.collect();
        let balena = ground.balena();
        for slug in slugs {
            let found = ground.bench.runtime.block_on(balena.fleet(&slug)).unwrap().unwrap();
            ground.view.fleets.insert(slug, found);
        }
        ground
    }

    /// The plan for one device.
    pub(crate) fn plan(&self, device: &DeviceId) -> CheckedPlan {
        let situation = Situation {
            fleet: &self.fleet,
            selection: std::slice::from_ref(device),
            facts: &self.facts,
            payloads: &self.manifests,
            images: &self.by_path,
            balena: &self.view,
            playbook: &Playbook::migrate().unwrap(),
            policy: &self.policy,
        };
        let plan = plan(&situation).unwrap();
        assert!(plan.devices.contains_key(device), "{:?}", plan.set_aside);
        plan.check().unwrap()
    }

    /// A folder for the runs of one device.
    pub(crate) fn runs(&self, device: &DeviceId) -> PathBuf {
        self.bench.home.path().join("runs").join(device.as_str())
    }

    /// A transport that keeps its known hosts in a folder.
    pub(crate) fn ssh(&self, folder: &Path) -> Ssh {
        Ssh::new(folder.join("new_hosts"), migos_ssh::Timeouts::default(), None)
    }

    /// A client of the lab's balena.
    pub(crate) fn balena(&self) -> Balena {
        let token = fs::read_to_string(self.bench.lab().dir().join("token")).unwrap();
        let token = Token::new(token.trim()).unwrap();
        let (api, timeouts) = (&self.fleet.settings.api, migos_balena::Timeouts::default());
        Balena::new(api, token, "test", timeouts, Arc::new(WallClock)).unwrap()
    }

    /// How to reach a device on Raspbian.
    pub(crate) fn target(&self, device: &DeviceId) -> Target {
        let lab = self.bench.lab().dir();
        let login = &self.fleet.devices[device].login;
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

    /// The devices, in order.
    pub(crate) fn devices(&self) -> &[DeviceId] {
        &self.fleet.order
    }

    /// The life of a device so far.
    pub(crate) fn life(&self, device: &DeviceId) -> Life {
        self.bench.device(device.as_str()).unwrap().life()
    }

    /// How often balena knows a device.
    pub(crate) fn registered(&self, device: &DeviceId) -> usize {
        let known = self.bench.lab().api().devices();
        known.iter().filter(|known| known.name == device.as_str()).count()
    }

    /// The boot partition of a device.
    pub(crate) fn boot_tree(&self, device: &DeviceId) -> BTreeMap<String, Sha256> {
        self.bench.device(device.as_str()).unwrap().boot_tree()
    }
}

fn payloads(folder: &Path) -> BTreeMap<Sha256, Arc<VerifiedPayload>> {
    let read = |path: PathBuf| VerifiedPayload::read(&fs::read(path).unwrap()).unwrap();
    files(folder).map(read).map(|payload| (payload.digest(), Arc::new(payload))).collect()
}

/// Manifests by the path as the inventory has it, and images by their digest.
fn images(lab: &Path) -> (BTreeMap<String, ImageManifest>, BTreeMap<Sha256, Content>) {
    let (mut manifests, mut contents) = (BTreeMap::new(), BTreeMap::new());
    for path in files(&lab.join("images")) {
        let Some(image) = path.to_str().unwrap().strip_suffix(IMAGE_MANIFEST_SUFFIX) else {
            continue;
        };
        let manifest: ImageManifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let source = Source::File(Arc::new(image.into()));
        let content = Content { source, size: manifest.size.0, sha256: manifest.sha256 };
        contents.insert(manifest.sha256, content);
        let written = Path::new(image).strip_prefix(lab).unwrap();
        manifests.insert(written.to_str().unwrap().to_owned(), manifest);
    }
    (manifests, contents)
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}
