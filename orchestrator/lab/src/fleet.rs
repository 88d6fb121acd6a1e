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
use crate::card::{Card, FsError, Pool};
use crate::device::{Parts, VirtualPi};
use crate::faults::{DeviceFaults, Faults};
use crate::folder::{Folder, FolderError, PLAIN, PRIVATE};
use crate::network::{MAX_DEVICES, Range};
use crate::pace::Pace;
use crate::release::Release;
use crate::seed::Seed;
use crate::stock::{Identity, Stock};
use crate::tasks::Tasks;
use crate::{inventory, keys, life, mix, payloads};

/// What is free on a file system that a fault calls nearly full, in bytes.
const NEARLY_FULL: u64 = 200_000;

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
    /// A fault for a device that does not exist.
    #[error("the faults name {name}, but the lab's devices are {first} to {last}")]
    NoSuchDevice {
        /// The name.
        name: String,
        /// The first device.
        first: String,
        /// The last device.
        last: String,
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
    _lives: Tasks,
    _range: Range,
}

impl Lab {
    /// Starts the devices and the API, and writes the folder.
    ///
    /// # Errors
    /// [`LabError`]; nothing keeps running then.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let LabOptions { devices, seed, faults, pace, dir, api_port } = options;
        if devices == 0 || devices > MAX_DEVICES {
            return Err(LabError::Devices(devices));
        }
        let names: Vec<String> = (1..=devices).map(|number| format!("kiosk-{number:03}")).collect();
        check_names(&faults, &names)?;
        let folder = Folder::take(&dir)?;
        let range = Range::claim().await.map_err(LabError::Addresses)?;
        let token = Seed(seed).hex("balena token", 32);
        let api = start_api(&token, api_port, pace).await?;
        let operator = keys::private_key(&Seed(seed).bytes("operator key"));

        let pool = Pool::default();
        let mut stock = Stock::new(pool.clone());
        let mut pis = BTreeMap::new();
        let mut lives = Tasks::default();
        for (place, name) in names.into_iter().enumerate() {
            let faults = faults.get(&name).copied().unwrap_or_default();
            let parts = Device { seed: Seed(seed), place, name: name.clone(), faults }
                .parts(&mut stock, &range, pace, &pool, &operator)
                .map_err(|source| LabError::Card { name: name.clone(), source })?;
            let (pi, orders) = VirtualPi::new(parts);
            pis.insert(name, Arc::clone(&pi));
            lives.start(life::live(pi, orders));
        }
        let lab = Self { devices: pis, api, folder, _lives: lives, _range: range };
        lab.write_folder(&token, &operator)?;
        Ok(lab)
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

    fn write_folder(&self, token: &str, operator: &PrivateKey) -> Result<(), LabError> {
        let folder = &self.folder;
        let key = operator.to_openssh(LineEnding::LF).map_err(LabError::Key)?;
        folder.write(inventory::OPERATOR_KEY, PRIVATE, key.as_bytes())?;
        folder.write(inventory::TOKEN, PRIVATE, format!("{token}\n").as_bytes())?;
        let known_hosts = inventory::known_hosts(self.devices()).map_err(LabError::Key)?;
        folder.write(inventory::KNOWN_HOSTS, PLAIN, known_hosts.as_bytes())?;
        for architecture in [Architecture::Armhf, Architecture::Arm64] {
            let tarball = payloads::pack(architecture).map_err(LabError::Payload)?;
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
        folder.write(inventory::POLICY, PLAIN, inventory::POLICY_TEXT.as_bytes())?;
        let text = inventory::text(&self.devices, &device_types, &self.api.url());
        folder.write(inventory::INVENTORY, PLAIN, text.as_bytes())?;
        Ok(())
    }
}

fn check_names(faults: &Faults, names: &[String]) -> Result<(), LabError> {
    let (Some(first), Some(last)) = (names.first(), names.last()) else { return Ok(()) };
    match faults.keys().find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) => Err(LabError::NoSuchDevice {
            name: name.clone(),
            first: first.clone(),
            last: last.clone(),
        }),
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

/// One device that is to be made.
struct Device {
    seed: Seed,
    place: usize,
    name: String,
    faults: DeviceFaults,
}

impl Device {
    fn parts(
        self,
        stock: &mut Stock,
        range: &Range,
        pace: Pace,
        pool: &Pool,
        operator: &PrivateKey,
    ) -> Result<Parts, FsError> {
        let Self { seed, place, name, faults } = self;
        let (model, release) = mix::pick(seed.0, place);
        // Boards since the Pi 4 set the highest digit; the lower half is the unique part.
        let serial = seed.number(&format!("{name} serial")) & 0xffff_ffff;
        let serial = if model.eeprom.is_some() { serial | 0x1000_0000_0000_0000 } else { serial };
        let identity = Identity {
            hostname: &name,
            machine_id: &seed.hex(&format!("{name} machine id"), 32),
            disk_id: seed.number(&format!("{name} disk id")) as u32,
        };
        let mut card = stock.card(release, &identity)?;
        spoil(&mut card, stock, release, faults)?;
        Ok(Parts {
            address: range.address(place),
            operator: operator.public_key().clone(),
            pool: pool.clone(),
            name,
            model,
            release,
            serial,
            seed,
            faults,
            pace,
            card,
        })
    }
}

/// What a fault is to the card.
fn spoil(
    card: &mut Card,
    stock: &Stock,
    release: Release,
    faults: DeviceFaults,
) -> Result<(), FsError> {
    if faults.small_card {
        card.shrink();
    }
    let Some(partitions) = card.partitions_mut() else { return Ok(()) };
    if faults.old_firmware {
        stock.age_firmware(release, &mut partitions.boot)?;
    }
    if faults.overlay_root {
        stock.overlay_root(release, &mut partitions.boot)?;
    }
    if faults.no_space {
        partitions.boot.leave_free(NEARLY_FULL);
    }
    if faults.root_full {
        partitions.root.leave_free(NEARLY_FULL);
    }
    card.sync();
    Ok(())
}
