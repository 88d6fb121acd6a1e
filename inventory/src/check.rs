//! What is not wrong with an inventory, and yet likely not meant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::fleet::{Device, Fleet};
use crate::fold::fold;
use crate::lookalike;
use crate::name::{DeviceId, GroupName};
use crate::native::{device_keys, foreign_variables, own_variables};
use crate::near::nearest;
use crate::origin::{Origin, Told};
use crate::problem::{Place, Problem};

/// Something in an inventory that is likely not meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What sort it is of.
    pub kind: FindingKind,
    /// Where it is, if it is in one place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What was found, a lowercase fragment.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// A remark of who read the inventory.
    pub(crate) fn remark(problem: &Problem) -> Self {
        let place = Place { line: problem.line, column: problem.column };
        let message = match problem.path.is_empty() {
            true => problem.message.clone(),
            false => format!("{}: {}", problem.path, problem.message),
        };
        Finding {
            kind: FindingKind::LeftOut,
            origin: Some(Origin {
                file: Some(problem.file.clone()),
                place: Some(place),
                layer: String::new(),
            }),
            message,
            hint: problem.hint.clone(),
        }
    }
}

/// What sort of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// It is not read.
    LeftOut,
    /// Two files say something of the same level, and only one is heard.
    Shadowed,
    /// No device takes it.
    Unheard,
    /// A group without devices.
    EmptyGroup,
    /// A name that is likely another one, mistyped.
    Lookalike,
    /// There will be no plan for a device without it.
    Missing,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Origin { file: Some(file), place, .. }) = &self.origin {
            match place {
                Some(place) => write!(f, "{file}:{}:{}: ", place.line, place.column)?,
                None => write!(f, "{file}: ")?,
            }
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Variables of Ansible's connections that mean nothing here (ansible-core: "Special Variables", and those of its ssh
/// connection and sudo).
const OTHERS: [&str; 12] = [
    "ansible_ssh_private_key",
    "ansible_private_key",
    "ansible_ssh_executable",
    "ansible_ssh_pipelining",
    "ansible_ssh_retries",
    "ansible_ssh_timeout",
    "ansible_host_key_checking",
    "ansible_become_exe",
    "ansible_become_flags",
    "ansible_shell_type",
    "ansible_shell_executable",
    "ansible_python_interpreter",
];

/// The key of a device that may stand among its variables.
const SITE: &str = "site";

/// Looks at what all files together have come to. `explain` tells where a device's settings are from.
pub(crate) fn fleet(
    fleet: &Fleet,
    explain: &dyn Fn(&DeviceId) -> Vec<Told>,
    group_origin: &dyn Fn(&GroupName) -> Option<Origin>,
) -> Vec<Finding> {
    let look = Look { fleet, explain };
    let mut found = look.empty_groups(group_origin);
    found.extend(look.variables());
    found.extend(look.mistyped_variables());
    found.extend(look.sites());
    found.extend(look.groups(group_origin));
    found.extend(look.missing());
    found
}

struct Look<'a> {
    fleet: &'a Fleet,
    explain: &'a dyn Fn(&DeviceId) -> Vec<Told>,
}

