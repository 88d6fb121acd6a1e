//! YAML as a tree that knows where everything stands, for netplan's files.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// One value.
#[derive(Clone)]
pub(super) struct Node {
    /// The file, as the reader counts them.
    pub file: usize,
    /// The line, from 1.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Clone)]
pub(super) enum Value {
    /// A text, and where it stands: characters from the beginning.
    Text(String, std::ops::Range<usize>),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in order.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text, _) = &self.value { Some(text) } else { None }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().find(|(it, _)| it.text() == Some(key)).map(|(_, value)| value)
    }

    /// All keys and values of a mapping.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Node, &Node)> {
        let all = if let Value::Map(all) = &self.value { all.as_slice() } else { &[] };
        all.iter().map(|(key, value)| (key, value))
    }

    /// All items of a list.
    pub(super) fn items(&self) -> &[Node] {
        if let Value::List(all) = &self.value { all } else { &[] }
    }

    /// Takes another tree into this one, as netplan does: mappings grow, lists too, and other values are replaced.
    pub(super) fn merge(&mut self, later: Node) {
        match (&mut self.value, later.value) {
            (Value::Map(all), Value::Map(more)) => {
                for (key, value) in more {
                    match all.iter_mut().find(|(it, _)| it.text() == key.text()) {
                        Some((_, it)) => it.merge(value),
                        None => all.push((key, value)),
                    }
                }
            }
            (Value::List(all), Value::List(more)) => all.extend(more),
            (it, value) => {
                *it = value;
                (self.file, self.line) = (later.file, later.line);
            }
        }
    }
}

/// A list or mapping that is still open.
enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<(Node, Node)>, Option<Node>),
}

/// The tree of a text; an empty mapping where there is nothing.
///
/// # Errors
/// Why it is none, in words: also for what netplan's files do without, such as aliases and texts of several lines.
pub(super) fn parse(text: &str, file: usize) -> Result<Node, String> {
    let mut stack: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| format!("this is no YAML: {}", error.info()))?;
        let line = span.start.line();
        let done = match event {
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                return Err("texts of several lines are not read".to_owned());
            }
            Event::Scalar(text, ..) => {
                let span = span.start.index()..span.end.index();
                Some(Node { file, line, value: Value::Text(text.into_owned(), span) })
            }
            Event::Alias(_) => return Err("aliases are not read".to_owned()),
            Event::SequenceStart(..) => {
                stack.push(Open::List(line, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                stack.push(Open::Map(line, Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => stack.pop().map(|open| match open {
                Open::List(line, all) => Node { file, line, value: Value::List(all) },
                Open::Map(line, all, _) => Node { file, line, value: Value::Map(all) },
            }),
            _ => None,
        };
        if stack.len() > 32 {
            return Err("it is nested too deeply".to_owned());
        }
        let Some(node) = done else { continue };
        match stack.last_mut() {
            None => root = Some(node),
            Some(Open::List(_, all)) => all.push(node),
            Some(Open::Map(_, all, key)) => match key.take() {
                None => *key = Some(node),
                Some(key) => all.push((key, node)),
            },
        }
    }
    Ok(root.unwrap_or(Node { file, line: 1, value: Value::Map(Vec::new()) }))
}

/// The text with the given values replaced, and without comments. Lines stay where they are.
pub(super) fn replaced(
    text: &str,
    root: &Node,
    new: impl Fn(&str, &str) -> Option<String>,
) -> String {
    let mut spans = Vec::new();
    scalars(root, "", &new, &mut spans);
    spans.sort_by_key(|(span, _)| span.start);
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    for (span, new) in spans {
        without_comments(letters.get(at..span.start).unwrap_or_default(), &mut out);
        let old = letters.get(span.clone()).unwrap_or_default();
        match new {
            None => out.extend(old),
            Some(new) => {
                out.push_str(&new);
                out.extend(old.iter().filter(|it| **it == '\n'));
            }
        }
        at = span.end.max(at);
    }
    without_comments(letters.get(at..).unwrap_or_default(), &mut out);
    // The parser counts blanks before a comment to the value.
    out.split('\n').map(str::trim_end).collect::<Vec<_>>().join("\n")
}

type Span = (std::ops::Range<usize>, Option<String>);

/// All scalars with what is to stand there; values are told by the key that they are of.
fn scalars(
    node: &Node,
    key: &str,
    new: &impl Fn(&str, &str) -> Option<String>,
    out: &mut Vec<Span>,
) {
    match &node.value {
        Value::Text(text, span) => out.push((span.clone(), new(key, text))),
        Value::List(all) => all.iter().for_each(|it| scalars(it, key, new, out)),
        Value::Map(all) => {
            for (name, value) in all {
                if let Value::Text(_, span) = &name.value {
                    out.push((span.clone(), None));
                }
                scalars(value, name.text().unwrap_or_default(), new, out);
            }
        }
    }
}

/// Between values a # begins a comment.
fn without_comments(letters: &[char], out: &mut String) {
    let mut is_comment = false;
    for letter in letters {
        is_comment = match letter {
            '\n' => false,
            '#' => true,
            _ => is_comment,
        };
        if !is_comment {
            out.push(*letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_know_their_lines_and_grow() {
        let mut first = parse("network:\n  a: {x: 1}\n  l: [1]\n", 0).unwrap();
        let second = parse("network:\n  a: {x: 2, y: 3}\n  l: [2]\n", 1).unwrap();
        first.merge(second);
        let network = first.get("network").unwrap();
        let x = network.get("a").unwrap().get("x").unwrap();
        assert_eq!((x.text(), x.file, x.line), (Some("2"), 1, 2));
        assert_eq!(network.get("l").unwrap().items().len(), 2);
        for wrong in ["a: |\n  x\n", "a: &b 1\nc: *b\n", "a: ["] {
            assert!(parse(wrong, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_replaced_where_they_stand() {
        let text = "é: 1 # my secret\nk: \"a # b\"  # c\nl: ['x', y]\n";
        let root = parse(text, 0).unwrap();
        let new = |key: &str, _: &str| (key == "k" || key == "l").then(|| "Z".to_owned());
        assert_eq!(replaced(text, &root, new), "é: 1\nk: Z\nl: [Z, Z]\n");
    }
}
