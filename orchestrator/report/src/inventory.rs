//! What an inventory says: its devices, where their settings are from, and what is likely not meant.

use crate::Style;
use crate::grid::table;
use crate::words::{Tone, many, paint, plain};
use migos_inventory::{DataChoice, Device, DeviceId, Finding, Fleet, Login, Told, fold};

/// The selected devices of an inventory, one a row, and all of them folded.
pub fn inventory_table(fleet: &Fleet, selection: &[DeviceId], style: Style) -> String {
    let devices = selected(fleet, selection);
    let header = ["device", "address", "groups", "site", "balena fleet", "data", "held"];
    let row = |device: &&Device| {
        [vec![device.id.to_string(), address(&device.login)], settings(device)].concat()
    };
    table(style, &header, &[], devices.iter().map(row).collect()) + &last_line(&devices)
}

/// The selected devices, one row for all that are alike but for name, address and serial number.
pub fn folded_inventory_table(fleet: &Fleet, selection: &[DeviceId], style: Style) -> String {
    let devices = selected(fleet, selection);
    let mut sets: Vec<(Device, Vec<&Device>)> = Vec::new();
    for device in &devices {
        let alike = unnamed(device);
        match sets.iter_mut().find(|(known, _)| *known == alike) {
            Some((_, set)) => set.push(device),
            None => sets.push((alike, vec![device])),
        }
    }
    let row = |(_, set): &(Device, Vec<&Device>)| {
        let names = fold(set.iter().map(|device| &device.id));
        let shown =
            set.first().map(|device| [vec![user(&device.login)], settings(device)].concat());
        [vec![names, set.len().to_string()], shown.unwrap_or_default()].concat()
    };
    let header = ["devices", "of them", "user", "groups", "site", "balena fleet", "data", "held"];
    table(style, &header, &[1], sets.iter().map(row).collect()) + &last_line(&devices)
}

fn selected<'a>(fleet: &'a Fleet, selection: &[DeviceId]) -> Vec<&'a Device> {
    selection.iter().filter_map(|id| fleet.devices.get(id)).collect()
}

/// A device without what is its own.
fn unnamed(device: &Device) -> Device {
    let mut device = device.clone();
    device.login.host.clear();
    device.serial = None;
    // All have the name of the first, which is as good as none.
    if let Ok(id) = DeviceId::new("x") {
        device.id = id;
    }
    device
}

fn last_line(devices: &[&Device]) -> String {
    let held = devices.iter().filter(|device| device.hold.is_some()).count();
    let names = fold(devices.iter().map(|device| &device.id));
    format!("{}, {held} held: {names}\n", many(devices.len(), "device"))
}

fn settings(device: &Device) -> Vec<String> {
    let groups: Vec<_> = device.groups.iter().map(|group| group.as_str()).collect();
    let data = match &device.data {
        Some(DataChoice::None) => "none".to_owned(),
        Some(DataChoice::Keep(data)) => format!("keeps {}", many(data.paths.len(), "path")),
        None => "not said".to_owned(),
    };
    vec![
        groups.join(", "),
        device.site.as_ref().map(ToString::to_string).unwrap_or_default(),
        device.balena_fleet.as_ref().map(ToString::to_string).unwrap_or_default(),
        data,
        device.hold.as_ref().map(|hold| plain(&hold.0)).unwrap_or_default(),
    ]
}

/// `pi@10.1.4.42`, with the port where it is not the usual one.
fn address(login: &Login) -> String {
    match login.port {
        Login::DEFAULT_PORT => format!("{}@{}", login.user, login.host),
        port => format!("{}@{}:{port}", login.user, login.host),
    }
}

/// `pi`, with the port where it is not the usual one.
fn user(login: &Login) -> String {
    match login.port {
        Login::DEFAULT_PORT => login.user.clone(),
        port => format!("{}, port {port}", login.user),
    }
}

/// Values up to this width stand in a column.
const WIDEST_VALUE: usize = 60;

