//! Many names the short way: `kiosk-[001-048,061-108], bench-[1-4]`.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::name::DeviceId;
use crate::range::MAX_DIGITS;

/// Folds names into ranges; padding is kept and groups stand in the order of their first name.
///
/// The form is the one ClusterShell prints. [`Fleet::select`](crate::Fleet::select) reads it back.
/// Names are folded at their last number; those that stay alone there, at the number before it.
pub fn fold<'a>(names: impl IntoIterator<Item = &'a DeviceId>) -> String {
    let mut seen = HashSet::new();
    let mut left: Vec<(usize, &str)> = names
        .into_iter()
        .map(DeviceId::as_str)
        .filter(|name| seen.insert(*name))
        .enumerate()
        .collect();
    let mut folded: Vec<(usize, String)> = Vec::new();
    let mut from_end = 0;
    while !left.is_empty() {
        let mut alone = Vec::new();
        let mut families: HashMap<(&str, &str), Family<'_>> = HashMap::new();
        for (index, name) in left {
            match number_in(name, from_end) {
                Some((before, digits, after)) => {
                    let family = families
                        .entry((before, after))
                        .or_insert(Family { first: (index, name), numbers: BTreeSet::new() });
                    family.numbers.insert((digits.len(), digits));
                }
                // No number is left to fold at.
                None => folded.push((index, name.to_owned())),
            }
        }
        for ((before, after), family) in families {
            if family.numbers.len() == 1 {
                alone.push(family.first);
            } else {
                let ranges = ranges(&family.numbers);
                folded.push((family.first.0, format!("{before}[{ranges}]{after}")));
            }
        }
        left = alone;
        from_end += 1;
    }
    folded.sort();
    folded.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
}

/// The names that differ in one number only.
struct Family<'a> {
    first: (usize, &'a str),
    /// The digits after their length, so that 9 comes before 10 and 099 right before 100.
    numbers: BTreeSet<(usize, &'a str)>,
}

/// Cuts a name around one of its numbers, counted from the end.
fn number_in(name: &str, from_end: usize) -> Option<(&str, &str, &str)> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut rest = name;
    for _ in 0..from_end {
        rest = rest.trim_end_matches(|c| !is_digit(c)).trim_end_matches(is_digit);
    }
    let head = rest.trim_end_matches(|c| !is_digit(c));
    let before = head.trim_end_matches(is_digit);
    let (_, digits) = head.split_at(before.len());
    let (_, after) = name.split_at(head.len());
    (!digits.is_empty() && digits.len() <= MAX_DIGITS).then_some((before, digits, after))
}

fn ranges(numbers: &BTreeSet<(usize, &str)>) -> String {
    let mut runs: Vec<(&str, &str)> = Vec::new();
    for (_, digits) in numbers {
        match runs.last_mut() {
            Some((first, last)) if follows(first, last, digits) => *last = digits,
            _ => runs.push((digits, digits)),
        }
    }
    let written = runs.into_iter().map(|(first, last)| {
        if first == last { first.to_owned() } else { format!("{first}-{last}") }
    });
    written.collect::<Vec<_>>().join(",")
}

/// Whether `next` continues the run `first-last`; a padded run keeps its number of digits.
fn follows(first: &str, last: &str, next: &str) -> bool {
    let padded = first.len() > 1 && first.starts_with('0');
    let same_shape =
        if padded { next.len() == first.len() } else { next == "0" || !next.starts_with('0') };
    let value = |digits: &str| digits.parse::<u64>().ok();
    same_shape && value(last).map(|value| value + 1) == value(next)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;
    use crate::range::expand;

    fn folded(names: &str) -> String {
        let ids: Vec<_> = names.split(' ').map(|name| DeviceId::new(name).unwrap()).collect();
        fold(&ids)
    }

    #[test]
    fn ranges_keep_padding_and_the_order_of_first_names() {
        assert_eq!(
            folded("kiosk-001 kiosk-002 kiosk-003 bench-1 kiosk-061 bench-2 spare"),
            "kiosk-[001-003,061], bench-[1-2], spare"
        );
        assert_eq!(folded("k099 k100 k098"), "k[098-100]");
        assert_eq!(folded("k9 k10 k11"), "k[9-11]");
        assert_eq!(folded("k999 k1000 k001"), "k[001,999-1000]");
        assert_eq!(folded("k1 k01 k001"), "k[1,01,001]");
        assert_eq!(folded("k7"), "k7");
        assert_eq!(fold(&[]), "");
    }

    #[test]
    fn names_alone_at_their_last_number_fold_at_an_earlier_one() {
        assert_eq!(folded("pi-1.shop4 pi-2.shop4 pi-3.shop4"), "pi-[1-3].shop4");
        assert_eq!(folded("s1-p1 s1-p2 s2-p1 s9-x"), "s1-p[1-2], s2-p1, s9-x");
    }

    /// Splits at the commas outside brackets.
    fn unfold(text: &str) -> BTreeSet<String> {
        text.split(", ").flat_map(|part| expand(part).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn folded_names_read_back_as_the_same_set(
            names in proptest::collection::btree_set("[ab]{1,2}[0-9]{0,3}(-[0-9]{1,2})?", 1..60)
        ) {
            let ids: Vec<_> = names.iter().map(|name| DeviceId::new(name).unwrap()).collect();
            prop_assert_eq!(unfold(&fold(&ids)), names);
        }

        #[test]
        fn an_expanded_range_folds_to_names_of_the_same_set(
            first in 0u64..1200, length in 1u64..300, step in 1u64..5, padded: bool
        ) {
            let last = first + length;
            let width = if padded { last.to_string().len() } else { 0 };
            let range = format!("k-[{first:0width$}:{last:0width$}:{step}]");
            let names: BTreeSet<_> = expand(&range).unwrap().into_iter().collect();
            let ids: Vec<_> = names.iter().map(|name| DeviceId::new(name).unwrap()).collect();
            prop_assert_eq!(unfold(&fold(&ids)), names);
        }
    }
}
