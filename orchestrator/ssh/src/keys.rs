//! Keys of our own, and the operator's key files.

use migos_engine::port::{KeyPair, Seed, TransportError};
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

/// The operator's key files, each read once, and the passphrases that open them.
#[derive(Default)]
pub(crate) struct KeyFiles {
    files: Mutex<HashMap<PathBuf, Arc<PrivateKey>>>,
    passphrases: Mutex<HashMap<PathBuf, Arc<str>>>,
}

/// What a file of a private key is.
pub(crate) enum KeyFile {
    /// The key.
    Open(Arc<PrivateKey>),
    /// It is protected by a passphrase that nobody gave.
    Locked,
}

impl KeyFiles {
    /// Takes in the passphrase of a file.
    pub(crate) fn passphrase(&self, path: &Path, passphrase: Arc<str>) {
        self.passphrases().insert(path.to_owned(), passphrase);
    }

    /// The key in a file.
    ///
    /// # Errors
    /// [`TransportError::Local`] if the file cannot be used.
    pub(crate) async fn key(&self, path: &Path) -> Result<KeyFile, TransportError> {
        if let Some(key) = self.files().get(path) {
            return Ok(KeyFile::Open(key.clone()));
        }
        let passphrase = self.passphrases().get(path).cloned();
        let file = path.to_owned();
        let read = task::spawn_blocking(move || read(&file, passphrase.as_deref()));
        let read = read.await.map_err(|error| local(path, &error.to_string()))??;
        Ok(match read {
            Some(key) => {
                let mut files = self.files();
                KeyFile::Open(files.entry(path.to_owned()).or_insert(Arc::new(key)).clone())
            }
            None => KeyFile::Locked,
        })
    }

    fn passphrases(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Arc<str>>> {
        self.passphrases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Arc<PrivateKey>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a run.
pub(crate) fn own_key(pair: &KeyPair) -> Result<Arc<PrivateKey>, TransportError> {
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&pair.seed.0));
    let key = PrivateKey::new(pair, COMMENT);
    key.map(Arc::new).map_err(|error| TransportError::Login(error.to_string()))
}

/// The public half that lies beside a file, for who has the private one in an agent.
pub(crate) fn public_half(path: &Path) -> Option<PublicKey> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PublicKey::from_openssh(&std::fs::read_to_string(PathBuf::from(name)).ok()?).ok()
}

pub(crate) fn local(path: &Path, message: &str) -> TransportError {
    TransportError::Local { path: path.display().to_string(), message: message.to_owned() }
}

/// Reads a key; nothing if it is protected and no passphrase was given.
fn read(path: &Path, passphrase: Option<&str>) -> Result<Option<PrivateKey>, TransportError> {
    let text = std::fs::read_to_string(path).map_err(|error| local(path, &error.to_string()))?;
    match (decode_secret_key(&text, passphrase), passphrase) {
        (Ok(key), _) if !key.is_encrypted() => Ok(Some(key)),
        (Ok(_) | Err(russh::keys::Error::KeyIsEncrypted), _) => Ok(None),
        (Err(_), Some(_)) => Err(local(path, "the passphrase does not open this key")),
        (Err(error), None) => Err(local(path, &format!("it is not a private key: {error}"))),
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
        let files = KeyFiles::default();
        let KeyFile::Open(first) = files.key(&path).await.unwrap() else { panic!("it is locked") };
        fs::remove_file(&path).unwrap();
        let KeyFile::Open(again) = files.key(&path).await.unwrap() else { panic!("it is locked") };
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[tokio::test]
    async fn a_passphrase_opens_a_key() {
        let folder = tempfile::tempdir().unwrap();
        for kind in ["ed25519", "ecdsa", "rsa"] {
            let path = folder.path().join(kind);
            keygen(&path, kind, "open sesame");
            let files = KeyFiles::default();
            assert!(matches!(files.key(&path).await, Ok(KeyFile::Locked)), "{kind}");
            files.passphrase(&path, "open barley".into());
            let error = files.key(&path).await.err().unwrap().to_string();
            assert!(error.ends_with("the passphrase does not open this key"), "{error}");
            files.passphrase(&path, "open sesame".into());
            assert!(matches!(files.key(&path).await, Ok(KeyFile::Open(_))), "{kind}");
        }
    }

    #[tokio::test]
    async fn files_that_do_not_do_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let locked = folder.path().join("locked");
        keygen(&locked, "ed25519", "secret");
        let public = folder.path().join("locked.pub");
        let missing = folder.path().join("missing");
        for (path, words) in [(public, "it is not a private key"), (missing, "No such file")] {
            let text = KeyFiles::default().key(&path).await.err().unwrap().to_string();
            assert!(text.contains(words) && text.contains(path.to_str().unwrap()), "{text}");
        }
    }
}
