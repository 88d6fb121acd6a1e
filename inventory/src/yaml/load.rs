//! From text to tree: walks the parser's events and keeps what `serde` readers lose, the places
//! of values and keys that are written twice.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::node::{Entry, Kind, Node};
use super::path::{KeyPath, plain};
use super::scalar;
use super::syntax;
use crate::problem::{Place, Report};

/// Deeper nesting is a mistake or an attack; it would also make the tree costly to walk.
pub(super) const DEEPEST: usize = 64;

/// Reads one YAML document.
///
/// Gives nothing when the text cannot be read any further. When only single values had to be
/// refused, they are missing from the tree and the problems are in `report`. An empty text is a
/// null node.
pub fn load(text: &str, report: &mut Report) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    syntax::refuse_control_characters(text, report)?;

    let mut tree = Tree { stack: Vec::new(), root: None, report };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => tree.take(event, place(span.start), span.is_empty())?,
            Err(error) => {
                syntax::explain(text, place(*error.marker()), error.info(), tree.report);
                return None;
            }
        }
    }
    Some(tree.root.unwrap_or(Node { place: Place::START, kind: Kind::Null }))
}

pub(super) fn place(marker: Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

/// The tree while it grows.
struct Tree<'r> {
    /// The lists and mappings that are still open, outermost first.
    stack: Vec<Open>,
    root: Option<Node>,
    report: &'r mut Report,
}

struct Open {
    place: Place,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Mapping { entries: Vec<Entry>, lines: HashMap<String, usize>, key: Key },
}

/// What a mapping waits for.
enum Key {
    /// The next key.
    Awaited,
    /// The value of this key.
    Read(String, Place),
    /// A value that is dropped, because its key was refused.
    Refused,
}

