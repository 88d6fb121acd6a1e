//! All that one level says, as text: for explanations, and for what is said in vain.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_yaml::Value;

use super::layer::{Layer, Said};
use super::settings::Whole;
use crate::fleet::PolicyChoice;
use crate::problem::Place;
use crate::secretive::is_secretive;

/// Shown in place of what may be a secret.
const SECRET: &str = "<secret>";

/// Longer values are cut.
const LONGEST: usize = 200;

/// One setting of one level.
#[derive(Clone, Debug)]
pub(super) struct Saying {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) place: Place,
    /// Where the key stands among all keys, equal for equal keys of all levels.
    pub(super) rank: usize,
}

/// The settings of one level, while they are collected.
#[derive(Default)]
pub(super) struct Sayings {
    all: Vec<Saying>,
    rank: usize,
}

impl Sayings {
    /// Takes one setting.
    pub(super) fn one<T: Serialize>(&mut self, key: &str, said: Option<&Said<T>>) {
        self.rank += 1;
        if let Some(said) = said {
            self.add(key.to_owned(), &said.value, said.place);
        }
    }

    /// Takes every key of a mapping.
    pub(super) fn each<T: Serialize>(&mut self, key: &str, said: &BTreeMap<String, Said<T>>) {
        self.rank += 1;
        for (name, said) in said {
            self.add(format!("{key}.{name}"), &said.value, said.place);
        }
    }

    fn add<T: Serialize>(&mut self, key: String, value: &T, place: Place) {
        let value = serde_yaml::to_value(value).unwrap_or(Value::Null);
        let value = if is_secret(&key, &value) { SECRET.to_owned() } else { cut(&flow(&value)) };
        self.all.push(Saying { key, value, place, rank: self.rank });
    }
}

impl Layer {
    /// All that this level says.
    pub(super) fn sayings(&self) -> Vec<Saying> {
        // Without `..`, so that a new setting is not forgotten here.
        let Layer {
            file: _,
            level: _,
            host,
            serial,
            hold,
            fleet,
            ssh,
            images,
            mirror,
            keyfiles,
            data,
            handover,
            bastion,
            window,
            on_balena,
            device_type,
            site,
            vars,
        } = self;
        let mut sayings = Sayings::default();
        sayings.one("host", host.as_ref());
        sayings.one("serial", serial.as_ref());
        sayings.one("hold", hold.as_ref());
        sayings.one("site", site.as_ref());
        ssh.tell(&mut sayings);
        sayings.one("balena.fleet", fleet.as_ref());
        sayings.one("device_type", device_type.as_ref());
        sayings.each("images", images);
        sayings.one("mirror", mirror.as_ref());
        sayings.one("data", data.as_ref());
        sayings.one("handover", handover.as_ref());
        sayings.one("bastion", bastion.as_ref());
        sayings.one("window", window.as_ref());
        sayings.one("keyfiles", keyfiles.as_ref());
        on_balena.tell(&mut sayings);
        sayings.each("vars", vars);
        sayings.all
    }
}

impl Whole {
    /// All that a file says for the whole inventory.
    pub(super) fn sayings(&self) -> Vec<Saying> {
        let Whole { api, token, ca, payloads, policy, playbook } = self;
        let mut sayings = Sayings::default();
        sayings.one("balena.api", api.as_ref());
        sayings.one("balena.token", token.as_ref());
        sayings.one("balena.ca", ca.as_ref());
        sayings.one("payloads", payloads.as_ref());
        let policy = policy.as_ref().map(|said| Said {
            value: match &said.value {
                PolicyChoice::Named(name) => name.clone(),
                PolicyChoice::Inline(_) => "written out here".to_owned(),
            },
            place: said.place,
            path: said.path.clone(),
        });
        sayings.one("policy", policy.as_ref());
        sayings.one("playbook", playbook.as_ref());
        sayings.all
    }
}

/// Whether a value stands under a name that secrets have; where a secret is found is none.
fn is_secret(key: &str, value: &Value) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    matches!(value, Value::String(_) | Value::Number(_)) && is_secretive(name)
}

/// A value on one line, as a person would write it.
fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => visible(text),
        Value::Sequence(items) => {
            format!("[{}]", items.iter().map(inner).collect::<Vec<_>>().join(", "))
        }
        Value::Mapping(entries) => {
            let entry = |(key, value): (&Value, &Value)| {
                let key = inner(key);
                match is_secret(&key, value) {
                    true => format!("{key}: {SECRET}"),
                    false => format!("{key}: {}", inner(value)),
                }
            };
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            format!("{{ {}: {} }}", tag.trim_start_matches('!'), inner(&tagged.value))
        }
    }
}

/// A value within another: a text that could be taken for more than one stands in quotes.
fn inner(value: &Value) -> String {
    match value {
        Value::String(text)
            if text.is_empty() || text.contains([',', '[', ']', '{', '}', '"', '#']) =>
        {
            format!("{text:?}")
        }
        Value::String(text) if text.contains(": ") => format!("{text:?}"),
        other => flow(other),
    }
}

fn visible(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}
