//! File contents, stored once however many cards hold them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use migos_payload::digest::Sha256;

/// The content of a file, and its digest.
#[derive(Clone)]
pub(crate) struct Content {
    bytes: Arc<Vec<u8>>,
    /// Of contents that are large and seldom read it is made when it is asked for.
    sha256: Arc<OnceLock<Sha256>>,
}

impl Content {
    /// A file that begins with these bytes and is empty from there on.
    ///
    /// The system gives memory for zeros only where something else is written over them, so that a file of
    /// tens of megabytes costs next to nothing.
    pub(crate) fn hollow(head: &[u8], length: usize) -> Self {
        let mut bytes = vec![0; length];
        let told = head.len().min(length);
        bytes[..told].copy_from_slice(&head[..told]);
        Self { bytes: Arc::new(bytes), sha256: Arc::default() }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of the bytes.
    pub(crate) fn sha256(&self) -> Sha256 {
        *self.sha256.get_or_init(|| Sha256::of(&self.bytes))
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes) || self.sha256() == other.sha256()
    }
}

/// Keeps every content once: hundreds of cards hold the same files, and one copy of each in memory.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<HashMap<Sha256, Weak<Vec<u8>>>>>);

impl Pool {
    /// The content of these bytes; if some card has it already, that copy.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Content {
        let sha256 = Sha256::of(bytes);
        let digest = || Arc::new(OnceLock::from(sha256));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = known.get(&sha256).and_then(Weak::upgrade) {
            return Content { bytes, sha256: digest() };
        }
        known.retain(|_, bytes| bytes.strong_count() > 0);
        let bytes = Arc::new(bytes.to_vec());
        known.insert(sha256, Arc::downgrade(&bytes));
        Content { bytes, sha256: digest() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contents_are_one_copy_and_forgotten_with_the_last() {
        let pool = Pool::default();
        let first = pool.keep(b"kernel");
        let second = pool.keep(b"kernel");
        assert!(Arc::ptr_eq(&first.bytes, &second.bytes));
        assert_eq!(first.sha256(), Sha256::of(b"kernel"));
        drop((first, second));
        let _other = pool.keep(b"initrd");
        assert_eq!(pool.0.lock().map(|known| known.len()).ok(), Some(1));
    }

    #[test]
    fn a_hollow_file_has_its_length_its_head_and_a_digest() {
        let hollow = Content::hollow(b"head", 9);
        assert_eq!(hollow.bytes(), b"head\0\0\0\0\0");
        assert_eq!(hollow.sha256(), Sha256::of(b"head\0\0\0\0\0"));
        assert_eq!(Content::hollow(b"head", 2).bytes(), b"he");
        assert!(hollow == Pool::default().keep(b"head\0\0\0\0\0"));
    }
}
