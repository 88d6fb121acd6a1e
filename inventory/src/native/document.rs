//! The whole file: every section read into what it says, with its places.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::layer::{Layer, Level, Said};
use super::saying::Saying;
use super::settings::{self, Whole};
use super::{MARK, login};
use crate::fleet::Hold;
use crate::name::{DeviceId, GroupName, InvalidText, Serial};
use crate::origin::Origin;
use crate::problem::{Place, Report};
use crate::range::{self, MAX_DEVICES};
use crate::select::ALL;
use crate::yaml::{Field, KeyPath, Keys, Kind, Member, Node, Refused, quote};

/// A device may be in some ten groups before the groups of a full inventory count as a mistake.
const MAX_MEMBERSHIPS: usize = 10 * MAX_DEVICES;

const SPLIT: &str = "look for a range with a digit too many, or split the inventory";

pub(super) const TOP: Keys = Keys {
    known: &[
        MARK,
        "balena",
        "payloads",
        "images",
        "mirror",
        "data",
        "policy",
        "playbook",
        "handover",
        "on_balena",
        "defaults",
        "groups",
        "devices",
    ],
    refused: &[SSH, BASTION, WINDOW, SITE, KEYFILES, DEVICE_TYPE, VARS],
};

/// A file of settings is an inventory without devices.
pub(super) const SETTINGS: Keys = Keys {
    known: &[
        MARK,
        "balena",
        "payloads",
        "images",
        "mirror",
        "data",
        "policy",
        "playbook",
        "handover",
        "on_balena",
        "defaults",
    ],
    refused: &[
        SSH,
        BASTION,
        WINDOW,
        SITE,
        KEYFILES,
        DEVICE_TYPE,
        VARS,
        Refused { key: "groups", message: NO_DEVICES, hint: IN_INVENTORY },
        Refused { key: "devices", message: NO_DEVICES, hint: IN_INVENTORY },
    ],
};

pub(super) const DEFAULTS: Keys = Keys {
    known: &[
        "balena",
        "ssh",
        "images",
        "mirror",
        "keyfiles",
        "data",
        "handover",
        "bastion",
        "window",
        "on_balena",
        "device_type",
        "site",
        "vars",
    ],
    refused: &[HOST, SERIAL, HOLD, PAYLOADS, POLICY],
};

pub(super) const GROUP: Keys = Keys {
    known: &[
        "devices",
        "balena",
        "ssh",
        "images",
        "mirror",
        "keyfiles",
        "data",
        "handover",
        "bastion",
        "window",
        "on_balena",
        "device_type",
        "site",
        "vars",
    ],
    refused: &[
        HOST,
        SERIAL,
        HOLD,
        PAYLOADS,
        POLICY,
        Refused {
            key: "hosts",
            message: "the native form has no `hosts`",
            hint: "list the devices of the group: `devices: [pi-1, pi-2]`",
        },
        Refused {
            key: "children",
            message: "the native form has no groups within groups",
            hint: "list the devices of the group: `devices: [pi-1, pi-2]`",
        },
    ],
};

pub(super) const DEVICE: Keys = Keys {
    known: &[
        "host",
        "serial",
        "hold",
        "balena",
        "ssh",
        "images",
        "mirror",
        "keyfiles",
        "data",
        "handover",
        "bastion",
        "window",
        "on_balena",
        "device_type",
        "site",
        "vars",
    ],
    refused: &[PAYLOADS, POLICY],
};

const NOT_AT_TOP: &str = "this cannot stand at the top level";
const UNDER_DEFAULTS: &str = "write it under `defaults:`";
const SSH: Refused = Refused { key: "ssh", message: NOT_AT_TOP, hint: UNDER_DEFAULTS };
const BASTION: Refused = Refused { key: "bastion", message: NOT_AT_TOP, hint: UNDER_DEFAULTS };
const WINDOW: Refused = Refused { key: "window", message: NOT_AT_TOP, hint: UNDER_DEFAULTS };
const SITE: Refused = Refused { key: "site", message: NOT_AT_TOP, hint: UNDER_DEFAULTS };
const KEYFILES: Refused = Refused { key: "keyfiles", message: NOT_AT_TOP, hint: UNDER_DEFAULTS };
const DEVICE_TYPE: Refused =
    Refused { key: "device_type", message: NOT_AT_TOP, hint: UNDER_DEFAULTS };
const VARS: Refused = Refused { key: "vars", message: NOT_AT_TOP, hint: UNDER_DEFAULTS };

const NO_DEVICES: &str = "a file of settings names no devices";
const IN_INVENTORY: &str = "write them in the inventory";

const ONLY_ONE: &str = "this belongs to one device";
const UNDER_DEVICE: &str = "write it under the device in `devices:`";
const HOST: Refused = Refused { key: "host", message: ONLY_ONE, hint: UNDER_DEVICE };
const SERIAL: Refused = Refused { key: "serial", message: ONLY_ONE, hint: UNDER_DEVICE };
const HOLD: Refused = Refused { key: "hold", message: ONLY_ONE, hint: UNDER_DEVICE };

