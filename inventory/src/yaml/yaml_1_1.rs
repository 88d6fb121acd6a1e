//! What an unquoted scalar means to PyYAML, which keeps to YAML 1.1 (types `bool`, `int`, `float` and `null` of its
//! type repository, in the narrower forms that PyYAML's resolver takes).

use super::node::Kind;
use super::scalar::Number;

/// Decides what an unquoted scalar is.
pub(super) fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Kind::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Kind::Bool(false);
        }
        _ => {}
    }
    if let Some(whole) = whole(text) {
        return Kind::Number(whole);
    }
    match real(text) {
        Some(real) => Kind::Number(Number::real(text, real)),
        None => Kind::Text(text.to_owned()),
    }
}

/// A whole number; one that does not fit 64 bits becomes the nearest floating point number.
pub(super) fn whole(text: &str) -> Option<Number> {
    let (sign, digits) = signed(text);
    let plain = digits.replace('_', "");
    let radix = |prefix: &str, radix: u32| {
        let rest = digits.strip_prefix(prefix)?;
        let fits = !rest.is_empty() && rest.chars().all(|c| c == '_' || c.is_digit(radix));
        let bare = rest.replace('_', "");
        fits.then(|| i64::from_str_radix(&bare, radix).ok()).flatten()
    };
    let value = if let Some(value) = radix("0b", 2).or_else(|| radix("0x", 16)) {
        value
    } else if digits == "0" {
        0
    } else if digits.starts_with('0') {
        radix("0", 8)?
    } else if digits.contains(':') {
        let head = digits.split(':').next().unwrap_or_default();
        if !head.starts_with(|c: char| ('1'..='9').contains(&c)) {
            return None;
        }
        sexagesimal(digits)?
    } else {
        let starts = digits.starts_with(|c: char| ('1'..='9').contains(&c));
        if !starts || !digits.chars().all(|c| c == '_' || c.is_ascii_digit()) {
            return None;
        }
        match plain.parse() {
            Ok(value) => value,
            Err(_) => {
                return Some(Number::real(text, f64::from(sign) * plain.parse::<f64>().ok()?));
            }
        }
    };
    Some(Number::whole(text, i64::from(sign) * value))
}

fn signed(text: &str) -> (i8, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Digits to the base of 60, as in `1:30`.
fn sexagesimal(text: &str) -> Option<i64> {
    let mut value: i64 = 0;
    for (index, part) in text.split(':').enumerate() {
        let digits = part.replace('_', "");
        let number: i64 = digits.parse().ok().filter(|_| !digits.starts_with(['+', '-']))?;
        if index > 0 && (part.contains('_') || part.len() > 2 || number > 59) {
            return None;
        }
        value = value.checked_mul(60)?.checked_add(number)?;
    }
    Some(value)
}

/// A number with a point; without one, `1e3` is a text.
pub(super) fn real(text: &str) -> Option<f64> {
    let (sign, rest) = signed(text);
    match rest {
        ".inf" | ".Inf" | ".INF" => return Some(f64::from(sign) * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if rest == text => return Some(f64::NAN),
        _ => {}
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (before, after) = mantissa.split_once('.')?;
    let digits = |part: &str| part.chars().all(|c| c == '_' || c.is_ascii_digit());
    let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    if !digits(after) {
        return None;
    }
    if before.contains(':') {
        let whole = sexagesimal(before).filter(|_| exponent.is_none() && begins(before))?;
        let fraction: f64 = format!("0.{}0", after.replace('_', "")).parse().ok()?;
        return Some(f64::from(sign) * (whole as f64 + fraction));
    }
    let fits = match before.is_empty() {
        // PyYAML takes no sign before a number that begins with its point.
        true => begins(after) && rest == text,
        false => begins(before) && digits(before),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    if !fits || !exponent_fits {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    fn told(text: &str) -> String {
        match resolve(text) {
            Kind::Null => "null".to_owned(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number(number) => match number.as_i64() {
                Some(whole) => format!("whole {whole}"),
                None => format!("real {}", number.as_f64()),
            },
            Kind::Text(text) => format!("text {text}"),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn scalars_mean_what_they_mean_to_pyyaml() {
        let texts = [
            "yes",
            "Off",
            "y",
            "n",
            "0755",
            "0o17",
            "09",
            "1_000",
            "0x1F",
            "-0b11",
            "1:30",
            "190:20:30",
            "01:30",
            "1:60",
            "1:30.5",
            "1e3",
            "1.5",
            "1.0e+3",
            "1.0e3",
            ".5",
            "-.5",
            "2.",
            "-.inf",
            ".nan",
            "+12",
            "123456789012345678901",
            "0",
            "-0",
            "00",
            "10.0.0.1",
            "2024-01-01",
            "~",
            "_1",
            "1__0",
        ];
        let all: Vec<String> = texts.map(|text| format!("{text} = {}", told(text))).into();
        insta::assert_snapshot!(all.join("\n"), @r###"
        yes = true
        Off = false
        y = text y
        n = text n
        0755 = whole 493
        0o17 = text 0o17
        09 = text 09
        1_000 = whole 1000
        0x1F = whole 31
        -0b11 = whole -3
        1:30 = whole 90
        190:20:30 = whole 685230
        01:30 = text 01:30
        1:60 = text 1:60
        1:30.5 = real 90.5
        1e3 = text 1e3
        1.5 = real 1.5
        1.0e+3 = real 1000
        1.0e3 = text 1.0e3
        .5 = real 0.5
        -.5 = text -.5
        2. = real 2
        -.inf = real -inf
        .nan = real NaN
        +12 = whole 12
        123456789012345678901 = real 123456789012345680000
        0 = whole 0
        -0 = whole 0
        00 = whole 0
        10.0.0.1 = text 10.0.0.1
        2024-01-01 = text 2024-01-01
        ~ = null
        _1 = text _1
        1__0 = whole 10
        "###);
    }
}
