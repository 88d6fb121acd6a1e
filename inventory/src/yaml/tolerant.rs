//! From text to tree as Ansible reads it by PyYAML: YAML 1.1 scalars, aliases, merge keys, the last of equal keys, and
//! Ansible's own tags.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::load::{DEEPEST, place};
use super::node::{Entry, Kind, Node};
use super::path::{KeyPath, plain};
use super::{syntax, yaml_1_1};
use crate::problem::{Place, Report};

/// The key under which Ansible writes an encrypted value in JSON; here it stands for the tag `!vault`, too.
pub(crate) const VAULT: &str = "__ansible_vault";
/// The same for `!unsafe`.
pub(crate) const UNSAFE: &str = "__ansible_unsafe";

/// More values than this come only from aliases within aliases.
const MOST_VALUES: usize = 2_000_000;

/// Reads one YAML document; `remarks` takes what Ansible warns of.
///
/// Gives nothing when the text cannot be read any further; an empty text is a null node.
pub(crate) fn load_as_ansible(
    text: &str,
    report: &mut Report,
    remarks: &mut Report,
) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    syntax::refuse_control_characters(text, report)?;
    let mut tree =
        Tree { stack: Vec::new(), root: None, anchors: HashMap::new(), copied: 0, report, remarks };
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

struct Tree<'r> {
    /// The lists and mappings that are still open, outermost first.
    stack: Vec<Open>,
    root: Option<Node>,
    /// The values that aliases may stand for, by the parser's number.
    anchors: HashMap<usize, Node>,
    /// How many values aliases have copied.
    copied: usize,
    report: &'r mut Report,
    remarks: &'r mut Report,
}

struct Open {
    place: Place,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Mapping(Pairs),
}

/// A mapping while it grows.
#[derive(Default)]
struct Pairs {
    entries: Vec<Entry>,
    index: HashMap<String, usize>,
    /// What `<<` brings, later ones heard first.
    merged: Vec<Node>,
    /// The key whose value is awaited.
    key: Option<(String, Place)>,
}

