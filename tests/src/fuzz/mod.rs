//! Readers of foreign text, tried with texts that nobody would write: whatever comes, a reader answers and never panics.
//!
//! `targets` has one plain function for each reader, with the texts it begins with; `changes` makes others of them,
//! the same ones each time. `make test` tries some thousands, `make fuzz TARGET=NAME SECONDS=N` goes on for longer.

mod changes;
mod targets;

pub use changes::Changes;
pub use targets::TARGETS;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A reader to be tried.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads these bytes, and panics only if something is wrong with the reader.
    pub read: fn(&[u8]),
    /// Texts that it understands, or nearly.
    pub seeds: &'static [&'static str],
}

impl Target {
    /// Tries the texts it begins with, then changed ones for as long as `goes_on` says so.
    ///
    /// # Errors
    /// The text at which the reader panicked.
    pub fn try_out(&self, seed: u64, mut goes_on: impl FnMut() -> bool) -> Result<u64, Vec<u8>> {
        let mut tried = 0;
        for text in self.seeds {
            self.try_one(text.as_bytes())?;
        }
        let mut changes = Changes::new(self.seeds, seed);
        while goes_on() {
            self.try_one(&changes.next_text())?;
            tried += 1;
        }
        Ok(tried)
    }

    fn try_one(&self, text: &[u8]) -> Result<(), Vec<u8>> {
        catch_unwind(AssertUnwindSafe(|| (self.read)(text))).map_err(|_| text.to_vec())
    }
}
