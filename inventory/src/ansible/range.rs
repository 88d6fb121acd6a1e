//! Host patterns of Ansible: `www[01:50:2].example.org:2222` stands for 25 names and one port.
//!
//! The rules are those of `ansible.inventory.helpers.expand_hostname_range` and `ansible.parsing.utils.addresses`; they
//! differ from the ranges of the native form (`crate::range`) in letters of both cases, empty beginnings and the
//! absence of lists.

use std::net::Ipv6Addr;

use crate::range::{LONGEST, MAX_DEVICES, RangeError};

/// The letters, in the order that ranges of letters go.
const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The names a pattern stands for, and the port that ends it.
pub(super) fn expand(pattern: &str) -> Result<(Vec<String>, Option<u16>), RangeError> {
    let (name, port) = address(pattern);
    Ok((write_out(name)?, port))
}

/// Parts a port from a name; a text that is no address is all name.
fn address(pattern: &str) -> (&str, Option<u16>) {
    let whole = (pattern, None);
    let Some((name, port)) = ended_by_port(pattern) else { return whole };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match bare.filter(|bare| !bare.is_empty()) {
        Some(bare) if bare.parse::<Ipv6Addr>().is_ok() => (bare, Some(port)),
        // Ansible takes brackets around a whole name for those of an address, and looks for a port in them.
        Some(bare) => match ended_by_port(bare) {
            Some((name, port)) if is_host_name(name) => (name, Some(port)),
            Some(_) => whole,
            None if is_host_name(bare) => (bare, Some(port)),
            None => whole,
        },
        None if is_host_name(name) => (name, Some(port)),
        None => whole,
    }
}

fn ended_by_port(text: &str) -> Option<(&str, u16)> {
    let (name, port) = text.rsplit_once(':')?;
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    Some((name, port.parse().ok().filter(|_| is_number)?))
}

/// Whether a name has the form of a host name: labels between points, which neither begin nor end with `-`. A whole
/// range counts as a letter.
fn is_host_name(name: &str) -> bool {
    let mut flat = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((_, tail)) = after.split_once(']').filter(|(range, _)| is_whole_range(range))
        else {
            return false;
        };
        flat = flat + before + "x";
        rest = tail;
    }
    flat += rest;
    let fits = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && !label.contains(':')
    };
    flat.split('.').all(fits)
}

/// Whether a range has both ends, digits or one letter each.
fn is_whole_range(range: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let letter = |text: &str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_alphabetic());
    let mut parts = range.split(':');
    let (first, last) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let ends = (digits(first) && digits(last)) || (letter(first) && letter(last));
    ends && parts.next().is_none_or(digits) && parts.next().is_none()
}

