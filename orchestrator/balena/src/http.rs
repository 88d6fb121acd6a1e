//! One request and its answer: sent once, limited in time and size, redirects not followed.

use crate::address::ApiAddress;
use crate::failure::{Failure, reason, words};
use crate::token::Token;
use reqwest::header::{AUTHORIZATION, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// No answer of the API is longer, in bytes; a fleet of ten thousand devices takes about two million.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// A connection pool to one API.
pub(crate) struct Http {
    pub(crate) client: Client,
    pub(crate) address: ApiAddress,
    /// How long one answer may take, for messages; the client keeps to it.
    pub(crate) limit: Duration,
}

/// A successful answer.
pub(crate) struct Answer {
    /// The status, between 200 and 299.
    pub(crate) status: StatusCode,
    body: Vec<u8>,
    /// The request, for messages.
    request: String,
}

/// The form of all reads.
#[derive(Deserialize)]
struct List<T> {
    d: Vec<T>,
}

impl Http {
    /// Sends a request and waits for a successful answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &Token,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        self.send_as(method, path, Some(token), body).await
    }

    /// Sends a request in somebody's name, or in nobody's.
    async fn send_as(
        &self,
        method: Method,
        path: &str,
        token: Option<&Token>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let asked = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let mut request = self.client.request(method, format!("{}{path}", self.address.base));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.header());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| self.unanswered(&asked, &error))?;
        let status = response.status();
        let body = self.body(&asked, &mut response).await?;
        tracing::debug!(request = asked, status = status.as_u16(), bytes = body.len(), "balena");
        if status.is_success() {
            Ok(Answer { status, body, request: asked })
        } else {
            Err(self.refusal(&asked, &response, &body))
        }
    }

    /// Reads a list, which is the form of every read, also of one thing.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &Token,
    ) -> Result<Vec<T>, Failure> {
        let answer = self.send(Method::GET, path, token, None).await?;
        Ok(answer.json::<List<T>>()?.d)
    }

    /// Reads a list of what may be public.
    pub(crate) async fn list_openly<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&Token>,
    ) -> Result<Vec<T>, Failure> {
        let answer = self.send_as(Method::GET, path, token, None).await?;
        Ok(answer.json::<List<T>>()?.d)
    }

    async fn body(&self, asked: &str, response: &mut Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.unanswered(asked, &error))?
        {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                let limit = LONGEST_ANSWER >> 20;
                return Err(Failure::Garbled(format!("{asked}: more than {limit} MiB")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unanswered(&self, asked: &str, error: &reqwest::Error) -> Failure {
        let host = &self.address.host;
        if error.is_connect() {
            Failure::Unreached(format!("no connection to {host}: {}", reason(error)))
        } else if error.is_timeout() {
            let limit = self.limit.as_secs_f64();
            Failure::Lost(format!("{host} did not answer {asked} within {limit} s"))
        } else {
            Failure::Lost(format!("{host} gave no whole answer to {asked}: {}", reason(error)))
        }
    }

    fn refusal(&self, asked: &str, response: &Response, body: &[u8]) -> Failure {
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let mut message = format!("{} answered {status} to {asked}", self.address.host);
        let said = words(body);
        if let Some(location) = header(LOCATION).filter(|_| status.is_redirection()) {
            let location = words(location.as_bytes());
            message += &format!(" and points to {location}; give the address of the API itself");
        } else if !said.is_empty() {
            message += &format!(": {said}");
        } else if status == StatusCode::INTERNAL_SERVER_ERROR {
            message += " (also its answer to a query it does not understand)";
        }
        // The header may also hold a date, which would need a common clock.
        let retry_after = header(RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok());
        Failure::Status { status, retry_after, message }
    }
}

impl Answer {
    /// The body as what the API should have answered.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        // The message of serde names a place and a type, and of the body at most one value; answers with
        // keys in them are read as plain strings, which fail without being named.
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::Garbled(format!("{}: {error}", self.request)))
    }
}
