//! SSH keys in the forms that virtual Pis read and the lab's folder shows.

use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, PublicKey};

/// The name of the only kind of key used here, in SSH's own binary form.
const ED25519: &[u8] = b"ssh-ed25519";

/// The ed25519 key of this seed.
pub(crate) fn private_key(seed: &[u8; 32]) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(seed))
}

/// Reads a host key in dropbear's form: two SSH strings, the kind's name and seed ‖ public key.
///
/// A public half that does not belong to the seed is refused, as the client could never verify its
/// signatures.
pub(crate) fn read_dropbear(bytes: &[u8]) -> Option<PrivateKey> {
    let (kind, rest) = string(bytes)?;
    let (pair, rest) = string(rest)?;
    let (seed, public) = pair.split_at_checked(32)?;
    if kind != ED25519 || !rest.is_empty() {
        return None;
    }
    let key = private_key(seed.try_into().ok()?);
    let KeypairData::Ed25519(own) = key.key_data() else { return None };
    (own.public.as_ref() == public).then_some(key)
}

/// The keys of an `authorized_keys` file.
pub(crate) fn read_authorized(text: &str) -> Vec<PublicKey> {
    text.lines().filter_map(|line| PublicKey::from_openssh(line.trim()).ok()).collect()
}

/// An SSH string: four bytes of length, then so many bytes. Returns it and what follows.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn dropbear(kind: &[u8], pair: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for string in [kind, pair] {
            bytes.extend_from_slice(&(string.len() as u32).to_be_bytes());
            bytes.extend_from_slice(string);
        }
        bytes
    }

    #[test]
    fn dropbears_form_is_read_strictly() {
        let pair = Ed25519Keypair::from_seed(&[7; 32]);
        let good = dropbear(ED25519, &pair.to_bytes());
        assert_eq!(read_dropbear(&good).unwrap().public_key(), private_key(&[7; 32]).public_key());

        let foreign = [[7; 32], [8; 32]].concat();
        for bad in [
            &b""[..],
            &good[..good.len() - 1],
            &[&good[..], b"x"].concat(),
            &dropbear(b"ssh-rsa", &pair.to_bytes()),
            &dropbear(ED25519, &foreign),
        ] {
            assert!(read_dropbear(bad).is_none());
        }
    }

    #[test]
    fn authorized_keys_are_found_among_comments() {
        let key = private_key(&[1; 32]).public_key().clone();
        let text = format!("# the run's key\n\n{} a comment\n", key.to_openssh().unwrap());
        let keys = read_authorized(&text);
        assert_eq!(keys.iter().map(PublicKey::key_data).collect::<Vec<_>>(), [key.key_data()]);
    }
}
