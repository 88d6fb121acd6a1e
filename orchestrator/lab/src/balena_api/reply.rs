//! The forms of answers.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{
    ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use hyper::{Response, StatusCode};
use serde_json::Value;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer as it goes out.
pub(super) type Reply = Response<Sent>;

/// The answer, or the rest of it, that is never given: hyper closes the connection on it.
#[derive(Debug, thiserror::Error)]
#[error("the answer is withheld")]
pub(super) struct Withheld;

/// A body, of which the end may be promised but not sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    bytes: Bytes,
    withheld: u64,
    /// True once the server had the time to send what there is.
    is_sent: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Withheld;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Withheld>>> {
        let bytes = std::mem::take(&mut self.bytes);
        if !bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.withheld == 0 {
            return Poll::Ready(None);
        }
        if !self.is_sent {
            // An error at once would throw away what hyper still has to send.
            self.is_sent = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Withheld)))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.withheld == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64 + self.withheld)
    }
}

/// A status and nothing else, which is how refusals often look.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Sent::default());
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

/// The row that a POST made, and where it is.
pub(super) fn created(row: &Value, location: &str) -> Reply {
    let mut reply = json(StatusCode::CREATED, row);
    if let Ok(location) = HeaderValue::from_str(location) {
        reply.headers_mut().insert(LOCATION, location);
    }
    reply
}

/// A file, or what is left of it from a byte on, of which so many bytes are really sent.
pub(super) fn file(mut part: Bytes, sent: usize, from: Option<usize>, whole: usize) -> Reply {
    let withheld = (part.len() - sent) as u64;
    part.truncate(sent);
    let mut reply = Response::new(Sent { bytes: part, withheld, is_sent: false });
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(from) = from {
        let range = format!("bytes {from}-{}/{whole}", whole.saturating_sub(1));
        if let Ok(range) = HeaderValue::from_str(&range) {
            headers.insert(CONTENT_RANGE, range);
        }
        *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    reply
}

/// The answer that the thing is elsewhere.
pub(super) fn found(location: &str) -> Reply {
    let mut reply = empty(StatusCode::FOUND);
    if let Ok(location) = HeaderValue::from_str(location) {
        reply.headers_mut().insert(LOCATION, location);
    }
    reply
}

/// The answer to a client that asks too often.
pub(super) fn rate_limited(seconds: u64) -> Reply {
    let mut reply = empty(StatusCode::TOO_MANY_REQUESTS);
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Sent { bytes: Bytes::from(body), ..Sent::default() });
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}
