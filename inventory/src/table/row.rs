//! What one row of a table says of its device.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::columns::{Column, Columns, Key};
use super::decode::Record;
use crate::name::{DeviceId, FleetSlug, GroupName, InvalidText, Serial, SiteName};
use crate::native::{self, device_type, user_name};
use crate::problem::{Place, Report};
use crate::select::ALL;
use crate::yaml::{KeyPath, quote};

/// What people write for yes and for no, in the languages of the columns' names.
const YES: [&str; 8] = ["yes", "y", "ja", "j", "true", "wahr", "1", "x"];
const NO: [&str; 8] = ["no", "n", "nein", "false", "falsch", "0", "-", "none"];

/// The device of one row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) name: DeviceId,
    /// Its name in the table, if that cannot be the name of a device.
    pub(super) label: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) identity: Option<String>,
    pub(super) serial: Option<Serial>,
    pub(super) site: Option<SiteName>,
    pub(super) groups: BTreeSet<GroupName>,
    pub(super) fleet: Option<FleetSlug>,
    pub(super) device_type: Option<String>,
    pub(super) hold: Option<String>,
    /// Whether nothing on the card is needed.
    pub(super) no_data: bool,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) vars: BTreeMap<String, String>,
}

/// A cell that says something.
struct Cell<'a> {
    text: &'a str,
    place: Place,
    path: KeyPath,
}

impl<'a> Cell<'a> {
    fn refuse(&self, report: &mut Report, message: impl Into<String>, hint: impl Into<String>) {
        report.add_with_hint(self.place, &self.path, message, hint);
    }

    fn parse<T>(
        &self,
        read: impl Fn(&'a str) -> Result<T, InvalidText>,
        report: &mut Report,
    ) -> Option<T> {
        read(self.text)
            .map_err(|invalid| self.refuse(report, invalid.to_string(), invalid.hint))
            .ok()
    }
}

impl Row {
    /// Reads a row; nothing if it has no name.
    pub(super) fn read(
        record: &Record,
        columns: &Columns,
        file: &str,
        report: &mut Report,
    ) -> Option<Self> {
        refuse_more_cells(record, columns, report);
        let cells = || said(record, columns);
        let (name, label) = name(cells, record, report)?;
        let mut row = Row {
            line: record.line,
            name,
            label,
            host: None,
            port: None,
            user: None,
            identity: None,
            serial: None,
            site: None,
            groups: BTreeSet::new(),
            fleet: None,
            device_type: None,
            hold: None,
            no_data: false,
            tags: BTreeMap::new(),
            vars: BTreeMap::new(),
        };
        for (column, cell) in cells() {
            row.take(column, &cell, file, report);
        }
        if let Some(label) = &row.label {
            row.vars.insert("label".to_owned(), label.clone());
        }
        Some(row)
    }

    fn take(&mut self, column: &Column, cell: &Cell<'_>, file: &str, report: &mut Report) {
        match &column.key {
            Key::Name | Key::LeftOut => {}
            Key::Host => self.take_host(cell, report),
            Key::Port => self.port = port(cell, cell.text, report).or(self.port),
            Key::User => self.user = cell.parse(user_name, report),
            Key::Identity => self.identity = Some(cell.text.to_owned()),
            Key::Serial => self.serial = serial(cell, report),
            Key::Site => self.site = cell.parse(SiteName::new, report),
            Key::Group => self.groups = groups(cell, report),
            Key::Fleet => self.fleet = cell.parse(FleetSlug::new, report),
            Key::DeviceType => self.device_type = cell.parse(device_type, report),
            Key::Hold => self.hold = hold(cell.text, &column.name, file),
            Key::Data => self.no_data = is_none(cell, report),
            Key::Tags => self.tags = tags(cell, &column.name, report),
            Key::Variable(name) => {
                self.vars.insert(name.clone(), cell.text.to_owned());
            }
        }
    }

