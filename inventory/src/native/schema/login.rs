//! The way to a device.

use super::text::{Host, Port, Text, UserName, Variable};
use schemars::JsonSchema;

/// What devices and hosts on the way have in common.
macro_rules! shared {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        #[derive(JsonSchema)]
        $(#[$doc])*
        #[schemars(deny_unknown_fields)]
        pub(super) struct $name {
            $($own)*
            /// The login name.
            #[schemars(extend("default" = "pi"))]
            user: Option<UserName>,
            /// The private key, or several in the order in which they are tried; left out: `~/.ssh/id_ed25519`, `id_ecdsa`
            /// and `id_rsa`.
            #[schemars(example = &"~/.ssh/fleet")]
            identity: Option<Identity>,
            /// The certificate of a key; left out: `KEY-cert.pub` beside the key.
            certificate: Option<Text>,
            /// Of the agent's keys, only those that `identity` names.
            #[schemars(extend("default" = false))]
            identities_only: Option<bool>,
            /// Whether an SSH agent is asked: `true` for the one behind `SSH_AUTH_SOCK`, `false`, or the path of a socket.
            #[schemars(extend("default" = true))]
            agent: Option<Agent>,
            /// Where the password for the login is found; tried after the keys.
            password: Option<Secret>,
            /// The port.
            #[schemars(extend("default" = 22))]
            port: Option<Port>,
            /// Your file of known hosts.
            #[schemars(extend("default" = "~/.ssh/known_hosts"))]
            known_hosts: Option<Text>,
            /// What is done about hosts that no file knows.
            #[schemars(extend("default" = "accept-new"))]
            host_keys: Option<HostKeys>,
            /// Allow what servers before OpenSSH 6.5 need (SHA-1, CBC).
            #[schemars(extend("default" = false))]
            old_algorithms: Option<bool>,
        }
    };
}

shared! {
    /// How devices are reached over SSH.
    #[schemars(extend("type" = ["object", "null"]))]
    Ssh {
        /// Hosts on the way, the first one first; `none`: there are none.
        #[schemars(example = &"ops@bastion.example.org")]
        jump: Option<Jump>,
        /// A command whose input and output are the connection; `%h`, `%p` and `%r` stand for host, port and user. `none`:
        /// there is none.
        #[schemars(example = &"nc -X 5 -x socks.example.org:1080 %h %p")]
        proxy: Option<Text>,
        /// Where the password for sudo is found, if sudo asks for one.
        sudo_password: Option<Secret>,
        /// `none`: read no ssh_config for these devices.
        config: Option<Nothing>,
    }
}

shared! {
    /// A host on the way.
    #[schemars(rename = "Hop")]
    HopKeys {
        /// Its host name or address.
        host: Host,
    }
}

/// One path, or a list of them.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Identity {
    /// One private key.
    One(Text),
    /// Several, in the order in which they are tried.
    Several(Vec<Text>),
}

/// An SSH agent.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Agent {
    /// The one behind `SSH_AUTH_SOCK`, or none.
    Running(bool),
    /// The path of an agent's socket.
    Socket(Text),
}

/// Hosts on the way.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Jump {
    /// One host, or several with commas between.
    One(Hop),
    /// Several hosts, the first one first.
    Several(Vec<Hop>),
}

/// A host on the way.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Hop {
    /// `user@host:port`.
    Text(Text),
    /// Host, user, port and so on, each by its key.
    Keys(HopKeys),
}

/// What is done about hosts that no file of known hosts has.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum HostKeys {
    /// They are taken in, and known from then on.
    AcceptNew,
    /// They are refused.
    Strict,
}

/// Where a secret is found; never the secret itself.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Secret {
    /// In this environment variable.
    Env(Variable),
    /// In the file at this path.
    File(Text),
}

/// Nothing, said on purpose.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "kebab-case")]
pub(super) enum Nothing {
    /// Nothing, said on purpose.
    None,
}
