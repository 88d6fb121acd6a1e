//! The FAT partition as firmware sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The boot partition's files: paths relative to its root, separated by `/`, in any case.
pub trait BootPartition {
    /// The content of the file at `path`, or nothing if there is none.
    fn read(&self, path: &str) -> Option<&[u8]>;
}

impl BootPartition for BTreeMap<String, Arc<[u8]>> {
    fn read(&self, path: &str) -> Option<&[u8]> {
        // FAT compares names without regard to case; the exact name is merely the faster way to
        // find one.
        let found = self.get(path).or_else(|| {
            self.iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(path))
                .map(|(_, content)| content)
        });
        found.map(|content| &**content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let tree = BTreeMap::from([("Overlays/README".to_owned(), Arc::from(&b"text"[..]))]);
        assert_eq!(tree.read("overlays/readme"), Some(&b"text"[..]));
        assert_eq!(tree.read("overlays"), None);
    }
}
