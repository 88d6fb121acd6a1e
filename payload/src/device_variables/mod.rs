//! What a device's `config.txt` says of its hardware, as configuration variables of the device on balena.
//!
//! balenaOS comes with a `config.txt` of its own, which balena's supervisor keeps: each variable
//! `BALENA_HOST_CONFIG_x` of the device is a line `x=…` there, or several lines where `x` is a list. Sections cannot be
//! said that way. So each line is kept or dropped for this very board: lines for other boards are passed over, and
//! lines of which only the board itself can tell whether they apply are dropped.
//!
//! [`GROUPS`] is the table of what is kept, and why the rest is not.

mod table;
mod tree;

pub use table::{Fate, GROUPS, Group};

use crate::board::BoardFacts;
use crate::boot_document::{Applies, ConfigTxt, Filter, Line, LineKind, Setting, Span, Walk};
use crate::boot_text::spares_power;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use table::{OVERCLOCKED, UNKNOWN, group};
use tree::Tree;

/// How the names of such variables begin. A fleet or device may also have `RESIN_HOST_CONFIG_`, which counts only where
/// this one is not set.
pub const PREFIX: &str = "BALENA_HOST_CONFIG_";

/// The longest line that current firmware reads whole (Raspberry Pi documentation: config.txt, file format).
const READ_WHOLE: usize = 98;

/// What becomes of a `config.txt`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Variables of the device, with their values.
    pub variables: BTreeMap<String, String>,
    /// The lines for this board that are left behind, wholly or in part, in order.
    pub dropped: Vec<Dropped>,
}

/// A line that is left behind.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// The line.
    pub line: String,
    /// Why.
    pub why: String,
}

/// What is kept of this `config.txt` of this board.
pub fn from_config_txt(config: &ConfigTxt, board: &BoardFacts) -> Kept {
    let mut sorter = Sorter::new(config, board);
    if !config.is_decoy() {
        let mut walk = Walk::new(config, board);
        while let Some(line) = walk.next() {
            match walk.applies() {
                Applies::No => {}
                Applies::Yes => sorter.line(line),
                Applies::Maybe => sorter.undecided(line, &walk),
            }
        }
    }
    sorter.finish()
}

struct Sorter<'a> {
    config: &'a ConfigTxt,
    board: &'a BoardFacts,
    variables: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
    tree: Tree,
    dropped: Vec<Dropped>,
}

impl<'a> Sorter<'a> {
    fn new(config: &'a ConfigTxt, board: &'a BoardFacts) -> Self {
        let (variables, lists, tree, dropped) = Default::default();
        Sorter { config, board, variables, lists, tree, dropped }
    }

    /// Takes in a line that applies.
    fn line(&mut self, line: &Line) {
        let why = match line.kind {
            LineKind::Blank | LineKind::Comment | LineKind::Section(_) => return,
            LineKind::Include { .. } => reason("include"),
            LineKind::Initramfs { .. } => reason("initramfs"),
            LineKind::NotUnderstood => "it is not understood",
            LineKind::Setting(setting) => return self.setting(line, setting),
        };
        self.drop(line, why);
    }

    fn setting(&mut self, line: &Line, setting: Setting) {
        let key = self.text(setting.key);
        let name = known_name(&key);
        let value = self.text(setting.value);
        match self.judge(line, setting, &name, &value) {
            Ok(Fate::List) => self.list(line, &name, value),
            Ok(Fate::Variable | Fate::Dropped) => {
                self.variables.insert(name, value);
            }
            Err(why) => {
                // Of several lines the last counts, so the earlier ones do not stand in for it.
                self.variables.remove(&name);
                if name == "dtoverlay" {
                    self.tree.lose_overlay();
                }
                self.drop(line, why);
            }
        }
    }

