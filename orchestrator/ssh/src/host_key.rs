//! Accepts or refuses a device's host key.

use crate::known_hosts::{Files, HostName, Known, Verdict, learn};
use migos_engine::port::TransportError;
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Preferred, client};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio::task;

/// Which key is right, with all that was found about it before the connection is made.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// This one.
    Pinned(PublicKey),
    /// One that the files know.
    Known {
        /// The files.
        files: Files,
        /// What they say.
        known: Known,
        /// Whether a host that they do not know is taken in.
        accept_new: bool,
    },
}

impl Expected {
    /// The key types to ask a device for, best first. It is asked for the types that it is known by: it
    /// may well have keys of others, too, and would else offer one that nobody has seen.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let first: Vec<Algorithm> = match self {
            Expected::Pinned(key) => return vec![key.algorithm()],
            Expected::Known { known, .. } => known.algorithms().collect(),
        };
        // For RSA, the key's type says nothing of the signature's hash.
        let is_first = |wanted: &Algorithm| {
            first.iter().any(|one| one == wanted || (is_rsa(one) && is_rsa(wanted)))
        };
        let all = Preferred::DEFAULT.key;
        let (known, other): (Vec<_>, Vec<_>) = all.iter().cloned().partition(is_first);
        [known, other].concat()
    }
}

fn is_rsa(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Rsa { .. })
}

/// Looks at what the device says while the connection is made.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) host: HostName,
    pub(crate) expected: Expected,
    /// The key that was accepted.
    pub(crate) shown: Arc<OnceLock<PublicKey>>,
}

/// Why no session came to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuardError {
    /// The device's key was refused.
    #[error("{0}")]
    Key(TransportError),
    /// The protocol failed.
    #[error("{0}")]
    Protocol(#[from] russh::Error),
}

impl client::Handler for Guard {
    type Error = GuardError;

    async fn check_server_key(
        &mut self,
        offered: &PublicKeyOrCertificate,
    ) -> Result<bool, GuardError> {
        let offered = offered.public_key();
        self.check(offered.clone()).await.map_err(GuardError::Key)?;
        // A connection that renews its keys shows the same again.
        let _ = self.shown.set(offered);
        Ok(true)
    }
}

impl Guard {
    async fn check(&self, offered: PublicKey) -> Result<(), TransportError> {
        let host = self.host.as_str();
        let shown = show(&offered);
        let refused = |why: String| Err(TransportError::HostKey(why));
        let (files, known, accept_new) = match &self.expected {
            Expected::Pinned(pinned) if pinned.key_data() == offered.key_data() => return Ok(()),
            Expected::Pinned(pinned) => {
                return refused(format!(
                    "{host} answers with {shown}, and not with {}, which this run gave it: another \
                     machine has its address, or it is in another system; nothing was sent to it",
                    show(pinned)
                ));
            }
            Expected::Known { files, known, accept_new } => (files, known, *accept_new),
        };
        let verdict = match known.judge(&offered) {
            Verdict::Unknown if accept_new => {
                let (own, host) = (files.own.clone(), self.host.clone());
                let learned = task::spawn_blocking(move || learn(&own, &host, &offered)).await;
                learned
                    .unwrap_or_else(|error| Err(std::io::Error::other(error)))
                    .map_err(|error| unusable(&files.own, &error))?
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::Right => Ok(()),
            Verdict::Unknown => refused(format!(
                "{host} is in no known-hosts file and offers {shown}; compare this with the device, \
                 then log in once with ssh to take it in, or set `host_keys: accept-new`"
            )),
            Verdict::Changed(line) => refused(format!(
                "{host} offers {shown}, which is not the key in {} line {}: another machine has its \
                 address, or it was installed anew; if you know which, forget the old key with \
                 `ssh-keygen -R '{host}' -f '{}'`",
                line.file.display(),
                line.number,
                line.file.display()
            )),
            Verdict::Revoked(line) => refused(format!(
                "{host} offers {shown}, which is revoked in {} line {}; give it another host key",
                line.file.display(),
                line.number
            )),
        }
    }
}

/// A known-hosts file that cannot be used.
pub(crate) fn unusable(path: &Path, error: &std::io::Error) -> TransportError {
    TransportError::Local { path: path.display().to_string(), message: error.to_string() }
}

/// A key as people compare it.
pub(crate) fn show(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}
