//! What an assessment assumes of payloads, images and fleets that are not there yet.

use super::Look;
use crate::balena::{BalenaFleet, FleetView};
use crate::facts::{Facts, Probed};
use crate::planner::Situation;
use crate::policy::Policy;
use migos_contract::{Chunks, Compression, boot_path};
use migos_inventory::{DataChoice, Device, DeviceId, Fleet, FleetSlug, OnBalena};
use migos_payload::board::{Architecture, BoardType};
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_SCHEMA, ImageManifest};
use migos_payload::manifest::{File, MANIFEST_SCHEMA, Manifest, Restart};
use migos_payload::size::ByteCount;
use std::collections::{BTreeMap, BTreeSet};

/// What an image of balenaOS for a Pi is packed to: most of it is empty, and gzip leaves about a sixth.
pub const IMAGE_SIZE: ByteCount = ByteCount(170_000_000);

/// The same unpacked: 4 MiB before the first partition, a boot partition of 40 MiB, two systems of 320 MiB each, and the
/// state and data partitions, each aligned to 4 MiB (meta-balena's image recipe).
pub const IMAGE_RAW_SIZE: ByteCount = ByteCount(908 << 20);

/// What MIGOS takes without an image: its ramdisk packed and unpacked, its kernel, and 96 MiB to work in.
pub const MEMORY: ByteCount = ByteCount(208 << 20);

/// The fleet of devices that are in none yet.
const NO_FLEET: &str = "undecided/undecided";

/// The version of an image that nobody has chosen yet: none that a board could be too new for.
const ANY_VERSION: &str = "balenaOS";

/// A payload that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The recipe that builds it.
    pub recipe: String,
    /// What its kernels run on.
    pub architecture: Architecture,
    /// The boards it is for.
    pub boards: BTreeSet<BoardType>,
    /// Its kernels, by the names that the firmware looks for.
    pub kernels: BTreeSet<String>,
    /// The files of its overlays.
    pub overlays: BTreeSet<String>,
    /// The most bytes of all its files: what is reckoned with, since nobody has built it yet.
    pub limit: ByteCount,
}

impl Offer {
    /// The manifest it may have at worst. Its version is the recipe's name.
    fn manifest(&self) -> Manifest {
        let file = |path: String, size| {
            let sha256 = Sha256::of(path.as_bytes());
            File { path, size, sha256 }
        };
        let overlays = self.overlays.iter().map(|name| format!("overlays/{name}"));
        let names = self.kernels.iter().cloned().chain(overlays);
        // All of the room is the ramdisk's: only the sum is known.
        let ramdisk = file(boot_path::INITRD.to_owned(), self.limit);
        let others = names.map(|path| file(path, ByteCount::default()));
        Manifest {
            schema: MANIFEST_SCHEMA,
            version: self.recipe.clone(),
            architecture: self.architecture,
            boards: self.boards.clone(),
            restart: Restart::Builtin,
            minimum_memory: MEMORY,
            files: std::iter::once(ramdisk).chain(others).collect(),
        }
    }
}

/// A fleet for which everything is decided and got.
pub(super) struct Assumed {
    pub(super) fleet: Fleet,
    pub(super) payloads: BTreeMap<Sha256, Manifest>,
    pub(super) images: BTreeMap<String, ImageManifest>,
    keyfiles: BTreeMap<String, Sha256>,
    balena: FleetView,
}

impl Assumed {
    pub(super) fn of(look: &Look<'_>) -> Assumed {
        let mut fleet = look.fleet.clone();
        for device in fleet.devices.values_mut() {
            let facts = match look.facts.get(&device.id) {
                Some(Probed::Facts(facts)) => Some(facts.as_ref()),
                _ => None,
            };
            settle(device, facts);
        }
        let types = fleet.devices.values().flat_map(|device| device.images.keys());
        let images = types.map(|it| (it.clone(), image(it))).collect();
        let keyfiles = fleet.devices.values().flat_map(|device| &device.keyfiles);
        let keyfiles = keyfiles.map(|it| (it.clone(), Sha256::of(it.as_bytes()))).collect();
        let slugs = fleet.devices.values().filter_map(|device| device.balena_fleet.as_ref());
        let fleets = slugs.map(|slug| (slug.clone(), takes_every_pi(slug))).collect();
        let digest = |offer: &Offer| Sha256::of(offer.recipe.as_bytes());
        let payloads = look.offers.iter().map(|offer| (digest(offer), offer.manifest())).collect();
        let balena = FleetView { fleets, ..FleetView::default() };
        Assumed { fleet, payloads, images, keyfiles, balena }
    }

    /// What the planner is asked about.
    pub(super) fn situation<'a>(
        &'a self,
        look: &Look<'a>,
        selection: &'a [DeviceId],
        policy: &'a Policy,
    ) -> Situation<'a> {
        Situation {
            fleet: &self.fleet,
            selection,
            facts: look.facts,
            facts_read: look.facts_read,
            payloads: &self.payloads,
            images: &self.images,
            keyfiles: &self.keyfiles,
            experience: look.experience,
            balena: &self.balena,
            playbook: look.playbook,
            policy,
        }
    }
}

/// Decides for a device what nobody has decided yet, and names one image for it: of its own device type.
fn settle(device: &mut Device, facts: Option<&Facts>) {
    device.data.get_or_insert(DataChoice::None);
    // Where it goes after its arrival says nothing of the device.
    device.on_balena = OnBalena::default();
    if device.balena_fleet.is_none() {
        device.balena_fleet = FleetSlug::new(NO_FLEET).ok();
    }
    let of_board = facts.map(|facts| facts.revision.board_type().device_types());
    let of_board = of_board.unwrap_or_default();
    let named = of_board.iter().find(|name| device.images.contains_key(**name));
    let of_board = named.or_else(|| of_board.first()).map(|name| (*name).to_owned());
    let device_type = device.device_type.clone().or(of_board);
    // Images are looked up by the path that the inventory has for them; here that is the type itself.
    device.images = device_type.map(|name| (name.clone(), name)).into_iter().collect();
}

fn image(device_type: &str) -> ImageManifest {
    ImageManifest {
        schema: IMAGE_SCHEMA,
        device_type: device_type.to_owned(),
        architecture: "aarch64".into(),
        os_version: ANY_VERSION.into(),
        compression: Compression::Gzip,
        size: IMAGE_SIZE,
        sha256: Sha256::of(device_type.as_bytes()),
        raw_size: IMAGE_RAW_SIZE,
        raw_sha256: Sha256::of(device_type.as_bytes()),
        // `image prepare` makes chunks of every image.
        chunks: Some(Chunks { raw_size: IMAGE_RAW_SIZE.0, chunks: Vec::new() }),
    }
}

/// A fleet of the oldest architecture takes devices of all.
fn takes_every_pi(slug: &FleetSlug) -> BalenaFleet {
    BalenaFleet {
        id: 0,
        slug: slug.clone(),
        device_type: "raspberry-pi".into(),
        architecture: "rpi".into(),
        app: None,
    }
}
