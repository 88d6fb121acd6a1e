//! File contents, stored once however many cards hold them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use migos_payload::digest::Sha256;

/// The content of a file, and its digest.
#[derive(Clone)]
pub(crate) struct Content {
    bytes: Arc<[u8]>,
    sha256: Sha256,
}

impl Content {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, shared.
    pub(crate) fn shared(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// The digest of the bytes.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }
}

/// Keeps every content once: hundreds of cards hold the same files, and one copy of each in memory.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<HashMap<Sha256, Weak<[u8]>>>>);

impl Pool {
    /// The content of these bytes; if some card has it already, that copy.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Content {
        let sha256 = Sha256::of(bytes);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = known.get(&sha256).and_then(Weak::upgrade) {
            return Content { bytes, sha256 };
        }
        known.retain(|_, bytes| bytes.strong_count() > 0);
        let bytes: Arc<[u8]> = Arc::from(bytes);
        known.insert(sha256, Arc::downgrade(&bytes));
        Content { bytes, sha256 }
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
        assert!(Arc::ptr_eq(&first.shared(), &second.shared()));
        assert_eq!(first.sha256(), Sha256::of(b"kernel"));
        drop((first, second));
        let _other = pool.keep(b"initrd");
        assert_eq!(pool.0.lock().map(|known| known.len()).ok(), Some(1));
    }
}
