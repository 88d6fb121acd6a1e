//! The secrets of a run: made once, on the disk before their first use, never printed.

use super::file::{FileError, read_text, write_whole};
use crate::port::{Entropy, Seed};
use migos_inventory::DeviceId;
use migos_payload::network::Networks;
use migos_playbooks::balena::DeviceUuid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder of a run's secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    path: PathBuf,
}

/// What only one device and this run know.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceSecrets {
    /// The seed of MIGOS's host key.
    pub host_key: Seed,
    /// The seed of the key that MIGOS calls home with.
    pub call_home_key: Seed,
    /// Names the job: 32 hex digits.
    pub nonce: String,
    /// The uuid the device will have on balena.
    pub uuid: DeviceUuid,
    /// The key it will speak to balena with.
    pub device_key: String,
}

impl fmt::Debug for DeviceSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSecrets").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    host_key: String,
    call_home_key: String,
    nonce: String,
    uuid: DeviceUuid,
    device_key: String,
}

impl Secrets {
    pub(super) fn open(path: &Path) -> Result<Secrets, FileError> {
        for folder in [path.to_owned(), path.join(NETWORKS)] {
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(FileError::Write { path: folder, source });
                }
                _ => {}
            }
        }
        Ok(Secrets { path: path.to_owned() })
    }

    /// The seed of the key that the controller logs in to MIGOS with.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn run_key(&self, entropy: &dyn Entropy) -> Result<Seed, FileError> {
        let path = self.path.join("run-key");
        if path.exists() {
            return unhex(&path, read_text(&path)?.trim());
        }
        let seed = random(entropy);
        write_whole(&path, hex(&seed).as_bytes(), 0o600)?;
        Ok(Seed(seed))
    }

    /// The uuid of every device that secrets were made for, and the device.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn uuids(&self) -> Result<BTreeMap<DeviceUuid, DeviceId>, FileError> {
        let failed = |source| FileError::Read { path: self.path.clone(), source };
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"));
            let Some(device) = name.and_then(|name| DeviceId::new(name).ok()) else { continue };
            let damaged = |source| FileError::Damaged { path: path.clone(), source };
            let stored: Stored = serde_json::from_str(&read_text(&path)?).map_err(damaged)?;
            found.insert(stored.uuid, device);
        }
        Ok(found)
    }

    /// The values that a device takes along to balena; `None` while none are kept.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn values(&self, device: &DeviceId) -> Result<Option<BTreeMap<String, String>>, FileError> {
        let path = self.values_path(device);
        if !path.exists() {
            return Ok(None);
        }
        let damaged = |source| FileError::Damaged { path: path.clone(), source };
        serde_json::from_str(&read_text(&path)?).map(Some).map_err(damaged)
    }

    /// Keeps the values that a device takes along to balena.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn keep_values(
        &self,
        device: &DeviceId,
        values: &BTreeMap<String, String>,
    ) -> Result<(), FileError> {
        let path = self.values_path(device);
        let damaged = |source| FileError::Damaged { path: path.clone(), source };
        write_whole(&path, &serde_json::to_vec_pretty(values).map_err(damaged)?, 0o600)
    }

    /// No device's other secrets end so.
    fn values_path(&self, device: &DeviceId) -> PathBuf {
        self.path.join(format!("{device}.values"))
    }

    /// The secrets of one device; made at the first call, and the same ever after.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn device(
        &self,
        device: &DeviceId,
        entropy: &dyn Entropy,
    ) -> Result<DeviceSecrets, FileError> {
        let path = self.path.join(format!("{device}.json"));
        let damaged = |source| FileError::Damaged { path: path.clone(), source };
        if !path.exists() {
            let stored = Stored {
                host_key: hex(&random::<32>(entropy)),
                call_home_key: hex(&random::<32>(entropy)),
                nonce: hex(&random::<16>(entropy)),
                uuid: DeviceUuid(hex(&random::<16>(entropy))),
                device_key: hex(&random::<16>(entropy)),
            };
            let text = serde_json::to_vec_pretty(&stored).map_err(damaged)?;
            write_whole(&path, &text, 0o600)?;
        }
        let stored: Stored = serde_json::from_str(&read_text(&path)?).map_err(damaged)?;
        Ok(DeviceSecrets {
            host_key: unhex(&path, &stored.host_key)?,
            call_home_key: unhex(&path, &stored.call_home_key)?,
            nonce: stored.nonce,
            uuid: stored.uuid,
            device_key: stored.device_key,
        })
    }

    /// Keeps the networks of one device, with their passphrases, in place of any that were kept before.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn keep_networks(&self, device: &DeviceId, networks: &Networks) -> Result<(), FileError> {
        let path = self.networks_path(device);
        let text = serde_json::to_vec_pretty(networks);
        let text = text.map_err(|source| FileError::Damaged { path: path.clone(), source })?;
        write_whole(&path, &text, 0o600)
    }

    /// The networks that were kept.
    ///
    /// # Errors
    /// [`FileError`], also where none were kept.
    pub fn networks(&self, device: &DeviceId) -> Result<Networks, FileError> {
        let path = self.networks_path(device);
        let text = read_text(&path)?;
        serde_json::from_str(&text).map_err(|source| FileError::Damaged { path, source })
    }

    /// No device has a name with a slash, so nothing else has this one.
    fn networks_path(&self, device: &DeviceId) -> PathBuf {
        self.path.join(NETWORKS).join(format!("{device}.json"))
    }
}

/// The folder of the networks.
const NETWORKS: &str = "networks";

fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(path: &Path, text: &str) -> Result<Seed, FileError> {
    let damaged = || FileError::Read {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, "not 64 hex digits"),
    };
    if text.len() != 64 || !text.is_ascii() {
        return Err(damaged());
    }
    let mut seed = [0; 32];
    for (index, byte) in seed.iter_mut().enumerate() {
        let digits = text.get(index * 2..index * 2 + 2).ok_or_else(damaged)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| damaged())?;
    }
    Ok(Seed(seed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicU8, Ordering};

    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    #[test]
    fn networks_are_kept_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let (secrets, kiosk) = (Secrets::open(&path).unwrap(), DeviceId::new("kiosk-001").unwrap());
        assert!(secrets.networks(&kiosk).is_err(), "none were kept");
        for psk in ["first", "second"] {
            let keyfiles = [("wifi-1".to_owned(), format!("psk={psk}"))].into();
            let networks = Networks { keyfiles, ..Networks::default() };
            secrets.keep_networks(&kiosk, &networks).unwrap();
            assert_eq!(Secrets::open(&path).unwrap().networks(&kiosk).unwrap(), networks);
        }
        let kept = path.join("networks/kiosk-001.json");
        assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn secrets_are_made_once_and_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let (secrets, entropy) = (Secrets::open(&path).unwrap(), Counting(AtomicU8::new(7)));
        let kiosk = DeviceId::new("kiosk-001").unwrap();
        let first = secrets.device(&kiosk, &entropy).unwrap();
        let key = secrets.run_key(&entropy).unwrap();
        let again = Secrets::open(&path).unwrap();
        assert_eq!(again.device(&kiosk, &entropy).unwrap(), first);
        assert_eq!(again.run_key(&entropy).unwrap(), key);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("kiosk-001.json")), 0o600);
        assert!(!format!("{first:?}{key:?}").contains(&first.device_key));
    }
}
