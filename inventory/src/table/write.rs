//! Writes the inventory of a table: what all devices share stands once, what a site shares in a group, and names are
//! folded into ranges.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Row;
use crate::fold::fold;
use crate::name::{DeviceId, GroupName, SiteName};

/// Words that other readers of YAML take for something else than text.
const WORDS: [&str; 12] =
    ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan", "~"];

/// What holds for all devices, and is said once.
struct Shared<'a> {
    user: Option<&'a str>,
    port: Option<u16>,
    identity: Option<&'a str>,
    site: Option<&'a SiteName>,
    fleet: Option<&'a str>,
    device_type: Option<&'a str>,
    no_data: bool,
}

/// A group and its devices.
#[derive(Default)]
struct Group<'a> {
    devices: Vec<&'a DeviceId>,
    site: Option<&'a SiteName>,
}

/// Writes it; equal tables give equal texts.
pub(super) fn inventory(file: &str, rows: &[Row]) -> String {
    let shared = Shared::of(rows);
    let groups = groups(rows, &shared);
    let of_site: BTreeSet<(&DeviceId, &SiteName)> = groups
        .values()
        .flat_map(|group| {
            group.site.iter().flat_map(|site| group.devices.iter().map(|id| (*id, *site)))
        })
        .collect();
    // Whatever the file is called, the remark stays one.
    let file = file.replace(char::is_control, "_");
    let mut text = format!("# Made of {file} by migos-fleet.\nmigos: 1\n");
    text += &shared.top();
    text += &shared.defaults();
    if !groups.is_empty() {
        text += "groups:\n";
    }
    for (name, group) in &groups {
        text += &format!("  {}:\n    devices: [{}]\n", scalar(name), ranges(&group.devices));
        if let Some(site) = group.site {
            text += &format!("    site: {}\n", scalar(site.as_str()));
        }
    }
    let grouped: BTreeSet<&DeviceId> =
        groups.values().flat_map(|group| group.devices.iter().copied()).collect();
    let mut devices = String::new();
    for row in rows {
        let has_site = row.site.as_ref().is_some_and(|site| of_site.contains(&(&row.name, site)));
        let own = own(row, &shared, has_site);
        let name = scalar(row.name.as_str());
        if !own.is_empty() {
            devices += &format!("  {name}: {{ {} }}\n", own.join(", "));
        } else if !grouped.contains(&row.name) {
            devices += &format!("  {name}:\n");
        }
    }
    if !devices.is_empty() {
        text += &format!("devices:\n{devices}");
    }
    text
}

impl<'a> Shared<'a> {
    fn of(rows: &'a [Row]) -> Self {
        fn same<'a, T: PartialEq>(
            rows: &'a [Row],
            get: impl Fn(&'a Row) -> Option<T>,
        ) -> Option<T> {
            let first = get(rows.first()?)?;
            rows.iter().all(|row| get(row).as_ref() == Some(&first)).then_some(first)
        }
        Shared {
            user: same(rows, |row| row.user.as_deref()),
            port: same(rows, |row| row.port),
            identity: same(rows, |row| row.identity.as_deref()),
            site: same(rows, |row| row.site.as_ref()),
            fleet: same(rows, |row| row.fleet.as_ref().map(|fleet| fleet.as_str())),
            device_type: same(rows, |row| row.device_type.as_deref()),
            no_data: rows.iter().all(|row| row.no_data),
        }
    }

    /// The top level, with what a plan needs and no table has as remarks.
    fn top(&self) -> String {
        let mut text = match self.fleet {
            Some(fleet) => {
                format!("balena: {{ fleet: {}, token: {{ env: BALENA_TOKEN }} }}\n", scalar(fleet))
            }
            None => "balena: { token: { env: BALENA_TOKEN } }   # and fleet: organisation/name\n"
                .to_owned(),
        };
        text += "# payloads: payloads/                     # see `migos-fleet payload build`\n";
        text += "# images: { raspberrypi3: images/… }       # see `migos-fleet image fetch`\n";
        text += match self.no_data {
            true => "data: none\n",
            false => {
                "# data: none                              # if nothing on the cards is needed; see docs/data.md\n"
            }
        };
        text
    }

    fn defaults(&self) -> String {
        let mut keys = Vec::new();
        let ssh = ssh(self.user, self.port, self.identity);
        keys.extend((!ssh.is_empty()).then(|| format!("ssh: {{ {} }}", ssh.join(", "))));
        keys.extend(self.site.map(|site| format!("site: {}", scalar(site.as_str()))));
        keys.extend(self.device_type.map(|it| format!("device_type: {}", scalar(it))));
        match keys.is_empty() {
            true => String::new(),
            false => format!("defaults: {{ {} }}\n", keys.join(", ")),
        }
    }
}

