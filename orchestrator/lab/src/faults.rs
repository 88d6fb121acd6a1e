//! What goes wrong in a lab, by device.
//!
//! ```yaml
//! kiosk-003: [no-space]
//! kiosk-007: [{ cut-upload: 300000 }, { slow-boot: 2s }]
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde_yaml::Value;

/// The faults of a lab, by device.
pub type Faults = BTreeMap<String, DeviceFaults>;

/// The faults of one device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceFaults {
    /// Nothing ever listens at its address.
    pub unreachable: bool,
    /// Its boot partition is nearly full.
    pub no_space: bool,
    /// Its root file system is nearly full.
    pub root_full: bool,
    /// Its firmware understands the one-shot flag and loses it.
    pub one_shot_ignored: bool,
    /// MIGOS comes up without a network.
    pub hangs_in_migos: bool,
    /// Flashed, it boots, and never reports to balena.
    pub never_up: bool,
    /// Flashed, it reports to balena, and its app never comes up.
    pub release_never_runs: bool,
    /// Once, after so many received bytes, a connection is dropped.
    pub cut_upload: Option<u64>,
    /// Each boot takes this much longer.
    pub slow_boot: Option<Duration>,
    /// Raspbian's SSH server shows another host key than `known_hosts` has.
    pub wrong_host_key: bool,
    /// From the second connection on another board answers at its address, with a copy of its card.
    pub wrong_serial: bool,
    /// The kernel of MIGOS hangs before its watchdog driver starts.
    pub hangs_before_watchdog: bool,
    /// The kernel of MIGOS hangs when its watchdog driver runs.
    pub hangs_after_watchdog: bool,
    /// Its firmware is of a time before `tryboot`.
    pub old_firmware: bool,
    /// Its boot partition is mounted read-only.
    pub read_only_boot: bool,
    /// What it writes to its root file system goes to memory.
    pub overlay_root: bool,
    /// Its memory holds MIGOS, but no image besides.
    pub little_memory: bool,
    /// Its power supply is too weak.
    pub under_voltage: bool,
    /// This way to reboot, and those before it, do nothing.
    pub reboot_hangs: Option<Tier>,
    /// For so long from the lab's start somebody installs packages.
    pub dpkg_locked: Option<Duration>,
    /// `sudo` asks for a password: [`SUDO_PASSWORD`].
    pub sudo_asks: bool,
    /// It is reached through a tunnel that Raspbian makes, and MIGOS does not.
    pub tunnel: bool,
    /// The firewall of its site lets nothing through to balena.
    pub blocked: bool,
    /// Its card has no room for a copy of its boot partition behind the image.
    pub small_card: bool,
    /// MIGOS loses the keyfiles of the network while it flashes.
    pub lost_keyfiles: bool,
}

/// The password of the login `pi` in the lab.
pub const SUDO_PASSWORD: &str = "raspberry";

/// The ways to reboot, from the gentlest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// `systemctl reboot`.
    Orderly,
    /// `reboot -f`.
    Forced,
    /// By the kernel itself.
    Sysrq,
}

/// What is wrong with a text of faults.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// It is not YAML.
    #[error("failed to read the faults as YAML")]
    Yaml(#[source] serde_yaml::Error),
    /// Not a list of faults by device.
    #[error("faults are a list by device, such as `kiosk-003: [no-space]`")]
    Form,
    /// A device whose value is no list.
    #[error("the faults of {0} are no list; write `{0}: [no-space]`")]
    NoList(String),
    /// A fault that does not exist.
    #[error("{device}: no fault is called {fault}; known are {}", FAULTS.join(", "))]
    Unknown {
        /// The device.
        device: String,
        /// What was written.
        fault: String,
    },
    /// A fault that needs a value, or has one it does not need, or a wrong one.
    #[error("{device}: {fault} {problem}")]
    Value {
        /// The device.
        device: String,
        /// The fault.
        fault: String,
        /// What is wrong with its value.
        problem: &'static str,
    },
    /// The same fault twice.
    #[error("{device}: {fault} stands there twice")]
    Twice {
        /// The device.
        device: String,
        /// The fault.
        fault: String,
    },
}

