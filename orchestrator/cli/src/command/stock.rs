//! Payloads, images and keyfiles at hand, and where they came from.

use crate::failure::{Failure, Kind};
use crate::input::{self, LoadedInventory, LoadedKeyfile, Sources};
use crate::wire;
use migos_engine::port::Content;
use migos_inventory::DeviceId;
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use migos_playbooks::plan::{AddedKeyfile, CheckedPlan, DevicePlan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Payloads, images and keyfiles at hand.
#[derive(Default)]
pub(super) struct Stock {
    pub(super) payloads: BTreeMap<Sha256, Arc<VerifiedPayload>>,
    pub(super) images: BTreeMap<Sha256, Content>,
    /// By the path as it is written in the inventory.
    pub(super) keyfiles: BTreeMap<String, LoadedKeyfile>,
}

/// Payloads and images of an inventory.
pub(super) struct Gathered {
    pub(super) stock: Stock,
    pub(super) sources: Sources,
    /// Manifests by the path as it is written in the inventory.
    pub(super) images: BTreeMap<String, ImageManifest>,
}

impl Gathered {
    /// Reads what the inventory names for its selection; `payload` is what the command line says instead.
    pub(super) fn of(inventory: &LoadedInventory, payload: Option<&Path>) -> Result<Self, Failure> {
        let payloads = input::payloads(&payload_path(inventory, payload)?)?;
        let devices = inventory.selection.iter().filter_map(|id| inventory.fleet.devices.get(id));
        let written: BTreeSet<&str> =
            devices.flat_map(|device| device.images.values()).map(String::as_str).collect();
        let images = input::images(&inventory.base, &written)?;
        let devices = inventory.selection.iter().filter_map(|id| inventory.fleet.devices.get(id));
        let keyfiles = devices.flat_map(|device| &device.keyfiles).map(String::as_str).collect();
        let keyfiles = input::keyfiles(&inventory.base, &keyfiles)?;
        let sources = Sources {
            inventory: inventory.name.clone(),
            base: inventory.base.clone(),
            token: inventory.fleet.settings.token.clone(),
            ca: inventory.fleet.settings.ca.clone(),
            secrets: inventory.fleet.secrets.clone(),
            asks: inventory.asks,
            payloads: payloads
                .iter()
                .map(|(digest, (path, _))| (*digest, absolute(path)))
                .collect(),
            images: images
                .manifests
                .iter()
                .map(|(path, image)| (image.sha256, path.into()))
                .collect(),
        };
        let payloads =
            payloads.into_iter().map(|(digest, (_, payload))| (digest, payload)).collect();
        let stock = Stock { payloads, images: images.contents, keyfiles };
        Ok(Gathered { stock, sources, images: images.manifests })
    }
}

fn payload_path(inventory: &LoadedInventory, chosen: Option<&Path>) -> Result<PathBuf, Failure> {
    match (chosen, &inventory.fleet.settings.payloads) {
        (Some(path), _) => Ok(path.to_owned()),
        (None, Some(written)) => Ok(wire::resolve(&inventory.base, written)),
        (None, None) => Err(Failure::new(Kind::Input, "the inventory names no payloads")
            .hint("write `payloads: payloads/` into it, or use --payload")),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl Stock {
    /// Reads what a run's plan needs from where it came from.
    pub(super) fn again(plan: &CheckedPlan, sources: &Sources) -> Result<Self, Failure> {
        let mut payloads = BTreeMap::new();
        for digest in plan.payloads.keys() {
            if let Some(path) = sources.payloads.get(digest) {
                let found = input::payloads(path)?.into_iter();
                payloads.extend(found.map(|(digest, (_, payload))| (digest, payload)));
            }
        }
        let written: BTreeSet<&str> =
            plan.images.keys().filter_map(|digest| sources.images.get(digest)?.to_str()).collect();
        let images = input::images(&sources.base, &written)?.contents;
        let added = plan.devices.values().flat_map(|device| device.network.added.values());
        let keyfiles = added.map(|added| added.path.as_str()).collect();
        let keyfiles = input::keyfiles(&sources.base, &keyfiles)?;
        let stock = Stock { payloads, images, keyfiles };
        stock.has_all(plan)?;
        Ok(stock)
    }

    /// Every payload and image of the plan must be there, with the very bytes it was made with; of its keyfiles only
    /// secrets may have changed.
    pub(super) fn has_all(&self, plan: &CheckedPlan) -> Result<(), Failure> {
        let payload = plan.payloads.keys().find(|digest| !self.payloads.contains_key(digest));
        let image = plan.images.keys().find(|digest| !self.images.contains_key(digest));
        let missing = payload.map(|it| ("payload", it)).or(image.map(|it| ("image", it)));
        let missing = missing.map(|(what, digest)| {
            format!("the {what} with SHA-256 {} of the plan is not there", digest.short())
        });
        let mut added = plan.devices.values().flat_map(|device| device.network.added.values());
        let is_other = |added: &&AddedKeyfile| {
            self.keyfiles.get(&added.path).is_none_or(|found| found.sha256 != added.sha256)
        };
        let changed = added.find(is_other).map(|added| {
            format!("the keyfile {} is not the one that the plan was made with", added.path)
        });
        let Some(text) = missing.or(changed) else { return Ok(()) };
        Err(Failure::new(Kind::Input, text)
            .hint("put it back where the inventory says, or plan again"))
    }

    /// The texts of the keyfiles that are added to each device, by their names.
    pub(super) fn keyfiles_of(
        &self,
        plan: &CheckedPlan,
    ) -> BTreeMap<DeviceId, BTreeMap<String, String>> {
        let text = |(name, added): (&String, &AddedKeyfile)| {
            Some((name.clone(), self.keyfiles.get(&added.path)?.text.clone()))
        };
        let of = |device: &DevicePlan| device.network.added.iter().filter_map(text).collect();
        plan.devices.iter().map(|(id, device)| (id.clone(), of(device))).collect()
    }

    /// The keyfiles' digests by their paths, as a plan has them.
    pub(super) fn keyfile_digests(&self) -> BTreeMap<String, Sha256> {
        self.keyfiles.iter().map(|(path, keyfile)| (path.clone(), keyfile.sha256)).collect()
    }

    /// The payloads' manifests.
    pub(super) fn manifests(&self) -> BTreeMap<Sha256, Manifest> {
        self.payloads
            .iter()
            .map(|(digest, payload)| (*digest, payload.manifest().clone()))
            .collect()
    }
}
