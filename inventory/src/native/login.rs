//! How to reach a device: addresses, users, ports, and where secrets are found.

use std::net::{IpAddr, Ipv6Addr};

use super::folder::{self, Start};
use super::layer::Said;
use super::saying::Sayings;
use crate::connection::{Way, hops};
use crate::fleet::{Agent, HostKeys, Login, SecretSource};
use crate::name::InvalidText;
use crate::problem::{Place, Report};
use crate::yaml::{Field, KeyPath, Keys, Kind, Mapping, Refused};

pub(super) const SSH: Keys = Keys {
    known: &[
        "user",
        "identity",
        "certificate",
        "identities_only",
        "agent",
        "password",
        "port",
        "jump",
        "proxy",
        "known_hosts",
        "host_keys",
        "sudo_password",
        "old_algorithms",
        "config",
    ],
    refused: &[Refused {
        key: "host",
        message: "the address of a device is not an SSH setting",
        hint: "write `host:` directly under the device in `devices:`",
    }],
};

/// What can be said of a host on the way.
pub(super) const HOP: Keys = Keys {
    known: &[
        "host",
        "user",
        "identity",
        "certificate",
        "identities_only",
        "agent",
        "password",
        "port",
        "known_hosts",
        "host_keys",
        "old_algorithms",
    ],
    refused: &[Refused {
        key: "jump",
        message: "a host on the way has no other hosts on its own way",
        hint: "write all hosts as one list, the first one first: `jump: [ops@first, ops@second]`",
    }],
};

/// What one level of the inventory says about SSH.
#[derive(Default)]
pub(super) struct Ssh {
    pub(super) user: Option<Said<String>>,
    pub(super) identities: Option<Said<Vec<String>>>,
    pub(super) certificate: Option<Said<String>>,
    pub(super) identities_only: Option<Said<bool>>,
    pub(super) agent: Option<Said<Agent>>,
    pub(super) password: Option<Said<SecretSource>>,
    pub(super) port: Option<Said<u16>>,
    pub(super) jump: Option<Said<Vec<Way>>>,
    pub(super) proxy_command: Option<Said<String>>,
    pub(super) known_hosts: Option<Said<String>>,
    pub(super) host_keys: Option<Said<HostKeys>>,
    pub(super) sudo_password: Option<Said<SecretSource>>,
    pub(super) old_algorithms: Option<Said<bool>>,
    pub(super) config: Option<Said<bool>>,
}

/// Where another source says what it says.
struct At<'a> {
    place: Place,
    path: &'a KeyPath,
}

impl At<'_> {
    fn said<T>(&self, value: Option<T>) -> Option<Said<T>> {
        value.map(|value| Said { value, place: self.place, path: self.path.clone() })
    }
}

impl Ssh {
    pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Self {
        let ssh = field.mapping(&SSH, report);
        Self {
            jump: Said::read(ssh.get("jump"), |jump| self::jump(jump, report)),
            proxy_command: Said::read(ssh.get("proxy"), |proxy| {
                let command = proxy.text("a command", report)?;
                Some(if command == "none" { String::new() } else { command.to_owned() })
            }),
            sudo_password: Said::read(ssh.get("sudo_password"), |secret| {
                self::secret(secret, "SUDO_PASSWORD", report)
            }),
            config: Said::read(ssh.get("config"), |config| self::config(config, report)),
            ..Self::read_shared(&ssh, report)
        }
    }

    /// Reads what devices and hosts on the way have in common.
    fn read_shared(ssh: &Mapping<'_>, report: &mut Report) -> Self {
        Self {
            user: Said::read(ssh.get("user"), |user| user.parse("a user name", user_name, report)),
            identities: Said::read(ssh.get("identity"), |paths| identities(paths, report)),
            certificate: path(ssh, "certificate", report),
            identities_only: flag(ssh, "identities_only", report),
            agent: Said::read(ssh.get("agent"), |agent| self::agent(agent, report)),
            password: Said::read(ssh.get("password"), |secret| {
                self::secret(secret, "SSH_PASSWORD", report)
            }),
            port: Said::read(ssh.get("port"), |port| {
                port.number(1..=u16::MAX.into(), report).and_then(|port| u16::try_from(port).ok())
            }),
            known_hosts: path(ssh, "known_hosts", report),
            host_keys: Said::read(ssh.get("host_keys"), |keys| {
                let choices = [("accept-new", HostKeys::AcceptNew), ("strict", HostKeys::Strict)];
                keys.one_of(&choices, report)
            }),
            old_algorithms: flag(ssh, "old_algorithms", report),
            ..Self::default()
        }
    }

