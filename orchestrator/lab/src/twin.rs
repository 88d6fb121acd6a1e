//! Twins: virtual Pis that are what devices elsewhere have told of themselves.
//!
//! A twin is made of the text of a probe. What follows from its card is read from its card again, and so changes
//! with it; all other lines are told as they were.

mod card;
mod told;

pub(crate) use card::{Hollows, card};
pub(crate) use told::Told;

use std::borrow::Cow;
use std::net::IpAddr;

use migos_firmware::Eeprom;
use migos_payload::board::Revision;

use crate::board::{MODELS, Model};
use crate::boot::Outcome;
use crate::raspbian::RunningKernel;
use crate::release::Release;

/// A device that is to have a twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwinDevice {
    /// Its name in the inventory.
    pub name: String,
    /// What became of the attempt to look at it.
    pub presence: Presence,
    /// Its groups in the lab's inventory.
    pub groups: Vec<String>,
    /// What else the lab's inventory says of it: keys and their values in YAML.
    pub settings: Vec<(String, String)>,
}

/// What became of the attempt to look at a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It answered with this text of the probe. Its `clock` is that of the twin when the lab starts.
    Answers(String),
    /// It did not answer, and nothing ever listens at the twin's address.
    Silent,
    /// Another host key than the known one was shown, and is again.
    OtherHostKey,
    /// The login was refused, and is again.
    RefusesLogin,
    /// `sudo` asked for a password, and does again.
    SudoAsks,
    /// It was no Pi that could be understood, and is none again.
    NoPi,
}

/// How a twin behaves where it is not what ordinary devices of a lab are.
pub(crate) struct Twin {
    /// What its original told.
    pub(crate) told: Told,
    /// What the firmware started from the card as it was.
    first: Option<RunningKernel>,
    /// Nobody may log in.
    pub(crate) refuses_login: bool,
    /// It answers the probe with nothing.
    pub(crate) is_no_pi: bool,
}

impl Twin {
    /// The twin of a device that could not be looked at.
    pub(crate) fn unseen(presence: &Presence) -> Self {
        Self {
            told: Told::default(),
            first: None,
            refuses_login: *presence == Presence::RefusesLogin,
            is_no_pi: *presence == Presence::NoPi,
        }
    }

    /// The twin of a device that told this, and from whose card this comes up; the error says why nothing of
    /// Raspbian does.
    pub(crate) fn of(told: Told, outcome: Outcome) -> (Self, Option<String>) {
        let (first, doubt) = match outcome {
            Outcome::Raspbian(kernel) => (Some(kernel), None),
            Outcome::Panic { reason } | Outcome::Nothing { reason, .. } => (None, Some(reason)),
            Outcome::Migos(_) => (None, Some("its boot files start MIGOS".to_owned())),
            Outcome::BalenaOs(_) => (None, Some("its card holds balenaOS".to_owned())),
        };
        (Self { told, first, refuses_login: false, is_no_pi: false }, doubt)
    }

    /// The running kernel in the original's own words, as far as it is the kernel that ran there.
    pub(crate) fn settle(&self, kernel: RunningKernel) -> RunningKernel {
        let Some(first) = &self.first else { return kernel };
        let cmdline = self.told.first("cmdline").unwrap_or_default();
        let cmdline = match cmdline.strip_suffix(&first.cmdline) {
            // What the firmware puts before the text of cmdline.txt.
            Some(before) => format!("{before}{}", kernel.cmdline),
            None if kernel.cmdline == first.cmdline => cmdline.to_owned(),
            None => kernel.cmdline,
        };
        if kernel.file != first.file {
            return RunningKernel { cmdline, ..kernel };
        }
        let told = |key: &str| self.told.first(key).map(str::to_owned);
        RunningKernel {
            version: told("kernel").unwrap_or(kernel.version),
            machine: told("machine").unwrap_or(kernel.machine),
            cmdline,
            ..kernel
        }
    }

    /// The original knew its board's serial number.
    pub(crate) fn knows_serial(&self) -> bool {
        self.told.first("serial").is_some()
    }

    /// What the original wrote to its root file system went to memory.
    pub(crate) fn has_overlay(&self) -> bool {
        self.told.mounted("/").is_some_and(|root| root.kind == "overlay")
    }

    /// The address at which the original was reached.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let connection = self.told.first("connection")?;
        let own = connection.split_ascii_whitespace().nth(2)?;
        own.split('%').next()?.parse().ok()
    }

    /// The original was reached through something that only its Raspbian has.
    pub(crate) fn is_tunnelled(&self) -> bool {
        let interface = |line: &str| line.split_once(' ').map(|(name, _)| name.to_owned());
        let reached = self.told.first("address").and_then(interface);
        reached.is_some_and(|name| self.told.all("virtual").any(|other| other == name))
    }

    /// Whether the original reached this host; of a host that it was not asked for, whether it reached all
    /// others.
    pub(crate) fn reaches(&self, host: &str) -> Option<bool> {
        let answers = || self.told.all("reach").filter_map(|line| line.rsplit_once(' '));
        let asked = answers().find(|(name, _)| *name == host).map(|(_, answer)| answer == "yes");
        let all = || answers().all(|(_, answer)| answer == "yes");
        asked.or_else(|| answers().next().map(|_| all()))
    }

    /// The Ethernet or Wi-Fi address of the original.
    pub(crate) fn mac(&self) -> Option<&str> {
        self.told.mac()
    }
}

