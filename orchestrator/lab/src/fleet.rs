//! A whole lab: virtual Pis, a balena API, and the folder that a controller is given.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use migos_payload::archive::ArchiveError;
use migos_payload::board::Architecture;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::{self, LineEnding};

use crate::balena_api::{ApiConfig, BalenaApi, FleetConfig};
use crate::card::FsError;
use crate::device::VirtualPi;
use crate::faults::Faults;
use crate::folder::{Folder, FolderError, PLAIN, PRIVATE};
use crate::inventory::{POLICY_TEXT, Placing};
use crate::network::{MAX_DEVICES, Range};
use crate::pace::Pace;
use crate::seed::Seed;
use crate::site::NetworkKind;
use crate::tasks::Tasks;
use crate::twin::TwinDevice;
use crate::workshop::{Device, Origin, Workshop};
use crate::{inventory, keys, life, mix, payloads};

/// The fleet that the lab's devices move to. Its device type is the oldest of all, so that devices
/// of every architecture may join it (balena: an aarch64 device may join armv7hf and rpi fleets,
/// never the other way).
pub const FLEET: &str = "lab/kiosks";

/// What a lab is started with.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// How many devices it has.
    pub devices: usize,
    /// Keys, serial numbers, models and releases follow from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// The kinds of network of devices that do not hang on a cable to a DHCP server.
    pub networks: BTreeMap<String, NetworkKind>,
    /// How long things take.
    pub pace: Pace,
    /// The folder to write.
    pub dir: PathBuf,
    /// The balena API's port; 0 takes any free one.
    pub api_port: u16,
}

/// What a lab of twins is started with.
#[derive(Debug, Clone)]
pub struct TwinOptions {
    /// Its devices.
    pub twins: Vec<TwinDevice>,
    /// The text of the policy to write into the folder, if not the lab's own.
    pub policy: Option<String>,
    /// Keys follow from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// How long things take.
    pub pace: Pace,
    /// The folder to write.
    pub dir: PathBuf,
    /// The balena API's port; 0 takes any free one.
    pub api_port: u16,
}

