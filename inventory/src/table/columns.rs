//! What each column of a table is: by what its user says, or else by its name.

use std::fmt;

use super::decode::Record;
use crate::near::nearest;
use crate::problem::{Place, Report};
use crate::yaml::{KeyPath, plain as plain_text};

/// What a column says of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Name,
    Host,
    Port,
    User,
    Identity,
    Serial,
    Site,
    Group,
    Fleet,
    DeviceType,
    Hold,
    Data,
    Tags,
    /// A variable of this name.
    Variable(String),
    LeftOut,
}

/// Keys, how they are written, and the names of columns that mean them, the surest first. Where two keys could have
/// one column, the first key gets it.
const KEYS: [(Key, &str, &[&str]); 13] = [
    (
        Key::Name,
        "name",
        &["name", "device", "devicename", "deviceid", "geraet", "geraetename", "hostname", "id"],
    ),
    (
        Key::Host,
        "host",
        &[
            "host",
            "ip",
            "ipaddress",
            "ipaddr",
            "ipadresse",
            "ipv4",
            "address",
            "adresse",
            "ansiblehost",
            "fqdn",
            "hostname",
        ],
    ),
    (Key::Port, "port", &["port", "sshport", "ansibleport"]),
    (Key::User, "user", &["user", "username", "login", "sshuser", "benutzer", "ansibleuser"]),
    (Key::Identity, "identity", &["identity", "identityfile", "privatekey", "sshkey"]),
    (
        Key::Serial,
        "serial",
        &["serial", "serialnumber", "serialno", "seriennummer", "sn", "cpuserial"],
    ),
    (
        Key::Site,
        "site",
        &["site", "location", "standort", "store", "branch", "filiale", "ort", "city", "place"],
    ),
    (Key::Group, "group", &["group", "groups", "gruppe", "gruppen"]),
    (Key::Fleet, "fleet", &["fleet", "balenafleet", "application", "flotte"]),
    (Key::DeviceType, "device_type", &["devicetype", "balenadevicetype", "geraetetyp"]),
    (Key::Hold, "hold", &["hold", "held", "onhold", "skip", "paused", "gesperrt"]),
    (Key::Data, "data", &["data", "daten"]),
    (Key::Tags, "tags", &["tags", "tag"]),
];

/// More columns than this are not listed.
const MOST_SHOWN: usize = 20;

/// What stands before the name of a variable.
const VARIABLE: &str = "vars.";

/// What was made of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnUse {
    /// Its name in the table.
    pub column: String,
    /// The key of the inventory, such as `site` or `vars.notes`; `None`: it is left out.
    pub key: Option<String>,
    /// Whether the user said so.
    pub chosen: bool,
}

impl fmt::Display for ColumnUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = if self.column.is_empty() { "(no name)" } else { &self.column };
        write!(f, "{column} → {}", self.key.as_deref().unwrap_or("left out"))?;
        if self.chosen { f.write_str(", as told") } else { Ok(()) }
    }
}

/// The columns of a table, in order.
pub(super) struct Columns(Vec<Column>);

pub(super) struct Column {
    pub(super) name: String,
    pub(super) key: Key,
    chosen: bool,
}

