//! Mappings with fixed keys: an unknown key is a problem, with the word that was likely meant.

use super::field::Field;
use super::node::Kind;
use super::path::KeyPath;
use crate::near::nearest;
use crate::problem::{Place, Report};

/// The keys a mapping may have.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Keys that are read.
    pub known: &'static [&'static str],
    /// Keys that are refused with words of their own.
    pub refused: &'static [Refused],
}

/// A key that deserves better than "unknown".
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// The key.
    pub key: &'static str,
    /// What is wrong with it, a lowercase fragment.
    pub message: &'static str,
    /// What to write instead.
    pub hint: &'static str,
}

/// One entry of a mapping.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The key.
    pub key: &'a str,
    /// Where the key begins.
    pub place: Place,
    /// The value.
    pub field: Field<'a>,
}

/// A mapping that has only known keys.
#[derive(Clone, Debug)]
pub struct Mapping<'a> {
    place: Place,
    path: KeyPath,
    members: Vec<Member<'a>>,
    /// Whether nothing was refused, so that a missing key is truly missing.
    whole: bool,
}

impl<'a> Mapping<'a> {
    /// A mapping of values that stand in different places.
    pub(crate) fn of(fields: Vec<(&'a str, Field<'a>)>) -> Self {
        let member =
            |(key, field): (&'a str, Field<'a>)| Member { key, place: field.place(), field };
        let members = fields.into_iter().map(member).collect();
        Self { place: Place::START, path: KeyPath::root(), members, whole: true }
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&Field<'a>> {
        self.members.iter().find(|member| member.key == key).map(|member| &member.field)
    }

    /// The value under a key that has to be there; `hint` says what to write.
    ///
    /// Where another key was refused, a missing one is not noted: it was likely mistyped.
    pub fn require(&self, key: &str, hint: &str, report: &mut Report) -> Option<&Field<'a>> {
        let field = self.get(key);
        if field.is_none() && self.whole {
            let message = format!("the key `{key}` is missing");
            report.add_with_hint(self.place, &self.path, message, hint);
        }
        field
    }
}

impl Keys {
    /// Keeps the members with known keys and notes the others.
    pub(super) fn read<'a>(&self, field: &Field<'a>, report: &mut Report) -> Mapping<'a> {
        let (members, others): (Vec<_>, Vec<_>) =
            field.members(report).into_iter().partition(|member| self.known.contains(&member.key));
        for other in &others {
            self.refuse(other, report);
        }
        let whole = others.is_empty() && matches!(field.node.kind, Kind::Mapping(_) | Kind::Null);
        Mapping { place: field.place(), path: field.path.clone(), members, whole }
    }

    fn refuse(&self, member: &Member<'_>, report: &mut Report) {
        let path = &member.field.path;
        if let Some(refused) = self.refused.iter().find(|refused| refused.key == member.key) {
            return report.add_with_hint(member.place, path, refused.message, refused.hint);
        }
        let hint = match nearest(member.key, self.known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys allowed here are {}", self.known.join(", ")),
        };
        report.add_with_hint(member.place, path, "unknown key", hint);
    }
}
