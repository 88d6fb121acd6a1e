//! A fleet that is described instead of probed, and the text of its plan.

use super::pi::Pi;
use super::{NOW, READ};
use migos_contract::Compression;
use migos_engine::simulation::predict;
use migos_inventory::{DeviceId, Fleet, FleetSlug};
use migos_payload::board::{Architecture, BoardType};
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_SCHEMA, ImageManifest};
use migos_payload::manifest::{File, MANIFEST_SCHEMA, Manifest, Restart};
use migos_payload::size::ByteCount;
use migos_playbooks::balena::{BalenaFleet, DeviceUuid, FleetView, MigratedBefore};
use migos_playbooks::estimate::Experience;
use migos_playbooks::facts::{FactsByDevice, Probed};
use migos_playbooks::plan::CheckedPlan;
use migos_playbooks::planner::{Situation, plan, verdicts};
use migos_playbooks::playbook::Playbook;
use migos_playbooks::policy::Policy;
use migos_report::{Around, Style, checks_text, plan_text};
use std::collections::BTreeMap;

const STYLE: Style = Style { color: false, width: 120 };

/// The file's beginning; what is special of a fleet follows.
pub(crate) const HEAD: &str = "migos: 1
balena: { fleet: acme/kiosks }
payloads: payloads/
images:
  raspberry-pi: images/raspberry-pi.img.gz
  raspberrypi3: images/raspberrypi3.img.gz
  raspberrypi4-64: images/raspberrypi4-64.img.gz
";

/// Everything that a plan is made from.
pub(crate) struct Described {
    pub(crate) fleet: Fleet,
    pub(crate) policy: Policy,
    pub(crate) facts: FactsByDevice,
    pub(crate) payloads: BTreeMap<Sha256, Manifest>,
    pub(crate) images: BTreeMap<String, ImageManifest>,
    pub(crate) balena: FleetView,
}

impl Described {
    /// A fleet by its inventory and policy, of which nothing is known yet.
    pub(crate) fn new(inventory: &str, policy: &str) -> Self {
        let fleet = migos_inventory::parse("inventory.yaml", &format!("{HEAD}{inventory}"));
        let payloads = [
            payload(Architecture::Armhf, &["Zero W", "3B", "3B+"], Restart::Builtin),
            payload(Architecture::Arm64, &["4B", "5"], Restart::Builtin),
        ];
        let images = [
            image("raspberry-pi", "rpi", 132_000_000),
            image("raspberrypi3", "armv7hf", 164_000_000),
            image("raspberrypi4-64", "aarch64", 181_000_000),
        ];
        let mut described = Described {
            fleet: fleet.unwrap_or_else(|problems| panic!("{problems}")),
            policy: Policy::parse("policy.yaml", policy)
                .unwrap_or_else(|problems| panic!("{problems}")),
            facts: FactsByDevice::new(),
            payloads: payloads.map(|it| (Sha256::of(&serde_json::to_vec(&it).unwrap()), it)).into(),
            images: images.map(|it| (format!("images/{}.img.gz", it.device_type), it)).into(),
            balena: FleetView::default(),
        };
        described.balena_has("acme/kiosks", "rpi", Some(480_000_000));
        described
    }

    /// A fleet on balena, with the size of its app.
    pub(crate) fn balena_has(&mut self, slug: &str, architecture: &str, app: Option<u64>) {
        let slug = FleetSlug::new(slug).unwrap();
        let fleet = BalenaFleet {
            id: self.balena.fleets.len() as u64 + 1,
            slug: slug.clone(),
            device_type: "raspberry-pi".into(),
            architecture: architecture.into(),
            app: app.map(ByteCount),
        };
        self.balena.fleets.insert(slug, fleet);
    }