/// All settings of a device, each with where it was said and what it stands in place of.
///
/// Places are never broken over lines, so that they can be copied.
pub fn explanation(id: &DeviceId, told: &[Told], style: Style) -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for told in told {
        rows.push([plain(&told.key), plain(&told.value), plain(&told.origin.to_string())]);
        for hidden in &told.hides {
            let instead = format!("instead of {}", plain(&hidden.value));
            rows.push([String::new(), instead, plain(&hidden.origin.to_string())]);
        }
    }
    let width = |text: &String| text.chars().count();
    let keys = rows.iter().map(|[key, ..]| width(key)).max().unwrap_or_default();
    let values = rows.iter().map(|[_, value, _]| width(value));
    let values = values.filter(|width| *width <= WIDEST_VALUE).max().unwrap_or_default();
    let mut text = format!("{}\n", paint(style, Tone::Plain, id.as_str()));
    for [key, value, origin] in &rows {
        text += &format!("  {key:keys$}  {value:values$}  {origin}\n");
    }
    text
}

/// What is likely not meant, one after the other.
pub fn findings_text(findings: &[Finding], fleet: &Fleet) -> String {
    if findings.is_empty() {
        let devices = many(fleet.devices.len(), "device");
        return format!("nothing found: {devices}, {}\n", many(fleet.groups.len(), "group"));
    }
    let mut text = String::new();
    for finding in findings {
        for line in finding.to_string().lines() {
            text += &format!("{}\n", plain(line));
        }
    }
    text + &format!("{}\n", many(findings.len(), "finding"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use migos_inventory::{Hidden, Origin, Place};

    const STYLE: Style = Style { color: false, width: 120 };

    const TEXT: &str = "
migos: 1
balena: { fleet: acme/kiosks }
data: none
defaults: { ssh: { user: pi, identity: ~/.ssh/fleet } }
groups:
  north: { devices: [\"kiosk-[001:003]\"], vars: { site: north } }
devices:
  kiosk-002: { host: 10.1.4.42, ssh: { port: 2222 }, hold: \"screen being replaced\" }
  bench-1: {}
";

    #[test]
    fn an_inventory_as_a_table() {
        let fleet = migos_inventory::parse("kiosks.yaml", TEXT).unwrap();
        let table = inventory_table(&fleet, &fleet.order, STYLE);
        insta::assert_snapshot!(table, @r###"
         device      address             groups   site    balena fleet   data   held
        ──────────────────────────────────────────────────────────────────────────────────────────────
         kiosk-001   pi@kiosk-001        north    north   acme/kiosks    none
         kiosk-002   pi@10.1.4.42:2222   north    north   acme/kiosks    none   screen being replaced
         kiosk-003   pi@kiosk-003        north    north   acme/kiosks    none
         bench-1     pi@bench-1                           acme/kiosks    none
        ──────────────────────────────────────────────────────────────────────────────────────────────
        4 devices, 1 held: kiosk-[001-003], bench-1
        "###);
    }

    #[test]
    fn devices_that_are_alike_are_one_row() {
        let fleet = migos_inventory::parse("kiosks.yaml", TEXT).unwrap();
        insta::assert_snapshot!(folded_inventory_table(&fleet, &fleet.order, STYLE), @r###"
         devices           of them   user            groups   site    balena fleet   data   held
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────
         kiosk-[001,003]         2   pi              north    north   acme/kiosks    none
         kiosk-002               1   pi, port 2222   north    north   acme/kiosks    none   screen being replaced
         bench-1                 1   pi                               acme/kiosks    none
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────
        4 devices, 1 held: kiosk-[001-003], bench-1
        "###);
    }

    #[test]
    fn an_explanation_tells_what_is_hidden() {
        let origin = |layer: &str, place| Origin {
            file: Some("kiosks.yaml".to_owned()),
            place,
            layer: layer.to_owned(),
        };
        let place = Some(Place { line: 8, column: 3 });
        let told = Told {
            key: "ssh.user".to_owned(),
            value: "north".to_owned(),
            origin: origin("group north", place),
            hides: vec![Hidden { value: "pi".to_owned(), origin: origin("defaults", None) }],
        };
        let id = DeviceId::new("kiosk-001").unwrap();
        insta::assert_snapshot!(explanation(&id, &[told], STYLE), @r###"
        kiosk-001
          ssh.user  north          kiosks.yaml:8:3, group north
                    instead of pi  kiosks.yaml, defaults
        "###);
    }
}
