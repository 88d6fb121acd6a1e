//! The path of keys that leads to a value, and safe ways to show texts from a file.

use std::fmt;

/// Texts from a file are cut to this many characters in messages.
const LONGEST_SHOWN: usize = 60;

/// The keys that lead to a value: `groups.north.devices[2]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(String);

impl KeyPath {
    /// The path of the whole document, which is shown as nothing.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of the value under `key`.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let key = plain(key);
        Self(if self.0.is_empty() { key } else { format!("{}.{key}", self.0) })
    }

    /// The path of the item at `index` of a list, counted from 0.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows a text in quotation marks, cut if it is long, with control characters made visible.
pub(crate) fn quote(text: &str) -> String {
    format!("{:?}", cut(text))
}

/// Shows a key without quotation marks, cut if it is long, with control characters made visible.
pub(crate) fn plain(key: &str) -> String {
    let visible = |c: char| {
        if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
    };
    cut(key).chars().map(visible).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_file_is_nested() {
        let path = KeyPath::root().key("groups").key("north").key("devices").item(2);
        assert_eq!(path.to_string(), "groups.north.devices[2]");
    }

    #[test]
    fn no_control_character_reaches_a_message() {
        assert_eq!(KeyPath::root().key("a\u{1b}[31m").to_string(), r"a\u{1b}[31m");
        assert_eq!(quote("a\u{1b}\n"), r#""a\u{1b}\n""#);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(quote(&"é".repeat(61)), format!("\"{}…\"", "é".repeat(60)));
        assert_eq!(quote(&"é".repeat(60)), format!("\"{}\"", "é".repeat(60)));
    }
}