impl Tree<'_> {
    /// Takes one event; nothing means that reading must stop.
    fn take(&mut self, event: Event<'_>, place: Place, empty: bool) -> Option<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) if self.root.is_some() => {
                self.report.add_with_hint(
                    place,
                    &KeyPath::root(),
                    "a second document begins here; a file holds one",
                    "remove the line `---` and what follows it",
                );
                return None;
            }
            Event::DocumentStart(_) => {}
            Event::Alias(_) => self.alias(place),
            Event::Scalar(text, style, _, tag) => {
                self.refuse_tag(tag.as_deref(), place);
                self.scalar(&text, style, place, empty);
            }
            Event::SequenceStart(_, tag) => {
                self.refuse_tag(tag.as_deref(), place);
                self.open(place, Inside::List(Vec::new()))?;
            }
            Event::MappingStart(_, tag) => {
                self.refuse_tag(tag.as_deref(), place);
                let (entries, lines, key) = (Vec::new(), HashMap::new(), Key::Awaited);
                self.open(place, Inside::Mapping { entries, lines, key })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { place, inside }) = self.stack.pop() {
                    let kind = match inside {
                        Inside::List(items) => Kind::List(items),
                        Inside::Mapping { entries, .. } => Kind::Mapping(entries),
                    };
                    self.attach(Node { place, kind });
                }
            }
        }
        Some(())
    }

    fn open(&mut self, place: Place, inside: Inside) -> Option<()> {
        if self.stack.len() == DEEPEST {
            let message = format!("values are nested more than {DEEPEST} deep");
            self.report.add(place, &KeyPath::root(), message);
            return None;
        }
        self.stack.push(Open { place, inside });
        Some(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place, empty: bool) {
        let plain_style = style == ScalarStyle::Plain;
        if let Some(Open { inside: Inside::Mapping { key: Key::Awaited, .. }, .. }) =
            self.stack.last()
        {
            return self.key(text, plain_style, place);
        }
        let place = match self.stack.last() {
            // The parser puts a value that is left empty after the colon or on the next line.
            Some(Open { inside: Inside::Mapping { key: Key::Read(_, key), .. }, .. }) if empty => {
                *key
            }
            _ => place,
        };
        let kind = if plain_style { scalar::resolve(text) } else { Kind::Text(text.to_owned()) };
        self.attach(Node { place, kind });
    }

    /// Takes the key of the innermost mapping.
    fn key(&mut self, text: &str, plain_style: bool, place: Place) {
        let Some(Open { inside: Inside::Mapping { lines, key, .. }, .. }) = self.stack.last_mut()
        else {
            return;
        };
        *key = Key::Refused;
        let (message, hint) = if plain_style && text == "<<" {
            ("merge keys are not supported".to_owned(), "write the keys out here")
        } else if plain_style && text.is_empty() {
            ("the key before `:` is missing".to_owned(), "write `key: value`")
        } else if let Some(line) = lines.get(text) {
            (format!("written twice, first on line {line}"), "keep one of the two")
        } else {
            lines.insert(text.to_owned(), place.line);
            *key = Key::Read(text.to_owned(), place);
            return;
        };
        let path = self.path();
        let path = if text.is_empty() { path } else { path.key(text) };
        self.report.add_with_hint(place, &path, message, hint);
    }

    /// Puts a finished node where it belongs.
    fn attach(&mut self, node: Node) {
        match self.stack.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(node),
            Some(Inside::List(items)) => items.push(node),
            Some(Inside::Mapping { entries, key, .. }) => {
                match std::mem::replace(key, Key::Awaited) {
                    Key::Read(key, place) => entries.push(Entry { key, place, value: node }),
                    Key::Refused => {}
                    Key::Awaited => {
                        *key = Key::Refused;
                        let message = "a key must be a plain text";
                        self.report.add(node.place, &self.path(), message);
                    }
                }
            }
        }
    }

    /// Goes on without the key or value that an alias stands for.
    fn alias(&mut self, place: Place) {
        let path = self.path();
        if let Some(Open { inside: Inside::Mapping { key, .. }, .. }) = self.stack.last_mut() {
            match std::mem::replace(key, Key::Awaited) {
                Key::Awaited => *key = Key::Refused,
                Key::Read(..) => {}
                // The key was refused already, most likely a merge key.
                Key::Refused => return,
            }
        }
        self.report.add_with_hint(
            place,
            &path,
            "aliases (`*name`) are not supported",
            "write the value out, or put it in quotes if it is meant as text",
        );
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, place: Place) {
        if let Some(tag) = tag {
            self.report.add_with_hint(
                place,
                &self.path(),
                format!("tags such as `{}` are not supported", plain(&tag.to_string())),
                "write the plain value",
            );
        }
    }

    /// The path of what is being read.
    fn path(&self) -> KeyPath {
        self.stack.iter().fold(KeyPath::root(), |path, open| match &open.inside {
            Inside::List(items) => path.item(items.len()),
            Inside::Mapping { key: Key::Read(key, _), .. } => path.key(key),
            Inside::Mapping { .. } => path,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn tree(text: &str) -> Node {
        let mut report = Report::new("t");
        let node = load(text, &mut report).unwrap();
        report.into_result(node).unwrap()
    }

    fn problems(texts: &[&str]) -> String {
        let told = texts.iter().map(|text| {
            let mut report = Report::new("t");
            load(text, &mut report);
            report.into_problems().to_string()
        });
        told.collect::<Vec<_>>().join("\n")
    }

    fn at(node: &Node) -> (usize, usize) {
        (node.place.line, node.place.column)
    }

    #[test]
    fn every_value_knows_its_place() {
        let root = tree("a: [1, é, 3]\nb:\n  c: x\n  d:\n  e: { f: 'y' }\n");
        assert_eq!(at(&root), (1, 1));
        let Kind::List(items) = &root.get("a").unwrap().kind else { panic!("no list") };
        assert_eq!(items.iter().map(at).collect::<Vec<_>>(), [(1, 5), (1, 8), (1, 11)]);
        let b = root.get("b").unwrap();
        assert_eq!(at(b), (3, 3));
        assert_eq!(at(b.get("d").unwrap()), (4, 3), "an empty value stands where its key does");
        assert_eq!(at(b.get("e").unwrap().get("f").unwrap()), (5, 11));
    }

    #[test]
    fn byte_order_mark_and_windows_line_ends_are_taken_as_they_are() {
        let root = tree("\u{feff}a: 1\r\nb:\r\n  c: x\r\n");
        assert_eq!(at(root.get("a").unwrap()), (1, 4));
        assert_eq!(root.get("b").unwrap().get("c").unwrap().found(), "text \"x\"");
        assert_eq!(at(root.get("b").unwrap().get("c").unwrap()), (3, 6));
    }

    #[test]
    fn an_empty_text_is_nothing() {
        assert_eq!(tree("").kind, Kind::Null);
        assert_eq!(tree("# only a remark\n").kind, Kind::Null);
    }

    #[test]
    fn what_would_hide_a_place_is_refused() {
        let texts = [
            "a: 1\nb: { c: 2, c: 3 }\na: 4\n",
            "a: &x 1\nb: *x\nc: [*x, 2]\n*x : 3\n",
            "a: &x { b: 1 }\nc:\n  <<: *x\n",
            "a: !vault secret\nb: !!str 7\n",
            "? [a, b]\n: c\n",
            ": a\n",
            "a: 1\n---\nb: 2\n",
        ];
        insta::assert_snapshot!(problems(&texts), @r"
        t:2:12: b.c: written twice, first on line 2
          hint: keep one of the two
        t:3:1: a: written twice, first on line 1
          hint: keep one of the two
        t:2:4: b: aliases (`*name`) are not supported
          hint: write the value out, or put it in quotes if it is meant as text
        t:3:5: c[0]: aliases (`*name`) are not supported
          hint: write the value out, or put it in quotes if it is meant as text
        t:4:1: aliases (`*name`) are not supported
          hint: write the value out, or put it in quotes if it is meant as text
        t:3:3: c.<<: merge keys are not supported
          hint: write the keys out here
        t:1:4: a: tags such as `!vault` are not supported
          hint: write the plain value
        t:2:4: b: tags such as `tag:yaml.org,2002:!str` are not supported
          hint: write the plain value
        t:1:3: a key must be a plain text
        t:1:1: the key before `:` is missing
          hint: write `key: value`
        t:2:1: a second document begins here; a file holds one
          hint: remove the line `---` and what follows it
        ");
    }

    #[test]
    fn a_refused_value_is_missing_and_the_rest_is_there() {
        let mut report = Report::new("t");
        let root = load("a: 1\na: { b: [2] }\n? [x]\n: { y: 1 }\nc: 3\n", &mut report).unwrap();
        insta::assert_snapshot!(serde_yaml::to_string(&root).unwrap(), @r"
        a: 1
        c: 3
        ");
        assert!(!report.is_clean());
    }

    #[test]
    fn text_that_is_not_yaml_is_told_in_plain_words() {
        let texts = [
            "a:\n\tb: 1\n",
            "a: 1\n  b: 2\n",
            "a:\n    b: 1\n  c: 2\n",
            "a: [1, 2\nb: 3\n",
            "a: { b: 1\n",
            "a: \"x\n",
            "a: *\n",
            "a: *nobody\n",
            "a: @b\n",
            "a: b: c\n",
            "a: 1\nb\n",
            "a: - 1\n",
            "a: 'x' y\n",
            "a: 1\u{0}\nb: 2\n",
            "a: \u{1b}[31m\n",
        ];
        insta::assert_snapshot!(problems(&texts), @r"
        t:2:1: a tab is used to indent
          hint: YAML is indented with spaces; replace the tab by spaces
        t:2:4: a `:` is not expected here
          hint: indent the line like its neighbours, or put a text that contains `: ` in quotes
        t:3:3: this line does not fit the lines above it
          hint: start keys of one mapping in the same column
        t:2:2: a `:` is not expected here
          hint: close the `[` or `{` above, or put a text that contains `:` in quotes
        t:2:1: a mapping in braces is not finished
          hint: separate the entries with `,` and close the mapping with `}`
        t:1:4: a quotation mark is not closed
          hint: close the text with the quotation mark it began with
        t:1:4: a text cannot begin with `*` or `&`
          hint: put the text in quotes
        t:1:4: aliases (`*name`) are not supported
          hint: write the value out, or put it in quotes if it is meant as text
        t:1:4: a text cannot begin with this character
          hint: put the text in quotes
        t:1:5: a `:` is not expected here
          hint: indent the line like its neighbours, or put a text that contains `: ` in quotes
        t:3:1: a key without `:` here or above
          hint: write `key: value`
        t:1:4: a list item is not expected here
          hint: begin the list on a line of its own
        t:1:8: text follows the closing quotation mark
          hint: put the whole text in quotes
        t:1:5: the control character U+0000 is not allowed
          hint: save the file as plain text
        t:1:4: the control character U+001B is not allowed
          hint: save the file as plain text
        ");
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let mut report = Report::new("t");
        assert!(load(&deep(DEEPEST), &mut report).is_some());
        assert!(load(&deep(DEEPEST + 1), &mut report).is_none());
        assert!(load(&"- ".repeat(100_000), &mut report).is_none());
        assert_eq!(report.into_problems().0.len(), 2);
    }
}
