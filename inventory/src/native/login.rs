//! How to reach a device: addresses, users, ports, and where secrets are found.

use std::net::{IpAddr, Ipv6Addr};

use super::layer::Said;
use crate::fleet::{HostKeys, SecretSource};
use crate::name::InvalidText;
use crate::problem::Report;
use crate::yaml::{Field, Keys, Kind, Mapping, Refused};

const SSH: Keys = Keys {
    known: &["user", "identity", "port", "known_hosts", "host_keys", "sudo_password"],
    refused: &[
        Refused {
            key: "jump",
            message: "jump hosts are not part of this version yet",
            hint: "run the controller where it reaches the devices directly, for instance on the jump host",
        },
        Refused {
            key: "password",
            message: "logging in with a password is not part of this version yet",
            hint: "put a public key on the devices with `ssh-copy-id` and name its private key with `identity:`",
        },
        Refused {
            key: "agent",
            message: "SSH agents are not part of this version yet",
            hint: "name a private key with `identity:`",
        },
        Refused {
            key: "host",
            message: "the address of a device is not an SSH setting",
            hint: "write `host:` directly under the device in `devices:`",
        },
    ],
};

/// What one level of the inventory says about SSH.
#[derive(Default)]
pub(super) struct Ssh {
    pub(super) user: Option<Said<String>>,
    pub(super) identity: Option<Said<String>>,
    pub(super) port: Option<Said<u16>>,
    pub(super) known_hosts: Option<Said<String>>,
    pub(super) host_keys: Option<Said<HostKeys>>,
    pub(super) sudo_password: Option<Said<SecretSource>>,
}

impl Ssh {
    pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Self {
        let ssh = field.mapping(&SSH, report);
        Self {
            user: Said::read(ssh.get("user"), |user| user.parse("a user name", user_name, report)),
            identity: path(&ssh, "identity", report),
            port: Said::read(ssh.get("port"), |port| {
                port.number(1..=u16::MAX.into(), report).and_then(|port| u16::try_from(port).ok())
            }),
            known_hosts: path(&ssh, "known_hosts", report),
            host_keys: Said::read(ssh.get("host_keys"), |keys| {
                let choices = [("accept-new", HostKeys::AcceptNew), ("strict", HostKeys::Strict)];
                keys.one_of(&choices, report)
            }),
            sudo_password: Said::read(ssh.get("sudo_password"), |secret| {
                self::secret(secret, "SUDO_PASSWORD", report)
            }),
        }
    }
}

fn path(ssh: &Mapping<'_>, key: &str, report: &mut Report) -> Option<Said<String>> {
    Said::read(ssh.get(key), |path| path.text("a path", report).map(str::to_owned))
}

/// Reads where a secret is found; `example` is a variable name for the hint.
///
/// What stands here may be the secret itself, so no message repeats any of it.
pub(super) fn secret(
    field: &Field<'_>,
    example: &str,
    report: &mut Report,
) -> Option<SecretSource> {
    let hint = format!("write {{ env: {example} }} or {{ file: path/of/a/file }}");
    let [entry] = (match &field.node.kind {
        Kind::Mapping(entries) => entries.as_slice(),
        Kind::Text(_) | Kind::Number(_) | Kind::Bool(_) | Kind::Null | Kind::List(_) => &[],
    }) else {
        let message = match field.node.kind {
            Kind::Text(_) | Kind::Number(_) => {
                "a secret cannot stand in the inventory; say where it is found"
            }
            _ => "expected where the secret is found",
        };
        field.refuse_with_hint(report, message, hint);
        return None;
    };
    let value = match &entry.value.kind {
        Kind::Text(text) if !text.is_empty() && !text.chars().any(char::is_control) => text,
        _ => "",
    };
    match entry.key.as_str() {
        "env" if is_variable(value) => Some(SecretSource::Env(value.to_owned())),
        "env" => {
            let message = "this is not the name of an environment variable";
            report.add_with_hint(entry.value.place, &field.path.key("env"), message, hint);
            None
        }
        "file" if !value.is_empty() => Some(SecretSource::File(value.to_owned())),
        "file" => {
            let message = "this is not the path of a file";
            report.add_with_hint(entry.value.place, &field.path.key("file"), message, hint);
            None
        }
        _ => {
            field.refuse_with_hint(report, "expected where the secret is found", hint);
            None
        }
    }
}

pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

