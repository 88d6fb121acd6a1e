//! The forms of answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::Value;

/// An answer as it goes out.
pub(super) type Reply = Response<Full<Bytes>>;

/// A status and nothing else, which is how refusals often look.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}

/// A JSON value; an error message is a bare JSON string.
pub(super) fn json(status: StatusCode, value: &Value) -> Reply {
    typed(status, "application/json; charset=utf-8", value.to_string())
}

/// A text, which some errors of the real server are, labelled as HTML.
pub(super) fn text(status: StatusCode, text: &str) -> Reply {
    typed(status, "text/html; charset=utf-8", text.to_owned())
}

/// A refusal that says in so many words that the lab, not balena, does not know this.
pub(super) fn not_in_the_lab(what: &str) -> Reply {
    let message = format!("the lab's API does not know this query: {what}");
    json(StatusCode::BAD_REQUEST, &Value::String(message))
}

/// The answer to a client that asks too often.
pub(super) fn rate_limited(seconds: u64) -> Reply {
    let mut reply = empty(StatusCode::TOO_MANY_REQUESTS);
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
