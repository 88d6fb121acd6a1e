//! The tree: values with their places.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::path::quote;
use super::scalar::Number;
use crate::problem::Place;

/// One value of a YAML document and where it stands.
///
/// Serialising gives the plain data, without places.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value begins; for a value left empty, where its key begins.
    pub place: Place,
    /// The value.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Left empty, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An unquoted number.
    Number(Number),
    /// A text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, as written; its keys differ.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key as written, without quotation marks.
    pub key: String,
    /// Where the key begins.
    pub place: Place,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value under `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Mapping(entries) => {
                entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
            }
            _ => None,
        }
    }

    /// Says what was found, for the end of "expected …, found …".
    pub fn found(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number(number) => format!("number {}", number.text()),
            Kind::Text(text) if text.is_empty() => "an empty text".to_owned(),
            Kind::Text(text) => format!("text {}", quote(text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kind {
            Kind::Null => serializer.serialize_unit(),
            Kind::Bool(value) => serializer.serialize_bool(*value),
            Kind::Number(number) => number.serialize(serializer),
            Kind::Text(text) => serializer.serialize_str(text),
            Kind::List(items) => serializer.collect_seq(items),
            Kind::Mapping(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&entry.key, &entry.value)?;
                }
                map.end()
            }
        }
    }
}

impl From<&Node> for serde_yaml::Value {
    fn from(node: &Node) -> Self {
        match &node.kind {
            Kind::Null => Self::Null,
            Kind::Bool(value) => Self::Bool(*value),
            Kind::Number(number) => match number.as_i64() {
                Some(whole) => Self::Number(whole.into()),
                None => Self::Number(number.as_f64().into()),
            },
            Kind::Text(text) => Self::String(text.clone()),
            Kind::List(items) => Self::Sequence(items.iter().map(Self::from).collect()),
            Kind::Mapping(entries) => Self::Mapping(
                entries
                    .iter()
                    .map(|entry| (Self::String(entry.key.clone()), Self::from(&entry.value)))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use crate::problem::Report;
    use crate::yaml::load;

    #[test]
    fn a_tree_gives_back_its_plain_data() {
        let text = "a: [1, 2.5, yes, null, true]\nb: { c: '7', 9: x }\n";
        let mut report = Report::new("t");
        let node = load(text, &mut report).unwrap();
        report.into_result(()).unwrap();

        insta::assert_snapshot!(serde_yaml::to_string(&node).unwrap(), @r"
        a:
        - 1
        - 2.5
        - yes
        - null
        - true
        b:
          c: '7'
          '9': x
        ");
        let value = serde_yaml::Value::from(&node);
        assert_eq!(serde_yaml::to_value(&node).unwrap(), value);
    }
}
