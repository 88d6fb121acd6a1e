//! The image file as a sequence of chunks, each of which is unpacked and verified by itself.

use flate2::bufread::GzDecoder;
use migos_contract::{Chunk, Chunks, Compression, Image as Promise, Part};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use thiserror::Error;

/// Some chunks are in memory at once, packed and unpacked, on boards with 256 MiB.
const LARGEST_CHUNK: u64 = 8 << 20;

/// Why chunks are not the job's.
#[derive(Debug, Error)]
pub enum ChunksError {
    /// The list is another one.
    #[error("the image's list of chunks is damaged: its digest is not the job's")]
    Damaged,
    /// The list cannot be read.
    #[error("the image's list of chunks is not understood: {0}")]
    NotUnderstood(serde_json::Error),
    /// The list is not one of this image.
    #[error("the image's list of chunks does not fit the image: {0}")]
    OtherImage(&'static str),
    /// A chunk does not unpack.
    #[error("chunk {index} of the image does not unpack: {source}")]
    Unpack {
        /// Its number, from 0.
        index: usize,
        /// Why.
        source: io::Error,
    },
    /// A chunk is another one, or damaged.
    #[error("chunk {0} of the image is damaged: it is not what the job says")]
    OtherContent(usize),
}

/// Where each chunk of an image stands in its file, and what it has to unpack to.
#[derive(Debug)]
pub struct ChunkTable {
    compression: Compression,
    /// The image's size when unpacked.
    raw_size: u64,
    /// Bytes of each chunk but the last when unpacked.
    raw_chunk: u64,
    chunks: Vec<Chunk>,
    /// Where each begins in the file, and at last where the file ends.
    offsets: Vec<u64>,
}

impl ChunkTable {
    /// Reads the job's list of chunks, and checks it against what the job says of the image.
    ///
    /// # Errors
    /// [`ChunksError`] says in what it is not this image's.
    pub fn read(text: &[u8], promise: &Promise) -> Result<Self, ChunksError> {
        if promise.chunks_sha256 != Some(sha256(text)) {
            return Err(ChunksError::Damaged);
        }
        let Chunks { raw_size: raw_chunk, chunks } =
            serde_json::from_slice(text).map_err(ChunksError::NotUnderstood)?;
        let other = |why| Err(ChunksError::OtherImage(why));
        if raw_chunk == 0 || raw_chunk > LARGEST_CHUNK {
            return other("the size of its chunks is none that memory holds");
        }
        // Otherwise the first would not hold sector 0.
        if raw_chunk < crate::table::SECTOR as u64 {
            return other("its chunks are smaller than a sector");
        }
        if promise.raw_size.div_ceil(raw_chunk) != chunks.len() as u64 || chunks.is_empty() {
            return other("the number of chunks is another");
        }
        // What does not pack grows a little.
        let largest = raw_chunk + raw_chunk / 64 + 1024;
        if chunks.iter().any(|chunk| chunk.size == 0 || chunk.size > largest) {
            return other("a chunk is empty or too large");
        }
        let mut end = 0;
        let ends = chunks.iter().map(|chunk| {
            end += chunk.size;
            end
        });
        let offsets: Vec<u64> = std::iter::once(0).chain(ends).collect();
        if end != promise.size {
            return other("the chunks are not as long as the file");
        }
        let (compression, raw_size) = (promise.compression, promise.raw_size);
        Ok(Self { compression, raw_size, raw_chunk, chunks, offsets })
    }

    /// The image's size when unpacked, in bytes.
    pub fn raw_size(&self) -> u64 {
        self.raw_size
    }

    /// The numbers of all chunks.
    pub(super) fn all(&self) -> Range<usize> {
        0..self.chunks.len()
    }

    /// Where these chunks stand in the file.
    pub(super) fn part(&self, chunks: &Range<usize>) -> Part {
        let (offset, end) = (self.offsets[chunks.start], self.offsets[chunks.end]);
        Part { offset, length: end - offset }
    }

    /// The chunks that hold a range of the unpacked image; none for an empty range.
    fn holding(&self, raw: &Range<u64>) -> Range<usize> {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let start = number(raw.start / self.raw_chunk).min(self.chunks.len());
        let end = number(raw.end.div_ceil(self.raw_chunk)).min(self.chunks.len());
        start..if raw.is_empty() { start } else { end.max(start) }
    }

    /// Unpacks a chunk and verifies it.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn unpack(&self, index: usize, packed: &[u8]) -> Result<Vec<u8>, ChunksError> {
        let start = index as u64 * self.raw_chunk;
        let size = self.raw_chunk.min(self.raw_size - start);
        let mut raw = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        let rest = match self.compression {
            Compression::None => {
                raw.extend_from_slice(packed);
                0
            }
            Compression::Gzip => {
                let mut member = GzDecoder::new(packed);
                // One more than there should be: so the checksum at the end is read, and no bomb is unpacked.
                member
                    .by_ref()
                    .take(size + 1)
                    .read_to_end(&mut raw)
                    .map_err(|source| ChunksError::Unpack { index, source })?;
                member.into_inner().len()
            }
        };
        let is_it =
            rest == 0 && raw.len() as u64 == size && sha256(&raw) == self.chunks[index].raw_sha256;
        if is_it { Ok(raw) } else { Err(ChunksError::OtherContent(index)) }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A range of an unpacked image, read chunk by chunk; from where the chunks come, somebody else knows.
pub(super) struct ChunkReader<F> {
    chunks: Range<usize>,
    next: F,
    chunk: Arc<Vec<u8>>,
    /// Where it stands in the chunk.
    at: usize,
}

impl<F: FnMut(usize) -> io::Result<Arc<Vec<u8>>>> ChunkReader<F> {
    /// Reads the range; the chunks that hold it are known beforehand, and are asked for in order.
    pub(super) fn new(
        table: &ChunkTable,
        raw: &Range<u64>,
        next: impl FnOnce(&Range<usize>) -> F,
    ) -> Self {
        let chunks = table.holding(raw);
        let next = next(&chunks);
        let at = usize::try_from(raw.start % table.raw_chunk).unwrap_or(0);
        Self { chunks, next, chunk: Arc::default(), at }
    }
}

impl<F: FnMut(usize) -> io::Result<Arc<Vec<u8>>>> Read for ChunkReader<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // In front of the first chunk it stands where that is to be read from.
        if self.chunk.is_empty() || self.at >= self.chunk.len() {
            let Some(index) = self.chunks.next() else { return Ok(0) };
            self.at = self.at.saturating_sub(self.chunk.len());
            // Its memory is free before the next is waited for.
            self.chunk = Arc::default();
            self.chunk = (self.next)(index)?;
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
