//! The form of `ansible.cfg`, as Python's configparser reads it for Ansible.

use std::collections::BTreeMap;

use crate::problem::Place;

/// A value, and where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: String,
    pub(super) place: Place,
}

/// The values by section and key; of equal keys the last one.
pub(super) struct Entries(BTreeMap<(String, String), Entry>);

impl Entries {
    /// Reads a text. Lines that are indented go on with the value before.
    pub(super) fn read(text: &str) -> Self {
        let mut entries: BTreeMap<(String, String), Entry> = BTreeMap::new();
        let (mut section, mut open) = (String::new(), None);
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with([' ', '\t'])
                && let Some(key) = &open
            {
                if let Some(Entry { value, .. }) = entries.get_mut(key) {
                    let more = uncommented(bare);
                    if !value.is_empty() && !more.is_empty() {
                        value.push(' ');
                    }
                    value.push_str(more);
                }
            } else if let Some((name, _)) =
                bare.strip_prefix('[').and_then(|rest| rest.rsplit_once(']'))
            {
                (section, open) = (name.to_owned(), None);
            } else if let Some((key, value)) = bare.split_once(['=', ':']) {
                let key = (section.clone(), key.trim().to_ascii_lowercase());
                let before = line.len() - value.trim_start().len() - trailing(line);
                let column = line.get(..before).unwrap_or_default().chars().count() + 1;
                let place = Place { line: index + 1, column };
                let value = uncommented(value.trim()).to_owned();
                entries.insert(key.clone(), Entry { value, place });
                open = Some(key);
            }
        }
        Entries(entries)
    }

    /// The value of a key in a section.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&Entry> {
        self.0.get(&(section.to_owned(), key.to_owned()))
    }
}

/// The bytes of blanks at the end of a line.
fn trailing(line: &str) -> usize {
    line.len() - line.trim_end().len()
}

/// A value ends where a blank and `;` follow.
fn uncommented(value: &str) -> &str {
    let is_comment = |at: &usize| {
        let (before, _) = value.split_at(*at);
        before.is_empty() || before.ends_with(char::is_whitespace)
    };
    let end = value.match_indices(';').map(|(at, _)| at).find(is_comment);
    end.map_or(value, |end| value.split_at(end).0).trim_end()
}

/// A text without the quotes around it.
pub(super) fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// A path with the values of variables of the environment; those that are not set stay as they are written.
pub(super) fn with_variables(path: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let bare = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, behind) = braced.unwrap_or_else(|| after.split_at(bare.unwrap_or(after.len())));
        match variable(name) {
            Some(value) => text.push_str(&value),
            None => {
                text.push('$');
                text.push_str(after.strip_suffix(behind).unwrap_or_default());
            }
        }
        rest = behind;
    }
    text + rest
}

/// A truth value in one of the words that Ansible knows.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "y" | "t" => Some(true),
        "false" | "no" | "off" | "0" | "n" | "f" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Entries, flag, unquoted, with_variables};

    #[test]
    fn values_are_those_of_configparser() {
        let entries = Entries::read(
            "[a]\nOne = 1 ; said\n# no\ntwo:x=y;z  \nthree =\n  four\n  five ; six\n[b]\none=2\n",
        );
        let get = |section: &str, key: &str| {
            let entry = entries.get(section, key).unwrap();
            format!("{}:{} {}", entry.place.line, entry.place.column, entry.value)
        };
        let got = [get("a", "one"), get("a", "two"), get("a", "three"), get("b", "one")];
        assert_eq!(got, ["2:7 1", "4:5 x=y;z", "5:8 four five", "9:5 2"]);
        assert_eq!(entries.get("a", "four"), None);
        assert_eq!((unquoted("'a'"), unquoted("\"a"), unquoted("\"")), ("a", "\"a", "\""));
        let variable = |name: &str| (name == "A").then(|| "a b".to_owned());
        let path = with_variables("$A/${A}x/$B/${B}$", &variable);
        assert_eq!(path, "a b/a bx/$B/${B}$");
        assert_eq!((flag("Off"), flag("T"), flag("maybe")), (Some(false), Some(true), None));
    }
}
