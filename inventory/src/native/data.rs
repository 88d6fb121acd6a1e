//! What becomes of the data on a card: `none`, or what is fetched before it is erased.

use crate::fleet::{DataChoice, KeptData, KeptPath};
use crate::name::InvalidText;
use crate::problem::Report;
use crate::yaml::{Field, Keys, Kind, Refused};

pub(super) const DATA: Keys = Keys {
    known: &["keep", "exclude"],
    refused: &[Refused {
        key: "volumes",
        message: "filling volumes of the new app is not part of this version yet",
        hint: "name the folders under `keep:`, and copy them into the volume once the device has arrived",
    }],
};

pub(super) const KEPT: Keys = Keys { known: &["path", "optional"], refused: &[] };

const EXAMPLE: &str = "write `data: none` if nothing on the cards is needed, or what is: \
                       `data: { keep: [/home/pi/photos] }`";

/// Reads what becomes of the data; nothing if it is not whole.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<DataChoice> {
    match &field.node.kind {
        Kind::Mapping(_) => {}
        Kind::List(_) => {
            field.refuse_with_hint(report, "expected `none` or `keep`, found a list", EXAMPLE);
            return None;
        }
        Kind::Text(text) if text == "none" => return Some(DataChoice::None),
        _ => {
            let message = format!("expected `none` or `keep`, found {}", field.node.found());
            field.refuse_with_hint(report, message, EXAMPLE);
            return None;
        }
    }
    let keys = field.mapping(&DATA, report);
    let Some(keep) = keys.get("keep") else {
        field.refuse_with_hint(report, "it is not said what is kept", EXAMPLE);
        return None;
    };
    let paths = paths(keep, report)?;
    let exclude = match keys.get("exclude") {
        Some(exclude) => patterns(exclude, report)?,
        None => Vec::new(),
    };
    Some(DataChoice::Keep(KeptData { paths, exclude }))
}

fn paths(field: &Field<'_>, report: &mut Report) -> Option<Vec<KeptPath>> {
    let items = field.list("a list of paths", report);
    let mut kept: Vec<KeptPath> = Vec::new();
    for item in &items {
        let Some(path) = kept_path(item, report) else { continue };
        let holds = |a: &str, b: &str| format!("{b}/").starts_with(&format!("{a}/"));
        let other = kept
            .iter()
            .find(|other| holds(&other.path, &path.path) || holds(&path.path, &other.path));
        if let Some(other) = other {
            let message = format!("{} and {} hold the same files", other.path, path.path);
            item.refuse_with_hint(report, message, "name only the larger one");
            return None;
        }
        kept.push(path);
    }
    if items.is_empty() && matches!(field.node.kind, Kind::List(_)) {
        field.refuse_with_hint(report, "nothing is kept", EXAMPLE);
    }
    // What is wrong with a path has been said.
    (!items.is_empty() && kept.len() == items.len()).then_some(kept)
}

fn kept_path(item: &Field<'_>, report: &mut Report) -> Option<KeptPath> {
    if !matches!(item.node.kind, Kind::Mapping(_)) {
        let path = item.parse("a path", path, report)?;
        return Some(KeptPath { path, optional: false });
    }
    let keys = item.mapping(&KEPT, report);
    let Some(field) = keys.get("path") else {
        item.refuse(report, "`path` is missing");
        return None;
    };
    let optional = match keys.get("optional") {
        None => false,
        Some(optional) => match optional.node.kind {
            Kind::Bool(is_optional) => is_optional,
            _ => {
                optional.expected("`true` or `false`", report);
                return None;
            }
        },
    };
    Some(KeptPath { path: field.parse("a path", path, report)?, optional })
}

/// Checks that a path can mean one thing only.
fn path(text: &str) -> Result<String, InvalidText> {
    let invalid = |what, hint| Err(InvalidText { text: text.to_owned(), what, hint });
    let Some(inner) = text.strip_prefix('/') else {
        return invalid("an absolute path", "begin it with /, such as /home/pi/photos");
    };
    if inner.is_empty() {
        return invalid("a path that can be kept", "name the folders that are needed");
    }
    let is_plain = |part: &str| !matches!(part, "" | "." | "..");
    if !inner.split('/').all(is_plain) || text.chars().any(char::is_control) {
        return invalid("a plain path", "write it without //, /./, /../ and a / at its end");
    }
    Ok(text.to_owned())
}

