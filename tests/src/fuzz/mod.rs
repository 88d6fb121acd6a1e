//! Readers of foreign text, tried with texts that nobody would write: whatever comes, a reader answers and never panics.
//!
//! `targets` names each reader with the texts it begins with, and has a plain function for it, as have `inventories` and
//! `records`; `changes` makes others of the texts,
//! the same ones each time. `make test` tries some thousands, `make fuzz TARGET=NAME SECONDS=N` goes on for longer.

mod changes;
mod inventories;
mod records;
mod targets;

pub use changes::Changes;
use changes::stretched;
pub use targets::TARGETS;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A reader to be tried.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads these bytes, and panics only if something is wrong with the reader.
    pub read: fn(&[u8]),
    /// Texts that it understands, or nearly.
    pub seeds: &'static [&'static [u8]],
}

impl Target {
    /// Tries the texts it begins with, then changed ones for as long as `goes_on` says so.
    ///
    /// # Errors
    /// The text at which the reader panicked.
    pub fn try_out(&self, seed: u64, mut goes_on: impl FnMut() -> bool) -> Result<u64, Vec<u8>> {
        let mut tried = 0;
        for text in self.seeds {
            self.try_one(text)?;
        }
        let mut changes = Changes::new(self.seeds, seed);
        while goes_on() {
            self.try_one(&changes.next_text())?;
            tried += 1;
        }
        Ok(tried)
    }

    /// Tries texts of this length that go on and on in one way, of which a reader may take far too long. `told` hears of
    /// each how long it took.
    ///
    /// # Errors
    /// The text at which the reader panicked.
    pub fn stretch(
        &self,
        length: usize,
        mut told: impl FnMut(&[u8], Duration),
    ) -> Result<(), Vec<u8>> {
        for text in stretched(self.seeds, length) {
            let started = Instant::now();
            self.try_one(&text)?;
            told(&text, started.elapsed());
        }
        Ok(())
    }

    fn try_one(&self, text: &[u8]) -> Result<(), Vec<u8>> {
        catch_unwind(AssertUnwindSafe(|| (self.read)(text))).map_err(|_| text.to_vec())
    }
}
