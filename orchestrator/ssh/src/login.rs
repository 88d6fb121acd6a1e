//! Proves to a device who we are.
//!
//! Keys go first, in the order in which the operator named them, then those of the agent, then the password. A server
//! may want several of these: what it has taken counts, and what it still wants is tried next.

use crate::agent::Agent;
use crate::connect::Connection;
use crate::timeouts::Timeouts;
use migos_engine::port::{LoginKey, Target, TransportError};
use russh::client::{AuthResult, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use std::fmt;
use std::sync::Arc;
use tokio::time::timeout;

/// sshd ends a connection at the sixth failure (`MaxAuthTries`), and the password shall have its turn.
const MOST_KEYS: usize = 5;

/// A server that asks more often than this is not asking for one password.
const MOST_QUESTIONS: usize = 3;

/// All that can be shown to a server, best first.
#[derive(Default)]
pub(crate) struct Offers {
    /// Keys and certificates.
    pub(crate) keys: Vec<Offer>,
    /// The password.
    pub(crate) password: Option<Arc<str>>,
    /// The agent that signs for its own.
    pub(crate) agent: Option<Agent>,
    /// A remark on keys that could not be used, for the message if the login fails.
    pub(crate) unused: Vec<String>,
}

/// One key to log in with.
pub(crate) enum Offer {
    /// A private key, and what it is called in messages.
    Key(Arc<PrivateKey>, String),
    /// A private key and its certificate.
    Certified(Arc<PrivateKey>, Box<Certificate>, String),
    /// One that the agent has.
    OfAgent(Box<AgentIdentity>),
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Offer::Key(_, name) | Offer::Certified(_, _, name) => f.write_str(name),
            Offer::OfAgent(identity) => {
                let comment = match &**identity {
                    AgentIdentity::PublicKey { comment, .. }
                    | AgentIdentity::Certificate { comment, .. } => comment,
                };
                let plain: String = comment.chars().filter(|c| !c.is_control()).collect();
                write!(f, "{plain} of the agent")
            }
        }
    }
}

/// Logs in. Never to be called again on a connection that is logged in: sshd ignores a second login, and
/// its answer would be waited for in vain.
pub(crate) async fn login(
    connection: &mut Connection,
    target: &Target,
    offers: Offers,
    timeouts: &Timeouts,
) -> Result<(), TransportError> {
    let mut attempt = Attempt { connection, target, tried: Vec::new(), wants: None, partly: false };
    match timeout(timeouts.login, attempt.all(offers)).await {
        Ok(result) => result,
        Err(_) => Err(TransportError::Unreachable(format!(
            "{}:{}: no answer to the login within {} s",
            target.host,
            target.port,
            timeouts.login.as_secs()
        ))),
    }
}

struct Attempt<'a> {
    connection: &'a mut Connection,
    target: &'a Target,
    tried: Vec<String>,
    /// What the server takes now; `None` as long as it was not asked.
    wants: Option<MethodSet>,
    /// True if it has taken something, but wants more.
    partly: bool,
}

/// How the server took one offer.
#[derive(PartialEq, Eq)]
enum Answer {
    In,
    No,
}