/// Writes out the names; where one range is empty, there are none, and what follows it is not looked at.
fn write_out(name: &str) -> Result<Vec<String>, RangeError> {
    let (mut parts, mut count, mut rest) = (Vec::new(), 1_usize, name);
    while let Some((head, after)) = rest.split_once('[') {
        let (range, tail) = after.split_once(']').ok_or(RangeError::Brackets)?;
        let words = words(range)?;
        if words.is_empty() {
            return Ok(Vec::new());
        }
        count = count.saturating_mul(words.len());
        if count > MAX_DEVICES {
            return Err(RangeError::TooMany);
        }
        parts.push((head, words));
        rest = tail;
    }
    if count > 1 && name.len() > LONGEST {
        return Err(RangeError::TooLong);
    }
    let mut names = vec![String::new()];
    for (head, words) in parts {
        let with = |name: &String, word: &String| format!("{name}{head}{word}");
        names =
            names.iter().flat_map(|name| words.iter().map(move |word| with(name, word))).collect();
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

fn words(range: &str) -> Result<Vec<String>, RangeError> {
    let form = || RangeError::Form(range.to_owned());
    let bounds: Vec<&str> = range.split(':').collect();
    let (first, last, step) = match bounds.as_slice() {
        [first, last] => (*first, *last, 1),
        [first, last, step] => (*first, *last, step.parse::<usize>().map_err(|_| form())?),
        _ => return Err(form()),
    };
    let first = if first.is_empty() { "0" } else { first };
    if last.is_empty() {
        return Err(form());
    }
    if step == 0 {
        return Err(RangeError::Step(range.to_owned()));
    }
    let width = if first.len() > 1 && first.starts_with('0') { first.len() } else { 0 };
    if width > 0 && width != last.len() {
        return Err(RangeError::Padding(range.to_owned()));
    }
    let letter = |text: &str| match text.as_bytes() {
        [byte] => LETTERS.iter().position(|letter| letter == byte),
        _ => None,
    };
    if let (Some(from), Some(to)) = (letter(first), letter(last)) {
        let letters = LETTERS.get(from..=to).filter(|letters| !letters.is_empty());
        let letters = letters.ok_or_else(|| RangeError::Backwards(range.to_owned()))?;
        return Ok(letters.iter().step_by(step).map(|b| char::from(*b).to_string()).collect());
    }
    let number = |text: &str| text.parse::<u32>().map_err(|_| form());
    let (from, to) = (number(first)?, number(last)?);
    let numbers = (from..=to).step_by(step).take(MAX_DEVICES + 1);
    Ok(numbers.map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(pattern: &str) -> String {
        match expand(pattern) {
            Ok((names, port)) => {
                let port = port.map(|port| format!(" port {port}")).unwrap_or_default();
                format!("{pattern} = {}{port}", names.join(" "))
            }
            Err(error) => format!("{pattern}: {error}"),
        }
    }

    #[test]
    fn patterns_stand_for_what_ansible_says() {
        let patterns = [
            "www[01:05:2]",
            "db-[a:c].x:2222",
            "[y:B]",
            "[:3]-[1:2]",
            "[9:1]",
            "[001:010:9]:22",
            "[fe80::1]:2222",
            "fe80::1",
            "10.0.0.1:22",
            "www:port",
            "a[1:2",
            "a[1-2]",
            "a[1:]",
            "a[01:100]",
            "a[c:a]",
            "a[1:3:0]",
            "a[1:2:x]",
        ];
        insta::assert_snapshot!(patterns.map(told).join("\n"), @r###"
        www[01:05:2] = www01 www03 www05
        db-[a:c].x:2222 = db-a.x db-b.x db-c.x port 2222
        [y:B] = y z A B
        [:3]-[1:2] = 0-1 0-2 1-1 1-2 2-1 2-2 3-1 3-2
        [9:1] = 
        [001:010:9]:22 = 001:22 010:22
        [fe80::1]:2222 = fe80::1 port 2222
        fe80::1 = fe80::1
        10.0.0.1:22 = 10.0.0.1 port 22
        www:port = www:port
        a[1:2: the brackets `[` and `]` do not match
        a[1-2]: `1-2` is not a range
        a[1:]: `1:` is not a range
        a[01:100]: the ends of `01:100` differ in their number of digits, and one has leading zeros
        a[c:a]: `c:a` ends before it begins
        a[1:3:0]: `1:3:0` has the step 0
        a[1:2:x]: `1:2:x` is not a range
        "###);
    }

    #[test]
    fn thousands_of_ranges_in_one_name_are_read_one_after_the_other() {
        let (names, _) = expand(&"[1:1]".repeat(13_000)).unwrap();
        assert_eq!(names, ["1".repeat(13_000)]);
    }

    #[test]
    fn huge_ranges_are_refused() {
        for pattern in ["a[1:4000000000]", "[1:400][1:400]"] {
            assert_eq!(expand(pattern), Err(RangeError::TooMany), "{pattern}");
        }
        assert_eq!(expand("a[1:100000]").unwrap().0.len(), MAX_DEVICES);
        let long = "a".repeat(LONGEST);
        assert_eq!(expand(&format!("[1:100000]{long}")), Err(RangeError::TooLong));
        assert_eq!(expand(&"[1:100000]".repeat(6000)), Err(RangeError::TooMany));
        assert_eq!(expand("[1:100000][9:1]"), Ok((Vec::new(), None)));
    }
}
