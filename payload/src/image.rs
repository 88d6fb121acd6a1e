//! What is known of a balenaOS image before it is sent.

use crate::digest::Sha256;
use crate::size::ByteCount;
use migos_contract::{Chunks, Compression};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the image manifest's form.
pub const IMAGE_SCHEMA: u32 = 1;

/// The suffix of an image manifest's file name, after the image's own name.
pub const IMAGE_MANIFEST_SUFFIX: &str = ".manifest.json";

/// The manifest of an image: it stands beside the image as `<image>.manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageManifest {
    /// [`IMAGE_SCHEMA`].
    pub schema: u32,
    /// The balena device type it is made for.
    pub device_type: String,
    /// The architecture of its userland, as balena calls it: `rpi`, `armv7hf` or `aarch64`.
    pub architecture: String,
    /// The version of balenaOS in it, as the running system will report it.
    pub os_version: String,
    /// How the file is compressed.
    #[schemars(with = "String")]
    pub compression: Compression,
    /// The file's size.
    pub size: ByteCount,
    /// The file's digest.
    pub sha256: Sha256,
    /// The size of the image when unpacked.
    pub raw_size: ByteCount,
    /// The digest of the image when unpacked.
    pub raw_sha256: Sha256,
    /// The chunks that the file is made of, each to be unpacked and verified by itself. With them MIGOS unpacks only
    /// what it writes next, and a board whose memory does not hold the file can be sent it while the card is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub chunks: Option<Chunks>,
}

/// What is wrong with an image or its manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Another form than this version reads.
    #[error("image manifest has schema {0}, this version reads {IMAGE_SCHEMA}")]
    Schema(u32),
    /// The file is not the one that the manifest describes.
    #[error("the image is damaged or another one: it has {found}, its manifest says {expected}")]
    Differs {
        /// Size and digest of the file.
        found: String,
        /// Size and digest in the manifest.
        expected: String,
    },
    /// An image that is not compressed has one digest and one size.
    #[error("the manifest of an uncompressed image gives two sizes or digests")]
    Contradiction,
    /// Chunks that do not add up to the file, or to the image.
    #[error("the manifest's chunks do not add up to the image; prepare it anew")]
    Chunks,
}

impl ImageManifest {
    /// Checks the manifest, and the file it stands for by the file's size and digest.
    ///
    /// # Errors
    /// [`ImageError`] says what differs.
    pub fn check(&self, size: ByteCount, sha256: Sha256) -> Result<(), ImageError> {
        if self.schema != IMAGE_SCHEMA {
            return Err(ImageError::Schema(self.schema));
        }
        let same = self.size == self.raw_size && self.sha256 == self.raw_sha256;
        if self.compression == Compression::None && !same {
            return Err(ImageError::Contradiction);
        }
        if self.chunks.as_ref().is_some_and(|chunks| !self.is_made_of(chunks)) {
            return Err(ImageError::Chunks);
        }
        if (size, sha256) != (self.size, self.sha256) {
            return Err(ImageError::Differs {
                found: format!("{} bytes, SHA-256 {}", size.0, sha256.short()),
                expected: format!("{} bytes, SHA-256 {}", self.size.0, self.sha256.short()),
            });
        }
        Ok(())
    }

    fn is_made_of(&self, chunks: &Chunks) -> bool {
        let size = chunks.chunks.iter().try_fold(0, |sum: u64, chunk| sum.checked_add(chunk.size));
        self.compression == Compression::Gzip
            && chunks.raw_size > 0
            && size == Some(self.size.0)
            && self.raw_size.0.div_ceil(chunks.raw_size) == chunks.chunks.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migos_contract::Chunk;

    fn manifest() -> ImageManifest {
        ImageManifest {
            schema: IMAGE_SCHEMA,
            device_type: "raspberrypi3".into(),
            architecture: "armv7hf".into(),
            os_version: "balenaOS 6.0.24".into(),
            compression: Compression::None,
            size: ByteCount(5),
            sha256: Sha256::of(b"image"),
            raw_size: ByteCount(5),
            raw_sha256: Sha256::of(b"image"),
            chunks: None,
        }
    }

    #[test]
    fn the_described_file_passes() {
        assert_eq!(manifest().check(ByteCount(5), Sha256::of(b"image")), Ok(()));
    }

    #[test]
    fn chunks_that_do_not_add_up_are_refused() {
        let chunk = |size| Chunk { size, raw_sha256: String::new() };
        let check = |compression, raw_size, sizes: &[u64]| {
            let chunks = sizes.iter().copied().map(chunk).collect();
            let chunks = Some(Chunks { raw_size, chunks });
            ImageManifest { compression, chunks, ..manifest() }
                .check(ByteCount(5), Sha256::of(b"image"))
        };
        assert_eq!(check(Compression::Gzip, 4, &[3, 2]), Ok(()));
        for (compression, raw_size, sizes) in [
            (Compression::None, 4, &[3, 2][..]),
            (Compression::Gzip, 4, &[3, 3]),
            (Compression::Gzip, 4, &[u64::MAX, 6]),
            (Compression::Gzip, 4, &[5]),
            (Compression::Gzip, 0, &[3, 2]),
        ] {
            assert_eq!(check(compression, raw_size, sizes), Err(ImageError::Chunks), "{sizes:?}");
        }
    }

    #[test]
    fn another_file_or_form_is_refused() {
        let differs = manifest().check(ByteCount(5), Sha256::of(b"imagE"));
        assert!(matches!(differs, Err(ImageError::Differs { .. })));
        let newer = ImageManifest { schema: 2, ..manifest() };
        assert_eq!(newer.check(ByteCount(5), Sha256::of(b"image")), Err(ImageError::Schema(2)));
        let torn = ImageManifest { raw_size: ByteCount(6), ..manifest() };
        assert_eq!(torn.check(ByteCount(5), Sha256::of(b"image")), Err(ImageError::Contradiction));
    }
}
