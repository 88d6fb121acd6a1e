//! Counts of bytes, and how they are written for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::Add;

/// A number of bytes.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct ByteCount(pub u64);

impl ByteCount {
    /// The room these bytes take in clusters of this size; a file of no bytes takes none.
    pub fn in_clusters(self, cluster: ByteCount) -> ByteCount {
        match cluster.0 {
            0 => self,
            size => ByteCount(self.0.div_ceil(size).saturating_mul(size)),
        }
    }
}

impl Add for ByteCount {
    type Output = ByteCount;

    fn add(self, other: ByteCount) -> ByteCount {
        ByteCount(self.0.saturating_add(other.0))
    }
}

impl Sum for ByteCount {
    fn sum<I: Iterator<Item = ByteCount>>(counts: I) -> ByteCount {
        counts.fold(ByteCount(0), Add::add)
    }
}

impl fmt::Display for ByteCount {
    /// Decimal units, as vendors of cards and `df -H` count: `17 MB`, `1.9 GB`, `812 B`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..1_000 => return write!(f, "{} B", self.0),
            1_000..1_000_000 => (1_000, "kB"),
            1_000_000..1_000_000_000 => (1_000_000, "MB"),
            _ => (1_000_000_000, "GB"),
        };
        let (whole, tenth) = (self.0 / unit, self.0 % unit * 10 / unit);
        if whole < 10 && tenth > 0 {
            write!(f, "{whole}.{tenth} {name}")
        } else {
            write!(f, "{whole} {name}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let shown = [812, 1_000, 1_900_000, 17_300_000, 31_000_000_000, 2_000_000_000]
            .map(|n| ByteCount(n).to_string());
        assert_eq!(shown, ["812 B", "1 kB", "1.9 MB", "17 MB", "31 GB", "2 GB"]);
    }

    #[test]
    fn files_fill_whole_clusters() {
        let rooms = [0, 1, 2048, 2049].map(|n| ByteCount(n).in_clusters(ByteCount(2048)).0);
        assert_eq!(rooms, [0, 2048, 2048, 4096]);
    }
}