    /// An address, in which the port may stand, too.
    fn take_host(&mut self, cell: &Cell<'_>, report: &mut Report) {
        let is_port = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (host, own) = match cell.text.split_once(':') {
            Some((host, own)) if is_port(own) => (host, Some(own)),
            _ => (cell.text, None),
        };
        if let (Some(own), None) = (own, self.port) {
            self.port = port(cell, own, report);
        }
        let cell = Cell { text: host, place: cell.place, path: cell.path.clone() };
        self.host = cell.parse(native::host_name, report);
    }
}

/// The cells of a row that say something, each with its column.
fn said<'a>(
    record: &'a Record,
    columns: &'a Columns,
) -> impl Iterator<Item = (&'a Column, Cell<'a>)> {
    let cells = record.cells.iter().zip(columns.iter()).enumerate();
    cells.filter(|(_, (text, _))| !text.is_empty()).map(|(index, (text, column))| {
        let place = Place { line: record.line, column: index + 1 };
        let path = KeyPath::root().key(&column.name);
        (column, Cell { text, place, path })
    })
}

fn refuse_more_cells(record: &Record, columns: &Columns, report: &mut Report) {
    let more = record.cells.iter().enumerate().skip(columns.iter().count());
    if let Some((index, cell)) = more.rev().find(|(_, cell)| !cell.is_empty()) {
        let place = Place { line: record.line, column: index + 1 };
        let message = format!("{} stands beside the table, under no column", quote(cell));
        let hint = "put a text that has the delimiter in it in quotes";
        report.add_with_hint(place, &KeyPath::root(), message, hint);
    }
}

/// The device's name; and the one in the table, if that had to be changed.
fn name<'a, I: Iterator<Item = (&'a Column, Cell<'a>)>>(
    cells: impl Fn() -> I,
    record: &Record,
    report: &mut Report,
) -> Option<(DeviceId, Option<String>)> {
    let cell = |key: Key| cells().find(|(column, _)| column.key == key).map(|(_, cell)| cell);
    let Some(cell) = cell(Key::Name).or_else(|| cell(Key::Host)) else {
        let place = Place { line: record.line, column: 1 };
        let hint = "fill in its name, or remove the row";
        report.add_with_hint(place, &KeyPath::root(), "the device has no name", hint);
        return None;
    };
    if let Ok(name) = DeviceId::new(cell.text)
        && name.as_str() != ALL
    {
        return Some((name, None));
    }
    match DeviceId::new(plain_name(cell.text)) {
        Ok(name) if name.as_str() != ALL => Some((name, Some(cell.text.to_owned()))),
        _ => {
            let hint = "a name has letters and digits, and at most 64 characters";
            let message = format!("no name can be made of {}", quote(cell.text));
            cell.refuse(report, message, hint);
            None
        }
    }
}

/// A name of letters, digits and hyphens.
pub(super) fn plain_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._".contains(c) { c } else { '-' };
    let name: String = latin(text).to_lowercase().chars().map(plain).collect();
    name.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// A text with the letters of Western Europe as plain ones.
pub(super) fn latin(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            'ä' => plain += "ae",
            'ö' => plain += "oe",
            'ü' => plain += "ue",
            'Ä' => plain += "Ae",
            'Ö' => plain += "Oe",
            'Ü' => plain += "Ue",
            'ß' => plain += "ss",
            'à' | 'á' | 'â' | 'ã' | 'å' => plain.push('a'),
            'ç' => plain.push('c'),
            'è' | 'é' | 'ê' | 'ë' => plain.push('e'),
            'ì' | 'í' | 'î' | 'ï' => plain.push('i'),
            'ñ' => plain.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ø' => plain.push('o'),
            'ù' | 'ú' | 'û' => plain.push('u'),
            other => plain.push(other),
        }
    }
    plain
}

fn port(cell: &Cell<'_>, text: &str, report: &mut Report) -> Option<u16> {
    let port = text.parse().ok().filter(|port| *port > 0);
    if port.is_none() {
        cell.refuse(report, format!("{} is not a port", quote(text)), "write a number, such as 22");
    }
    port
}

/// Spreadsheets take serial numbers for numbers: leading zeros go, and then the last digits.
fn serial(cell: &Cell<'_>, report: &mut Report) -> Option<Serial> {
    let is_hex = cell.text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Half of a serial number is zeros on the older models.
    if is_hex && (1..=8).contains(&cell.text.len()) {
        return Serial::new(format!("{:0>16}", cell.text)).ok();
    }
    if !is_hex && cell.text.contains(['+', ',', '.']) {
        let message = format!("the spreadsheet has made a number of {}", quote(cell.text));
        let hint = "format the column as text there, and fill it in again";
        cell.refuse(report, message, hint);
        return None;
    }
    cell.parse(Serial::new, report)
}

