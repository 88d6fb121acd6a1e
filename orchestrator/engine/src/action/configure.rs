//! Configure: hand MIGOS the files that make the flashed card this one device. They stay in its memory.

use super::mirror::{Bringer, Mirror};
use super::{Failure, networks};
use crate::executor::{Device, Patience};
use crate::port::{BalenaApi, Session, Transport};
use migos_contract::{Command, Configuration};
use migos_events::Learned;
use migos_payload::device_config::{CONFIG_JSON, Registered, System, config_json};
use migos_payload::keyfile;
use migos_payload::network::Networks;
use std::collections::BTreeMap;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let configuration = configuration(device, networks::kept(device)?)?;
    // Its nonce and serial number show, once more, that this is the device whose secrets these are.
    bring_image(device).await?;
    let migos = device.migos().await?;
    let status = migos.migos(&Command::Configure, Some(&configuration)).await?;
    if status.configured {
        Ok(Learned::default())
    } else {
        Err(Failure::Failed("MIGOS did not take its configuration".into()))
    }
}

/// Sees to it that MIGOS has all of the image that it wants before the commit: from its mirror, or from here. A small
/// board wants only the beginning, by which it is seen whether the image fits the card.
async fn bring_image<T: Transport, B: BalenaApi>(device: &mut Device<T, B>) -> Result<(), Failure> {
    let mut mirror = Mirror::of(device.plan());
    let mut patience = Patience::default();
    loop {
        let status = device.ask_migos(&Command::Status).await?;
        let Some(part) = status.wants else {
            if !status.receiving {
                return Ok(());
            }
            patience.pause().await;
            continue;
        };
        match mirror.bringer(&status) {
            Bringer::Mirror => patience.pause().await,
            Bringer::Controller(words) => {
                if let Some(words) = words {
                    device.note(format!("{words}; it is sent from here")).await;
                }
                device.stream(part).await?;
            }
        }
    }
}

/// The files that make the flashed card this one device.
pub(super) fn configuration<T: Transport, B: BalenaApi>(
    device: &Device<T, B>,
    networks: Networks,
) -> Result<Configuration, Failure> {
    let Some(id) = device.learned.balena_id else {
        return Err(Failure::Failed("it was not registered with balena".into()));
    };
    let text = config_json(&Registered {
        api: &device.world.plan.api,
        fleet: device.plan().fleet_id,
        device_type: &device.image_manifest()?.device_type,
        uuid: &device.secrets.uuid.0,
        device_key: &device.secrets.device_key,
        id,
        at: device.world.clock.now().as_second(),
        hostname: &device.plan().hostname,
        system: system(device, &networks),
    });
    let text = text.map_err(|error| Failure::Failed(format!("no config.json: {error}")))?;
    let mut files = BTreeMap::from([(CONFIG_JSON.to_owned(), text)]);
    let connection = |(name, text)| (format!("{}/{name}", keyfile::FOLDER), text);
    files.extend(networks.keyfiles.into_iter().map(connection));
    Ok(Configuration { files })
}

/// What balenaOS itself is told: what the inventory says, else what Raspbian had.
fn system<'a, T: Transport, B: BalenaApi>(
    device: &'a Device<T, B>,
    had: &'a Networks,
) -> System<'a> {
    let told = &device.plan().identity.system;
    let or = |told: &[String], had: Vec<String>| match told {
        [] => had,
        told => told.to_vec(),
    };
    System {
        ssh_keys: &told.ssh_keys,
        ntp_servers: or(&told.ntp_servers, had.ntp.clone()),
        dns_servers: or(&told.dns_servers, had.dns.iter().map(ToString::to_string).collect()),
        country: told.country.as_deref().or(had.country.as_deref()),
        ca: device.world.provisions.ca.as_deref(),
    }
}
