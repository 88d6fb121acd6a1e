//! Refusals that a person may overrule, by name.

use crate::requirement::{CHECKS, Check};
use migos_inventory::nearest;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use std::str::FromStr;

/// A refusal that a person may overrule: the name of its check, or what would be done in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[schemars(with = "String")]
#[serde(transparent)]
pub struct Allow(&'static str);

/// Why a word does not overrule anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// No check has this name.
    #[error("no check is called {name}{}; there are {}", did_you_mean(.near), names())]
    Unknown {
        /// What was written.
        name: String,
        /// What was meant, perhaps.
        near: Option<Allow>,
    },
    /// The check stands for something that nobody survives, or without which nothing can be planned.
    #[error("a refusal of {check} cannot be overruled; what can be are {}", names())]
    Final {
        /// The check.
        check: &'static str,
    },
}

impl Allow {
    /// A payload whose kernel cannot restart the board before its modules are loaded: for emulation and benches.
    pub const UNGUARDED_KERNEL: Allow = Allow("unguarded-kernel");
    /// A card that has no room for a second copy of what it boots from while it is rewritten.
    pub const NO_LIFEBOAT: Allow = Allow("no-lifeboat");

    pub(crate) const fn named(name: &'static str) -> Allow {
        Allow(name)
    }

    /// All of them, in the order of their checks.
    pub fn all() -> impl Iterator<Item = Allow> {
        CHECKS.iter().filter_map(|check| check.overruled_by)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The check that it overrules.
    pub fn check(self) -> Option<&'static Check> {
        CHECKS.iter().find(|check| check.overruled_by == Some(self))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for Allow {
    type Err = AllowError;

    fn from_str(name: &str) -> Result<Self, AllowError> {
        if let Some(allow) = Allow::all().find(|allow| allow.0 == name) {
            return Ok(allow);
        }
        if let Some(check) = CHECKS.iter().find(|check| check.name == name) {
            // A check whose refusal is overruled by another word is meant by its own, too.
            return check.overruled_by.ok_or(AllowError::Final { check: check.name });
        }
        let near = nearest(name, Allow::all().map(Allow::name));
        let near = near.and_then(|near| Allow::all().find(|allow| allow.0 == near));
        Err(AllowError::Unknown { name: name.to_owned(), near })
    }
}

impl<'de> Deserialize<'de> for Allow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

fn did_you_mean(near: &Option<Allow>) -> String {
    near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default()
}

fn names() -> String {
    Allow::all().map(Allow::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for allow in Allow::all() {
            assert_eq!(allow.name().parse(), Ok(allow));
            let json = serde_json::to_string(&allow).unwrap();
            assert_eq!(serde_json::from_str::<Allow>(&json).unwrap(), allow);
            assert_eq!(allow.check().unwrap().overruled_by, Some(allow));
        }
        for allow in [Allow::UNGUARDED_KERNEL, Allow::NO_LIFEBOAT] {
            assert!(Allow::all().any(|known| known == allow));
        }
        assert_eq!("lifeboat".parse(), Ok(Allow::NO_LIFEBOAT));
    }

    #[test]
    fn a_word_that_overrules_nothing_is_refused_with_what_does() {
        let said = |name: &str| name.parse::<Allow>().unwrap_err().to_string();
        let slip = said("pover");
        assert!(slip.starts_with("no check is called pover (did you mean power?); there are "));
        assert!(said("anything").contains("there are system, unguarded-kernel, "));
        assert!(said("serial").starts_with("a refusal of serial cannot be overruled; "));
        assert!(serde_json::from_str::<Allow>("\"serial\"").is_err());
    }
}
