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
    /// Under [`Strategy::Rewrite`](super::Strategy::Rewrite) the commit ends the `config.txt` it writes
    /// with this line, a comment. MIGOS is permanent where it was booted by a file that has it.
    pub const COMMITTED_LINE: &str = "# committed";
}

/// Where things stand under the job's folder.
pub mod job_path {
    /// The [`Job`](super::Job) itself.
    pub const JOB: &str = "job.json";
    /// The host key of MIGOS's SSH server, in dropbear's form.
    pub const HOST_KEY: &str = "ssh/host_key";
    /// The only key that may log in, as an `authorized_keys` line.
    pub const AUTHORIZED_KEYS: &str = "ssh/authorized_keys";
    /// Written at the commit, just before MIGOS is made permanent. Alone it says nothing: a power cut may
    /// have come in between, and then Raspbian has come back.
    pub const COMMITTED: &str = "committed";
    /// Where the original `config.txt` is kept: by the controller under
    /// [`Strategy::Rewrite`](super::Strategy::Rewrite), else by MIGOS at the commit.
    pub const ORIGINAL_CONFIG: &str = "original/config.txt";
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
    /// Flash even where the card has no room for a copy of its boot partition behind the image: a power cut
    /// while that partition is overwritten then leaves a card that does not boot.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_lifeboat: bool,
    /// What MIGOS puts back before anything else; with [`Strategy::Rewrite`], and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// How the device was switched to MIGOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The firmware's `tryboot`: for one boot only, nothing existing changed.
    OneShot,
    /// `config.txt` was replaced, and is put back by MIGOS as the first thing it does: from then on any
    /// reset is Raspbian. The commit writes the replaced text again, which MIGOS has kept in memory.
    Rewrite,
}

/// The file that [`Strategy::Rewrite`] has replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// Where the original `config.txt` stands, relative to the job's folder; usually
    /// [`ORIGINAL_CONFIG`](job_path::ORIGINAL_CONFIG).
    pub config: String,
    /// Its SHA-256, in hex. With another content nothing is put back.
    pub sha256: String,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn job(restore: Option<Restore>) -> Job {
        Job {
            schema: JOB_SCHEMA,
            nonce: "0".repeat(32),
            strategy: if restore.is_some() { Strategy::Rewrite } else { Strategy::OneShot },
            handover: Handover::Attended,
            serial: "00000000765fc593".to_owned(),
            disk_id: "1234abcd".to_owned(),
            image: Image {
                path: "/var/lib/migos/image".to_owned(),
                size: 1,
                sha256: String::new(),
                compression: Compression::Gzip,
                raw_size: 2,
                raw_sha256: String::new(),
            },
            dead_man: DeadMan { contact_seconds: 600, commit_seconds: 1800 },
            host_name: "pi".to_owned(),
            no_lifeboat: false,
            restore,
        }
    }

    #[test]
    fn a_one_shot_job_has_no_word_of_what_to_restore() {
        let text = serde_json::to_string(&job(None)).unwrap();
        assert!(text.contains(r#""strategy":"one-shot""#) && !text.contains("restore"));
        assert!(!text.contains("lifeboat"), "{text}");
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job(None));
    }

    #[test]
    fn a_rewrite_job_says_what_to_restore() {
        let restore = Restore { config: job_path::ORIGINAL_CONFIG.into(), sha256: "0".repeat(64) };
        let text = serde_json::to_string(&job(Some(restore.clone()))).unwrap();
        assert!(text.contains(r#""strategy":"rewrite""#), "{text}");
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job(Some(restore)));
    }
}
