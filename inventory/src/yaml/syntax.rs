//! Says what is wrong with a text that is not YAML, in words that help to mend it.

use super::path::KeyPath;
use crate::problem::{Place, Report};

/// What the parser says, what it means, and what to do.
const MEANINGS: [(&str, &str, &str); 14] = [
    (
        "mapping values are not allowed",
        "a `:` is not expected here",
        "indent the line like its neighbours, or put a text that contains `: ` in quotes",
    ),
    (
        "block mapping, did not find expected key",
        "this line does not fit the lines above it",
        "start keys of one mapping in the same column",
    ),
    (
        "block collection, did not find expected '-'",
        "this line does not fit the list above it",
        "start every item with `- ` in the same column",
    ),
    (
        "invalid indentation",
        "this line does not fit the lines above it",
        "start keys of one mapping in the same column",
    ),
    (
        "flow sequence, expected",
        "a list in brackets is not finished",
        "separate the items with `,` and close the list with `]`; \
         a name with a range needs quotes: \"pi-[1:9]\"",
    ),
    (
        "flow mapping, did not find",
        "a mapping in braces is not finished",
        "separate the entries with `,` and close the mapping with `}`",
    ),
    (
        "illegal placement of ':'",
        "a `:` is not expected here",
        "close the `[` or `{` above, or put a text that contains `:` in quotes",
    ),
    (
        "block sequence entries are not allowed",
        "a list item is not expected here",
        "begin the list on a line of its own",
    ),
    (
        "trailing content after",
        "text follows the closing quotation mark",
        "put the whole text in quotes",
    ),
    ("simple key expect", "a key without `:` here or above", "write `key: value`"),
    (
        "quoted scalar, found unexpected end",
        "a quotation mark is not closed",
        "close the text with the quotation mark it began with",
    ),
    (
        "found unknown anchor",
        "aliases (`*name`) are not supported",
        "write the value out, or put it in quotes if it is meant as text",
    ),
    (
        "anchor or alias, did not find expected",
        "a text cannot begin with `*` or `&`",
        "put the text in quotes",
    ),
    ("unexpected character", "a text cannot begin with this character", "put the text in quotes"),
];

/// Notes the first character that no text file needs; nothing means that reading must stop.
///
/// The parser takes NUL for the end of the text and would silently ignore the rest; escape
/// sequences could repaint the terminal the messages are shown on.
pub(super) fn refuse_control_characters(text: &str, report: &mut Report) -> Option<()> {
    let mut place = Place::START;
    for c in text.chars() {
        if c.is_control() && !matches!(c, '\t' | '\n' | '\r') {
            let message = format!("the control character U+{:04X} is not allowed", u32::from(c));
            report.add_with_hint(place, &KeyPath::root(), message, "save the file as plain text");
            return None;
        }
        if c == '\n' {
            place = Place { line: place.line + 1, column: 1 };
        } else {
            place.column += 1;
        }
    }
    Some(())
}

/// Notes why the parser gave up at `place`.
pub(super) fn explain(text: &str, place: Place, info: &str, report: &mut Report) {
    if let Some(tab) = tab_in_indentation(text, place.line) {
        return report.add_with_hint(
            tab,
            &KeyPath::root(),
            "a tab is used to indent",
            "YAML is indented with spaces; replace the tab by spaces",
        );
    }
    match MEANINGS.iter().find(|(said, _, _)| info.contains(said)) {
        Some((_, message, hint)) => {
            report.add_with_hint(place, &KeyPath::root(), *message, *hint);
        }
        None => report.add(place, &KeyPath::root(), format!("not valid YAML: {info}")),
    }
}

/// Finds a tab that indents `line` or the line above it, where the parser often notices late.
fn tab_in_indentation(text: &str, line: usize) -> Option<Place> {
    let first = line.saturating_sub(1).max(1);
    text.lines().enumerate().skip(first - 1).take(1 + line - first).find_map(|(index, content)| {
        let indentation = content.chars().take_while(|c| matches!(c, ' ' | '\t'));
        let column = indentation.enumerate().find(|(_, c)| *c == '\t')?.0 + 1;
        Some(Place { line: index + 1, column })
    })
}