impl Tree<'_> {
    /// Takes one event; nothing means that reading must stop.
    fn take(&mut self, event: Event<'_>, place: Place, empty: bool) -> Option<()> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) if self.root.is_some() => {
                let message = "a second document begins here; a file holds one";
                let hint = "remove the line `---` and what follows it";
                self.report.add_with_hint(place, &KeyPath::root(), message, hint);
                return None;
            }
            Event::DocumentStart(_) => {}
            Event::Alias(anchor) => {
                let mut node =
                    self.anchors.get(&anchor).cloned().unwrap_or(Node { place, kind: Kind::Null });
                self.copied += size(&node);
                if self.copied > MOST_VALUES {
                    let message = format!("aliases stand for more than {MOST_VALUES} values");
                    self.report.add(place, &self.path(), message);
                    return None;
                }
                // The value is where it is used; what it holds stays where it is written.
                node.place = place;
                self.attach(node, 0)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.place_of(place, empty);
                let node = Node { place, kind: self.scalar(&text, style, tag.as_deref(), place)? };
                self.attach(node, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(place, anchor, tag.as_deref(), "seq", Inside::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                let inside = Inside::Mapping(Pairs::default());
                self.open(place, anchor, tag.as_deref(), "map", inside)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { place, anchor, inside }) = self.stack.pop() {
                    let kind = match inside {
                        Inside::List(items) => Kind::List(items),
                        Inside::Mapping(pairs) => Kind::Mapping(self.flatten(pairs)),
                    };
                    self.attach(Node { place, kind }, anchor)?;
                }
            }
        }
        Some(())
    }

    /// The parser puts a value that is left empty after the colon or on the next line.
    fn place_of(&self, place: Place, empty: bool) -> Place {
        match self.stack.last().map(|open| &open.inside) {
            Some(Inside::Mapping(Pairs { key: Some((_, key)), .. })) if empty => *key,
            _ => place,
        }
    }

    fn open(
        &mut self,
        place: Place,
        anchor: usize,
        tag: Option<&Tag>,
        own_tag: &str,
        inside: Inside,
    ) -> Option<()> {
        if self.stack.len() == DEEPEST {
            let message = format!("values are nested more than {DEEPEST} deep");
            self.report.add(place, &KeyPath::root(), message);
            return None;
        }
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == own_tag)) {
            return self.refuse_tag(tag, place);
        }
        self.stack.push(Open { place, anchor, inside });
        Some(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        place: Place,
    ) -> Option<Kind> {
        let as_text = || Kind::Text(text.to_owned());
        let Some(tag) = tag else {
            let is_plain = style == ScalarStyle::Plain;
            return Some(if is_plain { yaml_1_1::resolve(text) } else { as_text() });
        };
        let opaque = |key: &str| {
            let value = Node { place, kind: as_text() };
            Some(Kind::Mapping(vec![Entry { key: key.to_owned(), place, value }]))
        };
        match (tag.is_yaml_core_schema(), tag.handle.as_str(), tag.suffix.as_str()) {
            (true, _, "str") => Some(as_text()),
            (true, _, "int") if yaml_1_1::whole(text).is_some() => {
                yaml_1_1::whole(text).map(Kind::Number)
            }
            (true, _, "float") if yaml_1_1::real(text).is_some() => Some(yaml_1_1::resolve(text)),
            (true, _, "bool") if matches!(yaml_1_1::resolve(text), Kind::Bool(_)) => {
                Some(yaml_1_1::resolve(text))
            }
            (true, _, "null") => Some(Kind::Null),
            (false, "!", "vault" | "vault-encrypted") => opaque(VAULT),
            (false, "!", "unsafe") => opaque(UNSAFE),
            _ => {
                self.refuse_tag(tag, place)?;
                None
            }
        }
    }

    /// Ansible stops at a tag that it does not know.
    fn refuse_tag(&mut self, tag: &Tag, place: Place) -> Option<()> {
        self.report.add_with_hint(
            place,
            &self.path(),
            format!(
                "the tag `{}` is not known here, or does not fit its value",
                plain(&tag.to_string())
            ),
            "remove it; `!vault` and `!unsafe` are the tags that inventories have",
        );
        None
    }

    /// Puts a finished node where it belongs.
    fn attach(&mut self, node: Node, anchor: usize) -> Option<()> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        let pairs = match &mut open.inside {
            Inside::List(items) => {
                items.push(node);
                return Some(());
            }
            Inside::Mapping(pairs) => pairs,
        };
        let Some((key, place)) = pairs.key.take() else {
            let Some(key) = key_text(&node) else {
                let path = self.path();
                let hint =
                    "put a template in quotes, and anything else with braces or brackets, too";
                self.report.add_with_hint(node.place, &path, "a key must be a plain text", hint);
                return None;
            };
            pairs.key = Some((key, node.place));
            return Some(());
        };
        if key == "<<" {
            return self.merge(node);
        }
        match pairs.index.get(&key).and_then(|index| pairs.entries.get_mut(*index)) {
            Some(first) => {
                let first_line = first.place.line;
                first.value = node;
                first.place = place;
                let path = self.path().key(&key);
                let message =
                    format!("written twice, first on line {first_line}; the last one counts");
                self.remarks.add(place, &path, message);
            }
            None => {
                pairs.index.insert(key.clone(), pairs.entries.len());
                pairs.entries.push(Entry { key, place, value: node });
            }
        }
        Some(())
    }

    fn merge(&mut self, node: Node) -> Option<()> {
        let place = node.place;
        let found = node.found();
        let mappings = match node.kind {
            Kind::Mapping(_) => vec![node],
            // Of several, the first is heard first.
            Kind::List(items) => items.into_iter().rev().collect(),
            _ => Vec::new(),
        };
        if mappings.is_empty() || mappings.iter().any(|node| !matches!(node.kind, Kind::Mapping(_)))
        {
            let message = format!("expected a mapping to merge, found {found}");
            let path = self.path().key("<<");
            self.report.add_with_hint(
                place,
                &path,
                message,
                "write `<<: *name`, where name is a mapping",
            );
            return None;
        }
        if let Some(Open { inside: Inside::Mapping(pairs), .. }) = self.stack.last_mut() {
            pairs.merged.extend(mappings);
        }
        Some(())
    }

    /// The entries of a mapping: what was merged comes first, and its own are heard before that.
    fn flatten(&self, pairs: Pairs) -> Vec<Entry> {
        if pairs.merged.is_empty() {
            return pairs.entries;
        }
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut all: Vec<Entry> = Vec::new();
        let merged = pairs.merged.into_iter().flat_map(|node| match node.kind {
            Kind::Mapping(entries) => entries,
            _ => Vec::new(),
        });
        for entry in merged.chain(pairs.entries) {
            match index.get(&entry.key).and_then(|index| all.get_mut(*index)) {
                Some(earlier) => *earlier = entry,
                None => {
                    index.insert(entry.key.clone(), all.len());
                    all.push(entry);
                }
            }
        }
        all
    }

    /// The path of what is being read.
    fn path(&self) -> KeyPath {
        self.stack.iter().fold(KeyPath::root(), |path, open| match &open.inside {
            Inside::List(items) => path.item(items.len()),
            Inside::Mapping(Pairs { key: Some((key, _)), .. }) => path.key(key),
            Inside::Mapping(_) => path,
        })
    }
}

