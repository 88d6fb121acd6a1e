//! Patterns in which `*` stands for any characters, and `?` for one.

/// Whether a name fits a pattern. However many stars it has, this takes no longer than one times the other.
pub fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where the last `*` stands, and how much of the name it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(seen) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, seen) = (place + 1, taken + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stand_for_any_characters_and_question_marks_for_one() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("a*", "a"),
            ("*.b", "a.b"),
            ("a?c", "aéc"),
            ("*a*b", "xaxbab"),
            ("**x**", "x"),
        ] {
            assert!(glob(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("", "a"), ("?", ""), ("a", "A"), ("*a*b", "xaxbac"), ("a*", "ba")]
        {
            assert!(!glob(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_longer_than_one_times_the_other() {
        assert!(!glob(&"*a".repeat(1000), &"a".repeat(999)));
        assert!(!glob(&format!("{}b", "*a".repeat(40)), &"a".repeat(250)));
    }
}
