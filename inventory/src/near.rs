//! "Did you mean": the known word closest to a mistyped one.

/// Words longer than this are not typing mistakes, and comparing them costs time.
const LONGEST: usize = 64;

/// Finds the candidate that `word` was most likely meant to be, if any is near enough.
///
/// One slip is forgiven in three letters; upper and lower case count as equal.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length == 0 || length > LONGEST {
        return None;
    }
    let limit = (length / 3).max(1);
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        // As many slips as the lengths differ by there are at least; to count them all takes long.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Whether a word is one slip of the finger away from another: a letter too many, too few, wrong, or two in the wrong order.
pub(crate) fn is_one_slip(word: &str, other: &str) -> bool {
    word.len() <= LONGEST && strsim::damerau_levenshtein(word, other) == 1
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KEYS: [&str; 4] = ["identity", "user", "known_hosts", "host_keys"];

    #[test]
    fn a_slip_finds_its_word() {
        assert_eq!(nearest("idenity", KEYS), Some("identity"));
        assert_eq!(nearest("User", KEYS), Some("user"));
        assert_eq!(nearest("known-host", KEYS), Some("known_hosts"));
    }

    #[test]
    fn a_different_word_finds_nothing() {
        assert_eq!(nearest("password", KEYS), None);
        assert_eq!(nearest("", KEYS), None);
        assert_eq!(nearest(&"u".repeat(10_000), KEYS), None);
    }
}
