//! The job: all that MIGOS needs to come up, and to know what it came up for.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

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
    /// The key that opens the way home, in dropbear's form; with [`Handover::CallHome`](super::Handover), and
    /// only there.
    pub const CALL_HOME_KEY: &str = "ssh/call_home_key";
    /// The networks and passwords of the radio, as `wpa_supplicant` reads them; where a
    /// [`Link`](super::Link) is Wi-Fi, and only there.
    pub const WIFI: &str = "network/wpa_supplicant.conf";
    /// The [`Configuration`](crate::Configuration), left before the reboot; with
    /// [`Handover::Unattended`](super::Handover), and only there.
    pub const CONFIGURATION: &str = "configuration.json";
    /// The image's [`Chunks`](super::Chunks).
    pub const CHUNKS: &str = "chunks.json";
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
    /// How MIGOS reaches the network.
    #[serde(default, skip_serializing_if = "Network::is_default")]
    pub network: Network,
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

/// How MIGOS reaches the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The interfaces to bring up. None named: every wired one, by DHCP.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Name servers besides those that a DHCP server names.
    #[serde(default)]
    pub dns: Vec<IpAddr>,
}

impl Network {
    fn is_default(&self) -> bool {
        *self == Network::default()
    }
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its Ethernet address, as `b8:27:eb:12:34:56`: MIGOS's kernel may give it another name than Raspbian's.
    pub mac: String,
    /// Whether it is a radio, for which `wpa_supplicant` reads [`job_path::WIFI`].
    #[serde(default)]
    pub wifi: bool,
    /// How it gets its address.
    pub addressing: Addressing,
}

/// How an interface gets its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Addressing {
    /// From a DHCP server.
    Dhcp {
        /// The client identifier that Raspbian sends, type byte included, in hex: with it the address stays. None:
        /// the client's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// Set by hand.
    Static {
        /// Address and prefix length, as `192.168.1.20/24`.
        addresses: Vec<String>,
        /// The router.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        router: Option<IpAddr>,
    },
}

/// Who gives the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Handover {
    /// The controller, on its own connection.
    Attended,
    /// The controller, through a host that MIGOS calls: for devices that nobody can call.
    CallHome(Bastion),
    /// MIGOS itself, once it has seen that all is well.
    Unattended(Unattended),
}

/// The host that MIGOS calls, and what it asks for there: a port that leads back to its own SSH server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bastion {
    /// Host name or address.
    pub host: String,
    /// TCP port of its SSH server.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// Its host key: algorithm and key in base64, as in a known-hosts file.
    pub host_key: String,
    /// The port on the host's own loopback address that leads to MIGOS.
    pub listen: u16,
}

/// What MIGOS needs to see before it commits by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unattended {
    /// The URL of balena's API, which MIGOS must reach: `https://…` or `http://…`.
    pub api: String,
    /// The end of the permit, in seconds since 1970 in UTC. MIGOS asks the API's host for the time.
    pub expires: u64,
}

/// The image on the root file system of Raspbian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The file's absolute path on Raspbian's root file system. None: it comes from elsewhere, before the commit where
    /// [`into_memory`](Image::into_memory) says so, else while the card is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Where the same file can be fetched while it is wanted: `http://…`. Its digests are checked, so the way there
    /// needs no encryption. Whoever is asked in vain is asked again; meanwhile the controller may send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Without a path: the board's memory holds the file, and the commit is refused until it is whole and verified
    /// there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub into_memory: bool,
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
    /// The SHA-256 of the file [`job_path::CHUNKS`], in hex. None: the file is no sequence of chunks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks_sha256: Option<String>,
}

/// An image file as a sequence of chunks, each of which can be unpacked and verified by itself: a gzip file of as
/// many members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunks {
    /// Bytes of each chunk when unpacked; the last may have fewer.
    pub raw_size: u64,
    /// The chunks, in order.
    pub chunks: Vec<Chunk>,
}

/// One chunk of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// Its bytes in the file.
    pub size: u64,
    /// The SHA-256 of what it unpacks to, in hex.
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
                path: Some("/var/lib/migos/image".to_owned()),
                url: None,
                into_memory: false,
                size: 1,
                sha256: String::new(),
                compression: Compression::Gzip,
                raw_size: 2,
                raw_sha256: String::new(),
                chunks_sha256: None,
            },
            dead_man: DeadMan { contact_seconds: 600, commit_seconds: 1800 },
            host_name: "pi".to_owned(),
            network: Network::default(),
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
    fn handovers_are_told_by_their_names() {
        let text = |handover| serde_json::to_string(&handover).unwrap();
        assert_eq!(text(Handover::Attended), r#""attended""#);
        let api = "https://api.example.com".to_owned();
        assert_eq!(
            text(Handover::Unattended(Unattended { api, expires: 1_795_000_000 })),
            r#"{"unattended":{"api":"https://api.example.com","expires":1795000000}}"#
        );
    }

    #[test]
    fn a_rewrite_job_says_what_to_restore() {
        let restore = Restore { config: job_path::ORIGINAL_CONFIG.into(), sha256: "0".repeat(64) };
        let text = serde_json::to_string(&job(Some(restore.clone()))).unwrap();
        assert!(text.contains(r#""strategy":"rewrite""#), "{text}");
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job(Some(restore)));
    }
}