    /// What becomes of a setting, or why it is dropped.
    fn judge(
        &self,
        line: &Line,
        setting: Setting,
        name: &str,
        value: &str,
    ) -> Result<Fate, &'static str> {
        let Some(group) = group(name) else { return Err(UNKNOWN) };
        let is_kept = group.fate != Fate::Dropped
            || (group.why == OVERCLOCKED
                && spares_power(name, value, self.board.revision.board_type()));
        if !is_kept {
            return Err(group.why);
        }
        if line.span.len() > READ_WHOLE {
            return Err("it is longer than the firmware reads");
        }
        if !self.is_spelt_well(line, setting, name) {
            return Err("it is not spelt key=value, so the firmware may ignore it");
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err("balena takes names of letters, digits and underscores only");
        }
        if value.is_empty() && group.fate != Fate::List {
            return Err("it has no value");
        }
        Ok(group.fate)
    }

    fn list(&mut self, line: &Line, name: &str, value: String) {
        let lost = match name {
            "dtoverlay" => self.tree.overlay(&value),
            "dtparam" => self.tree.parameters(&value),
            _ if value.is_empty() => vec!["it has no value".to_owned()],
            _ => {
                self.lists.entry(name.to_owned()).or_default().push(value);
                Vec::new()
            }
        };
        lost.iter().for_each(|why| self.drop(line, why));
    }

    /// Takes in a line of which only the board itself can tell whether it applies.
    fn undecided(&mut self, line: &Line, walk: &Walk<'_>) {
        if !line.acts() {
            return;
        }
        if let LineKind::Setting(setting) = line.kind
            && known_name(&self.text(setting.key)) == "dtoverlay"
        {
            self.tree.lose_overlay();
        }
        let undecided = |filter: Filter| filter.applies(self.board) == Applies::Maybe;
        let header = walk.headers().iter().find(|header| undecided(header.filter));
        let why = match header {
            Some(header) => {
                let section = self.text(header.line.span);
                format!(
                    "only the board itself can tell at its start whether {} applies",
                    section.trim()
                )
            }
            None => "a file included above it, or a section not understood, may say whom it is for"
                .into(),
        };
        self.drop(line, &why);
    }

    /// `key=value` in printable ASCII without blanks around `=`; blanks at the end do no harm.
    fn is_spelt_well(&self, line: &Line, setting: Setting, name: &str) -> bool {
        let printable = |byte: &u8| matches!(byte, b' '..=b'~');
        self.config.text(setting.key) == name.as_bytes()
            && setting.value.start == setting.key.end + 1
            && self.config.text(line.span).trim_ascii().iter().all(printable)
    }

    fn text(&self, span: Span) -> String {
        String::from_utf8_lossy(self.config.text(span)).into_owned()
    }

    fn drop(&mut self, line: &Line, why: &str) {
        let line = self.text(line.span).trim().to_owned();
        self.dropped.push(Dropped { line, why: why.to_owned() });
    }

    fn finish(mut self) -> Kept {
        let tree = [("dtparam", self.tree.parameters), ("dtoverlay", self.tree.overlays)];
        self.lists.extend(tree.map(|(name, entries)| (name.to_owned(), entries)));
        self.lists.retain(|_, entries| !entries.is_empty());
        let lists = self.lists.into_iter().map(|(name, entries)| (name, list(&entries)));
        let variables = self.variables.into_iter().chain(lists);
        Kept {
            variables: variables.map(|(name, value)| (format!("{PREFIX}{name}"), value)).collect(),
            dropped: self.dropped,
        }
    }
}

/// A list as balena writes it: `"i2c_arm=on","spi=on"`, the inside of a JSON array.
fn list(entries: &[String]) -> String {
    let quoted = entries.iter().map(|entry| serde_json::Value::from(entry.as_str()).to_string());
    quoted.collect::<Vec<_>>().join(",")
}

/// A key as the documentation spells it: in small letters, but for a few.
fn known_name(key: &str) -> String {
    let capitals = ["decode_MPG2", "decode_WVC1"];
    match capitals.iter().find(|name| **name == key) {
        Some(name) => (*name).to_owned(),
        None => key.to_ascii_lowercase(),
    }
}

fn reason(key: &str) -> &'static str {
    group(key).map_or(UNKNOWN, |group| group.why)
}

#[cfg(test)]
mod tests;