    /// What another source says of the way in one place, and the host that it says.
    pub(super) fn of_way(way: Way, place: Place, path: &KeyPath) -> (Option<Said<String>>, Self) {
        let at = At { place, path };
        let ssh = Self {
            user: at.said(way.user),
            identities: at.said(way.identities),
            certificate: at.said(way.certificate),
            identities_only: at.said(way.identities_only),
            agent: at.said(way.agent),
            password: at.said(way.password),
            port: at.said(way.port),
            jump: at.said(way.jump),
            proxy_command: at.said(way.proxy_command),
            known_hosts: at.said(way.known_hosts),
            host_keys: at.said(way.host_keys),
            sudo_password: at.said(way.sudo_password),
            old_algorithms: at.said(way.old_algorithms),
            config: at.said(way.config),
        };
        (at.said(way.host), ssh)
    }

    /// What holds where nothing is said.
    pub(super) fn built_in() -> Self {
        Self {
            user: Some(Said::built_in(Login::DEFAULT_USER.to_owned())),
            port: Some(Said::built_in(Login::DEFAULT_PORT)),
            host_keys: Some(Said::built_in(HostKeys::default())),
            ..Self::default()
        }
    }

    /// Lets its relative paths start at a folder.
    pub(super) fn start_paths(&mut self, start: Start<'_>) {
        folder::each([&mut self.certificate, &mut self.known_hosts], start);
        if let Some(identities) = &mut self.identities {
            identities.value.iter_mut().for_each(start);
        }
        if let Some(Said { value: Agent::Socket(path), .. }) = &mut self.agent {
            start(path);
        }
        folder::secret(&mut self.password, start);
        folder::secret(&mut self.sudo_password, start);
        for hop in self.jump.iter_mut().flat_map(|jump| &mut jump.value) {
            hop.identities.iter_mut().flatten().for_each(start);
            let paths = [&mut hop.certificate, &mut hop.known_hosts];
            paths.into_iter().flatten().for_each(start);
            if let Some(SecretSource::File(path)) = &mut hop.password {
                start(path);
            }
        }
    }

    /// Tells all that this level says.
    pub(super) fn tell(&self, sayings: &mut Sayings) {
        // Without `..`, so that a new setting is not forgotten here.
        let Ssh {
            user,
            identities,
            certificate,
            identities_only,
            agent,
            password,
            port,
            jump,
            proxy_command,
            known_hosts,
            host_keys,
            sudo_password,
            old_algorithms,
            config,
        } = self;
        sayings.one("ssh.user", user.as_ref());
        sayings.one("ssh.port", port.as_ref());
        // One key is shown as it is written.
        match identities.as_ref().map(|said| (said, said.value.as_slice())) {
            Some((said, [path])) => {
                let (place, keys) = (said.place, said.path.clone());
                let one = Said { value: path.clone(), place, path: keys };
                sayings.one("ssh.identity", Some(&one));
            }
            _ => sayings.one("ssh.identity", identities.as_ref()),
        }
        sayings.one("ssh.certificate", certificate.as_ref());
        sayings.one("ssh.identities_only", identities_only.as_ref());
        sayings.one("ssh.agent", agent.as_ref());
        sayings.one("ssh.password", password.as_ref());
        sayings.one("ssh.jump", jump.as_ref());
        sayings.one("ssh.proxy", proxy_command.as_ref());
        sayings.one("ssh.known_hosts", known_hosts.as_ref());
        sayings.one("ssh.host_keys", host_keys.as_ref());
        sayings.one("ssh.sudo_password", sudo_password.as_ref());
        sayings.one("ssh.old_algorithms", old_algorithms.as_ref());
        sayings.one("ssh.config", config.as_ref());
    }
}

fn flag(ssh: &Mapping<'_>, key: &str, report: &mut Report) -> Option<Said<bool>> {
    Said::read(ssh.get(key), |flag| match flag.node.kind {
        Kind::Bool(value) => Some(value),
        _ => {
            flag.expected("true or false", report);
            None
        }
    })
}

