//! A value on the way to its meaning: typed readers that note what is wrong and go on.

use std::ops::RangeInclusive;

use super::mapping::{Keys, Mapping, Member};
use super::node::{Kind, Node};
use super::path::{KeyPath, quote};
use crate::name::InvalidText;
use crate::near::nearest;
use crate::problem::{Place, Report};

/// What to write instead of a private key.
const OF_A_FILE: &str = "a key stands in a file of its own, and its path here: ~/.ssh/fleet";

/// A value and the path of keys that leads to it.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// The value.
    pub node: &'a Node,
    /// The keys that lead to it.
    pub path: KeyPath,
}

impl<'a> Field<'a> {
    /// Starts at the root of a tree; `path` is what messages call it, or empty.
    pub fn root(node: &'a Node, path: &str) -> Self {
        let root = KeyPath::root();
        Self { node, path: if path.is_empty() { root } else { root.key(path) } }
    }

    /// Where the value begins.
    pub fn place(&self) -> Place {
        self.node.place
    }

    /// Notes that something is wrong with this value.
    pub fn refuse(&self, report: &mut Report, message: impl Into<String>) {
        report.add(self.place(), &self.path, message);
    }

    /// Notes that something is wrong with this value, and what to do about it.
    pub fn refuse_with_hint(
        &self,
        report: &mut Report,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        report.add_with_hint(self.place(), &self.path, message, hint);
    }

    /// Notes that `what` was expected here and something else was found.
    pub fn expected(&self, what: &str, report: &mut Report) {
        self.refuse(report, format!("expected {what}, found {}", self.node.found()));
    }