/// What to do where no column tells devices apart.
fn hint(header: &Record) -> String {
    match &header.cells[..] {
        [only] if only.contains(' ') => {
            "there is one column only: part columns by commas, semicolons or tabs".to_owned()
        }
        cells => format!(
            "say which one does: --map COLUMN=name; the columns are {}",
            cells
                .iter()
                .take(MOST_SHOWN)
                .map(|cell| plain_text(cell))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

impl Columns {
    /// Finds out what each column is; nothing if none tells devices apart.
    pub(super) fn of(
        header: &Record,
        chosen: &[(String, String)],
        report: &mut Report,
    ) -> Option<Self> {
        let mut keys: Vec<Option<(Key, bool)>> = vec![None; header.cells.len()];
        for (column, key) in chosen {
            choose(header, column, key, &mut keys, report);
        }
        for (key, _, names) in &KEYS {
            if keys.iter().flatten().any(|(known, _)| known == key) {
                continue;
            }
            let free = |name: &str| {
                let is_it =
                    |(cell, taken): (&String, &Option<_>)| taken.is_none() && plain(cell) == name;
                header.cells.iter().zip(&keys).position(is_it)
            };
            if let Some(place) = names.iter().find_map(|name| free(name))
                && let Some(slot) = keys.get_mut(place)
            {
                *slot = Some((key.clone(), false));
            }
        }
        let column = |(name, key): (&String, Option<(Key, bool)>)| {
            let (key, chosen) = key.unwrap_or_else(|| (variable(name), false));
            Column { name: name.clone(), key, chosen }
        };
        let columns = Self(header.cells.iter().zip(keys).map(column).collect());
        if !columns.0.iter().any(|column| matches!(column.key, Key::Name | Key::Host)) {
            report.add_with_hint(
                Place { line: header.line, column: 1 },
                &KeyPath::root(),
                "no column holds the names or the addresses of devices",
                hint(header),
            );
            return None;
        }
        Some(columns)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.0.iter()
    }

    /// What was made of them.
    pub(super) fn uses(&self) -> Vec<ColumnUse> {
        let used = |column: &Column| ColumnUse {
            column: column.name.clone(),
            key: written(&column.key),
            chosen: column.chosen,
        };
        self.0.iter().map(used).collect()
    }
}

/// What the user says of a column.
fn choose(
    header: &Record,
    column: &str,
    key: &str,
    keys: &mut [Option<(Key, bool)>],
    report: &mut Report,
) {
    let path = KeyPath::root().key(&format!("--map {column}={key}"));
    let place = Place { line: header.line, column: 1 };
    let found = header.cells.iter().position(|cell| cell == column);
    let found = found.or_else(|| header.cells.iter().position(|cell| plain(cell) == plain(column)));
    let Some(slot) = found.and_then(|index| keys.get_mut(index)) else {
        let names = header.cells.iter().filter(|cell| !cell.is_empty()).map(String::as_str);
        let hint = match nearest(column, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the columns are {}", names.collect::<Vec<_>>().join(", ")),
        };
        return report.add_with_hint(place, &path, "no column has this name", hint);
    };
    let known = KEYS.iter().find(|(_, name, _)| *name == key).map(|(known, _, _)| known.clone());
    let key = match (known, key.strip_prefix(VARIABLE)) {
        (Some(known), _) => known,
        (None, Some(name)) if !name.is_empty() => Key::Variable(name.to_owned()),
        _ if key.is_empty() => Key::LeftOut,
        _ => {
            let names = KEYS.iter().map(|(_, name, _)| *name);
            let hint = match nearest(key, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    format!("the keys are {} and vars.NAME", names.collect::<Vec<_>>().join(", "))
                }
            };
            return report.add_with_hint(place, &path, "there is no such key", hint);
        }
    };
    *slot = Some((key, true));
}

/// A name in small Latin letters and digits alone.
fn plain(name: &str) -> String {
    super::row::latin(name)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase()
}

/// The variable that a column becomes that nothing is known of.
fn variable(column: &str) -> Key {
    let name = column.strip_prefix(VARIABLE).unwrap_or(column);
    let name: String = super::row::latin(name)
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    match words.is_empty() {
        true => Key::LeftOut,
        false => Key::Variable(words.join("_")),
    }
}

fn written(key: &Key) -> Option<String> {
    match key {
        Key::LeftOut => None,
        Key::Variable(name) => Some(format!("{VARIABLE}{name}")),
        key => {
            KEYS.iter().find(|(known, _, _)| known == key).map(|(_, name, _)| (*name).to_owned())
        }
    }
}
