//! In which condition a device is: its clock, its card, what watches it, and what it reaches.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A device's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Its time when it was probed, in seconds since 1970.
    pub seconds: i64,
    /// True if it is kept right by a time server; `None` if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<bool>,
}

/// What the kernel says against the card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardErrors {
    /// How many lines of the kernel's log tell of an error, as far as the log goes back; `None` if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<String>,
    /// Errors that ext4 file systems have counted since they were made, by partition; none where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub file_systems: BTreeMap<String, u64>,
}

impl CardErrors {
    /// True if nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What resets the board if nobody feeds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdogs {
    /// The watchdogs that the kernel knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Watchdog>,
    /// `RuntimeWatchdogSec` of systemd, if it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub systemd: Option<String>,
    /// The program that feeds one, if it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon: Option<String>,
}

impl Watchdogs {
    /// True if nothing is known of any.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One watchdog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchdog {
    /// The kernel's name: `watchdog0`.
    pub name: String,
    /// What its driver calls itself.
    pub identity: String,
    /// True if it runs.
    pub armed: bool,
    /// After how many seconds without being fed it resets the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// Where a partition stands on its disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The offset of the first byte.
    pub start: u64,
    /// The number of bytes.
    pub size: u64,
}

impl Extent {
    /// The offset behind the last byte.
    pub fn end(self) -> u64 {
        self.start.saturating_add(self.size)
    }
}
