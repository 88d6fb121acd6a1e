//! Ranges in names: `kiosk-[001:060]` stands for sixty names.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::yaml::plain;

/// An inventory or a pattern that names more devices than this is a slip of the finger.
pub const MAX_DEVICES: usize = 100_000;

/// More digits than this would not fit a 64-bit number.
pub(crate) const MAX_DIGITS: usize = 18;

/// The most characters of a host name (RFC 1035): longer ones are not written out many times.
pub(crate) const LONGEST: usize = 255;

/// Why a name with a range cannot be written out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RangeError {
    /// `[` without `]`, `]` without `[`, or `[` within `[`.
    #[error("the brackets `[` and `]` do not match")]
    Brackets,
    /// Not of any known form.
    #[error("`{}` is not a range", plain(.0))]
    Form(String),
    /// The end comes before the beginning.
    #[error("`{}` ends before it begins", plain(.0))]
    Backwards(String),
    /// One end has leading zeros and the other another number of digits.
    #[error(
        "the ends of `{}` differ in their number of digits, and one has leading zeros",
        plain(.0)
    )]
    Padding(String),
    /// A step of nothing.
    #[error("`{}` has the step 0", plain(.0))]
    Step(String),
    /// Too many names.
    #[error("it stands for more than {MAX_DEVICES} names")]
    TooMany,
    /// Names that are longer than any name.
    #[error("its names have more than {LONGEST} characters")]
    TooLong,
}

impl RangeError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Brackets => "close every `[` with one `]`, as in kiosk-[001:060]",
            Self::Form(_) => {
                "write numbers [001:060], every second one [01:50:2], or letters [a:f]"
            }
            Self::Backwards(_) => "write the lower end first",
            Self::Padding(_) => "write both ends with the same number of digits, as in [001:060]",
            Self::Step(_) => "write a step of at least 1, or none",
            Self::TooLong => "write shorter names: the address of a device stands under its host",
            Self::TooMany => "look for a digit too many, or name fewer devices at once",
        }
    }
}

/// Whether a name has a range in it.
pub(crate) fn is_range(text: &str) -> bool {
    text.contains(['[', ']'])
}

/// Writes out all names a text stands for; a text without brackets is one name.
///
/// In brackets stand items separated by commas: `001:060` or `001-060`, with a step `01:50:2`,
/// letters `a:f`, or single names. The last brackets of a text vary fastest.
pub(crate) fn expand(text: &str) -> Result<Vec<String>, RangeError> {
    let parts = parse(text)?;
    let count = parts.iter().try_fold(1, |count: usize, part| count.checked_mul(part.count()));
    if count.is_none_or(|count| count > MAX_DEVICES) {
        return Err(RangeError::TooMany);
    }
    if count != Some(1) && parts.iter().map(Part::longest).sum::<usize>() > LONGEST {
        return Err(RangeError::TooLong);
    }
    let mut names = vec![String::new()];
    for part in &parts {
        let words = part.words();
        names = names
            .iter()
            .flat_map(|name| words.iter().map(move |word| format!("{name}{word}")))
            .collect();
    }
    Ok(names)
}

/// A piece of a name.
enum Part {
    Literal(String),
    Brackets(Vec<Item>),
}

/// One item within brackets.
enum Item {
    Word(String),
    Numbers { span: RangeInclusive<u64>, step: u64, width: usize },
    Letters { span: RangeInclusive<u8>, step: u64 },
}

impl Part {
    fn count(&self) -> usize {
        match self {
            Self::Literal(_) => 1,
            Self::Brackets(items) => {
                items.iter().fold(0, |count, item| count.saturating_add(item.count()))
            }
        }
    }

    /// The length of the longest text it stands for.
    fn longest(&self) -> usize {
        let of_item = |item: &Item| match item {
            Item::Word(word) => word.len(),
            Item::Numbers { .. } => MAX_DIGITS,
            Item::Letters { .. } => 1,
        };
        match self {
            Self::Literal(text) => text.len(),
            Self::Brackets(items) => items.iter().map(of_item).max().unwrap_or_default(),
        }
    }

    fn words(&self) -> Vec<String> {
        match self {
            Self::Literal(text) => vec![text.clone()],
            Self::Brackets(items) => items.iter().flat_map(Item::words).collect(),
        }
    }
}

impl Item {
    fn count(&self) -> usize {
        let (length, step) = match self {
            Self::Word(_) => return 1,
            Self::Numbers { span, step, .. } => (span.end() - span.start(), step),
            Self::Letters { span, step } => (u64::from(span.end() - span.start()), step),
        };
        usize::try_from(length / step).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// The names; called only when there are at most [`MAX_DEVICES`].
    fn words(&self) -> Vec<String> {
        let stride = |step: &u64| usize::try_from(*step).unwrap_or(usize::MAX);
        match self {
            Self::Word(word) => vec![word.clone()],
            Self::Numbers { span, step, width } => span
                .clone()
                .step_by(stride(step))
                .map(|number| format!("{number:0width$}"))
                .collect(),
            Self::Letters { span, step } => span
                .clone()
                .step_by(stride(step))
                .map(|letter| char::from(letter).to_string())
                .collect(),
        }
    }
}

fn parse(text: &str) -> Result<Vec<Part>, RangeError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('[') {
        let (inside, after) = after.split_once(']').ok_or(RangeError::Brackets)?;
        if literal.contains(']') || inside.contains('[') {
            return Err(RangeError::Brackets);
        }
        parts.push(Part::Literal(literal.to_owned()));
        parts.push(Part::Brackets(inside.split(',').map(item).collect::<Result<_, _>>()?));
        rest = after;
    }
    if rest.contains(']') {
        return Err(RangeError::Brackets);
    }
    parts.push(Part::Literal(rest.to_owned()));
    Ok(parts)
}

