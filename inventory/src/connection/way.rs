//! What one source says of the way to a device, and what all of them come to.

use serde::Serialize;

use super::ssh_config::SshConfig;
use crate::fleet::{Agent, HostKeys, Login, SecretSource};

/// Hosts on the way that name further hosts on the way are followed so far; a circle ends here.
const DEEPEST: usize = 8;

/// What one source says about how to reach a device; what is `None` is left to the next source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Way {
    /// Host name or address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// TCP port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The user to log in as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Paths of private keys, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identities: Option<Vec<String>>,
    /// Path of the certificate of a key, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Whether an agent may be asked for these keys only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identities_only: Option<bool>,
    /// Which agent is asked for keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
    /// Where the password is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSource>,
    /// Where the password for sudo is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sudo_password: Option<SecretSource>,
    /// The hosts on the way, the first one first; empty: there are none, whatever other sources say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jump: Option<Vec<Way>>,
    /// A command whose input and output are the connection; empty: there is none, whatever other sources say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_command: Option<String>,
    /// Path of the file of known host keys, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<String>,
    /// What to do about a host key that is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_keys: Option<HostKeys>,
    /// Whether algorithms of old servers are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_algorithms: Option<bool>,
    /// Whether the person's own ssh_config is read for what is left open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<bool>,
}

impl Way {
    /// This source's words, and those of a lower one where it says nothing.
    #[must_use]
    pub fn or(self, lower: Way) -> Way {
        // How to get there is one question: who names hosts on the way wants no command of a lower source.
        let detour = self.jump.is_some() || self.proxy_command.is_some();
        Way {
            host: self.host.or(lower.host),
            port: self.port.or(lower.port),
            user: self.user.or(lower.user),
            identities: self.identities.or(lower.identities),
            certificate: self.certificate.or(lower.certificate),
            identities_only: self.identities_only.or(lower.identities_only),
            agent: self.agent.or(lower.agent),
            password: self.password.or(lower.password),
            sudo_password: self.sudo_password.or(lower.sudo_password),
            jump: if detour { self.jump } else { lower.jump },
            proxy_command: if detour { self.proxy_command } else { lower.proxy_command },
            known_hosts: self.known_hosts.or(lower.known_hosts),
            host_keys: self.host_keys.or(lower.host_keys),
            old_algorithms: self.old_algorithms.or(lower.old_algorithms),
            config: self.config.or(lower.config),
        }
    }
}

/// Hosts on the way, as `ssh -J` takes them: `user@host:port`, several with commas between; `none` for no host.
///
/// # Errors
/// The part that names no host.
pub fn hops(text: &str) -> Result<Vec<Way>, &str> {
    match text.trim() {
        "none" => Ok(Vec::new()),
        text => text.split(',').map(|part| hop(part.trim()).ok_or(part.trim())).collect(),
    }
}

fn hop(text: &str) -> Option<Way> {
    let text = text.strip_prefix("ssh://").map_or(text, |rest| rest.trim_end_matches('/'));
    let (user, place) = match text.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, text),
    };
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':')?)),
        None => match place.split_once(':') {
            // More than one colon: an IPv6 address.
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (place, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None => None,
    };
    crate::native::host_name(host).ok()?;
    let user = match user {
        Some("") => return None,
        Some(user) => Some(crate::native::user_name(user).ok()?),
        None => None,
    };
    Some(Way { host: Some(host.to_owned()), port, user, ..Way::default() })
}

/// The last move: what the inventory says, then the person's ssh_config, then what is built in. `name` is the host if
/// nobody says otherwise.
pub fn settle(way: Way, name: &str, config: &SshConfig) -> Login {
    settle_at(way, name, config, 0)
}

fn settle_at(way: Way, name: &str, config: &SshConfig, depth: usize) -> Login {
    let alias = way.host.clone().unwrap_or_else(|| name.to_owned());
    let way = match way.config {
        Some(false) => way,
        _ => {
            // The name that ssh is called with is only an alias of the one that its configuration gives.
            let said = config.way(&alias, way.user.as_deref());
            let host = said.host.clone();
            let settled = way.or(said);
            Way { host: host.or(settled.host.clone()), ..settled }
        }
    };
    let known_hosts = way.known_hosts.clone();
    let host_keys = way.host_keys;
    let asks_config = way.config;
    let mut jump = Vec::new();
    // As ssh does, a host that is named as its own way is reached without.
    let is_itself = |hop: &Way| hop.host.as_deref() == Some(alias.as_str());
    let hops = way.jump.unwrap_or_default().into_iter();
    for hop in hops.filter(|hop| depth < DEEPEST && !is_itself(hop)) {
        let inherited = Way {
            known_hosts: known_hosts.clone(),
            host_keys,
            config: asks_config,
            // Only the first host is reached from here, so only its own detour counts: to follow those of all would
            // take for ever where hosts name each other.
            jump: (!jump.is_empty()).then(Vec::new),
            ..Way::default()
        };
        let name = hop.host.clone().unwrap_or_default();
        let mut hop = settle_at(hop.or(inherited), &name, config, depth + 1);
        let own = std::mem::take(&mut hop.jump);
        if jump.is_empty() {
            jump.extend(own);
        } else {
            hop.proxy_command = None;
        }
        jump.push(hop);
    }
    // A host on the way is no Pi: it knows people by the names that they have here.
    let user_here = config.local_user().filter(|_| depth > 0);
    Login {
        host: way.host.unwrap_or(alias),
        port: way.port.unwrap_or(Login::DEFAULT_PORT),
        user: way.user.unwrap_or_else(|| user_here.unwrap_or(Login::DEFAULT_USER).to_owned()),
        identities: way.identities.unwrap_or_default(),
        certificate: way.certificate,
        identities_only: way.identities_only.unwrap_or_default(),
        agent: way.agent.unwrap_or_default(),
        password: way.password,
        known_hosts: way.known_hosts,
        host_keys: way.host_keys.unwrap_or_default(),
        sudo_password: way.sudo_password,
        jump,
        proxy_command: way.proxy_command.filter(|command| !command.is_empty()),
        old_algorithms: way.old_algorithms.unwrap_or_default(),
    }
}