    fn named(&self, names: &str) -> Vec<DeviceId> {
        self.fleet.select(Some(names)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Devices that answer like this.
    pub(crate) fn are(&mut self, names: &str, pi: &Pi) {
        for id in self.named(names) {
            let facts = Probed::Facts(Box::new(pi.facts(&id)));
            self.facts.insert(id, facts);
        }
    }

    /// Devices that did not answer, or not as they should.
    pub(crate) fn answered(&mut self, names: &str, how: &Probed) {
        for id in self.named(names) {
            self.facts.insert(id, how.clone());
        }
    }

    /// Devices that an earlier run has migrated.
    pub(crate) fn are_done(&mut self, names: &str, os_version: &str) {
        for device in self.named(names) {
            self.facts.insert(device.clone(), Probed::Unreachable("connection refused".into()));
            let uuid = DeviceUuid(Sha256::of(device.as_str().as_bytes()).to_string());
            let os_version = Some(os_version.to_owned());
            let serial = format!("{device} before");
            self.balena.migrated.insert(serial, MigratedBefore { device, uuid, os_version });
        }
    }

    fn with<T>(&self, read: impl FnOnce(&Situation<'_>) -> T) -> T {
        read(&Situation {
            fleet: &self.fleet,
            selection: &self.fleet.order,
            facts: &self.facts,
            facts_read: READ,
            payloads: &self.payloads,
            images: &self.images,
            keyfiles: &BTreeMap::new(),
            experience: &Experience::default(),
            balena: &self.balena,
            playbook: &Playbook::migrate().unwrap(),
            policy: &self.policy,
        })
    }

    /// Its plan.
    pub(crate) fn plan(&self) -> CheckedPlan {
        self.with(|situation| plan(situation).unwrap().check().unwrap())
    }

    /// What the program prints for this plan; of one device alone if it is named.
    pub(crate) fn text(&self, plan: &CheckedPlan, detail: Option<&str>) -> String {
        let prediction = predict(plan, NOW).map_err(|error| error.to_string());
        let around = Around {
            now: NOW,
            prediction: prediction.as_ref().map_err(String::as_str),
            source: "inventory.yaml",
            hint: "Run it with: migos-fleet migrate inventory.yaml --plan plan.json",
        };
        let Some(name) = detail else { return plan_text(plan, STYLE, &around) };
        let device = DeviceId::new(name).unwrap();
        let verdicts = self.with(|situation| verdicts(situation, &device));
        let checks = checks_text(&device, verdicts.as_deref(), STYLE);
        format!("{checks}\n{}", plan_text(&plan.alone(&device), STYLE, &around))
    }
}

/// MIGOS for these boards.
pub(crate) fn payload(architecture: Architecture, boards: &[&str], restart: Restart) -> Manifest {
    let file = |path: &str, size| File {
        path: path.into(),
        size: ByteCount(size),
        sha256: Sha256::of(path.as_bytes()),
    };
    let (kernel, size) = match architecture {
        Architecture::Armhf => ("kernel7.img", 6_400_000),
        Architecture::Arm64 => ("kernel8.img", 9_100_000),
    };
    Manifest {
        schema: MANIFEST_SCHEMA,
        version: "1.4.2".into(),
        architecture,
        boards: boards.iter().map(|name| BoardType::named(name).unwrap()).collect(),
        restart,
        minimum_memory: ByteCount(100 << 20),
        files: vec![
            file("initrd.migos", 10_600_000),
            file("kernel.img", 5_900_000),
            file(kernel, size),
            file("overlays/README", 10),
            file("overlays/vc4-kms-v3d.dtbo", 1_000),
        ],
    }
}

/// balenaOS for this device type.
pub(crate) fn image(device_type: &str, architecture: &str, size: u64) -> ImageManifest {
    ImageManifest {
        schema: IMAGE_SCHEMA,
        device_type: device_type.into(),
        architecture: architecture.into(),
        os_version: "balenaOS 6.0.24".into(),
        compression: Compression::Gzip,
        size: ByteCount(size),
        sha256: Sha256::of(device_type.as_bytes()),
        raw_size: ByteCount(1_900_000_000),
        raw_sha256: Sha256::of(b"raw"),
        chunks: None,
    }
}
