//! Secrets that are sent as `Authorization: Bearer`.

use reqwest::header::HeaderValue;
use std::fmt;

/// An API key or session token. It is shown nowhere.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// The text cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is nothing in it.
    #[error("the token is empty")]
    Empty,
    /// It has spaces, line breaks or other signs that no token has.
    #[error("the token has a sign that no balena token has; give the key alone, on one line")]
    Sign,
}

impl Token {
    /// Takes a token as it was read from a file or variable; white space around it is dropped.
    ///
    /// # Errors
    /// If nothing is left, or if it cannot be sent in a header.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Sign);
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {text}"))
            .map_err(|_invalid| TokenError::Sign)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of the `Authorization` header, marked so that it is not printed.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_shown_nowhere() {
        let token = Token::new(" hWY2Q8Qfgr\n").unwrap();
        assert_eq!(token.header().to_str().unwrap(), "Bearer hWY2Q8Qfgr");
        assert_eq!(format!("{token:?} {:?}", token.header()), "Token(…) Sensitive");
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        assert_eq!(Token::new(" \n").unwrap_err(), TokenError::Empty);
        for bad in ["a b", "a\nb", "schlüssel"] {
            assert_eq!(Token::new(bad).unwrap_err(), TokenError::Sign, "{bad:?}");
        }
    }
}