/// The model that told this.
pub(crate) fn model(told: &Told) -> Model {
    let revision = told.first("revision").and_then(|code| u32::from_str_radix(code, 16).ok());
    let revision = Revision(revision.unwrap_or_default());
    let board = revision.board_type();
    let eeprom = told.number("eeprom.build-timestamp").map(|build_timestamp| Eeprom {
        build_timestamp,
        capabilities: told.number("eeprom.capabilities").unwrap_or_default(),
    });
    Model {
        name: Cow::Owned(board.to_string()),
        description: Cow::Owned(told.first("model").unwrap_or_default().to_owned()),
        revision,
        memory: told.number("memory").unwrap_or_default(),
        eeprom,
        wireless: told.first("wireless").is_some(),
        mac_prefix: MODELS[0].mac_prefix,
        dtb: board.device_trees().first().copied().unwrap_or_default(),
    }
}

/// The release of the lab that is nearest to what was told.
pub(crate) fn release(told: &Told) -> Release {
    let lines = || told.all("os-release");
    let version = lines().find_map(|line| line.strip_prefix("VERSION_ID="));
    let version = version.and_then(|version| version.trim_matches('"').parse().ok());
    match (version, told.first("userland")) {
        (Some(..10), _) => Release::Stretch,
        (None | Some(10), _) => Release::Buster,
        (Some(11), _) => Release::Bullseye,
        (Some(_), Some("armhf")) => Release::BookwormArmhf,
        (Some(12), _) => Release::BookwormArm64,
        (Some(13_u32..), _) => Release::TrixieArm64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &str) -> Told {
        Told::read(&format!("migos-probe 1\n{lines}\nend ok\n"))
    }

    fn kernel(file: &str, cmdline: &str) -> RunningKernel {
        RunningKernel {
            file: file.to_owned(),
            version: "lab".to_owned(),
            machine: "lab".to_owned(),
            cmdline: cmdline.to_owned(),
            tryboot: false,
        }
    }

    #[test]
    fn the_kernel_is_the_original_s_as_long_as_it_is_the_same_file() {
        let told = told("kernel 5.10.63-v7+\nmachine armv7l\ncmdline coherent_pool=1M root=x");
        let outcome = Outcome::Raspbian(kernel("kernel7.img", "root=x"));
        let (twin, doubt) = Twin::of(told, outcome);
        assert_eq!(doubt, None);
        let same = twin.settle(kernel("kernel7.img", "root=x nonce"));
        assert_eq!((&*same.version, &*same.machine), ("5.10.63-v7+", "armv7l"));
        assert_eq!(same.cmdline, "coherent_pool=1M root=x nonce");
        let other = twin.settle(kernel("kernel8.img", "root=x"));
        assert_eq!((&*other.version, &*other.cmdline), ("lab", "coherent_pool=1M root=x"));
    }

    #[test]
    fn hosts_that_were_not_asked_for_are_reached_like_the_others() {
        let (twin, _) = Twin::of(told("reach a:443 yes\nreach b:443 no"), nothing());
        assert_eq!(
            ["a:443", "b:443", "c:1"].map(|host| twin.reaches(host)),
            [Some(true), Some(false), Some(false)]
        );
        assert_eq!(Twin::of(told("hat x"), nothing()).0.reaches("a:443"), None);
    }

    #[test]
    fn a_tunnel_is_told_by_the_interface_that_was_reached() {
        let tunnel = told("address wg0 10.8.0.5\nvirtual wg0\nconnection 10.8.0.1 1 10.8.0.5 22");
        let (twin, doubt) = Twin::of(tunnel, nothing());
        assert!(twin.is_tunnelled());
        assert_eq!(doubt.as_deref(), Some("dead"));
        assert_eq!(twin.address(), "10.8.0.5".parse().ok());
        assert!(!Twin::of(told("address eth0 10.1.1.1\nvirtual lo"), nothing()).0.is_tunnelled());
    }

    fn nothing() -> Outcome {
        Outcome::Nothing { reason: "dead".to_owned(), watchdog: false }
    }

    #[test]
    fn the_nearest_release_is_by_version_and_userland() {
        for (version, userland, release) in [
            ("9", "armhf", Release::Stretch),
            ("10", "armhf", Release::Buster),
            ("11", "arm64", Release::Bullseye),
            ("12", "armhf", Release::BookwormArmhf),
            ("12", "arm64", Release::BookwormArm64),
            ("14", "arm64", Release::TrixieArm64),
            ("x", "", Release::Buster),
        ] {
            let lines = format!("os-release VERSION_ID=\"{version}\"\nuserland {userland}");
            assert_eq!(super::release(&told(&lines)), release, "{version} {userland}");
        }
    }
}
