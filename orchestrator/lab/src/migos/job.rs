//! The job on the boot partition: where its files stand, and what MIGOS checks before it trusts
//! them.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use migos_contract::{Chunks, Compression, Configuration, JOB_SCHEMA, Job, boot_path, job_path};
use migos_payload::digest::Sha256;
use russh::keys::{PrivateKey, PublicKey};

use crate::boot::MigosBoot;
use crate::card::{Card, Content, Pool};
use crate::device::VirtualPi;
use crate::keys;

/// More than any image of the lab unpacks to.
const LARGEST_IMAGE: u64 = 64 << 20;

/// The file with the last words of a MIGOS that has gone back, in the payload's folder.
const RESULT: &str = "result.txt";

/// The job's folder, found by the prefix that the firmware booted from.
#[derive(Debug)]
pub(super) struct Folder {
    path: String,
    /// Where the last words go.
    pub(super) result: String,
    /// The firmware was told to boot MIGOS for this time only.
    pub(super) one_shot: bool,
}

impl Folder {
    pub(super) fn new(boot: &MigosBoot) -> Self {
        Self {
            path: format!("{}{}", boot.prefix, boot_path::JOB),
            result: format!("{}{RESULT}", boot.prefix),
            one_shot: boot.one_shot,
        }
    }

    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    pub(super) fn text(&self, card: &Card, name: &str) -> Result<String, String> {
        let path = self.path(name);
        let text = card.partitions().and_then(|partitions| partitions.boot.text(&path));
        text.ok_or_else(|| format!("{path} is missing"))
    }

    /// The key that opens the way home; nothing if it is missing or not in dropbear's form.
    pub(super) fn call_home_key(&self, card: &Card) -> Option<PrivateKey> {
        let path = self.path(job_path::CALL_HOME_KEY);
        keys::read_dropbear(card.partitions()?.boot.bytes(&path)?)
    }

    /// What a device that commits by itself was left.
    pub(super) fn configuration(&self, card: &Card) -> Option<Configuration> {
        serde_json::from_str(&self.text(card, job_path::CONFIGURATION).ok()?).ok()
    }

    /// The host key; nothing if it is missing or not in dropbear's form.
    pub(super) fn host_key(&self, card: &Card) -> Option<PrivateKey> {
        let path = self.path(job_path::HOST_KEY);
        keys::read_dropbear(card.partitions()?.boot.bytes(&path)?)
    }

    /// The keys that may log in.
    pub(super) fn authorized_keys(&self, card: &Card) -> Vec<PublicKey> {
        self.text(card, job_path::AUTHORIZED_KEYS)
            .map(|text| keys::read_authorized(&text))
            .unwrap_or_default()
    }

    /// The chunks of an image that is no file on the card.
    pub(super) fn chunks(&self, card: &Card, job: &Job) -> Result<Chunks, String> {
        let Some(sha256) = &job.image.chunks_sha256 else {
            return Err("the job names neither an image on the card nor its chunks".to_owned());
        };
        let text = self.text(card, job_path::CHUNKS)?;
        if Sha256::of(text.as_bytes()).to_string() != *sha256 {
            return Err("the chunks are not those of the job".to_owned());
        }
        serde_json::from_str(&text)
            .map_err(|error| format!("the chunks are not understood: {error}"))
    }

    /// Reads the job.
    pub(super) fn job(&self, card: &Card) -> Result<Job, String> {
        let text = self.text(card, job_path::JOB)?;
        let job: Job = serde_json::from_str(&text)
            .map_err(|error| format!("the job is not understood: {error}"))?;
        if job.schema != JOB_SCHEMA {
            return Err(format!(
                "the job has schema {}, this ramdisk reads {JOB_SCHEMA}",
                job.schema
            ));
        }
        Ok(job)
    }
}

/// The copy of the boot partition begins at a multiple of it.
const PIECE: u64 = 4 << 20;

/// Checks that a job is for this board and this card, and that the card may be flashed with it.
pub(super) fn check(job: &Job, pi: &VirtualPi, card: &Card) -> Result<(), String> {
    let serial = format!("{:016x}", pi.present_serial());
    if job.serial != serial {
        return Err(format!("the job is for board {}, this is {serial}", job.serial));
    }
    let disk_id = format!("{:08x}", card.disk_id);
    if job.disk_id != disk_id {
        return Err(format!("the job is for disk {}, this is {disk_id}", job.disk_id));
    }
    // Nothing is left of that partition once it is flashed.
    let Some((start, sectors)) = card.boot_extent() else { return Ok(()) };
    let pieces = job.image.raw_size.max((start + sectors) * 512).div_ceil(PIECE);
    if pieces * PIECE + sectors * 512 > card.sectors * 512 && !job.no_lifeboat {
        return Err("the card has no room for a copy of its boot partition".to_owned());
    }
    Ok(())
}

/// Reads the image from Raspbian's root file system, checks it, and unpacks it.
pub(super) fn image(job: &Job, card: &Card, pool: &Pool) -> Result<Content, String> {
    let path = job.image.path.as_deref().ok_or("the job names no image on the card")?;
    let file = card
        .partitions()
        .and_then(|partitions| partitions.root.content(path.trim_start_matches('/'), pool))
        .ok_or_else(|| format!("the image is not at {path}"))?;
    if job.image.raw_size > card.sectors.saturating_mul(512) {
        return Err("the image is larger than the card".to_owned());
    }
    unpack(job, file, pool)
}

/// Checks an image file, and unpacks it.
pub(super) fn unpack(job: &Job, file: Content, pool: &Pool) -> Result<Content, String> {
    let image = &job.image;
    if !is(&file, image.size, &image.sha256) {
        return Err("the image is damaged".to_owned());
    }
    let raw = match image.compression {
        Compression::None => file,
        Compression::Gzip => {
            let mut raw = Vec::new();
            let unpacked =
                MultiGzDecoder::new(file.bytes()).take(LARGEST_IMAGE).read_to_end(&mut raw);
            unpacked.map_err(|error| format!("the image does not unpack: {error}"))?;
            pool.keep(&raw)
        }
    };
    if !is(&raw, image.raw_size, &image.raw_sha256) {
        return Err("the image unpacks to something else than the job says".to_owned());
    }
    Ok(raw)
}

fn is(content: &Content, size: u64, sha256: &str) -> bool {
    let expected: Option<Sha256> = sha256.parse().ok();
    content.bytes().len() as u64 == size && Some(content.sha256()) == expected
}
