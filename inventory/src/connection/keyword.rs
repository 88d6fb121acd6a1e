//! The keywords of ssh_config(5) that mean something here, wherever they stand: in a file, or behind `-o`.

use super::way::{Way, hops};
use crate::fleet::{Agent, HostKeys};

/// Keywords that change nothing about who is reached and as whom.
const HARMLESS: [&str; 18] = [
    "addkeystoagent",
    "batchmode",
    "compression",
    "connectionattempts",
    "connecttimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "forwardagent",
    "forwardx11",
    "hashknownhosts",
    "ipqos",
    "loglevel",
    "requesttty",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "tcpkeepalive",
];

/// Whether leaving a keyword out changes nothing about who is reached and as whom.
pub(super) fn is_harmless(keyword: &str) -> bool {
    HARMLESS.contains(&keyword)
}

/// What became of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was understood.
    Yes,
    /// It means nothing here.
    Unknown,
    /// Its value cannot be understood.
    BadValue,
}

/// Takes in a keyword, in lower case, where nothing is said yet: the first value wins, but for keys, which add up.
/// `whole` is all that follows the keyword, as written.
pub(super) fn take(way: &mut Way, keyword: &str, words: &[String], whole: &str) -> Taken {
    let Some(value) = words.first() else { return Taken::BadValue };
    match keyword {
        "hostname" => first(&mut way.host, Some(value.clone())),
        "user" => first(&mut way.user, crate::native::user_name(value).ok()),
        "port" => first(&mut way.port, value.parse().ok().filter(|port| *port > 0)),
        "identityfile" => {
            let identities = way.identities.get_or_insert_default();
            if value != "none" && !identities.contains(value) {
                identities.push(value.clone());
            }
            Taken::Yes
        }
        "certificatefile" => first(&mut way.certificate, Some(value.clone())),
        "identitiesonly" => first(&mut way.identities_only, flag(value)),
        "identityagent" => first(&mut way.agent, Some(agent(value))),
        "proxyjump" | "proxycommand" if is_detoured(way) => Taken::Yes,
        "proxyjump" => first(&mut way.jump, hops(value).ok()),
        "proxycommand" => {
            let command = whole.trim();
            let command = if command.eq_ignore_ascii_case("none") { "" } else { command };
            first(&mut way.proxy_command, Some(command.to_owned()))
        }
        "userknownhostsfile" => {
            let file = if value == "none" { "/dev/null" } else { value };
            first(&mut way.known_hosts, Some(file.to_owned()))
        }
        "stricthostkeychecking" => match value.to_ascii_lowercase().as_str() {
            "yes" | "true" => first(&mut way.host_keys, Some(HostKeys::Strict)),
            "accept-new" | "no" | "off" | "false" => {
                first(&mut way.host_keys, Some(HostKeys::AcceptNew))
            }
            // Nobody can be asked while a fleet is looked at.
            "ask" => Taken::Yes,
            _ => Taken::BadValue,
        },
        _ => Taken::Unknown,
    }
}

/// What a keyword has said, taken out.
pub(super) fn part(way: &mut Way, keyword: &str) -> Way {
    let mut part = Way::default();
    match keyword {
        "hostname" => part.host = way.host.take(),
        "user" => part.user = way.user.take(),
        "port" => part.port = way.port.take(),
        "identityfile" => part.identities = way.identities.take(),
        "certificatefile" => part.certificate = way.certificate.take(),
        "identitiesonly" => part.identities_only = way.identities_only.take(),
        "identityagent" => part.agent = way.agent.take(),
        "proxyjump" => part.jump = way.jump.take(),
        // One that only goes through a host on the way is that host.
        "proxycommand" => {
            (part.jump, part.proxy_command) = (way.jump.take(), way.proxy_command.take());
        }
        "userknownhostsfile" => part.known_hosts = way.known_hosts.take(),
        "stricthostkeychecking" => part.host_keys = way.host_keys.take(),
        _ => {}
    }
    part
}

fn first<T>(slot: &mut Option<T>, value: Option<T>) -> Taken {
    match value {
        Some(value) => {
            slot.get_or_insert(value);
            Taken::Yes
        }
        None => Taken::BadValue,
    }
}

/// As `ssh -G` shows, `ProxyJump none` keeps later hosts away, but not a later command.
fn is_detoured(way: &Way) -> bool {
    way.jump.as_ref().is_some_and(|jump| !jump.is_empty()) || way.proxy_command.is_some()
}

fn flag(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

fn agent(value: &str) -> Agent {
    match value {
        "none" => Agent::None,
        "SSH_AUTH_SOCK" => Agent::Running,
        path => Agent::Socket(path.to_owned()),
    }
}
