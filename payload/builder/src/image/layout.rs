//! Whether partitions are those of balenaOS, as a card boots it.

use super::partition::{Content, Partition};
use migos_payload::size::ByteCount;

/// The partitions of balenaOS (meta-balena, `image_types_balena.bbclass`).
const BALENA_OS: [&str; 5] = ["boot", "rootA", "rootB", "state", "data"];
/// How their labels begin: the name that the system had first, and the one that it has now.
const PREFIXES: [&str; 2] = ["resin-", "balena-"];
/// How the labels of an image begin that only writes another one onto a disk (meta-balena,
/// `balena-image-flasher.bb`).
const FLASHER: &str = "flash-";

/// Why an image is not to be written onto a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The end is missing.
    #[error(
        "the image ends after {has} bytes, but its partitions after {needs}: it is cut off; get it anew"
    )]
    Short {
        /// Bytes that are there.
        has: u64,
        /// Bytes that the table speaks of.
        needs: u64,
    },
    /// It would write another system from a stick onto the device, which has no place for that.
    #[error(
        "it is a flasher image (its partitions are called {FLASHER}…), which only installs another one; \
         balena gives out images of cards for every Pi: choose one of those"
    )]
    Flasher,
    /// It is something else.
    #[error(
        "it is no image of balenaOS: it has no partition {missing}; its partitions are {found}"
    )]
    Foreign {
        /// The label of the first partition that is missing.
        missing: String,
        /// The labels that there are.
        found: String,
    },
}

/// Checks the partitions of an image of so many bytes.
pub(super) fn check(partitions: &[Partition], size: u64) -> Result<(), LayoutError> {
    is_whole(partitions, size)?;
    let has = |name: &str| partitions.iter().any(|partition| is_called(partition, name));
    match BALENA_OS.iter().find(|name| !has(name)) {
        None => Ok(()),
        Some(name) => {
            let labels = partitions.iter().filter(|it| it.content != Content::Extended);
            let labels: Vec<&str> = labels.map(|partition| named(&partition.label)).collect();
            Err(LayoutError::Foreign { missing: format!("resin-{name}"), found: labels.join(", ") })
        }
    }
}

/// Checks only that all partitions are there, and that they are not a flasher's.
pub(super) fn is_whole(partitions: &[Partition], size: u64) -> Result<(), LayoutError> {
    let needs = partitions.iter().map(Partition::end).max().unwrap_or(0);
    if needs > size {
        return Err(LayoutError::Short { has: size, needs });
    }
    let is_flasher = |it: &Partition| it.label.to_ascii_lowercase().starts_with(FLASHER);
    if partitions.iter().any(is_flasher) { Err(LayoutError::Flasher) } else { Ok(()) }
}

/// Bytes that a card must have at least: all partitions.
pub(super) fn needed(partitions: &[Partition], size: u64) -> ByteCount {
    ByteCount(partitions.iter().map(Partition::end).max().unwrap_or(0).max(size))
}

/// Labels of FAT may be in capitals, whatever they were given as.
fn is_called(partition: &Partition, name: &str) -> bool {
    PREFIXES.iter().any(|prefix| partition.label.eq_ignore_ascii_case(&format!("{prefix}{name}")))
}

fn named(label: &str) -> &str {
    if label.is_empty() { "without a name" } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(labels: &[&str]) -> Vec<Partition> {
        let partition = |(number, label): (usize, &&str)| Partition {
            number,
            start: ByteCount(number as u64 * 100),
            size: ByteCount(100),
            content: Content::Ext,
            label: (*label).to_owned(),
        };
        (1..).zip(labels).map(partition).collect()
    }

    #[test]
    fn old_and_new_names_are_balenas() {
        let old = ["RESIN-BOOT", "resin-rootA", "resin-rootB", "resin-state", "resin-data"];
        let new = ["balena-boot", "balena-rootA", "balena-rootB", "balena-state", "balena-data"];
        assert_eq!(check(&partitions(&old), 600), Ok(()));
        assert_eq!(check(&partitions(&new), 600), Ok(()));
        assert_eq!(needed(&partitions(&old), 0), ByteCount(600));
    }

    #[test]
    fn others_are_refused_in_words() {
        let words =
            |labels: &[&str], size| check(&partitions(labels), size).unwrap_err().to_string();
        insta::assert_snapshot!(words(&["bootfs", ""], 300), @"it is no image of balenaOS: it has no partition resin-boot; its partitions are bootfs, without a name");
        insta::assert_snapshot!(words(&["bootfs", ""], 299), @"the image ends after 299 bytes, but its partitions after 300: it is cut off; get it anew");
        insta::assert_snapshot!(words(&["FLASH-BOOT", "flash-rootA"], 300), @"it is a flasher image (its partitions are called flash-…), which only installs another one; balena gives out images of cards for every Pi: choose one of those");
    }
}
