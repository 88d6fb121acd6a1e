//! The hours in which devices may start and cross the point of no return.

use std::collections::HashSet;

use super::document::Document;
use crate::fleet::{BadHours, Hours, WindowChoice};
use crate::problem::Report;
use crate::yaml::{Field, Keys, Kind};

pub(super) const HOURS: Keys = Keys { known: &["days", "from", "to", "zone"], refused: &[] };

/// Reads hours, or `none`; nothing if they are not whole.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<WindowChoice> {
    if !matches!(field.node.kind, Kind::Mapping(_)) {
        let hint = "write { days: mon-fri, from: \"22:00\", to: \"05:00\", zone: Europe/Berlin }, \
                    or `none` for always";
        let is_none = matches!(&field.node.kind, Kind::Text(text) if text == "none");
        if !is_none {
            let message = format!("expected hours, found {}", field.node.found());
            field.refuse_with_hint(report, message, hint);
        }
        return is_none.then_some(WindowChoice::None);
    }
    let keys = field.mapping(&HOURS, report);
    let mut text = |key: &str| match keys.get(key) {
        Some(value) => value.text("text", report).map(str::to_owned),
        None => {
            field.refuse(report, format!("a window needs `{key}`"));
            None
        }
    };
    let (days, from, to, zone) = (text("days"), text("from"), text("to"), text("zone"));
    Some(WindowChoice::Hours(Hours { days: days?, from: from?, to: to?, zone: zone? }))
}

/// Has all hours of the file checked, each where it is written.
pub(super) fn check(
    document: &Document,
    check: &dyn Fn(&Hours) -> Result<(), BadHours>,
    report: &mut Report,
) {
    let groups = document.groups.values().map(|group| &group.layer);
    let devices = document.devices.values().map(|layer| &**layer);
    let layers = [&document.top, &document.defaults].into_iter().chain(groups).chain(devices);
    // Devices may share what is said of them.
    let mut seen = HashSet::new();
    for (layer, said) in layers.filter_map(|layer| Some((layer, layer.window.as_ref()?))) {
        let WindowChoice::Hours(hours) = &said.value else { continue };
        if !seen.insert((&layer.file, said.place)) {
            continue;
        }
        report.turn_to(&layer.file);
        if let Err(BadHours { key, message }) = check(hours) {
            report.add(said.place, &said.path.key(key), message);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::fleet::BadHours;
    use crate::native::parse_with;

    /// Hours on the moon are good ones.
    fn told(text: &str) -> String {
        let moon = |hours: &crate::Hours| match hours.zone.as_str() {
            "Moon" => Ok(()),
            other => Err(BadHours { key: "zone", message: format!("{other} is not the moon") }),
        };
        match parse_with("t", &format!("migos: 1\n{text}"), &moon) {
            Ok(fleet) => {
                let windows = fleet.devices.values().map(|device| &device.window);
                serde_yaml::to_string(&windows.collect::<Vec<_>>()).unwrap()
            }
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn the_nearest_window_counts_whole_and_none_lifts_it() {
        insta::assert_snapshot!(told(
            "defaults: { window: { days: daily, from: '1:00', to: '2:00', zone: Moon } }
groups: { north: { devices: [pi-2], window: { days: sun, from: '3:00', to: '4:00', zone: Moon } } }
devices: { pi-1: , pi-2: , pi-3: { window: none } }"
        ), @r###"
        - !hours
          days: daily
          from: 1:00
          to: 2:00
          zone: Moon
        - !hours
          days: sun
          from: 3:00
          to: 4:00
          zone: Moon
        - none
        "###);
    }

    #[test]
    fn what_is_wrong_with_a_window_is_told_in_its_place() {
        let wrong = [
            "devices: { pi-1: { window: nights } }",
            "devices: { pi-1: { window: { days: mon, from: 22, tp: '5:00' } } }",
            "groups: { north: { devices: [pi-1], window: { days: a, from: b, to: c, zone: Mars } } }",
            "window: none\ndevices: { pi-1: }",
            "groups: { a: { devices: [pi-1], window: none }, b: { devices: [pi-1], window: { days: d, from: f, to: t, zone: Moon } } }",
        ];
        insta::assert_snapshot!(wrong.map(told).join("\n"), @r###"
        t:2:28: devices.pi-1.window: expected hours, found text "nights"
          hint: write { days: mon-fri, from: "22:00", to: "05:00", zone: Europe/Berlin }, or `none` for always
        t:2:28: devices.pi-1.window: a window needs `to`
        t:2:28: devices.pi-1.window: a window needs `zone`
        t:2:47: devices.pi-1.window.from: expected text, found number 22
          hint: put it in quotes: "22"
        t:2:51: devices.pi-1.window.tp: unknown key
          hint: did you mean `to`?
        t:2:45: groups.north.window.zone: Mars is not the moon
        t:2:1: window: this cannot stand at the top level
          hint: write it under `defaults:`
        t:2:79: groups.b.window: group `b` says otherwise than group `a` on line 2, and pi-1 is in both
          hint: say it on the devices themselves under `devices:`, or let the groups agree
        "###);
    }
}