pub(super) fn user_name(text: &str) -> Result<String, InvalidText> {
    let fits = !text.starts_with('-')
        && text.chars().all(|c| !c.is_whitespace() && !matches!(c, '@' | ':' | '/' | '\\'));
    let (what, hint) = ("a user name", "write only the name of the user, such as pi");
    if fits { Ok(text.to_owned()) } else { Err(InvalidText { text: text.to_owned(), what, hint }) }
}

/// Checks a host name or an IP address.
pub(super) fn host(text: &str) -> Result<String, InvalidText> {
    let invalid =
        |hint| Err(InvalidText { text: text.to_owned(), what: "a host name or address", hint });
    let address = text.split_once('%').map_or(text, |(address, _zone)| address);
    let known = |c: char| c.is_ascii_alphanumeric() || "._-:%".contains(c);
    if text.contains('@') {
        return invalid("write the user under `ssh: { user: … }`");
    }
    if text.chars().all(known) && address.parse::<Ipv6Addr>().is_ok() {
        return Ok(text.to_owned());
    }
    if text.starts_with('[') {
        return invalid(
            "write an IPv6 address without brackets, and a port under `ssh: { port: … }`",
        );
    }
    if text.contains(':') {
        return invalid("write the port under `ssh: { port: … }`");
    }
    if text.chars().all(|c| known(c) && c != '%') && !text.starts_with(['-', '.']) {
        return Ok(text.to_owned());
    }
    invalid("write a name such as kiosk-042.example.org or an address such as 10.1.4.42")
}

/// The address two devices must not share, in one spelling.
pub(super) fn address(host: &str, port: u16) -> (String, u16) {
    let host = match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.trim_end_matches('.').to_ascii_lowercase(),
    };
    (host, port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::yaml::load;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for good in ["pi_1", "kiosk-042.example.org", "10.1.4.42", "2001:db8::1", "fe80::1%eth0"] {
            assert_eq!(host(good).unwrap(), good);
        }
        for bad in ["-oProxyCommand=x", "pi@10.0.0.1", "10.0.0.1:22", "[::1]", "a b", "a/b", "a%b"]
        {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_address_has_one_spelling() {
        assert_eq!(address("Pi.Example.ORG.", 22), address("pi.example.org", 22));
        assert_eq!(address("2001:DB8:0::1", 22), address("2001:db8::1", 22));
        assert_ne!(address("pi", 22), address("pi", 2222));
    }

    #[test]
    fn a_secret_in_the_inventory_is_refused_and_never_repeated() {
        let told = [
            "hunter2",
            "271828",
            "[hunter2]",
            "{ hunter2 }",
            "{ env: hunter-2 }",
            "{ env: [hunter2] }",
            "{ file: \"hunter2\\n\" }",
            "{ env: A, file: hunter2 }",
            "",
        ]
        .map(|text| {
            let mut report = Report::new("t");
            let root = load(text, &mut report).unwrap();
            assert_eq!(secret(&Field::root(&root, "token"), "TOKEN", &mut report), None);
            report.into_problems().to_string()
        })
        .join("\n");
        assert!(!told.contains("hunter") && !told.contains("271828"), "{told}");
        insta::assert_snapshot!(told, @r"
        t:1:1: token: a secret cannot stand in the inventory; say where it is found
          hint: write { env: TOKEN } or { file: path/of/a/file }
        t:1:1: token: a secret cannot stand in the inventory; say where it is found
          hint: write { env: TOKEN } or { file: path/of/a/file }
        t:1:1: token: expected where the secret is found
          hint: write { env: TOKEN } or { file: path/of/a/file }
        t:1:1: token: expected where the secret is found
          hint: write { env: TOKEN } or { file: path/of/a/file }
        t:1:8: token.env: this is not the name of an environment variable
          hint: write { env: TOKEN } or { file: path/of/a/file }
        t:1:8: token.env: this is not the name of an environment variable
          hint: write { env: TOKEN } or { file: path/of/a/file }
        t:1:9: token.file: this is not the path of a file
          hint: write { env: TOKEN } or { file: path/of/a/file }
        t:1:1: token: expected where the secret is found
          hint: write { env: TOKEN } or { file: path/of/a/file }
        t:1:1: token: expected where the secret is found
          hint: write { env: TOKEN } or { file: path/of/a/file }
        ");
    }

    #[test]
    fn a_secret_is_named_by_where_it_is_found() {
        let mut report = Report::new("t");
        let root = load("{ env: BALENA_TOKEN }", &mut report).unwrap();
        let source = secret(&Field::root(&root, "token"), "TOKEN", &mut report);
        assert_eq!(source, Some(SecretSource::Env("BALENA_TOKEN".to_owned())));
        assert!(report.is_clean());
    }
}