fn groups(cell: &Cell<'_>, report: &mut Report) -> BTreeSet<GroupName> {
    let mut groups = BTreeSet::new();
    let names = cell.text.split([',', ';', '|']).map(str::trim).filter(|name| !name.is_empty());
    for name in names {
        match GroupName::new(name).or_else(|_| GroupName::new(plain_name(name))) {
            Ok(group) if group.as_str() != ALL => _ = groups.insert(group),
            Ok(_) => cell.refuse(report, "`all` always means every device", "name it otherwise"),
            Err(_) => {
                let message = format!("no name of a group can be made of {}", quote(name));
                cell.refuse(report, message, "a name has letters and digits");
            }
        }
    }
    groups
}

/// Why the device is left out, if it is.
fn hold(text: &str, column: &str, file: &str) -> Option<String> {
    let word = text.to_lowercase();
    match () {
        () if NO.contains(&word.as_str()) => None,
        () if YES.contains(&word.as_str()) => Some(format!("marked under {column} in {file}")),
        () => Some(text.to_owned()),
    }
}

fn is_none(cell: &Cell<'_>, report: &mut Report) -> bool {
    let is_none = cell.text.eq_ignore_ascii_case("none");
    if !is_none {
        let message = format!("{} cannot stand in a table; only `none` can", quote(cell.text));
        let hint = "leave the cell empty, and write what is kept into the inventory: docs/data.md";
        cell.refuse(report, message, hint);
    }
    is_none
}

fn tags(cell: &Cell<'_>, column: &str, report: &mut Report) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for part in cell.text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once('=').or_else(|| part.split_once(':')) {
            Some((key, value)) if !key.trim().is_empty() && !value.trim().is_empty() => {
                tags.insert(key.trim().to_owned(), value.trim().to_owned());
            }
            _ => {
                let message = format!("{} is not a tag of balena", quote(part));
                let hint = format!(
                    "write key=value; or make a variable of the column: --map {column}=vars.tags"
                );
                cell.refuse(report, message, hint);
            }
        }
    }
    tags
}

/// Refuses names, addresses and serial numbers that two rows have, and devices that are called like a group.
pub(super) fn refuse_twins(rows: &[Row], report: &mut Report) {
    let groups: BTreeMap<&str, usize> = rows
        .iter()
        .rev()
        .flat_map(|row| row.groups.iter().map(|group| (group.as_str(), row.line)))
        .collect();
    for row in rows {
        if let Some(line) = groups.get(row.name.as_str()) {
            let place = Place { line: row.line, column: 1 };
            let message = format!("`{}` is also the name of a group, on line {line}", row.name);
            let hint = "rename one of them, so that a pattern says which is meant";
            report.add_with_hint(place, &KeyPath::root(), message, hint);
        }
    }
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut addresses: HashMap<(String, u16), usize> = HashMap::new();
    let mut serials: HashMap<&str, usize> = HashMap::new();
    for row in rows {
        let mut refuse = |what: String, first: Option<usize>| {
            if let Some(first) = first {
                let place = Place { line: row.line, column: 1 };
                let message = format!("{what} stands on line {first}, too");
                let hint = "remove one of the two rows, or correct it";
                report.add_with_hint(place, &KeyPath::root(), message, hint);
            }
        };
        let name = row.name.as_str();
        refuse(format!("the device {name}"), names.insert(name.to_lowercase(), row.line));
        let host = row.host.as_deref().unwrap_or(name).to_lowercase();
        let address = format!("the address {host}");
        let first = addresses.insert((host, row.port.unwrap_or(22)), row.line);
        // Of twins by name the address says nothing new.
        refuse(address, first.filter(|_| row.host.is_some()));
        if let Some(serial) = &row.serial {
            let first = serials.insert(serial.as_str(), row.line);
            refuse(format!("the serial number {serial}"), first);
        }
    }
}
