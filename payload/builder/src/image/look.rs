//! Looks into an image without making anything of it.

use super::layout::{self, LayoutError};
use super::partition::{Partition, partitions};
use super::source::{Anywhere, Chunked, anywhere};
use super::told::{Told, says};
use migos_payload::image::ImageManifest;
use migos_payload::size::ByteCount;
use std::fs::File;
use std::io;
use std::path::Path;

/// What is in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Its partitions, as its table has them.
    pub partitions: Vec<Partition>,
    /// What it says of itself.
    pub says: Told,
    /// The least size of a card for it.
    pub needed: ByteCount,
    /// What speaks against it, if anything.
    pub layout: Result<(), LayoutError>,
}

/// Why nothing could be seen, or why what was seen is wrong.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The file cannot be read, or not be unpacked.
    #[error("failed to read the image")]
    Read(#[source] io::Error),
    /// A packed image that ends too early.
    #[error("the file ends early: it is cut off; get it anew")]
    Truncated,
    /// The image is one of something else than its manifest says.
    #[error("the image is for {inside}, its manifest says {manifest}; prepare it anew")]
    OtherType {
        /// What the manifest says.
        manifest: String,
        /// What the image says.
        inside: String,
    },
}

/// Looks into the image in this file: raw, as gzip, or in the chunks that its manifest tells of.
///
/// # Errors
/// [`LookError`]; what speaks against the image's partitions is told in the [`Look`].
pub fn look(path: &Path, manifest: Option<&ImageManifest>) -> Result<Look, LookError> {
    let file = File::open(path).map_err(LookError::Read)?;
    let chunks = manifest.and_then(|manifest| Some((manifest, manifest.chunks.as_ref()?)));
    let mut image: Box<dyn Anywhere + '_> = match chunks {
        Some((manifest, chunks)) => Box::new(Chunked::new(file, chunks, manifest.raw_size.0)),
        None => anywhere(file).map_err(read)?,
    };
    let partitions = partitions(&mut image).map_err(read)?;
    let size = match manifest {
        Some(manifest) => manifest.raw_size.0,
        None => image.seek(io::SeekFrom::End(0)).map_err(read)?,
    };
    let says = says(&mut image, &partitions).unwrap_or_default();
    if let (Some(manifest), Some(inside)) = (manifest, &says.device_type)
        && manifest.device_type != *inside
    {
        return Err(LookError::OtherType {
            manifest: manifest.device_type.clone(),
            inside: inside.clone(),
        });
    }
    let layout = layout::check(&partitions, size);
    Ok(Look { needed: layout::needed(&partitions, size), says, partitions, layout })
}

fn read(error: io::Error) -> LookError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => LookError::Truncated,
        _ => LookError::Read(error),
    }
}
