//! Patterns of ssh_config(5): `*`, `?`, and `!` before those that must not be meant.

use crate::glob::glob;

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

/// Letters are compared without regard to case, as ssh does with hosts.
fn is_like(pattern: &str, name: &str) -> bool {
    glob(&pattern.to_ascii_lowercase(), &name.to_ascii_lowercase())
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