const ONLY_TOP: &str = "this holds for the whole inventory";
const AT_TOP: &str = "write it at the top level";
const PAYLOADS: Refused = Refused { key: "payloads", message: ONLY_TOP, hint: AT_TOP };
const POLICY: Refused = Refused { key: "policy", message: ONLY_TOP, hint: AT_TOP };

/// The keys of a device.
pub(crate) fn device_keys() -> &'static [&'static str] {
    DEVICE.known
}

/// What one file says, before the levels are laid over each other.
pub(super) struct Document {
    /// The file's name.
    pub(super) file: Arc<str>,
    pub(super) whole: Whole,
    pub(super) top: Layer,
    pub(super) defaults: Layer,
    pub(super) groups: BTreeMap<GroupName, Group>,
    pub(super) devices: BTreeMap<DeviceId, Arc<Layer>>,
    /// True for what Ansible's groups and hosts say: one may say otherwise than another.
    pub(super) is_of_ansible: bool,
    /// Every device once, where it is first named, in the order of the file.
    pub(super) named: Vec<Said<DeviceId>>,
}

/// What the file says about a group.
pub(super) struct Group {
    pub(super) layer: Layer,
    pub(super) devices: BTreeSet<DeviceId>,
    pub(super) place: Place,
}

impl Document {
    /// A file that says nothing.
    pub(super) fn empty(file: Arc<str>) -> Self {
        Self {
            file,
            whole: Whole::default(),
            top: Layer::default(),
            defaults: Layer::default(),
            groups: BTreeMap::new(),
            devices: BTreeMap::new(),
            is_of_ansible: true,
            named: Vec::new(),
        }
    }

    /// What is said of single devices, by whomever each level names.
    pub(super) fn of_layers(devices: BTreeMap<DeviceId, Arc<Layer>>) -> Self {
        Self { devices, ..Self::empty(Arc::default()) }
    }

    /// Reads an inventory.
    pub(super) fn read(root: &Node, report: &mut Report) -> Self {
        Self::read_with(&TOP, root, report)
    }

    /// Reads a file of settings, which names no devices.
    pub(super) fn read_settings(root: &Node, report: &mut Report) -> Self {
        Self::read_with(&SETTINGS, root, report)
    }

    fn read_with(keys: &Keys, root: &Node, report: &mut Report) -> Self {
        let top = Field::root(root, "").mapping(keys, report);
        if let Some(mark) = top.get(MARK) {
            read_mark(mark, report);
        }
        let balena = top.get("balena").map(|field| field.mapping(&settings::BALENA, report));
        let defaults = top.get("defaults").map(|field| field.mapping(&DEFAULTS, report));
        let mut names = Names::default();
        let groups = top.get("groups").map(|field| read_groups(field, &mut names, report));
        let devices = top.get("devices").map(|field| read_devices(field, &mut names, report));
        Self {
            file: report.file(),
            whole: Whole::read(&top, balena.as_ref(), report),
            top: Layer::read(Level::Top, &top, balena.as_ref(), report),
            defaults: defaults
                .map(|defaults| Layer::read_below_top(Level::Defaults, &defaults, report))
                .unwrap_or_default(),
            groups: groups.unwrap_or_default(),
            devices: devices.unwrap_or_default(),
            is_of_ansible: false,
            named: names.in_order(report),
        }
    }

    /// Where the file says something for the whole inventory.
    pub(super) fn origin(&self, saying: &Saying) -> Origin {
        Origin {
            file: Some(self.file.to_string()),
            place: Some(saying.place),
            layer: Level::Top.to_string(),
        }
    }
}

fn read_mark(mark: &Field<'_>, report: &mut Report) {
    let is_one = matches!(&mark.node.kind, Kind::Number(number) if number.as_i64() == Some(1));
    if !is_one {
        mark.refuse_with_hint(
            report,
            format!("expected version 1 of the native form, found {}", mark.node.found()),
            "write `migos: 1`",
        );
    }
}

/// The device names of the file while they are collected, each where it is first named.
#[derive(Default)]
struct Names {
    said: Vec<Said<DeviceId>>,
    index: HashMap<DeviceId, usize>,
    memberships: usize,
}

impl Names {
    fn add(&mut self, id: &DeviceId, place: Place, path: &KeyPath) {
        let said = || Said { value: id.clone(), place, path: path.clone() };
        match self.index.get(id).and_then(|index| self.said.get_mut(*index)) {
            Some(first) if first.place <= place => {}
            Some(first) => *first = said(),
            None => {
                self.index.insert(id.clone(), self.said.len());
                self.said.push(said());
            }
        }
    }

    fn in_order(mut self, report: &mut Report) -> Vec<Said<DeviceId>> {
        // Stable, so that the names of one range, which share a place, keep their order.
        self.said.sort_by_key(|said| said.place);
        if let Some(Said { place, path, .. }) = self.said.get(MAX_DEVICES) {
            let message = format!("the inventory names more than {MAX_DEVICES} devices");
            report.add_with_hint(*place, path, message, SPLIT);
            self.said.truncate(MAX_DEVICES);
        }
        self.said
    }
}