impl Attempt<'_> {
    async fn all(&mut self, offers: Offers) -> Result<(), TransportError> {
        let Offers { keys, password, mut agent, unused } = offers;
        let keys = keys.into_iter().take(MOST_KEYS);
        for offer in keys {
            if !self.wants(MethodKind::PublicKey) {
                break;
            }
            self.tried.push(offer.to_string());
            if self.offer(offer, agent.as_mut()).await? == Answer::In {
                return Ok(());
            }
        }
        if let Some(password) = password
            && self.password(&password).await? == Answer::In
        {
            return Ok(());
        }
        Err(self.refused(&unused))
    }

    fn wants(&self, method: MethodKind) -> bool {
        self.wants.as_ref().is_none_or(|wants| wants.contains(&method))
    }

    async fn offer(
        &mut self,
        offer: Offer,
        agent: Option<&mut Agent>,
    ) -> Result<Answer, TransportError> {
        let user = &self.target.user;
        match offer {
            Offer::Key(key, _) => {
                for hash in hashes(self.connection, key.algorithm()).await {
                    let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
                    let answer = self.connection.handle.authenticate_publickey(user, key).await;
                    if self.take(answer)? == Answer::In {
                        return Ok(Answer::In);
                    }
                    if self.partly {
                        break;
                    }
                }
                Ok(Answer::No)
            }
            Offer::Certified(key, certificate, _) => {
                let handle = &mut self.connection.handle;
                let answer = handle.authenticate_openssh_cert(user, key, *certificate).await;
                self.take(answer)
            }
            Offer::OfAgent(identity) => {
                let Some(agent) = agent else { return Ok(Answer::No) };
                let public = identity.public_key();
                let hash = hashes(self.connection, public.algorithm()).await;
                let hash = hash.first().copied().flatten();
                let handle = &mut self.connection.handle;
                let answer = match *identity {
                    AgentIdentity::PublicKey { key, .. } => {
                        handle.authenticate_publickey_with(user, key, hash, agent).await
                    }
                    AgentIdentity::Certificate { certificate, .. } => {
                        handle.authenticate_certificate_with(user, certificate, hash, agent).await
                    }
                };
                self.take(answer)
            }
        }
    }

    async fn password(&mut self, password: &str) -> Result<Answer, TransportError> {
        let user = self.target.user.clone();
        if self.wants(MethodKind::Password) {
            self.tried.push("the password".to_owned());
            let handle = &mut self.connection.handle;
            let answer = handle.authenticate_password(&user, password).await;
            if self.take(answer)? == Answer::In {
                return Ok(Answer::In);
            }
        }
        if !self.wants(MethodKind::KeyboardInteractive) {
            return Ok(Answer::No);
        }
        self.tried.push("the password, as an answer to its question".to_owned());
        let handle = &mut self.connection.handle;
        let mut said = handle.authenticate_keyboard_interactive_start(&user, None).await;
        for _ in 0..MOST_QUESTIONS {
            let prompts = match said.map_err(|_| self.lost())? {
                KeyboardInteractiveAuthResponse::Success => return Ok(Answer::In),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                    let failure = AuthResult::Failure { remaining_methods, partial_success };
                    return self.take(Ok::<_, russh::Error>(failure));
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
            };
            // What is typed in the open is no password.
            let answer = |prompt: &russh::client::Prompt| match prompt.echo {
                true => String::new(),
                false => password.to_owned(),
            };
            let answers = prompts.iter().map(answer).collect();
            let handle = &mut self.connection.handle;
            said = handle.authenticate_keyboard_interactive_respond(answers).await;
        }
        Ok(Answer::No)
    }

    fn take<E>(&mut self, answer: Result<AuthResult, E>) -> Result<Answer, TransportError> {
        match answer {
            Ok(AuthResult::Success) => Ok(Answer::In),
            // russh's way to say that the connection is gone: every server has some method.
            Ok(AuthResult::Failure { remaining_methods, .. }) if remaining_methods.is_empty() => {
                Err(self.lost())
            }
            Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
                self.wants = Some(remaining_methods);
                self.partly |= partial_success;
                Ok(Answer::No)
            }
            Err(_) => Err(self.lost()),
        }
    }

    fn lost(&self) -> TransportError {
        let (host, port) = (&self.target.host, self.target.port);
        let tried = self.tried.len();
        TransportError::Unreachable(match tried {
            0..=3 => format!("{host}:{port}: the connection was lost during login"),
            _ => format!(
                "{host}:{port}: the connection was lost during login, after {tried} keys; name the right one \
                 with `identity:` and set `identities_only: true`"
            ),
        })
    }

    fn refused(&self, unused: &[String]) -> TransportError {
        let Target { user, host, key, .. } = self.target;
        let takes = self.wants.as_ref().map(methods).unwrap_or_default();
        let with = match key {
            LoginKey::Own(_) => "the run's own key".to_owned(),
            LoginKey::Operator(_) if self.tried.is_empty() => "nothing".to_owned(),
            LoginKey::Operator(_) => self.tried.join(", "),
        };
        let why = match key {
            LoginKey::Operator(_) if self.partly => format!(
                "the device takes part of it, but wants {takes} besides; give what is missing, or let \
                 one be enough"
            ),
            LoginKey::Operator(_) if self.tried.is_empty() => {
                "there is no key and no password; write `ssh: { identity: … }` in the inventory, load a key with \
                 `ssh-add`, or start with --ask-pass"
                    .to_owned()
            }
            LoginKey::Operator(_) if self.tried.len() == 1 => format!(
                "the device does not take this key (it takes: {takes}); put its public half into \
                 ~/.ssh/authorized_keys of that user"
            ),
            LoginKey::Operator(_) => format!(
                "the device takes none of these (it takes: {takes}); put the public half of a key into \
                 ~/.ssh/authorized_keys of that user"
            ),
            LoginKey::Own(_) => format!(
                "the device does not take this key (it takes: {takes}); this is not the system that the run started"
            ),
        };
        let unused: String = unused.iter().map(|remark| format!("; {remark}")).collect();
        TransportError::Login(format!("{user}@{host} with {with}: {why}{unused}"))
    }
}

fn methods(methods: &MethodSet) -> String {
    let names: Vec<&str> = methods.iter().map(Into::into).collect();
    names.join(", ")
}

/// The hashes to sign with, best first. Only RSA has a choice; servers before OpenSSH 7.2 do not say
/// what they take, and the oldest take SHA-1 only, which is `None`.
async fn hashes(connection: &Connection, algorithm: Algorithm) -> Vec<Option<HashAlg>> {
    if !algorithm.is_rsa() {
        return vec![None];
    }
    match connection.handle.best_supported_rsa_hash().await {
        Ok(Some(hash)) => vec![hash],
        Ok(None) | Err(_) => vec![Some(HashAlg::Sha512), Some(HashAlg::Sha256), None],
    }
}