/// One path, or a list of them.
fn identities(field: &Field<'_>, report: &mut Report) -> Option<Vec<String>> {
    match field.node.kind {
        Kind::List(_) => {
            let paths = field.list("paths of private keys", report).into_iter();
            paths.map(|path| path.text("a path", report).map(str::to_owned)).collect()
        }
        _ => Some(vec![field.text("a path", report)?.to_owned()]),
    }
}

fn agent(field: &Field<'_>, report: &mut Report) -> Option<Agent> {
    match &field.node.kind {
        Kind::Bool(true) => Some(Agent::Running),
        Kind::Bool(false) => Some(Agent::None),
        Kind::Text(_) => field.text("a path", report).map(|path| Agent::Socket(path.to_owned())),
        _ => {
            field.expected("true, false or the path of an agent's socket", report);
            None
        }
    }
}

fn config(field: &Field<'_>, report: &mut Report) -> Option<bool> {
    match &field.node.kind {
        Kind::Text(text) if text == "none" => Some(false),
        _ => {
            let hint = "to read another file than ~/.ssh/config, start with `--ssh-config FILE`";
            let message = format!("expected `none`, found {}", field.node.found());
            field.refuse_with_hint(report, message, hint);
            None
        }
    }
}

/// Hosts on the way: `user@host:port`, several of them with commas between, or a list of such or of mappings.
fn jump(field: &Field<'_>, report: &mut Report) -> Option<Vec<Way>> {
    match field.node.kind {
        Kind::List(_) => {
            let items = field.list("hosts on the way", report).into_iter();
            let chains: Option<Vec<_>> = items.map(|item| chain(&item, report)).collect();
            chains.map(|chains| chains.concat())
        }
        _ => chain(field, report),
    }
}

fn chain(field: &Field<'_>, report: &mut Report) -> Option<Vec<Way>> {
    if let Kind::Mapping(_) = field.node.kind {
        return hop(field, report).map(|hop| vec![hop]);
    }
    let text = field.text("a host on the way", report)?;
    hops(text)
        .map_err(|part| {
            let hint = "write it as user@bastion.example.org:22, or as a mapping with `host:`";
            field.refuse_with_hint(report, format!("{part:?} names no host on the way"), hint);
        })
        .ok()
}

fn hop(field: &Field<'_>, report: &mut Report) -> Option<Way> {
    let hop = field.mapping(&HOP, report);
    let Some(named) = hop.get("host") else {
        let hint = "write `host:` with a host name or address";
        field.refuse_with_hint(report, "the key `host` is missing", hint);
        return None;
    };
    let host = named.parse("a host name or address", host, report)?;
    let ssh = Ssh::read_shared(&hop, report);
    Some(Way {
        host: Some(host),
        port: value(ssh.port),
        user: value(ssh.user),
        identities: value(ssh.identities),
        certificate: value(ssh.certificate),
        identities_only: value(ssh.identities_only),
        agent: value(ssh.agent),
        password: value(ssh.password),
        known_hosts: value(ssh.known_hosts),
        host_keys: value(ssh.host_keys),
        old_algorithms: value(ssh.old_algorithms),
        ..Way::default()
    })
}

fn value<T>(said: Option<Said<T>>) -> Option<T> {
    said.map(|said| said.value)
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

pub(crate) fn user_name(text: &str) -> Result<String, InvalidText> {
    let fits = !text.is_empty()
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | ':' | '/' | '\\'));
    let (what, hint) = ("a user name", "write only the name of the user, such as pi");
    if fits { Ok(text.to_owned()) } else { Err(InvalidText { text: text.to_owned(), what, hint }) }
}

/// Checks a host name or an IP address.
pub(crate) fn host(text: &str) -> Result<String, InvalidText> {
    let invalid =
        |hint| Err(InvalidText { text: text.to_owned(), what: "a host name or address", hint });
    let address = text.split_once('%').map_or(text, |(address, _zone)| address);
    let known = |c: char| c.is_ascii_alphanumeric() || "._-:%".contains(c);
    if text.contains("://") {
        return invalid("write the name or address alone, such as 10.1.4.42");
    }
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
    // Four numbers, one of them too high, are no name either.
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    if text.split('.').count() == 4
        && text.split('.').all(is_number)
        && text.parse::<IpAddr>().is_err()
    {
        return invalid("the numbers of an address go from 0 to 255, without zeros before them");
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
mod tests;
