//! Versions of balenaOS: which there are for a device type, and which one is meant.
//!
//! They are releases of public applications, one for each device type and line. Anybody may ask for them; with a token
//! also those come that its owner alone may see.

use std::cmp::Ordering;
use std::fmt;

/// The tag of an application that names the line of its releases (balena SDK, `models/os`).
pub(crate) const LINE_TAG: &str = "release-policy";

/// A version of balenaOS that balena offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsVersion {
    /// As it has to be asked for, such as `6.0.24+rev1`.
    pub raw: String,
    /// True for those with an open door (`dev`), of which there were two of each version once.
    pub is_development: bool,
    /// The line it belongs to, if it is not the usual one: `esr`.
    pub line: Option<String>,
}

impl fmt::Display for OsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// Which version is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The newest one of the usual line that is not for development.
    Latest,
    /// This one; without a revision, its newest revision.
    Version(String),
}

impl Wanted {
    /// Reads what a person writes: `latest`, or a version with or without a `v`.
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "latest" => Wanted::Latest,
            version => Wanted::Version(version.strip_prefix('v').unwrap_or(version).to_owned()),
        }
    }

    /// The one that is meant, of all that there are.
    pub fn choose<'a>(&self, versions: &'a [OsVersion]) -> Option<&'a OsVersion> {
        let newest = |left: &&OsVersion, right: &&OsVersion| order(&left.raw, &right.raw);
        match self {
            Wanted::Latest => {
                let usual = versions.iter().filter(|it| !it.is_development && it.line.is_none());
                usual.max_by(newest)
            }
            Wanted::Version(version) => {
                let exact = versions.iter().find(|it| it.raw == *version);
                exact.or_else(|| {
                    let revisions = versions.iter().filter(|it| !it.is_development);
                    revisions.filter(|it| is_revision(&it.raw, version)).max_by(newest)
                })
            }
        }
    }
}

/// True if `raw` is `version` with a revision, or with a variant, behind it.
fn is_revision(raw: &str, version: &str) -> bool {
    raw.strip_prefix(version).is_some_and(|rest| rest.starts_with(['+', '.']))
        && raw.split('+').next().unwrap_or(raw).matches('.').count()
            == version.split('+').next().unwrap_or(version).matches('.').count()
}

/// Orders versions, the newest last: by their numbers, what comes before a release first, then by revision.
pub fn order(left: &str, right: &str) -> Ordering {
    let (left, right) = (Parts::of(left), Parts::of(right));
    left.numbers
        .cmp(&right.numbers)
        .then_with(|| left.is_before_release.cmp(&right.is_before_release).reverse())
        .then_with(|| left.revision.cmp(&right.revision))
}

struct Parts {
    numbers: Vec<u64>,
    is_before_release: bool,
    revision: u64,
}

impl Parts {
    fn of(version: &str) -> Self {
        let (version, build) = version.split_once('+').unwrap_or((version, ""));
        let (numbers, before) = match version.split_once('-') {
            Some((numbers, _)) => (numbers, true),
            None => (version, false),
        };
        let revision = build.split('.').find_map(|part| part.strip_prefix("rev")?.parse().ok());
        Self {
            numbers: numbers.split('.').map(|number| number.parse().unwrap_or(0)).collect(),
            is_before_release: before,
            revision: revision.unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(raw: &str) -> OsVersion {
        OsVersion {
            raw: raw.to_owned(),
            is_development: raw.ends_with(".dev"),
            line: raw.starts_with("20").then(|| "esr".to_owned()),
        }
    }

    fn chosen(wanted: &str) -> Option<String> {
        let versions = ["6.0.9+rev12", "6.0.24", "6.0.24+rev10", "6.0.24+rev9", "6.0.24-123"]
            .into_iter()
            .chain(["2.48.0+rev1.dev", "2.48.0+rev1.prod", "2024.1.0"])
            .map(version)
            .collect::<Vec<_>>();
        Wanted::parse(wanted).choose(&versions).map(|version| version.raw.clone())
    }

    #[test]
    fn the_latest_is_of_the_usual_line_and_counts_numbers_not_signs() {
        assert_eq!(chosen("latest").as_deref(), Some("6.0.24+rev10"));
        assert_eq!(Wanted::Latest.choose(&[version("2024.1.0"), version("2.48.0+rev1.dev")]), None);
        assert!(order("6.0.24-123", "6.0.24").is_lt());
        assert!(order("10.0.0", "9.9.9").is_gt());
    }

    #[test]
    fn a_version_may_be_given_without_its_revision() {
        assert_eq!(chosen("v6.0.24").as_deref(), Some("6.0.24"));
        assert_eq!(chosen("6.0.9").as_deref(), Some("6.0.9+rev12"));
        assert_eq!(chosen("2.48.0+rev1").as_deref(), Some("2.48.0+rev1.prod"));
        assert_eq!(chosen("2.48.0+rev1.dev").as_deref(), Some("2.48.0+rev1.dev"));
        assert_eq!(chosen("2024.1.0").as_deref(), Some("2024.1.0"));
        assert_eq!(chosen("6.0"), None);
        assert_eq!(chosen("6.0.2"), None);
    }
}
