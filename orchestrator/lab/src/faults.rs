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
    /// Once, after so many received bytes, a connection is dropped.
    pub cut_upload: Option<u64>,
    /// Each boot takes this much longer.
    pub slow_boot: Option<Duration>,
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
    #[error("{device}: no fault is called {fault}; known are {}", NAMES.join(", "))]
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

const NAMES: [&str; 8] = [
    "unreachable",
    "no-space",
    "root-full",
    "one-shot-ignored",
    "hangs-in-migos",
    "never-up",
    "cut-upload: BYTES",
    "slow-boot: DURATION",
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
        "cut-upload" => {
            let bytes = value.and_then(Value::as_u64).filter(|bytes| *bytes > 0);
            let bytes =
                bytes.ok_or_else(|| wrong("needs a number of bytes: `cut-upload: 300000`"))?;
            return first(faults.cut_upload.replace(bytes).is_none());
        }
        "slow-boot" => {
            let duration =
                value.and_then(Value::as_str).and_then(|text| humantime::parse_duration(text).ok());
            let duration = duration.ok_or_else(|| wrong("needs a duration: `slow-boot: 2s`"))?;
            return first(faults.slow_boot.replace(duration).is_none());
        }
        other => return Err(unknown(other)),
    };
    if value.is_some() {
        return Err(wrong("takes no value"));
    }
    first(!std::mem::replace(flag, true))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn faults_are_read_by_device() {
        let faults = parse(
            "kiosk-003: [no-space]\n\
             kiosk-007: [one-shot-ignored, { cut-upload: 300000 }, { slow-boot: 1500ms }]\n",
        )
        .unwrap();
        let three = DeviceFaults { no_space: true, ..DeviceFaults::default() };
        let seven = DeviceFaults {
            one_shot_ignored: true,
            cut_upload: Some(300_000),
            slow_boot: Some(Duration::from_millis(1500)),
            ..DeviceFaults::default()
        };
        assert_eq!(
            faults,
            Faults::from([("kiosk-003".into(), three), ("kiosk-007".into(), seven)])
        );
        assert_eq!(parse("").unwrap(), Faults::new());
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
        ]
        .map(|text| parse(text).unwrap_err().to_string());
        insta::assert_snapshot!(messages.join("\n"), @r"
        faults are a list by device, such as `kiosk-003: [no-space]`
        the faults of pi are no list; write `pi: [no-space]`
        pi: no fault is called nospace; known are unreachable, no-space, root-full, one-shot-ignored, hangs-in-migos, never-up, cut-upload: BYTES, slow-boot: DURATION
        pi: no-space stands there twice
        pi: cut-upload needs a number of bytes: `cut-upload: 300000`
        pi: cut-upload needs a number of bytes: `cut-upload: 300000`
        pi: slow-boot needs a duration: `slow-boot: 2s`
        pi: no-space takes no value
        pi: slow-boot stands there twice
        ");
    }
}
