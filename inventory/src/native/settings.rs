//! What holds once for the whole inventory: the balena API, its token, payloads and the policy.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::login::secret;
use crate::fleet::{PolicyChoice, Settings};
use crate::name::InvalidText;
use crate::problem::Report;
use crate::yaml::{Field, Keys, Kind, Mapping};

/// The keys under `balena` at the top level.
pub(super) const BALENA: Keys = Keys { known: &["fleet", "api", "token", "ca"], refused: &[] };

pub(super) fn read(
    top: &Mapping<'_>,
    balena: Option<&Mapping<'_>>,
    report: &mut Report,
) -> Settings {
    let api = balena.and_then(|balena| balena.get("api"));
    let token = balena.and_then(|balena| balena.get("token"));
    Settings {
        api: api
            .and_then(|api| self::api(api, report))
            .unwrap_or_else(|| Settings::BALENA_CLOUD.to_owned()),
        token: token.and_then(|token| secret(token, "BALENA_TOKEN", report)),
        ca: balena
            .and_then(|balena| balena.get("ca"))
            .and_then(|ca| ca.text("the path of a file of certificates", report))
            .map(str::to_owned),
        payloads: top
            .get("payloads")
            .and_then(|payloads| payloads.text("the path of a folder or file", report))
            .map(str::to_owned),
        policy: top.get("policy").and_then(|policy| self::policy(policy, report)),
        playbook: top
            .get("playbook")
            .and_then(|playbook| playbook.text("the path of a playbook", report))
            .map(str::to_owned),
    }
}

fn policy(field: &Field<'_>, report: &mut Report) -> Option<PolicyChoice> {
    match &field.node.kind {
        Kind::Mapping(_) => Some(PolicyChoice::Inline(field.node.clone())),
        _ => field
            .text("a policy: its name, a path or a mapping", report)
            .map(|name| PolicyChoice::Named(name.to_owned())),
    }
}

fn api(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text("an address", report)?;
    if text.contains('@') {
        // What stands before the `@` may be a password, so it is not repeated.
        field.refuse_with_hint(
            report,
            "an API address has no user or password",
            "write it as https://api.example.org, and the token under `token:`",
        );
        return None;
    }
    field.parse("an address", address, report)
}

/// Checks the base address of an API and takes its trailing slashes away.
fn address(text: &str) -> Result<String, InvalidText> {
    let invalid = |what, hint| Err(InvalidText { text: text.to_owned(), what, hint });
    let example = "write it as https://api.example.org";
    let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return invalid("an address that begins with https://", example),
    };
    let rest = rest.trim_end_matches('/');
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain_path = path.chars().all(|c| c.is_ascii_alphanumeric() || "._~/-".contains(c));
    let host = match host(authority) {
        Some(host) if plain_path => host,
        _ => return invalid("the address of an API", example),
    };
    if secure || is_loopback(host) {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    invalid(
        "a safe address: the token would travel in the clear",
        "write https:// instead of http://; only this computer itself may be asked over http",
    )
}

/// The host in `host`, `host:port` or `[::1]:port`.
pub(super) fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            (!host.is_empty() && host.chars().all(plain)).then_some((host, port))?
        }
    };
    match port {
        None => Some(host),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok() => {
            Some(host)
        }
        Some(_) => None,
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn an_api_is_asked_over_https_or_on_this_computer() {
        for good in [
            "https://api.balena-cloud.com",
            "https://api.example.org:8443/base",
            "https://[2001:db8::1]:443",
            "http://localhost:8080",
            "http://127.8.0.1",
            "http://[::1]:3000",
        ] {
            assert_eq!(address(good).unwrap(), good);
        }
        assert_eq!(address("https://api.example.org//").unwrap(), "https://api.example.org");
    }

    #[test]
    fn an_address_that_only_looks_local_is_refused() {
        for bad in [
            "http://api.example.org",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            r"http://localhost\.example.org",
            "http://127.1",
            "http://",
            "https://",
            "https:///path",
            "https://a b",
            "https://a:",
            "https://a:70000",
            "https://a?b",
            "https://a#b",
            "https://[::1]x",
            "ftp://a",
            "api.example.org",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
