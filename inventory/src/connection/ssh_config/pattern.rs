//! Patterns of ssh_config(5): `*`, `?`, and `!` before those that must not be meant.

/// Whether one of the patterns means a name, and none with `!` does.
pub(super) fn matches(patterns: &[String], name: &str) -> bool {
    let mut meant = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if is_like(pattern, name) => return false,
            Some(_) => {}
            None => meant |= is_like(pattern, name),
        }
    }
    meant
}

/// Goes back to the last `*` only, so that it takes no longer than the product of both lengths.
fn is_like(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen, mut star) = (0, 0, None);
    while let Some(c) = name.get(seen) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted.eq_ignore_ascii_case(c) => {
                at += 1;
                seen += 1;
            }
            _ => match &mut star {
                Some((place, from)) => {
                    *from += 1;
                    (at, seen) = (*place + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_with_a_mark_takes_names_away() {
        let means = |patterns: &[&str], name: &str| {
            let patterns: Vec<String> = patterns.iter().map(|one| (*one).to_owned()).collect();
            matches(&patterns, name)
        };
        assert!(means(&["kiosk-*"], "kiosk-042") && means(&["*.a", "K?"], "k1"));
        assert!(!means(&["kiosk-*", "!kiosk-042"], "kiosk-042") && !means(&["!a"], "b"));
        assert!(means(&["*a*b"], "xaxbab") && !means(&["*a*b"], "xaxbac") && means(&["*"], ""));
    }
}
