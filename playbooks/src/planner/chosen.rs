//! What is chosen for one device, before it is judged.

use super::{Situation, hours, how_it_commits};
use crate::balena::{BalenaFleet, SeenRelease};
use crate::estimate::Estimate;
use crate::facts::Facts;
use crate::plan::{Class, Destination, Finding, Handover, Identity, Pin};
use crate::requirement::{self, Candidate, Switch, Verdict};
use crate::window::Window;
use jiff::Timestamp;
use migos_inventory::{Device, FleetSlug};
use migos_payload::digest::Sha256;
use migos_payload::image::ImageManifest;
use migos_payload::manifest::Manifest;
use std::collections::BTreeMap;

/// A device with everything that was chosen for it.
pub(super) struct Chosen<'a> {
    device: &'a Device,
    facts: &'a Facts,
    facts_read: Timestamp,
    api: &'a str,
    pub(super) payload: Option<(Sha256, &'a Manifest)>,
    pub(super) image: Option<&'a ImageManifest>,
    pub(super) fleet: Option<&'a BalenaFleet>,
    /// The fleet that it is moved to.
    destination: Option<&'a BalenaFleet>,
    release: Option<&'a SeenRelease>,
    pub(super) switch: Switch<'a>,
    pub(super) handover: Option<Handover>,
    /// When it may start; or why that cannot be read.
    pub(super) window: Result<Option<Window>, Box<Finding>>,
    pub(super) mirror: Option<String>,
    pub(super) estimate: Option<Estimate>,
}

impl<'a> Chosen<'a> {
    pub(super) fn of(
        situation: &Situation<'a>,
        device: &'a Device,
        facts: &'a Facts,
        listen: Option<u16>,
    ) -> Chosen<'a> {
        let policy = situation.policy;
        let payload = choose_payload(situation.payloads, facts);
        let image = choose_image(situation.images, device, facts);
        let slug = device.balena_fleet.as_ref();
        let of_slug = |slug: &FleetSlug| situation.balena.fleets.get(slug);
        let mirror = image.and_then(|image| image_url(device, &image.device_type));
        let estimate = payload.zip(image).map(|((_, manifest), image)| {
            let measured = situation.experience.estimate(&Class::of(facts));
            measured.unwrap_or_else(|| {
                Estimate::of(manifest, image, mirror.is_some(), &policy.bandwidth)
            })
        });
        Chosen {
            device,
            facts,
            facts_read: situation.facts_read,
            api: &situation.fleet.settings.api,
            payload,
            image,
            fleet: slug.and_then(of_slug),
            destination: device.on_balena.move_to.as_ref().and_then(of_slug),
            release: release(situation, device),
            switch: Switch {
                strategy: policy.strategy,
                prove: policy.prove,
                allow_rewrite: &policy.allow_rewrite,
                allow_update: &policy.allow_update,
                allow_streaming: &policy.allow_streaming,
                allow: &policy.allow,
            },
            handover: how_it_commits(device, listen),
            window: hours::window(device, policy.window.as_ref()),
            mirror,
            estimate,
        }
    }

    pub(super) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            device: self.device,
            facts: self.facts,
            facts_read: Some(self.facts_read),
            payload: self.payload.map(|(_, manifest)| manifest),
            image: self.image,
            fleet: self.fleet,
            destination: self.destination,
            release: self.release,
            api: self.api,
            switch: self.switch,
            handover: self.handover.as_ref(),
        }
    }

    /// What it will be on balena; the checks refuse what cannot be.
    pub(super) fn identity(&self) -> Identity {
        let wanted = &self.device.on_balena;
        let name = wanted.name.as_ref().map(|name| {
            name.replace("{device}", self.device.id.as_str())
                .replace("{hostname}", &self.facts.hostname)
                .replace("{serial}", &self.facts.serial)
        });
        let pin = wanted.release.clone().zip(self.release);
        let to = self.destination.filter(|to| self.fleet.is_some_and(|fleet| fleet.id != to.id));
        Identity {
            name: name.filter(|name| name != self.device.id.as_str()),
            tags: wanted.tags.clone(),
            environment: wanted.environment.clone(),
            config: wanted.config.clone(),
            pin: pin.map(|(commit, release)| Pin { commit, id: release.id }),
            move_to: to.map(|to| Destination { slug: to.slug.clone(), id: to.id }),
            system: wanted.system.clone(),
        }
    }

    /// What all checks say, that of its hours at the end.
    pub(super) fn verdicts(&self) -> Vec<(&'static str, Verdict)> {
        let mut verdicts = requirement::verdicts(&self.candidate());
        let hours = match &self.window {
            Err(finding) => Some(Verdict::Refuse(Finding::clone(finding))),
            Ok(None) => None,
            Ok(Some(window)) => {
                let too_short =
                    self.estimate.and_then(|estimate| hours::too_short(window, &estimate));
                Some(match too_short {
                    Some(finding) => Verdict::Refuse(finding),
                    None => Verdict::Pass(window.to_string()),
                })
            }
        };
        verdicts.extend(hours.map(|verdict| (hours::CHECK, verdict)));
        verdicts
    }
}

/// The release that a device is pinned to: one of the fleet where it stays.
fn release<'a>(situation: &Situation<'a>, device: &Device) -> Option<&'a SeenRelease> {
    let wanted = &device.on_balena;
    let fleet = wanted.move_to.as_ref().or(device.balena_fleet.as_ref())?;
    situation.balena.releases.get(fleet)?.get(wanted.release.as_ref()?)
}

/// The payload for this board: of the userland's own architecture where there is one, since cards of
/// 32-bit systems have the smaller boot partitions; then the newest version.
pub(crate) fn choose_payload<'a>(
    payloads: &'a BTreeMap<Sha256, Manifest>,
    facts: &Facts,
) -> Option<(Sha256, &'a Manifest)> {
    let fitting = payloads.iter().filter(|(_, manifest)| manifest.fits(facts.revision));
    fitting
        .max_by_key(|(digest, manifest)| {
            let own = manifest.architecture.to_string() == facts.userland;
            (own, version_key(&manifest.version), **digest)
        })
        .map(|(digest, manifest)| (*digest, manifest))
}

/// Numbers compare as numbers: 1.10.0 is newer than 1.9.0.
fn version_key(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// The image for this board: of the forced device type, else of the board's types the first that the
/// inventory has an image for.
pub(crate) fn choose_image<'a>(
    images: &'a BTreeMap<String, ImageManifest>,
    device: &Device,
    facts: &Facts,
) -> Option<&'a ImageManifest> {
    let of_type = |device_type: &str| {
        let image = images.get(device.images.get(device_type)?)?;
        (image.device_type == device_type).then_some(image)
    };
    match &device.device_type {
        Some(forced) => of_type(forced),
        None => facts.revision.board_type().device_types().iter().find_map(|name| of_type(name)),
    }
}

/// The image under its own name in the folder that the device's mirror has.
fn image_url(device: &Device, device_type: &str) -> Option<String> {
    let mirror = device.mirror.as_ref()?;
    let path = device.images.get(device_type)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~-".contains(byte);
    let escaped = name.bytes().map(|byte| match is_plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    Some(format!("{mirror}/{}", escaped.collect::<String>()))
}
