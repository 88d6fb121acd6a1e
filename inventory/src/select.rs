//! Which devices a pattern means.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use thiserror::Error;

use crate::fleet::Fleet;
use crate::glob::glob;
use crate::name::{DeviceId, GroupName};
use crate::near::nearest;
use crate::range::{self, RangeError};
use crate::yaml::plain;

/// The pattern that always means every device; no group or device may have this name.
pub(crate) const ALL: &str = "all";

/// Why a pattern does not say which devices are meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Nothing is written.
    #[error("the pattern is empty")]
    Empty,
    /// A bad range.
    #[error("`{}` cannot be written out as names", plain(part))]
    Range {
        /// The part of the pattern.
        part: String,
        /// What is wrong with it.
        source: RangeError,
    },
    /// A bad regular expression.
    #[error("`{}` is not a regular expression: {}", plain(part), plain(why))]
    Expression {
        /// The part of the pattern.
        part: String,
        /// What is wrong with it.
        why: String,
    },
    /// A range in a glob could be a set of characters as well.
    #[error("`{}`: globs together with ranges are not supported", plain(part))]
    GlobWithRange {
        /// The part of the pattern.
        part: String,
    },
    /// A group without devices.
    #[error("the group `{group}` has no devices")]
    EmptyGroup {
        /// The group.
        group: String,
    },
    /// A position that a group does not have.
    #[error("`{}` names positions that are not there: it has {count} devices", plain(part))]
    NoPosition {
        /// The part of the pattern.
        part: String,
        /// How many devices there are to choose from.
        count: usize,
    },
    /// Nothing has such a name.
    #[error("`{}` matches no device and no group", plain(part))]
    NoMatch {
        /// The part of the pattern.
        part: String,
        /// The name that was likely meant.
        near: Option<String>,
    },
    /// Every part means something, and together they mean nothing.
    #[error("`{}` leaves no device", plain(pattern))]
    Nothing {
        /// The whole pattern.
        pattern: String,
    },
}

impl PatternError {
    /// What to type instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => "leave the limit out to mean every device".to_owned(),
            Self::NoMatch { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::NoMatch { near: None, .. } => {
                "`migos-fleet inventory` lists the devices and groups".to_owned()
            }
            Self::EmptyGroup { .. } => "list its devices in the inventory".to_owned(),
            Self::Range { source, .. } => source.hint().to_owned(),
            Self::Expression { .. } => {
                "write it as in ~kiosk-0[1-3].*, and quote it for the shell".to_owned()
            }
            Self::GlobWithRange { .. } => {
                "write a regular expression, such as ~kiosk-[0-9]+, or two patterns".to_owned()
            }
            Self::NoPosition { .. } => {
                "positions count from 0, and from the end with a minus: north[0:2], north[-1]"
                    .to_owned()
            }
            Self::Nothing { .. } => {
                "`a:&b` keeps what is in both, and `a:!b` takes the devices of b away".to_owned()
            }
        }
    }
}

impl Fleet {
    /// The devices a pattern means, in the order of the inventory; no pattern means all of them.
    ///
    /// The grammar is Ansible's: device names, group names, globs (`kiosk-*`) and regular expressions (`~kiosk-0.*`,
    /// from the beginning of a name), which match groups too, separated by commas or colons; positions in what is before
    /// the brackets (`north[0:2]`, both ends within, `north[-1]`), in the order of the inventory; `&b` keeps what is in b,
    /// `!b` takes it away, after all other parts wherever they stand. Besides, names with ranges (`kiosk-[001:010]`).
    ///
    /// # Errors
    /// Every part has to match something.
    pub fn select(&self, pattern: Option<&str>) -> Result<Vec<DeviceId>, PatternError> {
        Names::new(&self.order, &self.groups).select(pattern)
    }
}

/// The devices a pattern means among these, where there are no groups; see [`Fleet::select`].
///
/// # Errors
/// Every part has to match something.
pub fn select_from(
    devices: &[DeviceId],
    pattern: Option<&str>,
) -> Result<Vec<DeviceId>, PatternError> {
    Names::new(devices, &BTreeMap::new()).select(pattern)
}

