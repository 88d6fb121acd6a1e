//! A command line, taken apart as a POSIX shell would.
//!
//! Only quoting is understood, and `"$SSH_CONNECTION"`. Whatever a shell would do beyond that (expand, redirect,
//! chain) is refused, because a virtual Pi runs no shell and must not pretend to.

use std::iter::Peekable;
use std::str::Chars;

/// Why a command line is not plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WordsError {
    #[error("a virtual Pi runs no shell: {0:?} is not quoted")]
    Special(char),
    #[error("a quote is not closed")]
    Open,
}

/// What sshd tells a login's shell of its connection.
const CONNECTION: &str = "SSH_CONNECTION";

/// The words of a command line that came in on this connection.
pub(crate) fn split(line: &str, connection: &str) -> Result<Vec<String>, WordsError> {
    let mut characters = line.chars().peekable();
    let mut words = Vec::new();
    while let Some(word) = next_word(&mut characters, connection)? {
        words.push(word);
    }
    Ok(words)
}

fn next_word(
    characters: &mut Peekable<Chars<'_>>,
    connection: &str,
) -> Result<Option<String>, WordsError> {
    while characters.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    if characters.peek().is_none() {
        return Ok(None);
    }
    let mut word = String::new();
    let mut first = true;
    while let Some(character) = characters.next_if(|c| !matches!(c, ' ' | '\t')) {
        match character {
            '\'' => single_quoted(characters, &mut word)?,
            '"' => double_quoted(characters, connection, &mut word)?,
            '\\' => match characters.next().ok_or(WordsError::Open)? {
                '\n' => {}
                escaped => word.push(escaped),
            },
            '#' | '~' if first => return Err(WordsError::Special(character)),
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '\n' => {
                return Err(WordsError::Special(character));
            }
            plain => word.push(plain),
        }
        first = false;
    }
    Ok(Some(word))
}

fn single_quoted(
    characters: &mut Peekable<Chars<'_>>,
    word: &mut String,
) -> Result<(), WordsError> {
    loop {
        match characters.next().ok_or(WordsError::Open)? {
            '\'' => return Ok(()),
            character => word.push(character),
        }
    }
}

/// Between double quotes a backslash is only special before these four and the end of a line.
fn double_quoted(
    characters: &mut Peekable<Chars<'_>>,
    connection: &str,
    word: &mut String,
) -> Result<(), WordsError> {
    loop {
        match characters.next().ok_or(WordsError::Open)? {
            '"' => return Ok(()),
            '$' if name(characters) == CONNECTION => word.push_str(connection),
            special @ ('$' | '`') => return Err(WordsError::Special(special)),
            '\\' => match characters.next().ok_or(WordsError::Open)? {
                '\n' => {}
                escaped @ ('$' | '`' | '"' | '\\') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            character => word.push(character),
        }
    }
}

/// The name of a variable.
fn name(characters: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(next) = characters.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(next);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, String> {
        split(line, "10.1.4.2 50000 10.1.4.20 22").map_err(|error| error.to_string())
    }

    #[test]
    fn quotes_are_taken_away_and_what_they_hold_is_kept() {
        for (line, expected) in [
            ("", &[][..]),
            ("  true\t", &["true"]),
            (
                "sudo -S -p '' sh -c 'cat \"$1\" | wc; # no' x/1 '/a b'",
                &["sudo", "-S", "-p", "", "sh", "-c", "cat \"$1\" | wc; # no", "x/1", "/a b"],
            ),
            (r"'it'\''s' a\ b a\'b", &["it's", "a b", "a'b"]),
            (r#""a 'b' \"c\" \$d \e" a"b"'c'"#, &[r#"a 'b' "c" $d \e"#, "abc"]),
            ("'line one\nline two'", &["line one\nline two"]),
            (
                r#"x "$SSH_CONNECTION" '"$SSH_CONNECTION"'"#,
                &["x", "10.1.4.2 50000 10.1.4.20 22", r#""$SSH_CONNECTION""#],
            ),
            ("a#b a~b --mode=0644 x:y", &["a#b", "a~b", "--mode=0644", "x:y"]),
        ] {
            assert_eq!(
                words(line).as_deref(),
                Ok(&expected.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()[..])
            );
        }
    }

    #[test]
    fn whatever_needs_a_shell_is_refused() {
        for line in [
            "a; b",
            "a && b",
            "a | b",
            "a > b",
            "echo $HOME",
            "`a`",
            "\"$a\"",
            "\"$SSH_CONNECTIONS\"",
            "$SSH_CONNECTION",
            "ls *",
            "~/a",
            "a\nb",
        ] {
            assert!(matches!(split(line, ""), Err(WordsError::Special(_))), "{line}");
        }
        for line in ["'a", "\"a", "a\\"] {
            assert_eq!(split(line, ""), Err(WordsError::Open), "{line}");
        }
    }
}