/// Keys are texts here, as they are in JSON.
fn key_text(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Text(text) => Some(text.clone()),
        Kind::Number(number) => Some(match number.as_i64() {
            Some(whole) => whole.to_string(),
            None => number.text().to_owned(),
        }),
        Kind::Bool(value) => Some(if *value { "true" } else { "false" }.to_owned()),
        Kind::Null => Some("null".to_owned()),
        Kind::List(_) | Kind::Mapping(_) => None,
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Mapping(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> String {
        let (mut report, mut remarks) = (Report::new("t"), Report::new("t"));
        let node = load_as_ansible(text, &mut report, &mut remarks);
        let mut told = match node {
            Some(node) if report.is_clean() => serde_json::to_string(&node).unwrap(),
            _ => report.into_problems().to_string(),
        };
        if !remarks.is_clean() {
            told += &format!("\n{}", remarks.into_problems());
        }
        told
    }

    #[test]
    fn aliases_merges_and_tags_are_followed() {
        let texts = [
            "a: &x { b: 1, c: 2 }\nd: { <<: *x, c: 3 }\ne: *x\n",
            "base: [&x { a: 1, b: 1 }, &y { b: 2, c: 2 }]\nall: { <<: [*x, *y], d: 3 }\n",
            "a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nb: !unsafe '{{ x }}'\nc: !!str 7\nd: !!int '8'\n",
            "a: 1\nb: 2\na: 3\n",
            "yes: no\n1: 0755\n~: [on, '0755']\n",
            "a: !ruby/object x\n",
            "a: { <<: 7 }\n",
            "? [a]\n: b\n",
        ];
        insta::assert_snapshot!(texts.map(read).join("\n"), @r###"
        {"a":{"b":1,"c":2},"d":{"b":1,"c":3},"e":{"b":1,"c":2}}
        {"base":[{"a":1,"b":1},{"b":2,"c":2}],"all":{"b":1,"c":2,"a":1,"d":3}}
        {"a":{"__ansible_vault":"$ANSIBLE_VAULT;1.1;AES256\n6162\n"},"b":{"__ansible_unsafe":"{{ x }}"},"c":"7","d":8}
        {"a":3,"b":2}
        t:3:1: a: written twice, first on line 1; the last one counts
        {"true":false,"1":493,"null":[true,"0755"]}
        t:1:4: a: the tag `!ruby/object` is not known here, or does not fit its value
          hint: remove it; `!vault` and `!unsafe` are the tags that inventories have
        t:1:10: a.<<: expected a mapping to merge, found number 7
          hint: write `<<: *name`, where name is a mapping
        t:1:3: a key must be a plain text
          hint: put a template in quotes, and anything else with braces or brackets, too
        "###);
    }

    #[test]
    fn aliases_within_aliases_have_a_limit() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let of = vec![format!("*a{}", level - 1); 9].join(", ");
            text += &format!("a{level}: &a{level} [{of}]\n");
        }
        assert!(read(&text).contains("aliases stand for more than"));
    }
}
