//! Signs, words and literals of a query.

use super::Malformed;

/// A piece of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, number or operator, such as `$select`, `uuid`, `eq`.
    Word(String),
    /// A string literal, decoded, without its quotes.
    Text(String),
    /// Punctuation.
    Sign(char),
}

/// The pieces of a part of a URL.
pub(super) fn tokens(raw: &str) -> Result<Vec<Token>, Malformed> {
    let mut tokens = Vec::new();
    let mut signs = decoded(raw)?.into_iter().peekable();
    while let Some(Sign { byte, encoded }) = signs.next() {
        if encoded && !matches!(byte, b' ' | b'$' | b'\'') {
            return Err(Malformed);
        }
        match byte {
            b' ' => {}
            b'\'' => {
                let mut literal = Vec::new();
                loop {
                    let Sign { byte, .. } = signs.next().ok_or(Malformed)?;
                    // A doubled quote is a quote, a single one the end.
                    if byte == b'\'' && signs.next_if(|sign| sign.byte == b'\'').is_none() {
                        break;
                    }
                    literal.push(byte);
                }
                tokens.push(Token::Text(String::from_utf8(literal).map_err(|_| Malformed)?));
            }
            b'(' | b')' | b',' | b';' | b'/' | b':' | b'=' => {
                tokens.push(Token::Sign(char::from(byte)));
            }
            byte if is_of_words(byte) => {
                let mut word = String::from(char::from(byte));
                while let Some(sign) = signs.next_if(|sign| !sign.encoded && is_of_words(sign.byte))
                {
                    word.push(char::from(sign.byte));
                }
                tokens.push(Token::Word(word));
            }
            _ => return Err(Malformed),
        }
    }
    Ok(tokens)
}

fn is_of_words(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-')
}

/// A byte of a URL.
struct Sign {
    byte: u8,
    /// True if it was written with `%`.
    encoded: bool,
}

/// Undoes percent-encoding; `+` is a space.
fn decoded(raw: &str) -> Result<Vec<Sign>, Malformed> {
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(Malformed);
    let mut signs = Vec::new();
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        signs.push(match byte {
            b'%' => {
                let (high, low) = (bytes.next().ok_or(Malformed)?, bytes.next().ok_or(Malformed)?);
                let byte = u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| Malformed)?;
                Sign { byte, encoded: true }
            }
            b'+' => Sign { byte: b' ', encoded: false },
            byte => Sign { byte, encoded: false },
        });
    }
    Ok(signs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_decoded_and_taken_out() {
        let word = |word: &str| Token::Word(word.to_owned());
        let text = |text: &str| Token::Text(text.to_owned());
        let (slash, eq) = (Token::Sign('/'), word("eq"));
        assert_eq!(
            tokens("a/slug%20eq+%27org%2Ffleet%27 or x eq 'it''s %26'"),
            Ok(vec![
                word("a"),
                slash,
                word("slug"),
                eq.clone(),
                text("org/fleet"),
                word("or"),
                word("x"),
                eq,
                text("it's &"),
            ])
        );
    }

    #[test]
    fn encoded_punctuation_outside_literals_is_malformed() {
        for bad in
            ["id%2Cuuid", "any%28a:a", "a%29", "a%2Fslug", "a%3Aa", "x%3D1", "'open", "50%", "%zz"]
        {
            assert_eq!(tokens(bad), Err(Malformed), "{bad}");
        }
    }
}
