//! Names that are likely one name, mistyped: a rare one that differs by one letter from a common one.

use std::collections::BTreeMap;

/// Shorter names differ by one letter all the time.
const SHORTEST: usize = 4;

/// A mistyped name is this much rarer than the one that was meant.
const RARER: usize = 3;

/// Names that stand in for others: each with the one that was likely meant. `counts` says how often each is used.
pub(crate) fn pairs<'a>(counts: &BTreeMap<&'a str, usize>) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    for (name, count) in counts {
        let is_meant = |(other, more): &(&&str, &usize)| {
            let is_other_case = name != *other && name.to_lowercase() == other.to_lowercase();
            match is_other_case {
                true => (count, **other) < (*more, *name),
                false => count * RARER <= **more && is_slip(name, other),
            }
        };
        let meant = counts.iter().filter(is_meant).max_by_key(|(_, more)| **more);
        found.extend(meant.map(|(other, _)| (*name, *other)));
    }
    found
}

/// Whether one slip of the finger makes one name of the other. Names are often numbered and lettered, so a digit or a
/// letter that stands alone is none.
fn is_slip(one: &str, other: &str) -> bool {
    let length = |name: &str| name.chars().count();
    length(one).min(length(other)) >= SHORTEST
        && length(one).abs_diff(length(other)) <= 1
        && without_numbers(one) != without_numbers(other)
        && strsim::damerau_levenshtein(one, other) == 1
}

/// The words of a name that are more than a number or a letter.
fn without_numbers(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric());
    let words = words.map(|word| word.chars().filter(|c| !c.is_ascii_digit()).collect::<String>());
    words.filter(|word| word.chars().count() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn a_rare_name_one_letter_off_a_common_one_is_a_slip() {
        let counts = [
            ("north", 40),
            ("norht", 1),
            ("nort", 2),
            ("South", 3),
            ("south", 30),
            ("site-1", 1),
            ("site-2", 9),
            ("hall-a", 1),
            ("hall-b", 9),
            ("east", 5),
            ("west", 5),
            ("lab", 9),
            ("lap", 1),
        ];
        let found = pairs(&counts.into());
        assert_eq!(found, [("South", "south"), ("norht", "north"), ("nort", "north")]);
    }
}