    /// Reads a text that is not empty and has no control characters; `what` names it in messages.
    pub fn text(&self, what: &str, report: &mut Report) -> Option<&'a str> {
        match &self.node.kind {
            // Not repeated: several lines may be a whole private key.
            Kind::Text(text) if text.chars().any(char::is_control) => {
                let found =
                    if text.contains('\n') { "several lines" } else { "control characters" };
                let message = format!("expected {what} on one line, found {found}");
                match text.contains("PRIVATE KEY") {
                    true => self.refuse_with_hint(report, message, OF_A_FILE),
                    false => self.refuse(report, message),
                }
                return None;
            }
            Kind::Text(text) if !text.is_empty() => return Some(text),
            _ => {}
        }
        match self.unquoted() {
            Some(unquoted) => self.refuse_with_hint(
                report,
                format!("expected {what}, found {}", self.node.found()),
                format!("put it in quotes: \"{unquoted}\""),
            ),
            None => self.expected(what, report),
        }
        None
    }

    /// The text that this number or truth value would be in quotes.
    fn unquoted(&self) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Number(number) => Some(number.text()),
            Kind::Bool(true) => Some("true"),
            Kind::Bool(false) => Some("false"),
            Kind::Null | Kind::Text(_) | Kind::List(_) | Kind::Mapping(_) => None,
        }
    }

    /// Reads a text that has to pass a check of its own.
    pub fn parse<T>(
        &self,
        what: &str,
        check: impl Fn(&'a str) -> Result<T, InvalidText>,
        report: &mut Report,
    ) -> Option<T> {
        // Quotes are worth a hint only where they make the value a good one.
        let text = match self.unquoted().filter(|unquoted| check(unquoted).is_err()) {
            Some(unquoted) => unquoted,
            None => self.text(what, report)?,
        };
        check(text)
            .map_err(|invalid| self.refuse_with_hint(report, invalid.to_string(), invalid.hint))
            .ok()
    }

    /// Reads a whole number within `range`.
    pub fn number(&self, range: RangeInclusive<u64>, report: &mut Report) -> Option<u64> {
        let whole = match &self.node.kind {
            Kind::Number(number) => number.as_i64().and_then(|whole| u64::try_from(whole).ok()),
            _ => None,
        };
        let number = whole.filter(|number| range.contains(number));
        if number.is_none() {
            let what = format!("a number between {} and {}", range.start(), range.end());
            match &self.node.kind {
                Kind::Text(text) if text.parse().is_ok_and(|number| range.contains(&number)) => {
                    let message = format!("expected {what}, found {}", self.node.found());
                    self.refuse_with_hint(report, message, "write it without quotes");
                }
                _ => self.expected(&what, report),
            }
        }
        number
    }

    /// Reads one of a few words.
    pub fn one_of<T: Copy>(&self, choices: &[(&'static str, T)], report: &mut Report) -> Option<T> {
        let words = choices.iter().map(|(word, _)| *word);
        let found = match &self.node.kind {
            Kind::Text(text) => Some(text.as_str()),
            _ => None,
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| found == Some(*word)) {
            return Some(*choice);
        }
        let listed = words.clone().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        let message = format!("expected {listed}, found {}", self.node.found());
        match found.and_then(|found| nearest(found, words)) {
            Some(near) => self.refuse_with_hint(report, message, format!("did you mean `{near}`?")),
            None => self.refuse(report, message),
        }
        None
    }

    /// Reads a list; what is not a list is noted and read as an empty one.
    pub fn list(&self, what: &str, report: &mut Report) -> Vec<Field<'a>> {
        match &self.node.kind {
            Kind::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Field { node, path: self.path.item(index) })
                .collect(),
            Kind::Text(text) => {
                let message = format!("expected {what}, found {}", self.node.found());
                let hint = format!("put it in brackets: [{}]", quote(text));
                self.refuse_with_hint(report, message, hint);
                Vec::new()
            }
            _ => {
                self.expected(what, report);
                Vec::new()
            }
        }
    }

    /// Reads a mapping with fixed keys; a key that is not among them is noted.
    ///
    /// A mapping left empty is an empty mapping. What is not a mapping is noted and read as one.
    pub fn mapping(&self, keys: &Keys, report: &mut Report) -> Mapping<'a> {
        keys.read(self, report)
    }

    /// Reads a mapping whose keys are free, in the order written.
    ///
    /// A mapping left empty is an empty mapping. What is not a mapping is noted and read as one.
    pub fn members(&self, report: &mut Report) -> Vec<Member<'a>> {
        match &self.node.kind {
            Kind::Mapping(entries) => entries
                .iter()
                .map(|entry| Member {
                    key: &entry.key,
                    place: entry.place,
                    field: Field { node: &entry.value, path: self.path.key(&entry.key) },
                })
                .collect(),
            Kind::Null => Vec::new(),
            _ => {
                self.expected("a mapping", report);
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::yaml::{Refused, load};

    const KEYS: Keys = Keys {
        known: &["port", "mode", "name", "list", "map"],
        refused: &[Refused { key: "password", message: "not here", hint: "use a key" }],
    };

    /// Reads all known keys of a mapping and gives the values and the problems.
    fn read(text: &str) -> (String, String) {
        let mut report = Report::new("t");
        let root = load(text, &mut report).unwrap();
        let keys = Field::root(&root, "ssh").mapping(&KEYS, &mut report);
        let mut values = Vec::new();
        values.extend(keys.get("port").map(|f| format!("{:?}", f.number(1..=9, &mut report))));
        let modes = [("fast", 1), ("careful", 2)];
        values.extend(keys.get("mode").map(|f| format!("{:?}", f.one_of(&modes, &mut report))));
        values.extend(keys.get("name").map(|f| format!("{:?}", f.text("a name", &mut report))));
        values
            .extend(keys.get("list").map(|f| format!("{:?}", f.list("a list", &mut report).len())));
        values.extend(keys.get("map").map(|f| {
            let members = f.members(&mut report);
            let shown =
                members.iter().map(|member| format!("{}@{}", member.key, member.field.path));
            shown.collect::<Vec<_>>().join(",")
        }));
        (values.join(" "), report.into_problems().to_string())
    }

    #[test]
    fn good_values_are_read() {
        let (values, problems) =
            read("{ port: 0x9, mode: careful, name: 'yes', list: [], map: { a: 1, 7: } }");
        assert_eq!(values, r#"Some(9) Some(2) Some("yes") 0 a@ssh.map.a,7@ssh.map.7"#);
        assert_eq!(problems, "");
        assert_eq!(read("map:"), (String::new(), String::new()), "a mapping may be left empty");
    }

    #[test]
    fn wrong_values_are_all_told() {
        let told = [
            "{ port: abc, mode: carefull, name: 0012, list: a, map: [1] }",
            "{ port: 10, mode: 3, name: true, list: { a: 1 }, map: x }",
            "{ port: -1, mode: slow, name: '', list: }",
            "{ port: 1.5, name: \"a\\e[1m\" }",
            "name: |\n  -----BEGIN\n  key\n",
            "{ prot: 1, password: hunter2, colour: red }",
            "[1, 2]",
        ]
        .map(|text| read(text).1);
        insta::assert_snapshot!(told.join("\n"), @r#"
        t:1:9: ssh.port: expected a number between 1 and 9, found text "abc"
        t:1:20: ssh.mode: expected `fast` or `careful`, found text "carefull"
          hint: did you mean `careful`?
        t:1:36: ssh.name: expected a name, found number 0012
          hint: put it in quotes: "0012"
        t:1:48: ssh.list: expected a list, found text "a"
          hint: put it in brackets: ["a"]
        t:1:56: ssh.map: expected a mapping, found a list
        t:1:9: ssh.port: expected a number between 1 and 9, found number 10
        t:1:19: ssh.mode: expected `fast` or `careful`, found number 3
        t:1:28: ssh.name: expected a name, found true
          hint: put it in quotes: "true"
        t:1:40: ssh.list: expected a list, found a mapping
        t:1:55: ssh.map: expected a mapping, found text "x"
        t:1:9: ssh.port: expected a number between 1 and 9, found number -1
        t:1:19: ssh.mode: expected `fast` or `careful`, found text "slow"
        t:1:31: ssh.name: expected a name, found an empty text
        t:1:35: ssh.list: expected a list, found nothing
        t:1:9: ssh.port: expected a number between 1 and 9, found number 1.5
        t:1:20: ssh.name: expected a name on one line, found control characters
        t:2:3: ssh.name: expected a name on one line, found several lines
        t:1:3: ssh.prot: unknown key
          hint: did you mean `port`?
        t:1:12: ssh.password: not here
          hint: use a key
        t:1:31: ssh.colour: unknown key
          hint: the keys allowed here are port, mode, name, list, map
        t:1:1: ssh: expected a mapping, found a list
        "#);
    }
}