impl<'a> Look<'a> {
    /// The devices in the order of the files.
    fn devices(&self) -> impl Iterator<Item = &'a Device> {
        let fleet = self.fleet;
        fleet.order.iter().filter_map(|id| fleet.devices.get(id))
    }

    /// Where a device has a setting from.
    fn origin(&self, id: &DeviceId, key: &str) -> Option<Origin> {
        (self.explain)(id).into_iter().find(|told| told.key == key).map(|told| told.origin)
    }

    fn empty_groups(&self, origin: &dyn Fn(&GroupName) -> Option<Origin>) -> Vec<Finding> {
        let empty = self.fleet.groups.iter().filter(|(_, devices)| devices.is_empty());
        let finding = |(name, _): (&GroupName, _)| Finding {
            kind: FindingKind::EmptyGroup,
            origin: origin(name),
            message: format!("the group `{name}` has no devices"),
            hint: Some("name its devices, or remove it".to_owned()),
        };
        empty.map(finding).collect()
    }

    /// Variables that are not read, and look as if they should be.
    fn variables(&self) -> Vec<Finding> {
        let mut found: BTreeMap<&str, (String, Vec<&DeviceId>)> = BTreeMap::new();
        let mut harmless = BTreeSet::new();
        for device in self.devices() {
            for name in device.vars.0.keys().map(String::as_str) {
                if harmless.contains(name) {
                    continue;
                }
                if let Some((_, devices)) = found.get_mut(name) {
                    devices.push(&device.id);
                } else if let Some(hint) = misplaced(name) {
                    found.insert(name, (hint, vec![&device.id]));
                } else {
                    harmless.insert(name);
                }
            }
        }
        let finding = |(name, (hint, devices)): (&str, (String, Vec<&DeviceId>))| Finding {
            kind: FindingKind::Lookalike,
            origin: devices.first().and_then(|id| self.origin(id, &format!("vars.{name}"))),
            message: format!("the variable `{name}` of {} is not read", fold(devices)),
            hint: Some(hint),
        };
        found.into_iter().map(finding).collect()
    }

    /// Variables that some devices have, and that look like one that many have.
    fn mistyped_variables(&self) -> Vec<Finding> {
        let names = |device: &'a Device| device.vars.0.keys().map(String::as_str).collect();
        let known = |name: &str| misplaced(name).is_some();
        let found = self.alike("variable", names, |name| format!("vars.{name}"));
        found.into_iter().filter(|(name, _)| !known(name)).map(|(_, finding)| finding).collect()
    }

    fn sites(&self) -> Vec<Finding> {
        let names = |device: &'a Device| device.site.iter().map(|site| site.as_str()).collect();
        self.alike("site", names, |_| "site".to_owned()).into_iter().map(|(_, it)| it).collect()
    }

    /// Looks for names that are likely others, mistyped. `key` is the setting that has the name.
    fn alike(
        &self,
        what: &str,
        names: impl Fn(&'a Device) -> Vec<&'a str>,
        key: impl Fn(&str) -> String,
    ) -> Vec<(&'a str, Finding)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.devices().flat_map(&names) {
            *counts.entry(name).or_default() += 1;
        }
        let finding = |(name, meant): (&'a str, &'a str)| {
            let has_it = |device: &&'a Device| names(device).contains(&name);
            let devices: Vec<&DeviceId> =
                self.devices().filter(has_it).map(|device| &device.id).collect();
            let finding = Finding {
                kind: FindingKind::Lookalike,
                origin: devices.first().and_then(|id| self.origin(id, &key(name))),
                message: format!(
                    "the {what} `{name}` of {} looks like `{meant}`, which more devices have",
                    fold(devices)
                ),
                hint: Some(format!("did you mean `{meant}`?")),
            };
            (name, finding)
        };
        lookalike::pairs(&counts).into_iter().map(finding).collect()
    }

    fn groups(&self, origin: &dyn Fn(&GroupName) -> Option<Origin>) -> Vec<Finding> {
        let groups = &self.fleet.groups;
        let counts = groups.iter().map(|(name, devices)| (name.as_str(), devices.len())).collect();
        let finding = |(name, meant): (&str, &str)| Finding {
            kind: FindingKind::Lookalike,
            origin: groups.get_key_value(name).and_then(|(name, _)| origin(name)),
            message: format!("the group `{name}` looks like `{meant}`, which has more devices"),
            hint: Some(format!("did you mean `{meant}`?")),
        };
        lookalike::pairs(&counts).into_iter().map(finding).collect()
    }

    /// What a plan needs and a device has not.
    fn missing(&self) -> Vec<Finding> {
        let without = |has: fn(&Device) -> bool, what: &str, hint| {
            let devices = self.devices().filter(|device| device.hold.is_none() && !has(device));
            let devices: Vec<_> = devices.map(|device| &device.id).collect();
            (!devices.is_empty()).then(|| missing(format!("{what} {}", fold(devices)), hint))
        };
        let wanted = [
            without(
                |device| device.data.is_some(),
                "nothing is said of the data of",
                "write `data: none` if nothing on the cards is needed, or what is kept: docs/data.md",
            ),
            without(
                |device| device.balena_fleet.is_some(),
                "no balena fleet is named for",
                "write `balena: { fleet: organisation/fleet }`",
            ),
            without(
                |device| !device.images.is_empty(),
                "no image is named for",
                "get one with `migos-fleet image fetch`, and name it under `images:`",
            ),
        ];
        let mut found: Vec<Finding> = wanted.into_iter().flatten().collect();
        if self.fleet.settings.payloads.is_none() {
            found.push(missing(
                "no payloads are named".to_owned(),
                "build them with `migos-fleet payload build`, and name their folder: `payloads: payloads/`",
            ));
        }
        found
    }
}

fn missing(message: String, hint: &str) -> Finding {
    Finding { kind: FindingKind::Missing, origin: None, message, hint: Some(hint.to_owned()) }
}

/// What to do about a variable that is not read, if it looks as if it should be.
fn misplaced(name: &str) -> Option<String> {
    let did_you_mean = |meant: &str| Some(format!("did you mean `{meant}`?"));
    let ours: Vec<String> = own_variables().collect();
    let ours = || ours.iter().map(String::as_str);
    let all = || ours().chain(foreign_variables()).chain(OTHERS);
    if all().any(|known| known == name) {
        return None;
    }
    if name != SITE && device_keys().contains(&name) {
        return Some(format!("write `{name}:` beside `vars:` if it is meant for migos-fleet"));
    }
    if name.starts_with("migos_") {
        return match nearest(name, ours()) {
            Some(meant) => did_you_mean(meant),
            None => {
                let ours: Vec<&str> = ours().collect();
                Some(format!("variables that are read are {}", ours.join(", ")))
            }
        };
    }
    let is_slip = |meant: &&str| strsim::damerau_levenshtein(name, meant) <= 2;
    let meant = all().min_by_key(|meant| strsim::damerau_levenshtein(name, meant));
    match meant.filter(is_slip) {
        Some(meant) => did_you_mean(meant),
        None if strsim::damerau_levenshtein(name, SITE) == 1 => did_you_mean(SITE),
        None => None,
    }
}
