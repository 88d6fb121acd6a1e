//! The flashed system: the lab's images, and what balenaOS does with its `config.json`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::balena_api::{DeviceClient, DeviceClientError, Reported};
use crate::card::Medium;
use crate::device::VirtualPi;
use crate::seed::noise;
use crate::supervisor;

/// The size of the lab's images; real ones have some 900 MiB.
pub(crate) const IMAGE_SIZE: usize = 8 << 20;
/// Where the first partition starts, in bytes: sector 8192, as in balena's images.
const FIRST_PARTITION: usize = 8192 * 512;
/// The boot signature, at this offset of sector 0.
const SIGNATURE: (usize, [u8; 2]) = (510, [0x55, 0xaa]);
const MAGIC: &str = "migos-lab image balenaos";
/// A device that its API does not answer tries again after this long.
const RETRY: Duration = Duration::from_millis(500);

/// What is to be known of an image of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) device_type: String,
    /// As the running system reports it: `balenaOS 6.0.24`.
    pub(crate) os_version: String,
}

impl Image {
    /// Makes the raw image.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0; IMAGE_SIZE];
        // One bootable FAT32 partition from there to the end, in the MBR's own form.
        let entry = [0x80, 0, 2, 0, 0x0c, 3, 0xe0, 0xff];
        bytes[446..454].copy_from_slice(&entry);
        bytes[454..458].copy_from_slice(&8192_u32.to_le_bytes());
        bytes[458..462]
            .copy_from_slice(&(((IMAGE_SIZE - FIRST_PARTITION) / 512) as u32).to_le_bytes());
        bytes[SIGNATURE.0..SIGNATURE.0 + 2].copy_from_slice(&SIGNATURE.1);
        let text = format!("{MAGIC}\n{}\n{}\n", self.device_type, self.os_version);
        let content = noise(&text, IMAGE_SIZE - FIRST_PARTITION - text.len());
        bytes[FIRST_PARTITION..FIRST_PARTITION + text.len()].copy_from_slice(text.as_bytes());
        bytes[FIRST_PARTITION + text.len()..].copy_from_slice(&content);
        bytes
    }

    /// Reads what a card holds; nothing if it is no image of the lab.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.get(SIGNATURE.0..)?.get(..2)? != SIGNATURE.1 {
            return None;
        }
        let partition = bytes.get(FIRST_PARTITION..)?;
        let mut lines = partition.splitn(4, |byte| *byte == b'\n');
        let mut line = || std::str::from_utf8(lines.next()?).ok().map(str::to_owned);
        (line()? == MAGIC).then_some(())?;
        Some(Self { device_type: line()?, os_version: line()? })
    }
}

/// The fields of `config.json` that a device registered in advance cannot do without (balena
/// supervisor: api-helper).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    uuid: String,
    device_api_key: String,
    device_id: u64,
    /// Only whether it is set counts.
    #[serde(rename = "registered_at")]
    registered_at: u64,
    application_id: u64,
    device_type: String,
    api_endpoint: String,
    /// The only authority that counts, if there is one.
    #[serde(rename = "balenaRootCA", default)]
    root_ca: Option<String>,
    /// With it the supervisor would register the device itself, under another uuid if anything went
    /// wrong.
    #[serde(default)]
    api_key: Option<String>,
}

/// Reports to balena for as long as the device runs; a device that cannot stays silent.
pub(crate) async fn run(pi: Arc<VirtualPi>, image: Image) {
    let (client, mac) = match client(&pi, &image) {
        Ok((client, mac)) if pi.faults.release_never_runs => (client.without_app(), mac),
        Ok(client) if !pi.faults.never_up => client,
        Ok(_) => return std::future::pending().await,
        Err(reason) => {
            tracing::warn!(device = pi.name, reason, "balenaOS will never report");
            return std::future::pending().await;
        }
    };
    let (mac, ip) = (mac.to_ascii_uppercase(), pi.address.ip().to_string());
    loop {
        let pause = match client.report(&image.os_version, &mac, &ip).await {
            Ok(Reported::Seen { poll_interval, config }) => {
                if let Err(error) = configure(&pi, &config) {
                    tracing::warn!(device = pi.name, %error, "balenaOS is not fit for use");
                    return std::future::pending().await;
                }
                pi.has_reported();
                poll_interval
            }
            Ok(Reported::Unregistered) => RETRY,
            Err(error) => {
                tracing::debug!(device = pi.name, %error, "no heartbeat");
                RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Has the supervisor write `config.txt`. The reboot that a real device then needs is left out.
fn configure(
    pi: &VirtualPi,
    config: &BTreeMap<String, String>,
) -> Result<(), supervisor::ConfigTxtError> {
    let text = supervisor::config_txt(config)?;
    if let Medium::Flashed(flashed) = &mut pi.card().medium {
        flashed.files.insert("config.txt".to_owned(), text);
    }
    Ok(())
}

impl VirtualPi {
    /// The `config.txt` that balenaOS has written; nothing while the device has not reported from there.
    pub fn balena_config_txt(&self) -> Option<String> {
        match &self.card().medium {
            Medium::Flashed(flashed) => flashed.files.get("config.txt").cloned(),
            Medium::Raspbian(_) => None,
        }
    }
}

/// What reports to balena, and the address of the interface by which it does.
fn client(pi: &VirtualPi, image: &Image) -> Result<(DeviceClient, String), String> {
    let card = pi.card();
    let Medium::Flashed(flashed) = &card.medium else {
        return Err("the card is not flashed".to_owned());
    };
    let text = flashed.files.get("config.json").ok_or("there is no config.json")?;
    let config: Config = serde_json::from_str(text)
        .map_err(|error| format!("config.json is not understood: {error}"))?;
    let complete = config.device_id != 0 && config.application_id != 0 && config.registered_at != 0;
    let is_uuid = matches!(config.uuid.len(), 32 | 62)
        && config.uuid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !complete || !is_uuid || config.api_key.is_some() {
        return Err("config.json is not that of a registered device".to_owned());
    }
    if config.device_type != image.device_type {
        return Err(format!(
            "config.json is for {}, the image for {}",
            config.device_type, image.device_type
        ));
    }
    let mac = pi.site.for_balena_os(&flashed.files)?;
    let Config { api_endpoint, root_ca, uuid, device_api_key, .. } = config;
    let client = match root_ca.filter(|_| api_endpoint.starts_with("https://")) {
        Some(ca) => DeviceClient::with_authority(&api_endpoint, &ca, uuid, device_api_key),
        None => DeviceClient::new(&api_endpoint, uuid, device_api_key),
    };
    Ok((client.map_err(|error: DeviceClientError| error.to_string())?, mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_reads_back_and_damage_shows() {
        let image =
            Image { device_type: "raspberrypi3".into(), os_version: "balenaOS 6.0.24".into() };
        let mut bytes = image.write();
        assert_eq!((bytes.len(), Image::read(&bytes)), (IMAGE_SIZE, Some(image)));
        assert_eq!(Image::read(&bytes[..FIRST_PARTITION]), None, "cut off");
        bytes[510] = 0;
        assert_eq!(
            Image::read(&bytes),
            None,
            "no boot signature: its first sector was not written"
        );
    }
}