/// Every fault, as it is written in YAML.
pub const FAULTS: [&str; 25] = [
    "unreachable",
    "no-space",
    "root-full",
    "one-shot-ignored",
    "hangs-in-migos",
    "never-up",
    "release-never-runs",
    "cut-upload: BYTES",
    "slow-boot: TIME",
    "wrong-host-key",
    "wrong-serial",
    "hang-before-watchdog",
    "hang-after-watchdog",
    "old-firmware",
    "read-only-boot",
    "overlay-root",
    "little-memory",
    "under-voltage",
    "reboot-hangs: TIER",
    "dpkg-locked: TIME",
    "sudo-asks",
    "tunnel",
    "blocked",
    "small-card",
    "lost-keyfiles",
];

/// Reads faults. An empty text has none.
///
/// # Errors
/// [`FaultsError`] names the device and the fault.
pub fn parse(text: &str) -> Result<Faults, FaultsError> {
    let value: Value = serde_yaml::from_str(text).map_err(FaultsError::Yaml)?;
    let devices = match value {
        Value::Null => return Ok(Faults::new()),
        Value::Mapping(devices) => devices,
        _ => return Err(FaultsError::Form),
    };
    let mut faults = Faults::new();
    for (device, list) in devices {
        let Value::String(device) = device else { return Err(FaultsError::Form) };
        let Value::Sequence(list) = list else { return Err(FaultsError::NoList(device)) };
        let mut own = DeviceFaults::default();
        for fault in &list {
            set(&mut own, &device, fault)?;
        }
        faults.insert(device, own);
    }
    Ok(faults)
}

fn set(faults: &mut DeviceFaults, device: &str, fault: &Value) -> Result<(), FaultsError> {
    let unknown =
        |fault: &str| FaultsError::Unknown { device: device.to_owned(), fault: fault.to_owned() };
    let (name, value) = match fault {
        Value::String(name) => (name.as_str(), None),
        Value::Mapping(entry) if entry.len() == 1 => match entry.iter().next() {
            Some((Value::String(name), value)) => (name.as_str(), Some(value)),
            _ => return Err(unknown("a mapping without a name")),
        },
        _ => return Err(unknown("something else than a name")),
    };
    let wrong =
        |problem| FaultsError::Value { device: device.to_owned(), fault: name.to_owned(), problem };
    let first = |is_first: bool| match is_first {
        true => Ok(()),
        false => Err(FaultsError::Twice { device: device.to_owned(), fault: name.to_owned() }),
    };
    let flag = match name {
        "unreachable" => &mut faults.unreachable,
        "no-space" => &mut faults.no_space,
        "root-full" => &mut faults.root_full,
        "one-shot-ignored" => &mut faults.one_shot_ignored,
        "hangs-in-migos" => &mut faults.hangs_in_migos,
        "never-up" => &mut faults.never_up,
        "release-never-runs" => &mut faults.release_never_runs,
        "wrong-host-key" => &mut faults.wrong_host_key,
        "wrong-serial" => &mut faults.wrong_serial,
        "hang-before-watchdog" => &mut faults.hangs_before_watchdog,
        "hang-after-watchdog" => &mut faults.hangs_after_watchdog,
        "old-firmware" => &mut faults.old_firmware,
        "read-only-boot" => &mut faults.read_only_boot,
        "overlay-root" => &mut faults.overlay_root,
        "little-memory" => &mut faults.little_memory,
        "under-voltage" => &mut faults.under_voltage,
        "sudo-asks" => &mut faults.sudo_asks,
        "tunnel" => &mut faults.tunnel,
        "blocked" => &mut faults.blocked,
        "small-card" => &mut faults.small_card,
        "lost-keyfiles" => &mut faults.lost_keyfiles,
        "cut-upload" => {
            let bytes = value.and_then(Value::as_u64).filter(|bytes| *bytes > 0);
            let bytes =
                bytes.ok_or_else(|| wrong("needs a number of bytes: `cut-upload: 300000`"))?;
            return first(faults.cut_upload.replace(bytes).is_none());
        }
        "slow-boot" => {
            let time = time(value).ok_or_else(|| wrong("needs a duration: `slow-boot: 2s`"))?;
            return first(faults.slow_boot.replace(time).is_none());
        }
        "dpkg-locked" => {
            let time = time(value).ok_or_else(|| wrong("needs a duration: `dpkg-locked: 5s`"))?;
            return first(faults.dpkg_locked.replace(time).is_none());
        }
        "reboot-hangs" => {
            let tier = match value.and_then(Value::as_str) {
                Some("orderly") => Tier::Orderly,
                Some("forced") => Tier::Forced,
                _ => return Err(wrong("needs `orderly` or `forced`: `reboot-hangs: orderly`")),
            };
            return first(faults.reboot_hangs.replace(tier).is_none());
        }
        other => return Err(unknown(other)),
    };
    if value.is_some() {
        return Err(wrong("takes no value"));
    }
    first(!std::mem::replace(flag, true))
}

