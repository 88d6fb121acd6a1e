//! NetworkManager's keyfiles as text: sections, keys, and values with their escapes.
//!
//! Source: the Desktop Entry form that GLib's `GKeyFile` reads, and nm-settings-keyfile(5).

/// One line `key=value`.
pub(super) struct Entry {
    /// The section it stands in, by its present name.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value as it stands there.
    pub value: String,
    /// The line, from 1.
    pub line: usize,
}

/// A section or type by its present name.
pub(super) fn present_name(name: &str) -> &str {
    match name {
        "802-11-wireless" => "wifi",
        "802-3-ethernet" => "ethernet",
        "802-11-wireless-security" => "wifi-security",
        other => other,
    }
}

/// All entries.
///
/// # Errors
/// The number of a line that is none of a keyfile.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, usize> {
    let mut section = None;
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.trim_end().strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if let Some(name) = name {
            section = Some(present_name(name).to_owned());
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(index + 1)?;
        all.push(Entry {
            section: section.clone().ok_or(index + 1)?,
            key: key.trim_end().to_owned(),
            value: value.trim_start().to_owned(),
            line: index + 1,
        });
    }
    Ok(all)
}

/// The text of a value. `None` for an escape that there is not.
pub(super) fn unescape(value: &str) -> Option<String> {
    let mut out = String::new();
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.push(match letters.next()? {
                's' => ' ',
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            }),
            other => out.push(other),
        }
    }
    Some(out)
}

/// A text as a value.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::new();
    for (index, letter) in text.char_indices() {
        let is_edge = index == 0 || index + letter.len_utf8() == text.len();
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' ' if is_edge => out.push_str("\\s"),
            other => out.push(other),
        }
    }
    out
}

/// The bytes of a network's name: a list of numbers, or text.
pub(super) fn ssid(value: &str) -> Option<Vec<u8>> {
    let numbers = value.trim().strip_suffix(';').unwrap_or(value.trim());
    let all: Option<Vec<u8>> = numbers.split(';').map(|it| it.trim().parse().ok()).collect();
    // One number alone, without a semicolon, is a name.
    match all.filter(|_| value.contains(';')) {
        Some(bytes) => Some(bytes),
        // NetworkManager puts a backslash before a semicolon, and escapes that as any other.
        None => unescape(value).map(|it| it.replace("\\;", ";").into_bytes()),
    }
}

/// The parts of a list.
pub(super) fn list(value: &str) -> Vec<String> {
    value.split([';', ',']).map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_are_written() {
        for text in ["a\\b", " a ", "tab\there", "\"q\";#", "é", "", " ", "\r\n"] {
            assert_eq!(unescape(&escape(text)).as_deref(), Some(text));
        }
        assert_eq!(escape(" a"), "\\sa");
        assert_eq!(unescape("\\q"), None);
    }

    #[test]
    fn names_are_numbers_or_text() {
        assert_eq!(ssid("65;98;255;"), Some(vec![65, 98, 255]));
        assert_eq!(ssid("42"), Some(b"42".to_vec()));
        assert_eq!(ssid("a\\\\;b\\s"), Some(b"a;b ".to_vec()));
    }

    #[test]
    fn sections_have_their_present_names() {
        let all = entries("# x\n[802-11-wireless]\nssid = a \n\n[ipv4]\nmethod=auto\n").ok();
        let all = all.unwrap();
        assert_eq!((all[0].section.as_str(), all[0].value.as_str()), ("wifi", "a "));
        assert_eq!((all[1].section.as_str(), all[1].line), ("ipv4", 6));
        assert_eq!(entries("key=1\n").err(), Some(1));
    }
}
