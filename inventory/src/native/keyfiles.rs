//! Network connections that an operator adds: NetworkManager keyfiles.

use crate::name::InvalidText;
use crate::problem::Report;
use crate::yaml::Field;
use std::collections::BTreeMap;

const EXAMPLE: &str = "call it by letters, digits, `-` and `_`, such as keyfiles/office";

/// Reads the paths of keyfiles; no two have one name.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<Vec<String>> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut paths = Vec::new();
    for item in field.list("a list of paths of keyfiles", report) {
        let path = item.parse("the path of a keyfile", path, report)?;
        // FAT, through which they come to balenaOS, does not tell case apart.
        let before = names.insert(name(&path).to_ascii_lowercase(), path.clone());
        if let Some(before) = before {
            let message = format!("{before} and {path} would be one file on the device");
            item.refuse_with_hint(report, message, "give one of them another name");
            return None;
        }
        paths.push(path);
    }
    Some(paths)
}

/// The name that balenaOS keeps it under.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// NetworkManager says nothing of a file that it passes over, so a name that makes it do so is refused here:
/// `nms_keyfile_utils_filename` and `nm_keyfile_utils_ignore_filename` (NetworkManager, nm-keyfile.c).
fn path(text: &str) -> Result<String, InvalidText> {
    let invalid = |what| Err(InvalidText { text: text.to_owned(), what, hint: EXAMPLE });
    let name = name(text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) || name.ends_with('.') {
        return invalid("a file name that a FAT boot partition takes as it is");
    }
    let is_left_over = |(_, end): (&str, &str)| {
        end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if name.starts_with('.')
        || name.ends_with(".pem")
        || name.ends_with(".der")
        || name.rsplit_once('.').is_some_and(is_left_over)
    {
        return invalid("a name of a keyfile: NetworkManager passes over such files in silence");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::native::parse;

    fn told(keyfiles: &str) -> String {
        let text = format!(
            "migos: 1\ndefaults: {{ keyfiles: [site] }}\n\
             groups:\n  north: {{ devices: [pi-1], keyfiles: {keyfiles} }}\n\
             devices: {{ pi-2: , pi-3: {{ keyfiles: [] }} }}\n"
        );
        match parse("t", &text) {
            Ok(fleet) => {
                let of_each = fleet.devices.values().map(|device| device.keyfiles.join(" + "));
                of_each.collect::<Vec<_>>().join(" | ")
            }
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn the_nearest_list_counts_whole() {
        assert_eq!(
            told("[keys/office, /x/lte.nmconnection]"),
            "keys/office + /x/lte.nmconnection | site | "
        );
    }

    #[test]
    fn names_that_would_be_passed_over_are_refused() {
        let bad = [
            "[.office]",
            "[office.config]",
            "[office.pem]",
            "[\"office~\"]",
            "[a/b, c/B]",
            "office",
        ];
        insta::assert_snapshot!(bad.map(told).join("\n"), @r###"
        t:4:40: groups.north.keyfiles[0]: ".office" is not a name of a keyfile: NetworkManager passes over such files in silence
          hint: call it by letters, digits, `-` and `_`, such as keyfiles/office
        t:4:40: groups.north.keyfiles[0]: "office.config" is not a name of a keyfile: NetworkManager passes over such files in silence
          hint: call it by letters, digits, `-` and `_`, such as keyfiles/office
        t:4:40: groups.north.keyfiles[0]: "office.pem" is not a name of a keyfile: NetworkManager passes over such files in silence
          hint: call it by letters, digits, `-` and `_`, such as keyfiles/office
        t:4:40: groups.north.keyfiles[0]: "office~" is not a file name that a FAT boot partition takes as it is
          hint: call it by letters, digits, `-` and `_`, such as keyfiles/office
        t:4:45: groups.north.keyfiles[1]: a/b and c/B would be one file on the device
          hint: give one of them another name
        t:4:39: groups.north.keyfiles: expected a list of paths of keyfiles, found text "office"
          hint: put it in brackets: ["office"]
        "###);
    }
}