fn time(value: Option<&Value>) -> Option<Duration> {
    humantime::parse_duration(value?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn faults_are_read_by_device() {
        let faults = parse(
            "kiosk-003: [no-space]\n\
             kiosk-007: [one-shot-ignored, { cut-upload: 300000 }, { slow-boot: 1500ms }]\n\
             kiosk-009: [wrong-serial, reboot-hangs: forced, dpkg-locked: 5s]\n",
        )
        .unwrap();
        let three = DeviceFaults { no_space: true, ..DeviceFaults::default() };
        let seven = DeviceFaults {
            one_shot_ignored: true,
            cut_upload: Some(300_000),
            slow_boot: Some(Duration::from_millis(1500)),
            ..DeviceFaults::default()
        };
        let nine = DeviceFaults {
            wrong_serial: true,
            reboot_hangs: Some(Tier::Forced),
            dpkg_locked: Some(Duration::from_secs(5)),
            ..DeviceFaults::default()
        };
        let expected = [("kiosk-003", three), ("kiosk-007", seven), ("kiosk-009", nine)];
        assert_eq!(faults, expected.map(|(name, faults)| (name.to_owned(), faults)).into());
        assert_eq!(parse("").unwrap(), Faults::new());
    }

    #[test]
    fn every_fault_in_the_list_is_read() {
        for fault in FAULTS {
            let entry = match fault {
                "cut-upload: BYTES" => "cut-upload: 1",
                "slow-boot: TIME" => "slow-boot: 1s",
                "dpkg-locked: TIME" => "dpkg-locked: 1s",
                "reboot-hangs: TIER" => "reboot-hangs: orderly",
                flag => flag,
            };
            let faults = parse(&format!("pi: [{entry}]")).unwrap();
            assert_ne!(faults["pi"], DeviceFaults::default(), "{fault}");
        }
    }

    #[test]
    fn the_guide_tells_every_fault_and_no_other() {
        let guide = include_str!("../../../docs/lab.md");
        let rows = guide.lines().filter_map(|line| line.strip_prefix("| `"));
        let told: Vec<&str> = rows.filter_map(|row| row.split_once('`')).map(|row| row.0).collect();
        assert_eq!(told, FAULTS);
    }

    #[test]
    fn mistakes_are_told_in_words() {
        let messages = [
            "- a",
            "pi: no-space",
            "pi: [nospace]",
            "pi: [no-space, no-space]",
            "pi: [cut-upload]",
            "pi: [{ cut-upload: -1 }]",
            "pi: [{ slow-boot: 2 }]",
            "pi: [{ no-space: true }]",
            "pi: [{ slow-boot: 1s }, { slow-boot: 2s }]",
            "pi: [dpkg-locked]",
            "pi: [reboot-hangs: sysrq]",
        ]
        .map(|text| parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(messages.join("\n"), @r"
        faults are a list by device, such as `kiosk-003: [no-space]`
        the faults of pi are no list; write `pi: [no-space]`
        pi: no fault is called nospace; known are unreachable, no-space, root-full, one-shot-ignored, hangs-in-migos, never-up, release-never-runs, cut-upload: BYTES, slow-boot: TIME, wrong-host-key, wrong-serial, hang-before-watchdog, hang-after-watchdog, old-firmware, read-only-boot, overlay-root, little-memory, under-voltage, reboot-hangs: TIER, dpkg-locked: TIME, sudo-asks, tunnel, blocked, small-card, lost-keyfiles
        pi: no-space stands there twice
        pi: cut-upload needs a number of bytes: `cut-upload: 300000`
        pi: cut-upload needs a number of bytes: `cut-upload: 300000`
        pi: slow-boot needs a duration: `slow-boot: 2s`
        pi: no-space takes no value
        pi: slow-boot stands there twice
        pi: dpkg-locked needs a duration: `dpkg-locked: 5s`
        pi: reboot-hangs needs `orderly` or `forced`: `reboot-hangs: orderly`
        ");
    }
}
