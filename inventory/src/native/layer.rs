//! What can be said at every level of the inventory: for all devices, a group, or one device.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::login::Ssh;
use super::{bastion, data, keyfiles, mirror, on_balena, window};
use crate::connection::ConfigLine;
use crate::fleet::{Bastion, DataChoice, Handover, Hold, WindowChoice};
use crate::name::{DeviceId, FleetSlug, GroupName, InvalidText, Serial, SiteName};
use crate::problem::{Place, Report};
use crate::yaml::{Field, KeyPath, Keys, Mapping, Refused};

/// The keys under `balena` below the top level.
pub(super) const BALENA: Keys = Keys {
    known: &["fleet"],
    refused: &[
        Refused { key: "api", message: ONE_API, hint: "write it under `balena:` at the top level" },
        Refused {
            key: "token",
            message: ONE_API,
            hint: "write it under `balena:` at the top level",
        },
        Refused { key: "ca", message: ONE_API, hint: "write it under `balena:` at the top level" },
    ],
};

const ONE_API: &str = "one balena API and token serve the whole inventory";

/// The variable that is another way to write the key `site`.
const SITE: &str = "site";

/// A setting, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) place: Place,
    pub(super) path: KeyPath,
}

impl<T> Said<T> {
    /// Reads a setting if it is there.
    pub(super) fn read(
        field: Option<&Field<'_>>,
        read: impl FnOnce(&Field<'_>) -> Option<T>,
    ) -> Option<Self> {
        let field = field?;
        Some(Self { value: read(field)?, place: field.place(), path: field.path.clone() })
    }
}

impl<T> Said<T> {
    /// What the program says where nobody else does.
    pub(super) fn built_in(value: T) -> Self {
        Self { value, place: Place::START, path: KeyPath::root() }
    }
}

/// Where in a file a level stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Level {
    /// What the program says itself.
    #[default]
    BuiltIn,
    /// The person's ssh_config.
    SshConfig,
    /// The top level.
    Top,
    /// `defaults`.
    Defaults,
    /// A group.
    Group(GroupName),
    /// One device.
    Device,
    /// A group or host of an Ansible inventory, or a section of `ansible.cfg`, by these words.
    Ansible(Arc<str>),
    /// A variable of the environment.
    Variable(&'static str),
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::BuiltIn => f.write_str("built in"),
            Level::SshConfig => f.write_str("ssh_config"),
            Level::Top => f.write_str("the top level"),
            Level::Defaults => f.write_str("defaults"),
            Level::Group(name) => write!(f, "group {name}"),
            Level::Device => f.write_str("device"),
            Level::Ansible(level) => f.write_str(level),
            Level::Variable(name) => write!(f, "the variable {name}"),
        }
    }
}

/// The settings of one level of one file; what is not there is left to the levels below.
#[derive(Default)]
pub(super) struct Layer {
    pub(super) file: Arc<str>,
    pub(super) level: Level,
    /// This one and the next two are said of one device alone.
    pub(super) host: Option<Said<String>>,
    pub(super) serial: Option<Said<Serial>>,
    pub(super) hold: Option<Said<Hold>>,
    pub(super) fleet: Option<Said<FleetSlug>>,
    pub(super) ssh: Ssh,
    pub(super) images: BTreeMap<String, Said<String>>,
    pub(super) mirror: Option<Said<String>>,
    pub(super) keyfiles: Option<Said<Vec<String>>>,
    pub(super) data: Option<Said<DataChoice>>,
    pub(super) handover: Option<Said<Handover>>,
    pub(super) bastion: Option<Said<Bastion>>,
    pub(super) window: Option<Said<WindowChoice>>,
    pub(super) on_balena: on_balena::Layer,
    pub(super) device_type: Option<Said<String>>,
    pub(super) site: Option<Said<SiteName>>,
    pub(super) vars: BTreeMap<String, Said<serde_yaml::Value>>,
}

