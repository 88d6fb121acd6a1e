//! The lines and values of `wpa_supplicant.conf`, as `wpa_supplicant` reads them.
//!
//! Source: `wpa_config_get_line` in wpa_supplicant/config_file.c and `wpa_config_parse_string` in
//! src/utils/common.c of hostap.

/// A line without blanks around it and without a comment. Empty where nothing else stands there.
pub(super) fn line(text: &str) -> &str {
    let text = text.trim_start_matches([' ', '\t', '\r']);
    if text.starts_with('#') {
        return "";
    }
    // A # counts after the second quote, or anywhere where there is none.
    let second = |first: usize| Some(first + 1 + text.get(first + 1..)?.find('"')?);
    let from = text.find('"').and_then(second).unwrap_or(0);
    let end = text.get(from..).and_then(|rest| rest.find('#')).map_or(text.len(), |at| from + at);
    text.get(..end).unwrap_or(text).trim_end_matches([' ', '\t', '\r'])
}

/// The bytes of a value: quoted, as `P"…"`, or in hex.
pub(super) fn bytes(value: &str) -> Option<Vec<u8>> {
    if let Some(rest) = value.strip_prefix("P\"") {
        return printf(rest.strip_suffix('"')?);
    }
    match value.strip_prefix('"') {
        Some(rest) => Some(rest.strip_suffix('"')?.as_bytes().to_vec()),
        None => hex(value),
    }
}

/// The text of a value that is quoted, or in another form that gives text.
pub(super) fn text(value: &str) -> Option<String> {
    String::from_utf8(bytes(value)?).ok().filter(|text| !text.contains('\u{fffd}'))
}

/// The bytes of pairs of hex digits.
pub(super) fn hex(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    if !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// Pairs of hex digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `printf_decode` in src/utils/common.c: octal of up to three digits and hex of up to two, and the usual letters.
fn printf(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let (letter, after) = rest.split_first()?;
        rest = after;
        let number = |digits: &[u8], most: usize, base: u32| {
            let count = digits.iter().take(most).take_while(|it| char::from(**it).is_digit(base));
            let count = count.count();
            let digits = std::str::from_utf8(digits.get(..count)?).ok()?;
            Some((u8::try_from(u32::from_str_radix(digits, base).ok()?).ok()?, count))
        };
        match letter {
            b'\\' | b'"' => out.push(*letter),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'e' => out.push(0x1b),
            b'x' => {
                let (value, count) = number(rest, 2, 16)?;
                out.push(value);
                rest = rest.get(count..)?;
            }
            b'0'..=b'7' => {
                let (value, count) = number(&[&[*letter], rest].concat(), 3, 8)?;
                out.push(value);
                rest = rest.get(count - 1..)?;
            }
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_end_lines_but_not_within_quotes() {
        assert_eq!(line("\tssid=\"a#b\" # home\r"), "ssid=\"a#b\"");
        assert_eq!(line("psk=\"a\"b#c\""), "psk=\"a\"b");
        assert_eq!(line("  # psk=\"x\""), "");
        assert_eq!(line("priority=1 # one"), "priority=1");
    }

    #[test]
    fn values_have_three_forms() {
        assert_eq!(bytes("\"a\"b\\\""), Some(b"a\"b\\".to_vec()));
        assert_eq!(bytes("6162ff"), Some(vec![0x61, 0x62, 0xff]));
        assert_eq!(bytes(r#"P"caf\xc3\xa9\n\101\"""#), Some("café\nA\"".as_bytes().to_vec()));
        for wrong in ["\"a", "abc", "", "xy", "+f", "P\"\\q\""] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert_eq!(to_hex(b"a\xff"), "61ff");
    }
}
