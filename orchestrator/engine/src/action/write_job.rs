//! Write the job: what MIGOS needs to come up, and the ramdisk's kernel command line.

use super::configure::configuration;
use super::{Failure, networks};
use crate::executor::{Device, IMAGE};
use crate::port::{BalenaApi, Session, Transport};
use migos_contract::{
    self as contract, DeadMan, Image, JOB_SCHEMA, Job, Restore, Strategy, boot_path, job_path,
};
use migos_events::Learned;
use migos_payload::digest::Sha256;
use migos_playbooks::plan::{Boot, DevicePlan, Handover};

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    // The permit to commit by itself is written by another step, once it is given.
    write(device, 0).await?;
    Ok(Learned::default())
}

/// Writes the job; a permit to commit by itself ends at this time, in seconds since 1970.
pub(super) async fn write<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
    permit_ends: u64,
) -> Result<(), Failure> {
    let unwritten = |error| Failure::Failed(format!("failed to write the job: {error}"));
    let networks = networks::found_again(device).await?;
    let job = serde_json::to_vec_pretty(&job(device, permit_ends)?).map_err(unwritten)?;
    let cmdline = format!("{} migos.job={}\n", device.plan().cmdline, device.secrets.nonce);
    let authorized = format!("{}\n", device.world.run_key.public_line);
    let host_key = device.host_key.dropbear.clone();
    let folder = device.boot_folder();
    let mut files = vec![
        (format!("{folder}/{}/{}", boot_path::JOB, job_path::JOB), job),
        (format!("{folder}/{}/{}", boot_path::JOB, job_path::HOST_KEY), host_key),
        (format!("{folder}/{}/{}", boot_path::JOB, job_path::AUTHORIZED_KEYS), authorized.into()),
        (format!("{folder}/{}", boot_path::CMDLINE), cmdline.into_bytes()),
    ];
    if let Some(chunks) = chunks(device)? {
        files.push((format!("{folder}/{}/{}", boot_path::JOB, job_path::CHUNKS), chunks));
    }
    let mut secret = |name: &str, content| {
        files.push((format!("{folder}/{}/{name}", boot_path::JOB), content));
    };
    if let Some(wifi) = &networks.wifi {
        secret(job_path::WIFI, wifi.clone().into_bytes());
    }
    match device.plan().handover {
        Handover::Attended => {}
        Handover::CallHome { .. } => {
            secret(job_path::CALL_HOME_KEY, device.call_home_key().dropbear.clone());
        }
        Handover::Unattended => {
            let configuration = serde_json::to_vec(&configuration(device, networks)?);
            secret(job_path::CONFIGURATION, configuration.map_err(unwritten)?);
        }
    }
    let session = device.raspbian().await?;
    for (path, content) in &files {
        session.write(path, 0o600, content).await?;
    }
    Ok(())
}

/// The image's chunks, as MIGOS reads them.
fn chunks<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(chunks) = &device.image_manifest()?.chunks else { return Ok(None) };
    let text = serde_json::to_vec(chunks);
    text.map(Some).map_err(|error| Failure::Failed(format!("failed to write the chunks: {error}")))
}

fn handover<T: Transport, B: BalenaApi>(
    device: &Device<T, B>,
    permit_ends: u64,
) -> Result<contract::Handover, Failure> {
    Ok(match &device.plan().handover {
        Handover::Attended => contract::Handover::Attended,
        Handover::CallHome { bastion, listen } => {
            let Some(host_key) = device.learned.bastion_key.clone() else {
                return Err(Failure::Failed("its bastion has not shown its host key".into()));
            };
            contract::Handover::CallHome(contract::Bastion {
                host: bastion.host.clone(),
                port: bastion.port,
                user: bastion.user.clone(),
                host_key,
                listen: *listen,
            })
        }
        Handover::Unattended => contract::Handover::Unattended(contract::Unattended {
            api: device.world.plan.api.clone(),
            expires: permit_ends,
        }),
    })
}

fn job<T: Transport, B: BalenaApi>(
    device: &Device<T, B>,
    permit_ends: u64,
) -> Result<Job, Failure> {
    let (plan, image, chunks) = (device.plan(), device.image_manifest()?, chunks(device)?);
    let dead_man = device.world.plan.dead_man;
    Ok(Job {
        schema: JOB_SCHEMA,
        nonce: device.secrets.nonce.clone(),
        strategy: match plan.boot {
            Boot::OneShot { .. } => Strategy::OneShot,
            Boot::Rewrite { .. } => Strategy::Rewrite,
        },
        restore: match plan.boot {
            Boot::OneShot { .. } => None,
            Boot::Rewrite { .. } => plan.boot_sums.get(boot_path::CONFIG).map(|sha256| Restore {
                config: job_path::ORIGINAL_CONFIG.to_owned(),
                sha256: sha256.to_string(),
            }),
        },
        handover: handover(device, permit_ends)?,
        serial: plan.serial.clone(),
        disk_id: plan.disk_id.clone(),
        image: Image {
            path: is_on_the_card(plan).then(|| IMAGE.to_owned()),
            url: plan.mirror.clone(),
            into_memory: !is_on_the_card(plan) && plan.streamed.is_none(),
            size: image.size.0,
            sha256: image.sha256.to_string(),
            compression: image.compression,
            raw_size: image.raw_size.0,
            raw_sha256: image.raw_sha256.to_string(),
            chunks_sha256: chunks.map(|chunks| Sha256::of(&chunks).to_string()),
        },
        dead_man: DeadMan {
            contact_seconds: dead_man.contact.0.as_secs(),
            commit_seconds: dead_man.commit.0.as_secs(),
        },
        host_name: plan.hostname.clone(),
        network: plan.network.migos.clone(),
        no_lifeboat: plan.no_lifeboat,
    })
}

/// True if the image is sent to Raspbian's root file system.
pub(super) fn is_on_the_card(plan: &DevicePlan) -> bool {
    plan.streamed.is_none() && plan.mirror.is_none()
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let folder = device.boot_folder();
    let paths =
        [format!("{folder}/{}", boot_path::JOB), format!("{folder}/{}", boot_path::CMDLINE)];
    Ok(device.raspbian().await?.remove(&paths).await?)
}