/// The names that a pattern is held against.
struct Names<'a> {
    order: &'a [DeviceId],
    ids: BTreeMap<&'a str, &'a DeviceId>,
    groups: &'a BTreeMap<GroupName, BTreeSet<DeviceId>>,
}

impl<'a> Names<'a> {
    fn new(order: &'a [DeviceId], groups: &'a BTreeMap<GroupName, BTreeSet<DeviceId>>) -> Self {
        Names { order, ids: order.iter().map(|id| (id.as_str(), id)).collect(), groups }
    }

    fn select(&self, pattern: Option<&str>) -> Result<Vec<DeviceId>, PatternError> {
        let Some(pattern) = pattern else {
            return Ok(self.order.to_vec());
        };
        let parts = split(pattern);
        if parts.is_empty() {
            return Err(PatternError::Empty);
        }
        let marked = |mark: char| parts.iter().filter_map(move |part| part.strip_prefix(mark));
        let mut plain = parts.iter().filter(|part| !part.starts_with(['&', '!'])).peekable();
        let mut selected = BTreeSet::new();
        if plain.peek().is_none() {
            selected.extend(self.order);
        }
        for part in plain {
            selected.extend(self.matches(part)?);
        }
        for part in marked('&') {
            let kept: BTreeSet<_> = self.matches(part)?.into_iter().collect();
            selected.retain(|id| kept.contains(id));
        }
        for part in marked('!') {
            for id in self.matches(part)? {
                selected.remove(id);
            }
        }
        if selected.is_empty() {
            return Err(PatternError::Nothing { pattern: pattern.to_owned() });
        }
        Ok(self.order.iter().filter(|id| selected.contains(*id)).cloned().collect())
    }

    fn matches(&self, part: &str) -> Result<Vec<&'a DeviceId>, PatternError> {
        let found = if let Some(expression) = part.strip_prefix('~') {
            let expression = Regex::new(&format!("^(?:{expression})")).map_err(|error| {
                PatternError::Expression { part: part.to_owned(), why: error.to_string() }
            })?;
            self.named(&|name| expression.is_match(name))
        } else if let Some((before, position)) = self.position(part) {
            let all: Vec<&DeviceId> = self.in_order(&self.matches(before)?);
            let chosen = position.of(&all).to_vec();
            if chosen.is_empty() {
                let (part, count) = (part.to_owned(), all.len());
                return Err(PatternError::NoPosition { part, count });
            }
            return Ok(chosen);
        } else if part == ALL {
            self.order.iter().collect()
        } else {
            self.by_names(part)?
        };
        if found.is_empty() {
            let known = self.order.iter().map(DeviceId::as_str);
            let known = known.chain(self.groups.keys().map(|group| group.as_str()));
            let near = nearest(part, known).map(str::to_owned);
            return Err(PatternError::NoMatch { part: part.to_owned(), near });
        }
        Ok(found.into_iter().collect())
    }

    /// Devices by name, range, glob or group.
    fn by_names(&self, part: &str) -> Result<BTreeSet<&'a DeviceId>, PatternError> {
        if self.groups.get(part).is_some_and(BTreeSet::is_empty) {
            return Err(PatternError::EmptyGroup { group: part.to_owned() });
        }
        if is_glob(part) && range::is_range(part) {
            return Err(PatternError::GlobWithRange { part: part.to_owned() });
        }
        let names = range::expand(part)
            .map_err(|source| PatternError::Range { part: part.to_owned(), source })?;
        let mut found = BTreeSet::new();
        for name in &names {
            self.add_matches(name, &mut found);
        }
        if let [first, _, ..] = names.as_slice()
            && found.is_empty()
        {
            // The range as a whole is too far from any name to find the one that was meant.
            let known = self.order.iter().map(DeviceId::as_str);
            let near = nearest(first, known).map(str::to_owned);
            return Err(PatternError::NoMatch { part: first.clone(), near });
        }
        Ok(found)
    }

    /// The position that ends a part, if what is before it is a group, a glob or `all`; else the brackets are a range.
    fn position<'p>(&self, part: &'p str) -> Option<(&'p str, Position)> {
        let (before, inside) = part.strip_suffix(']')?.rsplit_once('[')?;
        let is_many = before == ALL || self.groups.contains_key(before) || is_glob(before);
        if !is_many || before.contains('[') {
            return None;
        }
        Some((before, Position::read(inside)?))
    }

    fn in_order(&self, found: &[&'a DeviceId]) -> Vec<&'a DeviceId> {
        let found: BTreeSet<_> = found.iter().copied().collect();
        self.order.iter().filter(|id| found.contains(id)).collect()
    }

    /// The devices, and those of the groups, whose names fit.
    fn named(&self, fits: &dyn Fn(&str) -> bool) -> BTreeSet<&'a DeviceId> {
        let groups = self.groups.iter().filter(|(group, _)| fits(group.as_str()));
        let members = groups.flat_map(|(_, members)| members);
        members.chain(self.order.iter().filter(|id| fits(id.as_str()))).collect()
    }

    fn add_matches(&self, name: &str, found: &mut BTreeSet<&'a DeviceId>) {
        if is_glob(name) {
            found.extend(self.named(&|known| glob(name, known)));
            return;
        }
        found.extend(self.groups.get(name).into_iter().flatten());
        found.extend(self.ids.get(name));
    }
}