fn read_groups(
    field: &Field<'_>,
    names: &mut Names,
    report: &mut Report,
) -> BTreeMap<GroupName, Group> {
    let mut groups = BTreeMap::new();
    for member in field.members(report) {
        let keys = member.field.mapping(&GROUP, report);
        let name = not_all(member.key).and_then(GroupName::new);
        let level = name.clone().map(Level::Group).unwrap_or_default();
        let layer = Layer::read_below_top(level, &keys, report);
        let hint = "write `devices: [pi-1, pi-2]`, or `devices: []` while the group is empty";
        let devices = keys
            .require("devices", hint, report)
            .map(|devices| read_group_devices(devices, names, report))
            .unwrap_or_default();
        match name {
            Ok(name) => {
                groups.insert(name, Group { layer, devices, place: member.place });
            }
            Err(invalid) => refuse_key(&member, &invalid, invalid.hint, report),
        }
    }
    groups
}

fn read_group_devices(
    field: &Field<'_>,
    names: &mut Names,
    report: &mut Report,
) -> BTreeSet<DeviceId> {
    let mut devices = BTreeSet::new();
    for item in field.list("a list of devices", report) {
        if names.memberships > MAX_MEMBERSHIPS {
            break;
        }
        let Some(text) = item.text("a device name", report) else { continue };
        let expanded = match range::expand(text) {
            Ok(expanded) => expanded,
            Err(error) => {
                let message = format!("{}: {error}", quote(text));
                item.refuse_with_hint(report, message, error.hint());
                continue;
            }
        };
        names.memberships += expanded.len();
        if names.memberships > MAX_MEMBERSHIPS {
            let message = format!("the groups have more than {MAX_MEMBERSHIPS} devices in all");
            item.refuse_with_hint(report, message, SPLIT);
        }
        for name in expanded {
            match not_all(&name).and_then(DeviceId::new) {
                Ok(id) => {
                    names.add(&id, item.place(), &item.path);
                    devices.insert(id);
                }
                Err(invalid) => {
                    item.refuse_with_hint(report, invalid.to_string(), invalid.hint);
                    // The other names of the range are no better.
                    break;
                }
            }
        }
    }
    devices
}

fn read_devices(
    field: &Field<'_>,
    names: &mut Names,
    report: &mut Report,
) -> BTreeMap<DeviceId, Arc<Layer>> {
    let mut devices = BTreeMap::new();
    if let Kind::List(_) = &field.node.kind {
        let hint = "write each device as a key: `pi-1: { host: 10.0.0.1 }`, or `pi-2:` alone";
        field.refuse_with_hint(report, "expected a mapping, found a list", hint);
        return devices;
    }
    for member in field.members(report) {
        let keys = member.field.mapping(&DEVICE, report);
        let own = Layer {
            host: Said::read(keys.get("host"), |host| {
                host.parse("a host name or address", login::host, report)
            }),
            serial: Said::read(keys.get("serial"), |serial| {
                serial.parse("a serial number", Serial::new, report)
            }),
            hold: Said::read(keys.get("hold"), |hold| read_hold(hold, report)),
            ..Layer::read_below_top(Level::Device, &keys, report)
        };
        match not_all(member.key).and_then(DeviceId::new) {
            Ok(id) => {
                names.add(&id, member.place, &member.field.path);
                devices.insert(id, Arc::new(own));
            }
            Err(invalid) if range::is_range(member.key) => {
                let hint =
                    "ranges stand in a group: `groups: { north: { devices: [\"pi-[1:9]\"] } }`";
                refuse_key(&member, &invalid, hint, report);
            }
            Err(invalid) => refuse_key(&member, &invalid, invalid.hint, report),
        }
    }
    devices
}

pub(super) fn read_hold(field: &Field<'_>, report: &mut Report) -> Option<Hold> {
    // A reason may be written over several lines; it is shown on one.
    let reason = match &field.node.kind {
        Kind::Text(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    if reason.is_empty() || reason.chars().any(char::is_control) {
        field.refuse_with_hint(
            report,
            format!("expected the reason why the device is left out, found {}", field.node.found()),
            "write why: `hold: \"screen being replaced, ask the site\"`",
        );
        return None;
    }
    Some(Hold(reason))
}

/// Keeps the name free that patterns use for every device.
fn not_all(name: &str) -> Result<&str, InvalidText> {
    if name == ALL {
        let (what, hint) = ("a free name", "`all` always means every device; choose another name");
        return Err(InvalidText { text: name.to_owned(), what, hint });
    }
    Ok(name)
}

fn refuse_key(member: &Member<'_>, invalid: &InvalidText, hint: &str, report: &mut Report) {
    report.add_with_hint(member.place, &member.field.path, invalid.to_string(), hint);
}
