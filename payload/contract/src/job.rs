//! The job: all that MIGOS needs to come up, and to know what it came up for.

use serde::{Deserialize, Serialize};

/// The version of the job's form; MIGOS refuses a job of another version.
pub const JOB_SCHEMA: u32 = 1;

/// Where things stand under the payload's folder on the boot partition.
pub mod boot_path {
    /// The payload's folder, relative to the root of the boot partition; also the firmware's `os_prefix`.
    pub const FOLDER: &str = "migos";
    /// The ramdisk, relative to the payload's folder.
    pub const INITRD: &str = "initrd.migos";
    /// The ramdisk's kernel command line, relative to the payload's folder.
    pub const CMDLINE: &str = "cmdline.txt";
    /// The job's folder, relative to the payload's folder.
    pub const JOB: &str = "job";
    /// The file that selects MIGOS for one boot, in the root of the boot partition.
    pub const TRYBOOT: &str = "tryboot.txt";
    /// The file that the firmware reads at every other boot.
    pub const CONFIG: &str = "config.txt";
}

/// Where things stand under the job's folder.
pub mod job_path {
    /// The [`Job`](super::Job) itself.
    pub const JOB: &str = "job.json";
    /// The host key of MIGOS's SSH server, in dropbear's form.
    pub const HOST_KEY: &str = "ssh/host_key";
    /// The only key that may log in, as an `authorized_keys` line.
    pub const AUTHORIZED_KEYS: &str = "ssh/authorized_keys";
    /// Written at the commit: from here on, every reset is MIGOS.
    pub const COMMITTED: &str = "committed";
}

/// One device's job, as it stands in `migos/job/job.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// [`JOB_SCHEMA`].
    pub schema: u32,
    /// Names this job: 32 hex digits. The commit must repeat it.
    pub nonce: String,
    /// How the device was switched.
    pub strategy: Strategy,
    /// Who gives the commit.
    pub handover: Handover,
    /// The serial number of the board that the job is for: 16 hex digits.
    pub serial: String,
    /// The MBR disk identifier of the card to be rewritten: 8 hex digits.
    pub disk_id: String,
    /// The image to flash.
    pub image: Image,
    /// When MIGOS gives up and lets Raspbian return.
    pub dead_man: DeadMan,
    /// The host name that MIGOS asks the DHCP server for.
    pub host_name: String,
}

/// How the device was switched to MIGOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The firmware's `tryboot`: for one boot only, nothing existing changed.
    OneShot,
}

/// Who gives the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handover {
    /// The controller, on its own connection.
    Attended,
}

/// The image on the root file system of Raspbian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The file's absolute path on Raspbian's root file system.
    pub path: String,
    /// The file's size in bytes.
    pub size: u64,
    /// The file's SHA-256, in hex.
    pub sha256: String,
    /// How the file is compressed.
    pub compression: Compression,
    /// The size of the image when unpacked, in bytes.
    pub raw_size: u64,
    /// The SHA-256 of the image when unpacked, in hex.
    pub raw_sha256: String,
}

/// How an image file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all.
    None,
    /// As gzip does.
    Gzip,
}

/// How long MIGOS waits before it reboots into Raspbian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadMan {
    /// Seconds from start to the controller's first command.
    pub contact_seconds: u64,
    /// Seconds from start to the commit.
    pub commit_seconds: u64,
}
