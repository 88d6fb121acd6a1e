//! From the bytes of a file to cells: spreadsheets save in several alphabets, and with several delimiters.

use crate::problem::{Place, Report};
use crate::yaml::KeyPath;

/// What cells are parted by: in many countries a comma stands within numbers.
const DELIMITERS: [char; 3] = [',', ';', '\t'];

/// How some spreadsheets say in the first line what the delimiter is.
const SAYS_DELIMITER: &str = "sep=";

/// A text, and what was assumed about it.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) remark: Option<&'static str>,
}

/// One row of cells, and the line of the file that it begins on.
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

/// Makes text of the bytes: UTF-8, UTF-16 with its mark, or else the alphabet of Western Windows.
pub(super) fn text(bytes: &[u8]) -> Decoded {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(unit);
        let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        Decoded { text: text.collect(), remark: None }
    };
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return wide(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return wide(rest, u16::from_be_bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            Decoded { text: text.to_owned(), remark: None }
        }
        Err(_) => Decoded {
            text: bytes.iter().map(|byte| windows(*byte)).collect(),
            remark: Some("the table is not in UTF-8, so it was read as Windows-1252"),
        },
    }
}

/// A character of Windows-1252; the few that it has not are as in Latin-1 (WHATWG Encoding Standard).
fn windows(byte: u8) -> char {
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    let high = byte.checked_sub(0x80).and_then(|index| HIGH.chars().nth(index.into()));
    high.unwrap_or(char::from(byte))
}

/// Cuts a text into its header and the rows below that say anything.
pub(super) fn cells(text: &str, report: &mut Report) -> Option<(Record, Vec<Record>)> {
    let (delimiter, text, skipped) = delimiter(text);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut records = Vec::new();
    let mut is_open = false;
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(1, csv::Position::line);
                let line = usize::try_from(line).unwrap_or(usize::MAX).saturating_add(skipped);
                is_open = record.iter().any(|cell| cell.contains('\n'));
                let cells: Vec<String> = record.iter().map(one_line).collect();
                if cells.iter().any(|cell| !cell.is_empty()) {
                    records.push(Record { line, cells });
                }
            }
            Err(error) => {
                report.add(Place::START, &KeyPath::root(), format!("not a table: {error}"));
                return None;
            }
        }
    }
    // A quote within a cell is no harm; one that is never closed takes in all rows below.
    if is_open
        && text.matches('"').count() % 2 == 1
        && let Some(Record { line, .. }) = records.last()
    {
        let place = Place { line: *line, column: 1 };
        let message = "a quote is opened in this row, and never closed";
        let hint = "close it; where it belongs to the text, write it twice";
        report.add_with_hint(place, &KeyPath::root(), message, hint);
        return None;
    }
    let mut records = records.into_iter();
    let Some(header) = records.next() else {
        let hint = "write one device a row, below a row that names the columns";
        report.add_with_hint(Place::START, &KeyPath::root(), "the table is empty", hint);
        return None;
    };
    Some((header, records.collect()))
}

/// The delimiter, the text that it parts, and how many lines were passed over to find it.
fn delimiter(text: &str) -> (u8, &str, usize) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let said = first.trim_end().strip_prefix(SAYS_DELIMITER).and_then(|said| said.bytes().next());
    if let Some(said) = said {
        return (said, rest, 1);
    }
    let count = |delimiter: char| {
        let mut quoted = false;
        let parts = |c: &char| {
            quoted ^= *c == '"';
            !quoted && *c == delimiter
        };
        first.chars().filter(parts).count()
    };
    // Of equals the first one.
    let most = DELIMITERS.into_iter().rev().max_by_key(|delimiter| count(*delimiter));
    (most.and_then(|delimiter| u8::try_from(delimiter).ok()).unwrap_or(b','), text, 0)
}

/// A cell may have several lines; all is said on one.
fn one_line(cell: &str) -> String {
    let plain = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_parts_the_header() {
        for (text, wanted) in [
            ("a,b;c,d", b','),
            ("a;b;c,d", b';'),
            ("a\tb", b'\t'),
            ("\"a,b,c\";d", b';'),
            ("name", b','),
            ("sep=;\r\na,b;c", b';'),
        ] {
            assert_eq!(delimiter(text).0, wanted, "{text}");
        }
    }

    #[test]
    fn western_windows_has_its_own_quotation_marks() {
        assert_eq!(text(b"\x84K\xf6ln\x93 \x80").text, "„Köln“ €");
        assert!(text("Köln".as_bytes()).remark.is_none());
    }
}
