//! Lengths of time as people write them: `30m`, `2h`, `1h 30m`.

use migos_inventory::Report;
use migos_inventory::yaml::{Field, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time, written `30s`, `30m`, `2h`, `14d` or several of these after each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Span(pub Duration);

/// A text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a length of time: {0:?}")]
pub struct BadSpan(String);

/// The longest that is read: ten years. Sums of some of them still fit.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Span {
    /// This many whole seconds.
    pub const fn seconds(seconds: u64) -> Span {
        Span(Duration::from_secs(seconds))
    }

    /// True if it is none.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

impl Span {
    /// Reads a length of time; nothing if it is none, which is noted.
    pub(crate) fn read(field: &Field<'_>, report: &mut Report) -> Option<Span> {
        let what = "a length of time such as 30m";
        if let Kind::Number(_) = &field.node.kind {
            let message = format!("expected {what}, found {}", field.node.found());
            field.refuse_with_hint(report, message, "write the unit, too, such as 30s, 5m or 2h");
            return None;
        }
        let span = field.text(what, report)?.parse().ok();
        if span.is_none() {
            field.expected(what, report);
        }
        span
    }
}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let span = humantime::parse_duration(text).ok().filter(|span| *span <= LONGEST);
        span.map(Span).ok_or_else(|| BadSpan(text.to_owned()))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_from_what_is_shown() {
        for (text, seconds) in [("30m", 1800), ("1h 30m", 5400), ("14d", 1_209_600), ("2s", 2)] {
            let span: Span = text.parse().unwrap_or_default();
            assert_eq!(span, Span::seconds(seconds));
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        for bad in ["soon", "584554049253years", "3651d"] {
            assert_eq!(bad.parse::<Span>(), Err(BadSpan(bad.into())));
        }
    }
}
