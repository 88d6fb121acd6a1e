//! How a client of the API is made.

use crate::address::{AddressError, ApiAddress};
use crate::http::Http;
use crate::token::Token;
use migos_engine::port::Clock;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder};
use std::sync::Arc;
use std::time::Duration;

/// One operator at one balena API.
pub struct Balena {
    pub(crate) http: Http,
    pub(crate) token: Token,
    pub(crate) clock: Arc<dyn Clock>,
}

/// How long is waited for the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For a whole request, from the first byte sent to the last byte received.
    pub request: Duration,
}

/// Who vouches for the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority<'a> {
    /// The authorities that this computer trusts.
    Public,
    /// Besides those, the ones whose certificates these are, as PEM.
    Own(&'a str),
}

impl Default for Timeouts {
    /// 10 s for a connection, and 30 s for a request, as balena's own registration client waits.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), request: Duration::from_secs(30) }
    }
}

/// No client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The API's address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The certificates of the API's own authority cannot be used.
    #[error("the certificates for {host} cannot be used: {reason}")]
    Authority {
        /// The API's host.
        host: String,
        /// Why.
        reason: String,
    },
    /// TLS or the connection pool could not be set up.
    #[error(
        "failed to prepare a client for {host}; \
         are this computer's CA certificates installed (package ca-certificates)?"
    )]
    Client {
        /// The API's host.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
}

impl Balena {
    /// A client of the API at this address, such as `https://api.balena-cloud.com`. Nothing is sent yet.
    ///
    /// `user_agent_version` is this program's version, by which balena can tell who asks. The clock dates
    /// the short-lived keys that devices are registered with. Proxies are taken from the environment
    /// (`HTTPS_PROXY`, `NO_PROXY`), but not for an API on this computer.
    ///
    /// # Errors
    /// If the address is wrong or would let the token travel in the clear, or if the computer has no
    /// certificates to check the API's with.
    pub fn new(
        api: &str,
        authority: Authority<'_>,
        token: Token,
        user_agent_version: &str,
        timeouts: Timeouts,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let address = ApiAddress::parse(api)?;
        let client = client(&address, authority, user_agent_version)?
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.request)
            .build()
            .map_err(|source| SetupError::Client { host: address.host.clone(), source })?;
        Ok(Self { http: Http { client, address, limit: timeouts.request }, token, clock })
    }
}

/// What all clients of the API at this address have in common.
pub(crate) fn client(
    address: &ApiAddress,
    authority: Authority<'_>,
    user_agent_version: &str,
) -> Result<ClientBuilder, SetupError> {
    install_tls_provider();
    let builder = Client::builder()
        .user_agent(format!("migos-fleet/{user_agent_version}"))
        .redirect(Policy::none());
    Ok(match address.plain {
        // No proxy may see the token, and no certificates are needed.
        true => builder.no_proxy().tls_certs_only([]),
        false => builder.https_only(true).tls_certs_merge(certificates(authority, &address.host)?),
    })
}

/// The certificates besides those that this computer trusts.
fn certificates(authority: Authority<'_>, host: &str) -> Result<Vec<Certificate>, SetupError> {
    let Authority::Own(pem) = authority else { return Ok(Vec::new()) };
    let unusable = |reason: String| SetupError::Authority { host: host.to_owned(), reason };
    let read = Certificate::from_pem_bundle(pem.as_bytes());
    match read.map_err(|error| unusable(error.to_string()))? {
        none if none.is_empty() => Err(unusable("there is none in the file".to_owned())),
        certificates => Ok(certificates),
    }
}

/// Makes ring the TLS provider of the process. Whoever came first stays, so it may be called twice.
pub fn install_tls_provider() {
    let _the_first_one_stays = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use jiff::Timestamp;

    struct Epoch;

    impl Clock for Epoch {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    fn client(api: &str) -> Result<Balena, SetupError> {
        let token = Token::new("secret").unwrap();
        Balena::new(api, Authority::Public, token, "0.1.0", Timeouts::default(), Arc::new(Epoch))
    }

    #[test]
    fn an_https_client_can_be_made_and_the_provider_installed_twice() {
        install_tls_provider();
        install_tls_provider();
        assert!(!client("https://api.balena-cloud.com").unwrap().http.address.plain);
    }

    #[test]
    fn no_client_would_send_the_token_in_the_clear() {
        assert!(matches!(
            client("http://api.balena-cloud.com"),
            Err(SetupError::Address(AddressError::Plain { .. }))
        ));
    }
}
