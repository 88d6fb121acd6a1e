//! The texts in the lab's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use migos_contract::Compression;
use migos_payload::digest::Sha256;
use migos_payload::image::{IMAGE_SCHEMA, ImageManifest};
use migos_payload::size::ByteCount;
use russh::keys::ssh_key;

use crate::balena_os::{IMAGE_SIZE, Image};
use crate::device::VirtualPi;
use crate::fleet::FLEET;
use crate::twin::TwinDevice;

pub(crate) const INVENTORY: &str = "inventory.yaml";
pub(crate) const POLICY: &str = "policy.yaml";
pub(crate) const OPERATOR_KEY: &str = "operator_key";
pub(crate) const KNOWN_HOSTS: &str = "known_hosts";
pub(crate) const TOKEN: &str = "token";
pub(crate) const PAYLOADS: &str = "payloads";

/// The balenaOS in the lab's images.
const OS_VERSION: &str = "balenaOS 6.0.24";
/// Where the lab's devices stand.
const SITES: [&str; 3] = ["north", "south", "east"];

/// A policy as careful as a lab's time allows.
pub(crate) const POLICY_TEXT: &str = "\
# A rollout in three stages, with times for a lab.
policy: 1
class: { soak: 0s }
order: spread
seed: 7
parallel: 8
per_site: 8
prove: never
stages:
  - { name: canary, to: 1, gate: { tolerate: 3, soak: 2s, require: vpn } }
  - { name: early, to: 25%, gate: { tolerate: 3, soak: 2s, require: vpn } }
  - { name: rest, to: 100%, gate: { tolerate: 3, soak: 2s, require: vpn } }
arrival: { late: 10s, lost: 20s, poll: 1s }
dead_man: { contact: 20s, commit: 60s }
";

/// The file of an image.
pub(crate) fn image_path(device_type: &str) -> String {
    format!("images/{device_type}.img")
}

/// The image for a device type, and its manifest.
pub(crate) fn image(device_type: &str) -> (Vec<u8>, ImageManifest) {
    let image = Image { device_type: device_type.to_owned(), os_version: OS_VERSION.to_owned() };
    let bytes = image.write();
    let (size, sha256) = (ByteCount(IMAGE_SIZE as u64), Sha256::of(&bytes));
    // balena's contracts: what the userland of each type is built for.
    let architecture = match device_type {
        "raspberry-pi" => "rpi",
        "raspberry-pi2" | "raspberrypi3" => "armv7hf",
        _ => "aarch64",
    };
    let manifest = ImageManifest {
        schema: IMAGE_SCHEMA,
        device_type: device_type.to_owned(),
        architecture: architecture.to_owned(),
        os_version: OS_VERSION.to_owned(),
        compression: Compression::None,
        size,
        sha256,
        raw_size: size,
        raw_sha256: sha256,
        chunks: None,
    };
    (bytes, manifest)
}

/// The devices' host keys, as an operator's `known_hosts` has them.
pub(crate) fn known_hosts<'a>(
    devices: impl Iterator<Item = &'a Arc<VirtualPi>>,
) -> Result<String, ssh_key::Error> {
    let mut text = String::new();
    for pi in devices {
        let key = pi.raspbian_host_key().to_openssh()?;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[{}]:{} {}", pi.addr().ip(), pi.addr().port(), key.trim_end());
    }
    Ok(text)
}

/// Where devices stand, and what else the inventory says of them.
pub(crate) enum Placing {
    /// On the lab's own sites.
    Sites,
    /// As somebody else's inventory has it.
    Given {
        /// The devices of each group.
        groups: BTreeMap<String, Vec<String>>,
        /// Keys and values of each device, in YAML.
        settings: BTreeMap<String, String>,
    },
}

impl Placing {
    /// As these twins have it.
    pub(crate) fn of(twins: &[TwinDevice]) -> Self {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut settings = BTreeMap::new();
        for twin in twins {
            for group in &twin.groups {
                groups.entry(group.clone()).or_default().push(twin.name.clone());
            }
            let own = twin.settings.iter().map(|(key, value)| format!(", {key}: {value}"));
            settings.insert(twin.name.clone(), own.collect());
        }
        Placing::Given { groups, settings }
    }

    fn groups(&self, devices: &BTreeMap<String, Arc<VirtualPi>>) -> Vec<String> {
        let mut lines = vec!["groups:".to_owned()];
        match self {
            Placing::Sites => {
                let names: Vec<&str> = devices.keys().map(String::as_str).collect();
                let sites = names.chunks(names.len().div_ceil(SITES.len()));
                for (site, members) in SITES.iter().zip(sites) {
                    lines.push(format!("  {site}:"));
                    lines.push(format!("    vars: {{ site: {site} }}"));
                    lines.push(format!("    devices: [{}]", members.join(", ")));
                }
            }
            Placing::Given { groups, .. } if groups.is_empty() => lines.clear(),
            Placing::Given { groups, .. } => {
                for (group, members) in groups {
                    lines.push(format!("  {group}: {{ devices: [{}] }}", members.join(", ")));
                }
            }
        }
        lines
    }

    fn settings(&self, device: &str) -> &str {
        match self {
            Placing::Sites => "",
            Placing::Given { settings, .. } => settings.get(device).map_or("", String::as_str),
        }
    }

    /// What kind of device it is, as a comment.
    fn what(&self, pi: &VirtualPi) -> String {
        match self {
            Placing::Sites => format!(" # {}, {:?}", pi.model().name, pi.release()),
            // Of a twin that was not seen it is made up.
            Placing::Given { .. } => String::new(),
        }
    }
}

/// The inventory.
pub(crate) fn text(
    devices: &BTreeMap<String, Arc<VirtualPi>>,
    device_types: &BTreeSet<&str>,
    api: &str,
    placing: &Placing,
) -> String {
    let mut text = format!(
        "# A simulated fleet. Everything here is on this computer, and gone when the lab stops.\n\
         migos: 1\n\
         balena: {{ fleet: {FLEET}, api: \"{api}\", token: {{ file: {TOKEN} }} }}\n\
         payloads: {PAYLOADS}/\n\
         images:\n"
    );
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    for device_type in device_types {
        line(format!("  {device_type}: {}", image_path(device_type)));
    }
    if let Placing::Sites = placing {
        line("data: none".to_owned());
    }
    line(format!("policy: {POLICY}"));
    line("defaults:".to_owned());
    line(format!(
        "  ssh: {{ user: pi, identity: {OPERATOR_KEY}, known_hosts: {KNOWN_HOSTS}, \
         host_keys: strict, config: none }}"
    ));
    placing.groups(devices).into_iter().for_each(&mut line);
    line("devices:".to_owned());
    for (name, pi) in devices {
        let (ip, port) = (pi.addr().ip(), pi.addr().port());
        let (more, what) = (placing.settings(name), placing.what(pi));
        line(format!("  {name}: {{ host: {ip}, ssh: {{ port: {port} }}{more} }}{what}"));
    }
    text
}
