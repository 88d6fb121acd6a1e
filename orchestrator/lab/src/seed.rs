//! Everything that looks random in a lab, and is the same in every lab of the same seed.

use sha2::{Digest, Sha256};

/// The seed of a lab.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// 32 bytes that look random; the same for the same label.
    pub(crate) fn bytes(self, label: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.0.to_be_bytes());
        hasher.update(label.as_bytes());
        hasher.finalize().into()
    }

    /// So many hex digits, at most 64.
    pub(crate) fn hex(self, label: &str, digits: usize) -> String {
        let mut text: String = self.bytes(label).iter().map(|byte| format!("{byte:02x}")).collect();
        text.truncate(digits);
        text
    }

    /// A number.
    pub(crate) fn number(self, label: &str) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes(label);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// A random UUID, as the kernel's boot id is.
    pub(crate) fn uuid(self, label: &str) -> String {
        let hex = self.hex(label, 32);
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

/// Bytes that do not compress, the same for the same name: the inside of a kernel, say.
///
/// They do not depend on a lab's seed, so that stock files are the same on all cards.
pub(crate) fn noise(name: &str, length: usize) -> Vec<u8> {
    // Marsaglia's xorshift64; it must never be 0.
    let mut state = Seed(0).number(name) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_label_always_give_the_same() {
        assert_eq!(Seed(7).uuid("boot 1"), Seed(7).uuid("boot 1"));
        assert_ne!(Seed(7).uuid("boot 1"), Seed(7).uuid("boot 2"));
        assert_ne!(Seed(7).number("serial"), Seed(8).number("serial"));
        assert_eq!((noise("a", 1001).len(), noise("a", 9)), (1001, noise("a", 9)));
    }
}
