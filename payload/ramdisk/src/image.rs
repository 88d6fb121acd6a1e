//! The image: in memory, verified once and unpacked as often as it is needed; or sent while the card is written.

mod chunks;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod sample;
mod streamed;

pub use chunks::{ChunkTable, ChunksError};
pub use streamed::{StreamError, StreamedImage};

use chunks::ChunkReader;
use flate2::read::MultiGzDecoder;
use migos_contract::{Compression, Image as Promise};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use thiserror::Error;

/// What is to be written to a card.
pub trait Image {
    /// The size when unpacked, in bytes.
    fn raw_size(&self) -> u64;

    /// Unpacks a part of it, given in bytes of the unpacked image.
    ///
    /// # Errors
    /// It cannot be read.
    fn open(&self, raw: Range<u64>) -> io::Result<Box<dyn Read + '_>>;
}

/// Why a file is not the job's image.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("failed to read the image: {0}")]
    Read(io::Error),
    /// The file is another one, or damaged.
    #[error("the image is damaged: its size or digest is not the job's")]
    Damaged,
    /// The file does not unpack.
    #[error("the image does not unpack: {0}")]
    Unpack(io::Error),
    /// The file unpacks to something else.
    #[error("the image unpacks to something else than the job says")]
    OtherContent,
    /// One of its chunks is not what it has to be.
    #[error(transparent)]
    Chunk(ChunksError),
}

/// The job's image, in a file that lives in memory. It has been verified, packed and unpacked.
#[derive(Debug, Clone)]
pub struct VerifiedImage {
    file: Arc<File>,
    compression: Compression,
    raw_size: u64,
    chunks: Option<Arc<ChunkTable>>,
}

impl VerifiedImage {
    /// Takes a file if it is what the job says, as it is and when unpacked. Where the chunks are known they
    /// are what is unpacked and verified, here and whenever it is read.
    ///
    /// # Errors
    /// [`ImageError`] says in what it is not.
    pub fn verify(
        file: File,
        promise: &Promise,
        chunks: Option<Arc<ChunkTable>>,
    ) -> Result<Self, ImageError> {
        let image = Self {
            file: Arc::new(file),
            compression: promise.compression,
            raw_size: promise.raw_size,
            chunks,
        };
        let packed = sum(image.packed(), promise.size).map_err(ImageError::Read)?;
        if packed.as_ref() != Some(&promise.sha256) {
            return Err(ImageError::Damaged);
        }
        if let Some(table) = &image.chunks {
            for index in table.all() {
                let packed = image.packed_chunk(table, index).map_err(ImageError::Read)?;
                table.unpack(index, &packed).map_err(ImageError::Chunk)?;
            }
            return Ok(image);
        }
        let raw = image
            .unpacked()
            .and_then(|raw| sum(raw, promise.raw_size))
            .map_err(ImageError::Unpack)?;
        match raw.as_ref() == Some(&promise.raw_sha256) {
            true => Ok(image),
            false => Err(ImageError::OtherContent),
        }
    }

    fn packed(&self) -> FileReader<'_> {
        FileReader { file: &self.file, at: 0 }
    }

    fn packed_chunk(&self, table: &ChunkTable, index: usize) -> io::Result<Vec<u8>> {
        let part = table.part(&(index..index + 1));
        let mut packed = vec![0; usize::try_from(part.length).unwrap_or(0)];
        self.file.read_exact_at(&mut packed, part.offset)?;
        Ok(packed)
    }

    /// The whole image, from its beginning.
    fn unpacked(&self) -> io::Result<Box<dyn Read + '_>> {
        let file = BufReader::with_capacity(1 << 16, self.packed());
        Ok(match self.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
        })
    }
}

impl Image for VerifiedImage {
    fn raw_size(&self) -> u64 {
        self.raw_size
    }

    fn open(&self, raw: Range<u64>) -> io::Result<Box<dyn Read + '_>> {
        if let Some(table) = &self.chunks {
            return Ok(Box::new(ChunkReader::new(table, &raw, |_| {
                |index| {
                    let packed = self.packed_chunk(table, index)?;
                    // Memory that fails is found out here, and not on the card.
                    let chunk = table.unpack(index, &packed).map_err(io::Error::other)?;
                    Ok(Arc::new(chunk))
                }
            })));
        }
        let mut image = self.unpacked()?;
        io::copy(&mut image.by_ref().take(raw.start), &mut io::sink())?;
        Ok(image)
    }
}

/// A file read from its beginning, whoever else reads it.
struct FileReader<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// The SHA-256 in hex; nothing if it is not so many bytes.
fn sum(reader: impl Read, size: u64) -> io::Result<Option<String>> {
    let mut sum = Sum(Sha256::new());
    // One more than there should be, so that more is noticed and yet a bomb is not unpacked.
    let found = io::copy(&mut reader.take(size.saturating_add(1)), &mut sum)?;
    let hex = sum.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((found == size).then_some(hex))
}

struct Sum(Sha256);

impl Write for Sum {
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
    use flate2::write::GzEncoder;

    fn hex(bytes: &[u8]) -> String {
        sum(bytes, bytes.len() as u64).unwrap().unwrap()
    }

    fn packed(raw: &[u8]) -> (File, Promise) {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(raw).unwrap();
        let packed = encoder.finish().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&packed).unwrap();
        let promise = Promise {
            path: None,
            url: None,
            into_memory: false,
            size: packed.len() as u64,
            sha256: hex(&packed),
            compression: Compression::Gzip,
            raw_size: raw.len() as u64,
            raw_sha256: hex(raw),
            chunks_sha256: None,
        };
        (file, promise)
    }

    #[test]
    fn a_verified_image_unpacks_as_often_as_wanted() {
        let (file, promise) = packed(b"balena");
        let image = VerifiedImage::verify(file, &promise, None).unwrap();
        for _ in 0..2 {
            let mut raw = String::new();
            image.open(2..6).unwrap().read_to_string(&mut raw).unwrap();
            assert_eq!(raw, "lena");
        }
    }

    #[test]
    fn what_differs_from_the_job_is_refused() {
        let refused = |change: &dyn Fn(&mut Promise)| {
            let (file, mut promise) = packed(b"balena");
            change(&mut promise);
            VerifiedImage::verify(file, &promise, None).unwrap_err()
        };
        assert!(matches!(refused(&|p| p.size += 1), ImageError::Damaged));
        assert!(matches!(refused(&|p| p.size -= 1), ImageError::Damaged));
        assert!(matches!(refused(&|p| p.sha256 = hex(b"other")), ImageError::Damaged));
        assert!(matches!(refused(&|p| p.raw_size -= 1), ImageError::OtherContent));
        assert!(matches!(refused(&|p| p.raw_sha256 = hex(b"other")), ImageError::OtherContent));
        let plain = refused(&|p| {
            p.raw_sha256 = hex(b"other");
            p.compression = Compression::None;
        });
        assert!(matches!(plain, ImageError::OtherContent));
    }
}
