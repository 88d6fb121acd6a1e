//! What an unquoted scalar means, by the core schema of YAML 1.2 (specification, chapter 10.3).

use serde::{Serialize, Serializer};

use super::node::Kind;

/// A number, kept as written: `0010` and `10` are equal numbers but different texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    text: String,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Whole(i64),
    Real(f64),
}

impl Number {
    /// A whole number, and how it is written.
    pub(super) fn whole(text: &str, whole: i64) -> Self {
        Self { text: text.to_owned(), value: Value::Whole(whole) }
    }

    /// A TCP port.
    pub(crate) fn from_port(port: u16) -> Self {
        Self { text: port.to_string(), value: Value::Whole(port.into()) }
    }

    /// A number that is not whole, and how it is written.
    pub(super) fn real(text: &str, real: f64) -> Self {
        Self { text: text.to_owned(), value: Value::Real(real) }
    }

    /// The number as the file has it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The number, if it is whole and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.value {
            Value::Whole(whole) => Some(whole),
            Value::Real(_) => None,
        }
    }

    /// The number, rounded to the nearest floating point number.
    pub fn as_f64(&self) -> f64 {
        match self.value {
            Value::Whole(whole) => whole as f64,
            Value::Real(real) => real,
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Whole(whole) => serializer.serialize_i64(whole),
            Value::Real(real) => serializer.serialize_f64(real),
        }
    }
}

/// Decides what an unquoted scalar is.
pub(super) fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    match number(text) {
        Some(value) => Kind::Number(Number { text: text.to_owned(), value }),
        None => Kind::Text(text.to_owned()),
    }
}

fn number(text: &str) -> Option<Value> {
    let whole = |digits: &str, radix| i64::from_str_radix(digits, radix).ok().map(Value::Whole);
    if let Some(octal) = text.strip_prefix("0o").filter(|rest| unsigned(rest)) {
        return whole(octal, 8);
    }
    if let Some(hex) = text.strip_prefix("0x").filter(|rest| unsigned(rest)) {
        return whole(hex, 16);
    }
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    match rest {
        ".inf" | ".Inf" | ".INF" => {
            return Some(Value::Real(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
        }
        ".nan" | ".NaN" | ".NAN" if rest == text => return Some(Value::Real(f64::NAN)),
        _ => {}
    }
    if !is_decimal(rest) {
        return None;
    }
    // Digits that fit no integer are still a number, as they are to other YAML readers.
    whole(text, 10).or_else(|| text.parse().ok().map(Value::Real))
}

/// Keeps `0x-5` out, which Rust's own parser would take.
fn unsigned(digits: &str) -> bool {
    digits.starts_with(|c: char| c.is_ascii_hexdigit())
}

/// Digits, at most one point, at most one exponent; at least one digit before the exponent.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(before) && digits(after) && !(before.is_empty() && after.is_empty()) && exponent_fits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn real(text: &str) -> f64 {
        match resolve(text) {
            Kind::Number(number) => number.as_f64(),
            other => panic!("{text} is {other:?}"),
        }
    }

    fn whole(text: &str) -> Option<i64> {
        match resolve(text) {
            Kind::Number(number) => number.as_i64(),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn whole_numbers() {
        for (text, value) in
            [("0", 0), ("-7", -7), ("+12", 12), ("0010", 10), ("0o17", 15), ("0xfF", 255)]
        {
            assert_eq!(whole(text), Some(value), "{text}");
        }
        assert_eq!(whole("123456789012345678901234567890"), None);
    }

    #[test]
    fn real_numbers() {
        for (text, value) in [("1.5", 1.5), (".5", 0.5), ("2.", 2.0), ("-1e3", -1000.0)] {
            assert_eq!(real(text), value, "{text}");
        }
        assert_eq!(real("-.inf"), f64::NEG_INFINITY);
        assert!(real(".nan").is_nan());
    }

    #[test]
    fn what_looks_like_a_number_only_to_other_languages_stays_text() {
        for text in ["yes", "on", "1_000", "0x", "0x-5", "1e", ".", "-", "inf", "nan", "1:30", "5%"]
        {
            assert_eq!(resolve(text), Kind::Text(text.to_owned()));
        }
    }

    #[test]
    fn nothing_and_truth() {
        assert_eq!(resolve(""), Kind::Null);
        assert_eq!(resolve("~"), Kind::Null);
        assert_eq!(resolve("True"), Kind::Bool(true));
    }
}