/// Why a lab did not start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A number of devices that a lab cannot have.
    #[error("a lab has 1 to {MAX_DEVICES} devices, not {0}")]
    Devices(usize),
    /// A fault or a network for a device that does not exist.
    #[error("the {what} name {name}, but the lab's devices are {first} to {last}")]
    NoSuchDevice {
        /// What names it.
        what: &'static str,
        /// The name.
        name: String,
        /// The first device.
        first: String,
        /// The last device.
        last: String,
    },
    /// Wi-Fi for a board without a radio.
    #[error("{name} cannot have Wi-Fi: its board, a {model}, has no radio")]
    NoRadio {
        /// The device.
        name: String,
        /// Its board.
        model: String,
    },
    /// No addresses are left.
    #[error("failed to find free loopback addresses for the devices")]
    Addresses(#[source] io::Error),
    /// The API's port could not be opened.
    #[error("failed to start the balena API on port {port}")]
    Api {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The folder could not be written.
    #[error("failed to prepare the lab's folder")]
    Folder(#[from] FolderError),
    /// A card could not be filled.
    #[error("failed to fill the card of {name}")]
    Card {
        /// The device.
        name: String,
        /// Why.
        source: FsError,
    },
    /// A payload could not be packed.
    #[error("failed to pack the lab's payload")]
    Payload(#[source] ArchiveError),
    /// A key could not be written in OpenSSH's form.
    #[error("failed to write a key in OpenSSH's form")]
    Key(#[source] ssh_key::Error),
    /// The image manifest could not be written.
    #[error("failed to write an image's manifest")]
    Manifest(#[source] serde_json::Error),
}

/// A running lab. When it is dropped, all its devices stop where they are.
pub struct Lab {
    devices: BTreeMap<String, Arc<VirtualPi>>,
    api: BalenaApi,
    folder: Folder,
    dead: Vec<(String, String)>,
    _lives: Tasks,
    _range: Range,
}

impl Lab {
    /// Starts the devices and the API, and writes the folder.
    ///
    /// # Errors
    /// [`LabError`]; nothing keeps running then.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let LabOptions { devices, seed, faults, networks, pace, dir, api_port } = options;
        // Too many are refused before they are named.
        check_number(devices)?;
        let origins = (0..devices).map(|place| (mix::name(place), Origin::Mix));
        let policy = POLICY_TEXT.to_owned();
        let start = Start { seed: Seed(seed), networks, pace, dir, api_port, policy };
        start.lab(origins.collect(), faults, Placing::Sites).await
    }

    /// Starts twins of devices elsewhere and the API, and writes the folder.
    ///
    /// # Errors
    /// [`LabError`]; nothing keeps running then.
    pub async fn twin(options: TwinOptions) -> Result<Self, LabError> {
        let TwinOptions { twins, policy, seed, faults, pace, dir, api_port } = options;
        let policy = policy.unwrap_or_else(|| POLICY_TEXT.to_owned());
        let placing = Placing::of(&twins);
        let origins = twins.into_iter().map(|twin| (twin.name, Origin::Twin(twin.presence)));
        let networks = BTreeMap::new();
        let start = Start { seed: Seed(seed), networks, pace, dir, api_port, policy };
        start.lab(origins.collect(), faults, placing).await
    }

    /// The folder it wrote.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The inventory of its devices.
    pub fn inventory(&self) -> PathBuf {
        self.dir().join(inventory::INVENTORY)
    }

    /// A device by its name.
    pub fn device(&self, name: &str) -> Option<&Arc<VirtualPi>> {
        self.devices.get(name)
    }

    /// All devices, sorted by name.
    pub fn devices(&self) -> impl Iterator<Item = &Arc<VirtualPi>> {
        self.devices.values()
    }

    /// Twins that do not come up, by name, each with the reason: by the lab's model of the firmware their boot files
    /// start no Raspbian.
    pub fn dead(&self) -> &[(String, String)] {
        &self.dead
    }

    /// The balena API.
    pub fn api(&self) -> &BalenaApi {
        &self.api
    }

    /// Stops all devices and the API.
    pub async fn stop(self) {
        let Self { api, _lives: lives, .. } = self;
        drop(lives);
        api.stop().await;
    }

    fn write_folder(&self, given: &Given<'_>) -> Result<(), LabError> {
        let Given { token, operator, policy, placing } = given;
        let folder = &self.folder;
        let key = operator.to_openssh(LineEnding::LF).map_err(LabError::Key)?;
        folder.write(inventory::OPERATOR_KEY, PRIVATE, key.as_bytes())?;
        folder.write(inventory::TOKEN, PRIVATE, format!("{token}\n").as_bytes())?;
        let known_hosts = inventory::known_hosts(self.devices()).map_err(LabError::Key)?;
        folder.write(inventory::KNOWN_HOSTS, PLAIN, known_hosts.as_bytes())?;
        let boards = self.devices().map(|pi| pi.model().revision).collect();
        for architecture in [Architecture::Armhf, Architecture::Arm64] {
            let tarball = payloads::pack(architecture, &boards).map_err(LabError::Payload)?;
            let name = format!("{}/migos-1.0.0-{architecture}.tar.gz", inventory::PAYLOADS);
            folder.write(&name, PLAIN, &tarball)?;
        }
        let device_types: BTreeSet<&str> =
            self.devices().filter_map(|pi| pi.model().device_types().first().copied()).collect();
        for device_type in &device_types {
            let (image, manifest) = inventory::image(device_type);
            let name = inventory::image_path(device_type);
            let manifest = serde_json::to_vec_pretty(&manifest).map_err(LabError::Manifest)?;
            folder.write(&name, PLAIN, &image)?;
            folder.write(
                &format!("{name}{}", migos_payload::image::IMAGE_MANIFEST_SUFFIX),
                PLAIN,
                &manifest,
            )?;
        }
        folder.write(inventory::POLICY, PLAIN, policy.as_bytes())?;
        let text = inventory::text(&self.devices, &device_types, &self.api.url(), placing);
        folder.write(inventory::INVENTORY, PLAIN, text.as_bytes())?;
        Ok(())
    }
}

/// How a lab is started.
struct Start {
    seed: Seed,
    networks: BTreeMap<String, NetworkKind>,
    pace: Pace,
    dir: PathBuf,
    api_port: u16,
    policy: String,
}

/// What the folder says.
struct Given<'a> {
    token: &'a str,
    operator: &'a PrivateKey,
    policy: &'a str,
    placing: &'a Placing,
}

impl Start {
    async fn lab(
        self,
        origins: BTreeMap<String, Origin>,
        faults: Faults,
        placing: Placing,
    ) -> Result<Lab, LabError> {
        let Self { seed, networks, pace, dir, api_port, policy } = self;
        check_number(origins.len())?;
        check_names("faults", faults.keys(), &origins)?;
        check_names("networks", networks.keys(), &origins)?;
        check_radios(&networks, &origins, seed)?;
        let folder = Folder::take(&dir)?;
        let range = Range::claim().await.map_err(LabError::Addresses)?;
        let token = seed.hex("balena token", 32);
        let api = start_api(&token, api_port, pace).await?;
        let operator = keys::private_key(&seed.bytes("operator key"));

        let mut workshop = Workshop::new(seed, pace, operator.public_key().clone());
        let mut pis = BTreeMap::new();
        let mut lives = Tasks::default();
        for (place, (name, origin)) in origins.into_iter().enumerate() {
            let faults = faults.get(&name).copied().unwrap_or_default();
            let network = networks.get(&name).copied().unwrap_or(NetworkKind::WiredDhcp);
            let address = range.address(place);
            let order = Device { place, name: name.clone(), address, faults, network };
            let parts = workshop
                .parts(order, origin)
                .map_err(|source| LabError::Card { name: name.clone(), source })?;
            let (pi, orders) = VirtualPi::new(parts);
            pis.insert(name, Arc::clone(&pi));
            lives.start(life::live(pi, orders));
        }
        let dead = workshop.dead;
        let lab = Lab { devices: pis, api, folder, dead, _lives: lives, _range: range };
        let (token, operator, policy) = (&*token, &operator, &*policy);
        lab.write_folder(&Given { token, operator, policy, placing: &placing })?;
        Ok(lab)
    }
}

fn check_number(devices: usize) -> Result<(), LabError> {
    match devices {
        1..=MAX_DEVICES => Ok(()),
        _ => Err(LabError::Devices(devices)),
    }
}

fn check_names<'a>(
    what: &'static str,
    mut told: impl Iterator<Item = &'a String>,
    names: &BTreeMap<String, Origin>,
) -> Result<(), LabError> {
    let mut ends = names.keys();
    let Some(first) = ends.next() else { return Ok(()) };
    let last = ends.next_back().unwrap_or(first);
    match told.find(|name| !names.contains_key(*name)) {
        None => Ok(()),
        Some(name) => Err(LabError::NoSuchDevice {
            what,
            name: name.clone(),
            first: first.clone(),
            last: last.clone(),
        }),
    }
}

/// Wi-Fi needs a radio.
fn check_radios(
    networks: &BTreeMap<String, NetworkKind>,
    names: &BTreeMap<String, Origin>,
    seed: Seed,
) -> Result<(), LabError> {
    let of_mix = |(place, name)| (mix::pick(seed.0, place).0, name);
    let lacks = names.keys().enumerate().map(of_mix).find(|(model, name)| {
        !model.wireless && networks.get(*name).is_some_and(|kind| kind.needs_radio())
    });
    match lacks {
        None => Ok(()),
        Some((model, name)) => {
            Err(LabError::NoRadio { name: name.clone(), model: model.name.clone().into_owned() })
        }
    }
}

/// The images of the app that the lab's fleet runs, in bytes. Nobody downloads them.
const APP: [u64; 2] = [310_000_000, 170_000_000];

async fn start_api(token: &str, port: u16, pace: Pace) -> Result<BalenaApi, LabError> {
    let fleet = FleetConfig {
        slug: FLEET.to_owned(),
        device_type: "raspberry-pi".to_owned(),
        architecture: "rpi".to_owned(),
        id: 1,
        release: APP.to_vec(),
    };
    let mut config = ApiConfig::new(token, vec![fleet]);
    config.poll_interval = pace.heartbeat;
    config.offline_after = pace.heartbeat;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    BalenaApi::start(listen, config).await.map_err(|source| LabError::Api { port, source })
}