/// Which of several devices are meant, counted from 0, or from the end by negative numbers.
enum Position {
    One(isize),
    /// Both ends are within; without the second all to the end.
    Span(usize, Option<usize>),
}

impl Position {
    fn read(text: &str) -> Option<Self> {
        if let Ok(one) = text.parse() {
            return Some(Self::One(one)).filter(|_| !text.starts_with('+'));
        }
        let (first, last) = text.split_once(':').or_else(|| text.split_once('-'))?;
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        Some(Self::Span(first.parse().ok()?, last))
    }

    fn of<'i, T>(&self, all: &'i [T]) -> &'i [T] {
        let (first, end) = match *self {
            Self::One(one) => {
                let first =
                    if one < 0 { all.len().checked_add_signed(one) } else { one.try_into().ok() };
                let Some(first) = first else { return &[] };
                (first, first.saturating_add(1))
            }
            Self::Span(first, last) => {
                (first, last.map_or(all.len(), |last| last.saturating_add(1)))
            }
        };
        all.get(first..end.min(all.len())).unwrap_or_default()
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Cuts a pattern at the commas and colons outside brackets; empty parts fall away.
fn split(pattern: &str) -> Vec<&str> {
    let mut inside = false;
    pattern
        .split(|c| {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            !inside && matches!(c, ',' | ':')
        })
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::error::Error;

    use super::*;
    use crate::fold::fold;
    use crate::native::parse;

    fn fleet() -> Fleet {
        let text = r#"
migos: 1
devices: { bench-2: , bench-1: }
groups:
  north: { devices: ["kiosk-[001:006]"] }
  south: { devices: ["kiosk-[005:008]", bench-1] }
  new:   { devices: [] }
"#;
        parse("t", text).unwrap()
    }

    fn selected(pattern: &str) -> String {
        fold(&fleet().select(Some(pattern)).unwrap())
    }

    #[test]
    fn no_pattern_and_all_mean_every_device_in_the_order_written() {
        let order = fleet().select(None).unwrap();
        assert_eq!(fold(&order), "bench-[1-2], kiosk-[001-008]");
        assert_eq!(order.first().map(DeviceId::as_str), Some("bench-2"));
        assert_eq!(fleet().select(Some("all")), Ok(order));
    }

    #[test]
    fn names_groups_ranges_and_globs_are_joined_without_repeats() {
        assert_eq!(selected("bench-1"), "bench-1");
        assert_eq!(selected("south"), "bench-1, kiosk-[005-008]");
        assert_eq!(selected("kiosk-[001:002]:kiosk-[002:003]"), "kiosk-[001-003]");
        assert_eq!(selected(" bench-1 , north,"), "bench-1, kiosk-[001-006]");
        assert_eq!(selected("bench-*"), "bench-[1-2]");
        assert_eq!(selected("*o*k*8"), "kiosk-008");
        assert_eq!(selected("n*"), "kiosk-[001-006]");
        assert_eq!(selected("*"), "bench-[1-2], kiosk-[001-008]");
    }

    #[test]
    fn patterns_follow_ansibles_grammar() {
        assert_eq!(selected("north:&south"), "kiosk-[005-006]");
        assert_eq!(selected("!north"), "bench-[1-2], kiosk-[007-008]");
        assert_eq!(selected("north,!kiosk-00[1:4],&~kiosk-.*5"), "kiosk-005");
        assert_eq!(selected("~kiosk-00[12]$"), "kiosk-[001-002]");
        assert_eq!(selected("~sou"), "bench-1, kiosk-[005-008]");
        assert_eq!(selected("north[0:2]"), "kiosk-[001-003]");
        assert_eq!(selected("north[-1],south[0]"), "bench-1, kiosk-006");
        assert_eq!(selected("kiosk-*[6:]"), "kiosk-[007-008]");
        assert_eq!(selected("all[1-2]"), "bench-1, kiosk-001");
        assert_eq!(selected("bench-?"), "bench-[1-2]");
    }

    #[test]
    fn what_fold_prints_selects_the_same_devices() {
        assert_eq!(
            selected("kiosk-[001-003,007], bench-[1-2]"),
            "bench-[1-2], kiosk-[001-003,007]"
        );
    }

    #[test]
    fn a_pattern_that_does_not_say_who_is_meant_is_refused() {
        let fleet = fleet();
        let refused = [
            " ,",
            "kisok-001",
            "store-*",
            "new",
            "north:!kiosk-*",
            "north,!nroth",
            "~kiosk-(",
            "~shop",
            "north[6]",
            "north[7:]",
            "kiosk-[1:]",
            "kiosk-[001:00",
            "[1:2]*",
        ]
        .map(|pattern| {
            let error = fleet.select(Some(pattern)).unwrap_err();
            let cause = error.source().map(|cause| format!("\n  {cause}")).unwrap_or_default();
            format!("{error}{cause}\n  hint: {}", error.hint())
        });
        insta::assert_snapshot!(refused.join("\n"), @r###"
        the pattern is empty
          hint: leave the limit out to mean every device
        `kisok-001` matches no device and no group
          hint: did you mean `kiosk-001`?
        `store-*` matches no device and no group
          hint: `migos-fleet inventory` lists the devices and groups
        the group `new` has no devices
          hint: list its devices in the inventory
        `north:!kiosk-*` leaves no device
          hint: `a:&b` keeps what is in both, and `a:!b` takes the devices of b away
        `nroth` matches no device and no group
          hint: did you mean `north`?
        `~kiosk-(` is not a regular expression: found open group without closing ')'
          hint: write it as in ~kiosk-0[1-3].*, and quote it for the shell
        `~shop` matches no device and no group
          hint: `migos-fleet inventory` lists the devices and groups
        `north[6]` names positions that are not there: it has 6 devices
          hint: positions count from 0, and from the end with a minus: north[0:2], north[-1]
        `north[7:]` names positions that are not there: it has 6 devices
          hint: positions count from 0, and from the end with a minus: north[0:2], north[-1]
        `kiosk-[1:]` cannot be written out as names
          `1:` is not a range
          hint: write numbers [001:060], every second one [01:50:2], or letters [a:f]
        `kiosk-[001:00` cannot be written out as names
          the brackets `[` and `]` do not match
          hint: close every `[` with one `]`, as in kiosk-[001:060]
        `[1:2]*`: globs together with ranges are not supported
          hint: write a regular expression, such as ~kiosk-[0-9]+, or two patterns
        "###);
    }
}