impl Layer {
    /// Reads the settings among the keys of one level.
    ///
    /// `balena` is opened by the caller, because the top level has more keys there.
    pub(super) fn read(
        name: Level,
        level: &Mapping<'_>,
        balena: Option<&Mapping<'_>>,
        report: &mut Report,
    ) -> Self {
        let mut layer = Self {
            file: report.file(),
            level: name,
            host: None,
            serial: None,
            hold: None,
            fleet: Said::read(balena.and_then(|balena| balena.get("fleet")), |fleet| {
                fleet.parse("a balena fleet", FleetSlug::new, report)
            }),
            ssh: level.get("ssh").map(|ssh| Ssh::read(ssh, report)).unwrap_or_default(),
            images: level.get("images").map(|field| images(field, report)).unwrap_or_default(),
            mirror: Said::read(level.get("mirror"), |field| mirror::read(field, report)),
            keyfiles: Said::read(level.get("keyfiles"), |field| keyfiles::read(field, report)),
            data: Said::read(level.get("data"), |field| data::read(field, report)),
            handover: Said::read(level.get("handover"), |field| handover(field, report)),
            bastion: Said::read(level.get("bastion"), |field| bastion::read(field, report)),
            window: Said::read(level.get("window"), |field| window::read(field, report)),
            on_balena: level
                .get("on_balena")
                .map(|field| on_balena::Layer::read(field, report))
                .unwrap_or_default(),
            device_type: Said::read(level.get("device_type"), |field| {
                field.parse("a balena device type", device_type, report)
            }),
            site: Said::read(level.get("site"), |site| {
                site.parse("a site name", SiteName::new, report)
            }),
            vars: BTreeMap::new(),
        };
        if let Some(vars) = level.get("vars") {
            layer.read_vars(vars, report);
        }
        layer
    }

    /// Reads a level that is not the top one.
    pub(super) fn read_below_top(name: Level, level: &Mapping<'_>, report: &mut Report) -> Self {
        let balena = level.get("balena").map(|balena| balena.mapping(&BALENA, report));
        Self::read(name, level, balena.as_ref(), report)
    }

    /// What a line of the person's ssh_config says of a device.
    pub(super) fn of_ssh_config(line: ConfigLine) -> Self {
        let (host, ssh) = Ssh::of_way(line.way, line.place, &KeyPath::root());
        Self { file: line.file, level: Level::SshConfig, host, ssh, ..Self::default() }
    }

    /// What holds for a device of which nothing is said.
    pub(super) fn built_in(id: &DeviceId) -> Self {
        Self {
            host: Some(Said::built_in(id.to_string())),
            ssh: Ssh::built_in(),
            handover: Some(Said::built_in(Handover::default())),
            ..Self::default()
        }
    }

    fn read_vars(&mut self, vars: &Field<'_>, report: &mut Report) {
        for member in vars.members(report) {
            if member.key != SITE {
                let said = Said::read(Some(&member.field), |field| Some(field.node.into()));
                self.vars.extend(said.map(|said| (member.key.to_owned(), said)));
                continue;
            }
            let site = Said::read(Some(&member.field), |site| {
                site.parse("a site name", SiteName::new, report)
            });
            match (&self.site, &site) {
                (Some(here), Some(there)) if here.value != there.value => {
                    member.field.refuse_with_hint(
                        report,
                        format!("`site` on line {} says another site", here.place.line),
                        "keep one of the two",
                    );
                }
                _ => self.site = site.or(self.site.take()),
            }
        }
    }
}

fn images(field: &Field<'_>, report: &mut Report) -> BTreeMap<String, Said<String>> {
    let mut images = BTreeMap::new();
    for member in field.members(report) {
        if let Err(invalid) = device_type(member.key) {
            let message = invalid.to_string();
            report.add_with_hint(member.place, &member.field.path, message, invalid.hint);
            continue;
        }
        let path = Said::read(Some(&member.field), |path| {
            path.text("the path of an image", report).map(str::to_owned)
        });
        images.extend(path.map(|path| (member.key.to_owned(), path)));
    }
    images
}

/// Checks balena's name of a board.
pub(crate) fn device_type(text: &str) -> Result<String, InvalidText> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(InvalidText {
        text: text.to_owned(),
        what: "a balena device type",
        hint: "write balena's own name for the board, such as raspberrypi3 or raspberrypi4-64",
    })
}

fn handover(field: &Field<'_>, report: &mut Report) -> Option<Handover> {
    let choices = [
        ("attended", Handover::Attended),
        ("call-home", Handover::CallHome),
        ("unattended", Handover::Unattended),
    ];
    field.one_of(&choices, report)
}
