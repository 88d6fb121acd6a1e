//! Keys of our own, and the operator's key files.

use migos_engine::port::{KeyPair, LoginKey, Seed, TransportError};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{PrivateKey, PublicKey, decode_secret_key};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task;

/// What stands behind the key in `authorized_keys`, for people who find it there.
const COMMENT: &str = "migos-fleet";

/// The key pair that a seed stands for, in all its forms.
pub(crate) fn key_pair(seed: &Seed) -> KeyPair {
    let pair = Ed25519Keypair::from_seed(&seed.0);
    let public = KeyData::Ed25519(pair.public);
    // The encoders fail for lengths beyond 4 GiB only.
    let public_line = PublicKey::new(public, COMMENT).to_openssh().unwrap_or_default();
    let mut dropbear = Vec::new();
    put_string(&mut dropbear, b"ssh-ed25519");
    put_string(&mut dropbear, &[seed.0, pair.public.0].concat());
    KeyPair { seed: seed.clone(), public_line, dropbear }
}

/// A string of the SSH protocol (RFC 4251): its length in four bytes, then itself.
fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

/// The operator's key files, each read once.
#[derive(Debug, Default)]
pub(crate) struct KeyFiles(Mutex<HashMap<PathBuf, Arc<PrivateKey>>>);

impl KeyFiles {
    /// The key to log in with.
    ///
    /// # Errors
    /// [`TransportError::Local`] if its file cannot be used.
    pub(crate) async fn key(&self, key: &LoginKey) -> Result<Arc<PrivateKey>, TransportError> {
        match key {
            LoginKey::Own(pair) => {
                let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&pair.seed.0));
                let key = PrivateKey::new(pair, COMMENT);
                key.map(Arc::new).map_err(|error| TransportError::Login(error.to_string()))
            }
            LoginKey::File(path) => {
                if let Some(key) = self.files().get(path) {
                    return Ok(key.clone());
                }
                let file = path.clone();
                let read = task::spawn_blocking(move || read(&file));
                let key = read.await.map_err(|error| local(path, &error.to_string()))??;
                Ok(self.files().entry(path.clone()).or_insert(Arc::new(key)).clone())
            }
        }
    }

    fn files(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Arc<PrivateKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn local(path: &Path, message: &str) -> TransportError {
    TransportError::Local { path: path.display().to_string(), message: message.to_owned() }
}

fn read(path: &Path) -> Result<PrivateKey, TransportError> {
    let text = std::fs::read_to_string(path).map_err(|error| local(path, &error.to_string()))?;
    match decode_secret_key(&text, None) {
        Ok(key) if !key.is_encrypted() => Ok(key),
        Ok(_) | Err(russh::keys::Error::KeyIsEncrypted) => Err(local(
            path,
            "the key is protected by a passphrase, which is not supported yet; log in with a key \
             without one: make it with `ssh-keygen -t ed25519 -N ''` and put its public half on the \
             devices",
        )),
        Err(error) => Err(local(path, &format!("it is not a private key: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::fs;
    use std::process::Command;

    /// RFC 8032, section 7.1, test 1.
    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn bytes(hex: &str) -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn a_seed_gives_the_pair_in_all_its_forms() {
        let pair = key_pair(&Seed(bytes(SEED)));
        let public = PublicKey::from_openssh(&pair.public_line).unwrap();
        assert!(pair.public_line.starts_with("ssh-ed25519 AAAA"), "{}", pair.public_line);
        assert!(pair.public_line.ends_with(" migos-fleet"), "{}", pair.public_line);
        assert_eq!(public.key_data().ed25519().unwrap().0, bytes(PUBLIC));
        let wanted = [
            b"\0\0\0\x0bssh-ed25519\0\0\0\x40".to_vec(),
            bytes(SEED).to_vec(),
            bytes(PUBLIC).to_vec(),
        ];
        assert_eq!(pair.dropbear, wanted.concat());
    }

    fn keygen(path: &Path, kind: &str, passphrase: &str) {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(path);
        assert!(keygen.status().unwrap().success());
    }

    #[tokio::test]
    async fn a_key_file_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id");
        keygen(&path, "ed25519", "");
        let (files, login) = (KeyFiles::default(), LoginKey::File(path.clone()));
        let first = files.key(&login).await.unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &files.key(&login).await.unwrap()));
    }

    #[tokio::test]
    async fn files_that_do_not_do_are_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let locked = folder.path().join("locked");
        keygen(&locked, "ed25519", "secret");
        let public = folder.path().join("locked.pub");
        let missing = folder.path().join("missing");
        for (path, words) in [
            (locked, "protected by a passphrase, which is not supported yet"),
            (public, "it is not a private key"),
            (missing, "No such file"),
        ] {
            let error = KeyFiles::default().key(&LoginKey::File(path.clone())).await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains(words) && text.contains(path.to_str().unwrap()), "{text}");
        }
    }
}