fn patterns(field: &Field<'_>, report: &mut Report) -> Option<Vec<String>> {
    let items = field.list("a list of patterns", report);
    let read = |item: &Field<'_>, report: &mut Report| item.parse("a pattern", pattern, report);
    let patterns: Vec<String> = items.iter().filter_map(|item| read(item, report)).collect();
    (patterns.len() == items.len()).then_some(patterns)
}

/// A pattern is for names: which of tar's many rules for paths would hold on a device is not known.
fn pattern(text: &str) -> Result<String, InvalidText> {
    let is_plain = |c: char| !c.is_control() && !"/[]\\".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err(InvalidText {
        text: text.to_owned(),
        what: "a pattern of names",
        hint: "write names with * and ? in them, such as \"*.tmp\" or cache",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::native::parse;

    fn told(data: &str) -> String {
        let text =
            format!("migos: 1\ndata: none\ndevices: {{ pi-1: , pi-2: {{ data: {data} }} }}\n");
        match parse("t", &text) {
            Ok(fleet) => {
                let data = fleet.devices.values().map(|device| device.data.clone());
                serde_yaml::to_string(&data.collect::<Vec<_>>()).unwrap()
            }
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn the_nearest_word_about_data_counts_whole() {
        let data = "{ keep: [/home/pi/photos, { path: /etc/kiosk.conf, optional: true }], exclude: ['*.tmp'] }";
        insta::assert_snapshot!(told(data), @r###"
        - none
        - !keep
          paths:
          - path: /home/pi/photos
          - path: /etc/kiosk.conf
            optional: true
          exclude:
          - '*.tmp'
        "###);
    }

    #[test]
    fn what_cannot_be_kept_is_told_in_its_place() {
        let wrong = [
            "all",
            "[/home/pi]",
            "{ exclude: ['*.tmp'] }",
            "{ keep: [] }",
            "{ keep: [home/pi, /, /a/../b, /a/] }",
            "{ keep: [/home/pi, /home/pi/photos] }",
            "{ keep: [{ optional: true }, { path: /a, optional: maybe }] }",
            "{ keep: [/a], exclude: [a/b, ''] }",
            "{ keep: [/a], volumes: { app-data: /b } }",
        ];
        insta::assert_snapshot!(wrong.map(told).join("\n"), @r###"
        t:3:34: devices.pi-2.data: expected `none` or `keep`, found text "all"
          hint: write `data: none` if nothing on the cards is needed, or what is: `data: { keep: [/home/pi/photos] }`
        t:3:34: devices.pi-2.data: expected `none` or `keep`, found a list
          hint: write `data: none` if nothing on the cards is needed, or what is: `data: { keep: [/home/pi/photos] }`
        t:3:34: devices.pi-2.data: it is not said what is kept
          hint: write `data: none` if nothing on the cards is needed, or what is: `data: { keep: [/home/pi/photos] }`
        t:3:42: devices.pi-2.data.keep: nothing is kept
          hint: write `data: none` if nothing on the cards is needed, or what is: `data: { keep: [/home/pi/photos] }`
        t:3:43: devices.pi-2.data.keep[0]: "home/pi" is not an absolute path
          hint: begin it with /, such as /home/pi/photos
        t:3:52: devices.pi-2.data.keep[1]: "/" is not a path that can be kept
          hint: name the folders that are needed
        t:3:55: devices.pi-2.data.keep[2]: "/a/../b" is not a plain path
          hint: write it without //, /./, /../ and a / at its end
        t:3:64: devices.pi-2.data.keep[3]: "/a/" is not a plain path
          hint: write it without //, /./, /../ and a / at its end
        t:3:53: devices.pi-2.data.keep[1]: /home/pi and /home/pi/photos hold the same files
          hint: name only the larger one
        t:3:43: devices.pi-2.data.keep[0]: `path` is missing
        t:3:85: devices.pi-2.data.keep[1].optional: expected `true` or `false`, found text "maybe"
        t:3:58: devices.pi-2.data.exclude[0]: "a/b" is not a pattern of names
          hint: write names with * and ? in them, such as "*.tmp" or cache
        t:3:63: devices.pi-2.data.exclude[1]: expected a pattern, found an empty text
        t:3:48: devices.pi-2.data.volumes: filling volumes of the new app is not part of this version yet
          hint: name the folders under `keep:`, and copy them into the volume once the device has arrived
        "###);
    }
}
