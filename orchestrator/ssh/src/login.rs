//! Proves to a device who we are.

use crate::connect::Connection;
use crate::timeouts::Timeouts;
use migos_engine::port::{LoginKey, Target, TransportError};
use russh::client::AuthResult;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use std::sync::Arc;
use tokio::time::timeout;

/// Logs in. Never to be called again on a connection that is logged in: sshd ignores a second login, and
/// its answer would be waited for in vain.
pub(crate) async fn login(
    connection: &mut Connection,
    target: &Target,
    key: Arc<PrivateKey>,
    timeouts: &Timeouts,
) -> Result<(), TransportError> {
    match timeout(timeouts.login, attempts(connection, target, key)).await {
        Ok(result) => result,
        Err(_) => Err(TransportError::Unreachable(format!(
            "{}:{}: no answer to the login within {} s",
            target.host,
            target.port,
            timeouts.login.as_secs()
        ))),
    }
}

async fn attempts(
    connection: &mut Connection,
    target: &Target,
    key: Arc<PrivateKey>,
) -> Result<(), TransportError> {
    let lost = || {
        let (host, port) = (&target.host, target.port);
        TransportError::Unreachable(format!("{host}:{port}: the connection was lost during login"))
    };
    let mut takes = String::new();
    for hash in hashes(connection, &key).await {
        let key = PrivateKeyWithHashAlg::new(key.clone(), hash);
        match connection.handle.authenticate_publickey(&target.user, key).await {
            Ok(AuthResult::Success) => return Ok(()),
            // russh's way to say that the connection is gone: every server has some method.
            Ok(AuthResult::Failure { remaining_methods, .. }) if remaining_methods.is_empty() => {
                return Err(lost());
            }
            Ok(AuthResult::Failure { remaining_methods, partial_success: true }) => {
                return Err(refused(
                    target,
                    &format!(
                        "the device takes the key, but wants {} besides, which is not supported; \
                     let the key alone be enough",
                        methods(&remaining_methods)
                    ),
                ));
            }
            Ok(AuthResult::Failure { remaining_methods, .. }) => {
                takes = methods(&remaining_methods)
            }
            Err(_) => return Err(lost()),
        }
    }
    let remedy = match &target.key {
        LoginKey::File(_) => "put its public half into ~/.ssh/authorized_keys of that user",
        LoginKey::Own(_) => "this is not the system that the run started",
    };
    Err(refused(
        target,
        &format!("the device does not take this key (it takes: {takes}); {remedy}"),
    ))
}

fn refused(target: &Target, why: &str) -> TransportError {
    let Target { user, host, key, .. } = target;
    let key = match key {
        LoginKey::File(path) => path.display().to_string(),
        LoginKey::Own(_) => "the run's own key".to_owned(),
    };
    TransportError::Login(format!("{user}@{host} with {key}: {why}"))
}

fn methods(methods: &russh::MethodSet) -> String {
    let names: Vec<&str> = methods.iter().map(Into::into).collect();
    names.join(", ")
}

/// The hashes to sign with, best first. Only RSA has a choice; servers before OpenSSH 7.2 do not say
/// what they take, and the oldest take SHA-1 only, which is `None`.
async fn hashes(connection: &Connection, key: &PrivateKey) -> Vec<Option<HashAlg>> {
    if !key.algorithm().is_rsa() {
        return vec![None];
    }
    match connection.handle.best_supported_rsa_hash().await {
        Ok(Some(hash)) => vec![hash],
        Ok(None) | Err(_) => vec![Some(HashAlg::Sha512), Some(HashAlg::Sha256), None],
    }
}
