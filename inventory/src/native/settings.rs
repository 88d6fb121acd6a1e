//! What holds once for the whole inventory: the balena API, its token, payloads and the policy.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::document::Document;
use super::layer::Said;
use super::login::secret;
use crate::fleet::{PolicyChoice, SecretSource, Settings};
use crate::name::InvalidText;
use crate::problem::Report;
use crate::yaml::{Field, Keys, Kind, Mapping};

/// The keys under `balena` at the top level.
pub(super) const BALENA: Keys = Keys { known: &["fleet", "api", "token", "ca"], refused: &[] };

/// What one file says for the whole inventory.
#[derive(Default)]
pub(super) struct Whole {
    pub(super) api: Option<Said<String>>,
    pub(super) token: Option<Said<SecretSource>>,
    pub(super) ca: Option<Said<String>>,
    pub(super) payloads: Option<Said<String>>,
    pub(super) policy: Option<Said<PolicyChoice>>,
    pub(super) playbook: Option<Said<String>>,
}

impl Whole {
    pub(super) fn read(
        top: &Mapping<'_>,
        balena: Option<&Mapping<'_>>,
        report: &mut Report,
    ) -> Self {
        let balena = |key| balena.and_then(|balena| balena.get(key));
        let text = |field: &Field<'_>, what, report: &mut Report| {
            field.text(what, report).map(str::to_owned)
        };
        Self {
            api: Said::read(balena("api"), |api| self::api(api, report)),
            token: Said::read(balena("token"), |token| secret(token, "BALENA_TOKEN", report)),
            ca: Said::read(balena("ca"), |ca| {
                text(ca, "the path of a file of certificates", report)
            }),
            payloads: Said::read(top.get("payloads"), |payloads| {
                text(payloads, "the path of a folder or file", report)
            }),
            policy: Said::read(top.get("policy"), |policy| self::policy(policy, report)),
            playbook: Said::read(top.get("playbook"), |playbook| {
                text(playbook, "the path of a playbook", report)
            }),
        }
    }

    /// What holds where no file says anything.
    pub(super) fn built_in() -> Self {
        let api = Said::built_in(Settings::BALENA_CLOUD.to_owned());
        Self { api: Some(api), ..Self::default() }
    }
}

/// Lays what several files say for the whole inventory over each other; the nearest file comes first.
pub(super) fn settle<'a>(nearest_first: impl Iterator<Item = &'a Document> + Clone) -> Settings {
    fn first<'a, T: 'a>(
        mut all: impl Iterator<Item = &'a Document>,
        get: impl Fn(&'a Whole) -> &'a Option<Said<T>>,
    ) -> Option<(&'a Document, &'a T)> {
        all.find_map(|document| Some((document, &get(&document.whole).as_ref()?.value)))
    }
    let all = || nearest_first.clone();
    let text =
        |get: fn(&Whole) -> &Option<Said<String>>| first(all(), get).map(|(_, text)| text.clone());
    let policy = first(all(), |whole| &whole.policy);
    Settings {
        api: text(|whole| &whole.api).unwrap_or_else(|| Settings::BALENA_CLOUD.to_owned()),
        token: first(all(), |whole| &whole.token).map(|(_, token)| token.clone()),
        ca: text(|whole| &whole.ca),
        payloads: text(|whole| &whole.payloads),
        policy: policy.map(|(_, policy)| policy.clone()),
        policy_file: policy.map(|(document, _)| document.file.to_string()),
        playbook: text(|whole| &whole.playbook),
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