fn item(text: &str) -> Result<Item, RangeError> {
    let form = || RangeError::Form(text.to_owned());
    let separator = if text.contains(':') { ':' } else { '-' };
    let mut ends = text.trim().split(separator);
    let (first, last, step) = (ends.next().unwrap_or_default(), ends.next(), ends.next());
    if ends.next().is_some() || (separator == '-' && step.is_some()) {
        return Err(form());
    }
    let Some(last) = last else {
        let is_word = !first.is_empty() && first.chars().all(|c| c.is_ascii_alphanumeric());
        return if is_word { Ok(Item::Word(first.to_owned())) } else { Err(form()) };
    };
    let step = match step {
        Some(step) => number(step).ok_or_else(form)?,
        None => 1,
    };
    if step == 0 {
        return Err(RangeError::Step(text.to_owned()));
    }
    if let (Some(from), Some(to)) = (number(first), number(last)) {
        let padded = |digits: &str| digits.len() > 1 && digits.starts_with('0');
        let width = if padded(first) || padded(last) { first.len() } else { 0 };
        if width > 0 && first.len() != last.len() {
            return Err(RangeError::Padding(text.to_owned()));
        }
        if to < from {
            return Err(RangeError::Backwards(text.to_owned()));
        }
        return Ok(Item::Numbers { span: from..=to, step, width });
    }
    match (first.as_bytes(), last.as_bytes()) {
        ([from], [to])
            if (from.is_ascii_lowercase() && to.is_ascii_lowercase())
                || (from.is_ascii_uppercase() && to.is_ascii_uppercase()) =>
        {
            if to < from {
                return Err(RangeError::Backwards(text.to_owned()));
            }
            Ok(Item::Letters { span: *from..=*to, step })
        }
        _ => Err(form()),
    }
}

fn number(digits: &str) -> Option<u64> {
    let plain = digits.len() <= MAX_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn names(text: &str) -> String {
        expand(text).unwrap().join(" ")
    }

    #[test]
    fn padding_steps_letters_and_several_in_one_name() {
        assert_eq!(names("bench"), "bench");
        assert_eq!(names("kiosk-[008:011]"), "kiosk-008 kiosk-009 kiosk-010 kiosk-011");
        assert_eq!(names("k[8:11]"), "k8 k9 k10 k11");
        assert_eq!(names("www[01:06:2]"), "www01 www03 www05");
        assert_eq!(names("db-[a:c]"), "db-a db-b db-c");
        assert_eq!(names("[a:b][1:2].x"), "a1.x a2.x b1.x b2.x");
        assert_eq!(names("k[1:1]"), "k1");
    }

    #[test]
    fn the_folded_form_is_read_too() {
        assert_eq!(names("k-[01-02, 07,x]"), "k-01 k-02 k-07 k-x");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let error = |text: &str| {
            let error = expand(text).unwrap_err();
            format!("{error}: {}", error.hint())
        };
        let listed = ["[1:", "1]", "[1:2", "[]", "[1:x]", "[a:F]", "[5:1]", "[1:010]", "[1:9:0]"];
        insta::assert_snapshot!(listed.map(error).join("\n"), @r"
        the brackets `[` and `]` do not match: close every `[` with one `]`, as in kiosk-[001:060]
        the brackets `[` and `]` do not match: close every `[` with one `]`, as in kiosk-[001:060]
        the brackets `[` and `]` do not match: close every `[` with one `]`, as in kiosk-[001:060]
        `` is not a range: write numbers [001:060], every second one [01:50:2], or letters [a:f]
        `1:x` is not a range: write numbers [001:060], every second one [01:50:2], or letters [a:f]
        `a:F` is not a range: write numbers [001:060], every second one [01:50:2], or letters [a:f]
        `5:1` ends before it begins: write the lower end first
        the ends of `1:010` differ in their number of digits, and one has leading zeros: write both ends with the same number of digits, as in [001:060]
        `1:9:0` has the step 0: write a step of at least 1, or none
        ");
    }

    #[test]
    fn huge_ranges_are_refused_before_they_are_written_out() {
        for text in [
            "k[1:100001]",
            "k[1:999999999999999999]",
            "[1:400][1:400]",
            "[a:z][a:z][a:z][a:z][a:z][a:z][a:z][a:z][a:z][a:z][a:z][a:z][a:z][a:z]",
        ] {
            assert_eq!(expand(text), Err(RangeError::TooMany), "{text}");
        }
        assert_eq!(expand("k[1:100000]").unwrap().len(), MAX_DEVICES);
        let long = "k".repeat(LONGEST);
        assert_eq!(expand(&format!("{long}[1:100000]")), Err(RangeError::TooLong));
        assert_eq!(expand(&format!("{long}[7]")).unwrap().len(), 1);
        let error = expand("k[\u{1b}[31m]").unwrap_err();
        assert_eq!(error, RangeError::Brackets);
        let error = expand("k[\u{1b}31m]").unwrap_err();
        assert_eq!(error.to_string(), "`\\u{1b}31m` is not a range");
        assert_eq!(
            expand("k[1:9999999999999999999]"),
            Err(RangeError::Form("1:9999999999999999999".to_owned()))
        );
    }
}
