//! Which devices a pattern means.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::fleet::Fleet;
use crate::name::{DeviceId, GroupName};
use crate::near::nearest;
use crate::range::{self, RangeError};

/// The pattern that always means every device; no group or device may have this name.
pub(crate) const ALL: &str = "all";

/// Why a pattern does not say which devices are meant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// Nothing is written.
    #[error("the pattern is empty")]
    Empty,
    /// Grammar that a later version may have.
    #[error("`{part}`: {what} are not supported in patterns yet")]
    NotSupported {
        /// The part of the pattern.
        part: String,
        /// What is not supported.
        what: &'static str,
    },
    /// A bad range.
    #[error("`{part}` cannot be written out as names")]
    Range {
        /// The part of the pattern.
        part: String,
        /// What is wrong with it.
        source: RangeError,
    },
    /// A group without devices.
    #[error("the group `{group}` has no devices")]
    EmptyGroup {
        /// The group.
        group: String,
    },
    /// Nothing has such a name.
    #[error("`{part}` matches no device and no group")]
    NoMatch {
        /// The part of the pattern.
        part: String,
        /// The name that was likely meant.
        near: Option<String>,
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
            Self::NotSupported { .. } => {
                "write names, groups, ranges such as kiosk-[001:010] or globs such as kiosk-*, \
                 separated by commas"
                    .to_owned()
            }
        }
    }
}

impl Fleet {
    /// The devices a pattern means, in the order of the inventory; no pattern means all of them.
    ///
    /// A pattern is a list of device names, group names, names with ranges (`kiosk-[001:010]`) and
    /// globs (`kiosk-*`, which match groups too), separated by commas or colons.
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
        let mut selected = BTreeSet::new();
        for part in parts {
            selected.extend(self.matches(part)?);
        }
        Ok(self.order.iter().filter(|id| selected.contains(*id)).cloned().collect())
    }

    fn matches(&self, part: &str) -> Result<BTreeSet<&'a DeviceId>, PatternError> {
        let refuse = |what| Err(PatternError::NotSupported { part: part.to_owned(), what });
        match part.chars().next() {
            Some('&') => return refuse("intersections (`&`)"),
            Some('!') => return refuse("exclusions (`!`)"),
            Some('~') => return refuse("regular expressions (`~`)"),
            Some('@') => return refuse("files of names (`@`)"),
            _ => {}
        }
        if let Some((before, _)) = part.split_once('[')
            && (before == ALL || self.groups.contains_key(before))
        {
            return refuse("positions in a group (`[0:2]`)");
        }
        if part == ALL {
            return Ok(self.order.iter().collect());
        }
        if self.groups.get(part).is_some_and(BTreeSet::is_empty) {
            return Err(PatternError::EmptyGroup { group: part.to_owned() });
        }
        if part.contains('*') && range::is_range(part) {
            return refuse("globs together with ranges");
        }
        let names = range::expand(part)
            .map_err(|source| PatternError::Range { part: part.to_owned(), source })?;
        let mut found = BTreeSet::new();
        for name in &names {
            self.add_matches(name, &mut found);
        }
        if found.is_empty() {
            let known = self.order.iter().map(DeviceId::as_str);
            let known = known.chain(self.groups.keys().map(|group| group.as_str()));
            let part = names.first().filter(|_| names.len() > 1).map_or(part, String::as_str);
            let near = nearest(part, known).map(str::to_owned);
            return Err(PatternError::NoMatch { part: part.to_owned(), near });
        }
        Ok(found)
    }

    fn add_matches(&self, name: &str, found: &mut BTreeSet<&'a DeviceId>) {
        if !name.contains('*') {
            found.extend(self.groups.get(name).into_iter().flatten());
            found.extend(self.ids.get(name));
            return;
        }
        let groups = self.groups.iter().filter(|(group, _)| glob(name, group.as_str()));
        found.extend(groups.flat_map(|(_, members)| members));
        found.extend(self.order.iter().filter(|id| glob(name, id.as_str())));
    }
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

/// Whether a name fits a pattern in which `*` stands for any characters.
fn glob(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The leftmost place for every piece leaves the most room for the pieces after it.
    for piece in middle.split('*') {
        match name.split_once(piece) {
            _ if piece.is_empty() => {}
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(end)
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
            "north,&south",
            "!north",
            "~kiosk.*",
            "@retry.txt",
            "north[0:2]",
            "kiosk-[1:]",
            "kiosk-[001:00",
            "[1:2]*",
        ]
        .map(|pattern| {
            let error = fleet.select(Some(pattern)).unwrap_err();
            let cause = error.source().map(|cause| format!("\n  {cause}")).unwrap_or_default();
            format!("{error}{cause}\n  hint: {}", error.hint())
        });
        insta::assert_snapshot!(refused.join("\n"), @r"
        the pattern is empty
          hint: leave the limit out to mean every device
        `kisok-001` matches no device and no group
          hint: did you mean `kiosk-001`?
        `store-*` matches no device and no group
          hint: `migos-fleet inventory` lists the devices and groups
        the group `new` has no devices
          hint: list its devices in the inventory
        `&south`: intersections (`&`) are not supported in patterns yet
          hint: write names, groups, ranges such as kiosk-[001:010] or globs such as kiosk-*, separated by commas
        `!north`: exclusions (`!`) are not supported in patterns yet
          hint: write names, groups, ranges such as kiosk-[001:010] or globs such as kiosk-*, separated by commas
        `~kiosk.*`: regular expressions (`~`) are not supported in patterns yet
          hint: write names, groups, ranges such as kiosk-[001:010] or globs such as kiosk-*, separated by commas
        `@retry.txt`: files of names (`@`) are not supported in patterns yet
          hint: write names, groups, ranges such as kiosk-[001:010] or globs such as kiosk-*, separated by commas
        `north[0:2]`: positions in a group (`[0:2]`) are not supported in patterns yet
          hint: write names, groups, ranges such as kiosk-[001:010] or globs such as kiosk-*, separated by commas
        `kiosk-[1:]` cannot be written out as names
          `1:` is not a range
          hint: write numbers [001:060], every second one [01:50:2], or letters [a:f]
        `kiosk-[001:00` cannot be written out as names
          the brackets `[` and `]` do not match
          hint: close every `[` with one `]`, as in kiosk-[001:060]
        `[1:2]*`: globs together with ranges are not supported in patterns yet
          hint: write names, groups, ranges such as kiosk-[001:010] or globs such as kiosk-*, separated by commas
        ");
    }
}
