//! What can go wrong with a request, and what the engine is told of it.

use migos_engine::port::BalenaError;
use reqwest::StatusCode;
use rustls::CertificateError;
use serde_json::Value;
use std::error::Error;
use std::io;

/// Of what a server says about its refusal, this many characters are passed on.
const LONGEST_WORDS: usize = 300;

/// What went wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection was made: the request has not been carried out.
    Unreached(String),
    /// No whole answer came: the request may or may not have been carried out.
    Lost(String),
    /// The answer is a status other than success.
    Status {
        /// The status.
        status: StatusCode,
        /// The seconds of a `Retry-After` header.
        retry_after: Option<u64>,
        /// The whole story.
        message: String,
    },
    /// The answer is not of the API's form.
    Garbled(String),
}

impl Failure {
    /// The status, if one was answered.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Failure::Status { status, .. } => Some(*status),
            Failure::Unreached(_) | Failure::Lost(_) | Failure::Garbled(_) => None,
        }
    }
}

impl From<Failure> for BalenaError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreached(message) | Failure::Lost(message) => {
                BalenaError::Away { message, retry_after: None }
            }
            Failure::Status { status, retry_after, message } => match status.as_u16() {
                401 | 403 => BalenaError::Token(message),
                // 408 is a proxy's way to say that the API was too slow for it.
                408 | 429 | 500.. => BalenaError::Away { message, retry_after },
                _ => BalenaError::Refused(message),
            },
            Failure::Garbled(message) => BalenaError::Garbled(message),
        }
    }
}

/// What a server said about a refusal: a bare JSON string, an object, a text or nothing.
pub(crate) fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let said = match serde_json::from_str(&text) {
        Ok(Value::String(said)) => said,
        Ok(Value::Object(object)) => {
            let said = ["error", "message"].iter().find_map(|name| object.get(*name)?.as_str());
            said.unwrap_or(&text).to_owned()
        }
        _ => text.into_owned(),
    };
    // A page is a proxy's or a captive portal's, and made for browsers.
    if said.trim_start().starts_with('<') {
        return "a web page".to_owned();
    }
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let said = said.trim();
    match said.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said.to_owned(),
    }
}

/// The innermost reason of a failed request, which is the one that tells something.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(inner) = inside(innermost) {
        innermost = inner;
    }
    match innermost.downcast_ref::<rustls::Error>() {
        Some(tls @ rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => format!(
            "its certificate is not trusted ({tls}); if the authority that signed it is your own, name its file \
             under `balena: {{ ca: … }}` in the inventory"
        ),
        Some(tls @ rustls::Error::InvalidCertificate(_)) => {
            format!("its certificate is not trusted ({tls})")
        }
        Some(tls @ rustls::Error::InvalidMessage(_)) => format!("it does not speak TLS ({tls})"),
        _ => innermost.to_string(),
    }
}

/// What an error is about. An I/O error does not name what it wraps as its source, but the source of
/// that; a TLS error would be passed over.
fn inside<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn told(status: u16) -> BalenaError {
        let status = StatusCode::from_u16(status).unwrap();
        Failure::Status { status, retry_after: Some(7), message: "m".to_owned() }.into()
    }

    #[test]
    fn a_status_says_whose_fault_it_is() {
        for status in [408, 429, 500, 502, 503, 504] {
            let away = BalenaError::Away { message: "m".to_owned(), retry_after: Some(7) };
            assert_eq!(told(status), away, "{status}");
        }
        for status in [401, 403] {
            assert_eq!(told(status), BalenaError::Token("m".to_owned()), "{status}");
        }
        for status in [301, 400, 404, 409, 413] {
            assert_eq!(told(status), BalenaError::Refused("m".to_owned()), "{status}");
        }
    }

    #[test]
    fn whatever_form_the_words_have_they_become_one_line() {
        assert_eq!(words(br#""\"uuid\" must be unique.""#), r#""uuid" must be unique."#);
        assert_eq!(words(br#"{"error":"API key required"}"#), "API key required");
        assert_eq!(words(b"Too\r\nMany \x1b[31mRequests\n"), "Too  Many  [31mRequests");
        assert_eq!(words(b"<html><body>Bad Gateway"), "a web page");
        assert_eq!(words(b""), "");
        assert_eq!(words("ü".repeat(301).as_bytes()), format!("{}…", "ü".repeat(300)));
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_found_inside() {
        let refused = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = io::Error::other(io::Error::other(refused));
        insta::assert_snapshot!(
            reason(&error),
            @"its certificate is not trusted (invalid peer certificate: UnknownIssuer); if the authority that signed it is your own, name its file under `balena: { ca: … }` in the inventory"
        );
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        assert_eq!(reason(&refused), "connection refused");
    }
}