fn ssh(user: Option<&str>, port: Option<u16>, identity: Option<&str>) -> Vec<String> {
    let mut keys = Vec::new();
    keys.extend(user.map(|user| format!("user: {}", scalar(user))));
    keys.extend(port.map(|port| format!("port: {port}")));
    keys.extend(identity.map(|identity| format!("identity: {}", scalar(identity))));
    keys
}

/// The groups of the table, and one of each site whose name is free.
fn groups<'a>(rows: &'a [Row], shared: &Shared<'_>) -> BTreeMap<String, Group<'a>> {
    let mut groups: BTreeMap<String, Group<'a>> = BTreeMap::new();
    for row in rows {
        for group in &row.groups {
            groups.entry(group.to_string()).or_default().devices.push(&row.name);
        }
    }
    if shared.site.is_some() {
        return groups;
    }
    let mut sites: BTreeMap<&SiteName, Vec<&DeviceId>> = BTreeMap::new();
    for row in rows {
        if let Some(site) = &row.site {
            sites.entry(site).or_default().push(&row.name);
        }
    }
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    for (site, devices) in sites {
        let name = super::row::plain_name(site.as_str());
        if GroupName::new(name.clone()).is_err() || names.contains(name.as_str()) || name == "all" {
            continue;
        }
        let is_new = !groups.contains_key(&name);
        let group = groups.entry(name).or_default();
        if is_new {
            *group = Group { devices, site: Some(site) };
        } else if group.devices == devices && group.site.is_none() {
            group.site = Some(site);
        }
    }
    groups
}

/// What a device says itself.
fn own(row: &Row, shared: &Shared<'_>, has_site: bool) -> Vec<String> {
    let mut keys = Vec::new();
    let host = row.host.as_deref().filter(|host| *host != row.name.as_str());
    keys.extend(host.map(|host| format!("host: {}", scalar(host))));
    keys.extend(row.serial.as_ref().map(|serial| format!("serial: \"{serial}\"")));
    keys.extend(row.hold.as_ref().map(|hold| format!("hold: {}", scalar(hold))));
    let ssh = ssh(
        row.user.as_deref().filter(|_| shared.user.is_none()),
        row.port.filter(|_| shared.port.is_none()),
        row.identity.as_deref().filter(|_| shared.identity.is_none()),
    );
    keys.extend((!ssh.is_empty()).then(|| format!("ssh: {{ {} }}", ssh.join(", "))));
    let site = row.site.as_ref().filter(|_| !has_site && shared.site.is_none());
    keys.extend(site.map(|site| format!("site: {}", scalar(site.as_str()))));
    let fleet = row.fleet.as_ref().filter(|_| shared.fleet.is_none());
    keys.extend(fleet.map(|fleet| format!("balena: {{ fleet: {} }}", scalar(fleet.as_str()))));
    let device_type = row.device_type.as_ref().filter(|_| shared.device_type.is_none());
    keys.extend(device_type.map(|it| format!("device_type: {}", scalar(it))));
    keys.extend((row.no_data && !shared.no_data).then(|| "data: none".to_owned()));
    if !row.tags.is_empty() {
        keys.push(format!("on_balena: {{ tags: {} }}", mapping(&row.tags)));
    }
    if !row.vars.is_empty() {
        keys.push(format!("vars: {}", mapping(&row.vars)));
    }
    keys
}

fn mapping(entries: &BTreeMap<String, String>) -> String {
    let entry = |(key, value): (&String, &String)| format!("{}: {}", scalar(key), scalar(value));
    format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
}

/// Names as ranges of the native form.
fn ranges(devices: &[&DeviceId]) -> String {
    let folded = fold(devices.iter().copied());
    let mut items = Vec::new();
    for item in folded.split(", ") {
        let parts = item.split_once('[').and_then(|(before, rest)| {
            let (numbers, after) = rest.split_once(']')?;
            Some((before, numbers, after))
        });
        let Some((before, numbers, after)) = parts else {
            items.push(scalar(item));
            continue;
        };
        items.extend(numbers.split(',').map(|run| match run.split_once('-') {
            Some((first, last)) => format!("\"{before}[{first}:{last}]{after}\""),
            None => scalar(&format!("{before}{run}{after}")),
        }));
    }
    items.join(", ")
}

/// A text as YAML that every reader takes for that text.
fn scalar(text: &str) -> String {
    let inner = |c: char| c.is_alphanumeric() || "._/@~ -".contains(c);
    let is_plain = text.starts_with(|c: char| c.is_alphanumeric() || "./_".contains(c))
        && text.chars().all(inner)
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && !is_number(text);
    match is_plain || text.starts_with("~/") && text.chars().all(inner) {
        true => text.to_owned(),
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Numbers of all readers: `0o17`, `1_000` and `12:30` are some to one or another.
fn is_number(text: &str) -> bool {
    let rest = text.trim_start_matches(['+', '-', '.']);
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_hexdigit() || "_.xXoO+-".contains(c))
        && rest.parse::<std::net::IpAddr>().is_err()
}
