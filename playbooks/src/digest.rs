//! Digests of values by their JSON, which is never held in memory as a whole.

use migos_payload::digest::{Hasher, Sha256};
use serde::Serialize;
use std::io::{self, BufWriter, Write};

/// The digest of the compact JSON of a value.
///
/// # Errors
/// If the value cannot be written as JSON.
pub(crate) fn of_json(value: &impl Serialize) -> Result<Sha256, serde_json::Error> {
    let mut text = BufWriter::new(Digested(Hasher::default()));
    serde_json::to_writer(&mut text, value)?;
    let Digested(hasher) =
        text.into_inner().map_err(|error| serde_json::Error::io(error.into()))?;
    Ok(hasher.finish())
}

/// Takes a text piece by piece, and keeps nothing of it but its digest.
struct Digested(Hasher);

impl Write for Digested {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_is_the_digest_of_the_text() {
        let value: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
        let text = serde_json::to_vec(&value).unwrap();
        assert_eq!(of_json(&value).unwrap(), Sha256::of(&text));
    }
}
