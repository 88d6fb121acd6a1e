//! Where the API is, and whether a token may be sent there.

use reqwest::Url;
use std::net::IpAddr;

/// The address of an API that a token may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiAddress {
    /// The address without a slash at the end.
    pub(crate) base: String,
    /// Host, and port if it is not the usual one, for messages.
    pub(crate) host: String,
    /// True if it is on this computer and spoken to without TLS.
    pub(crate) plain: bool,
}

/// The address of the API cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL, or has parts that an API's address has not.
    #[error("{address} is not the address of an API; write it like https://api.balena-cloud.com")]
    Form {
        /// The address as given, without what may be a password in it.
        address: String,
    },
    /// The token would travel in the clear.
    #[error(
        "{address} would send the token unencrypted; use https (plain http is for 127.0.0.1 only)"
    )]
    Plain {
        /// The address as given.
        address: String,
    },
}

impl ApiAddress {
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let form = |address: &str| AddressError::Form { address: address.to_owned() };
        let url = Url::parse(text).map_err(|_not_a_url| form(text))?;
        let name = url.host_str().ok_or_else(|| form(text))?;
        let host = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        if !url.username().is_empty() || url.password().is_some() {
            // The address has a secret in it, so it is not repeated.
            return Err(form(&host));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(form(text));
        }
        let plain = match url.scheme() {
            "https" => false,
            "http" if is_this_computer(name) => true,
            "http" => return Err(AddressError::Plain { address: text.to_owned() }),
            _ => return Err(form(text)),
        };
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base, host, plain })
    }
}

/// Only addresses count, no names: what `localhost` is, is up to a resolver.
fn is_this_computer(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn an_api_has_a_scheme_and_a_host() {
        let address = ApiAddress::parse("https://api.balena-cloud.com/").unwrap();
        assert_eq!(address.base, "https://api.balena-cloud.com");
        assert_eq!((address.host.as_str(), address.plain), ("api.balena-cloud.com", false));
        let address = ApiAddress::parse("http://[::1]:8080").unwrap();
        assert_eq!((address.host.as_str(), address.plain), ("[::1]:8080", true));
        assert!(ApiAddress::parse("http://127.0.0.1:80/").unwrap().plain);
    }

    #[test]
    fn plain_http_is_for_this_computer_only() {
        for far in ["http://api.balena-cloud.com", "http://10.0.0.1:80", "http://localhost"] {
            let error = ApiAddress::parse(far).unwrap_err();
            assert_eq!(error, AddressError::Plain { address: far.to_owned() });
        }
    }

    #[test]
    fn anything_else_is_refused_without_repeating_a_password() {
        for bad in ["api.balena-cloud.com", "ftp://a", "https://a/v7", "https://a?apikey=k", ""] {
            let error = ApiAddress::parse(bad).unwrap_err();
            assert_eq!(error, AddressError::Form { address: bad.to_owned() });
        }
        let error = ApiAddress::parse("https://me:secret@api.test.local").unwrap_err();
        assert_eq!(
            error.to_string(),
            "api.test.local is not the address of an API; write it like https://api.balena-cloud.com"
        );
    }
}
