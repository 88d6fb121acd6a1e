//! Prepares an image: a gzip file of chunks, each of which can be unpacked and verified by itself, with the manifest
//! that says so. Such a file is still a gzip file like any other.

use super::layout::{self, LayoutError};
use super::partition::partitions;
use super::source::{Chunked, unpacked};
use super::told::{Told, is_version, says};
use crate::card::boot_partition;
use flate2::write::GzEncoder;
use migos_contract::{Chunk, Chunks, Compression};
use migos_payload::digest::{Hasher, Sha256};
use migos_payload::image::{IMAGE_SCHEMA, ImageManifest};
use migos_payload::size::ByteCount;
use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

/// Bytes of a chunk when unpacked: the size of the blocks in which cards erase.
const CHUNK: usize = 4 << 20;

/// Why an image was not prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The source cannot be read.
    #[error("failed to read the image")]
    Read(#[source] io::Error),
    /// A form that this version does not unpack.
    #[error(
        "it is {what}: unpack it on the way, as in: {how} | migos-fleet image prepare - -o FILE"
    )]
    Form {
        /// The form.
        what: &'static str,
        /// A command that unpacks it.
        how: &'static str,
    },
    /// A packed image that ends too early.
    #[error("the gzip file ends early, after {} of the image: it is cut off; get it anew", ByteCount(*.unpacked))]
    Truncated {
        /// Bytes of the image that came out of it.
        unpacked: u64,
    },
    /// The partitions are not those of balenaOS on a card.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// It is for other devices than it was said to be.
    #[error("it is an image for {inside}, not for {asked}")]
    OtherType {
        /// What was said.
        asked: String,
        /// What the image says.
        inside: String,
    },
    /// It is of another version than was asked for.
    #[error("it is an image of {inside}, not of version {asked}")]
    OtherVersion {
        /// The version that was asked for.
        asked: String,
        /// What the image says.
        inside: String,
    },
    /// No disk image, or none for a Pi.
    #[error("it is no image of a card: it has no partition table with a FAT boot partition")]
    NoImage,
    /// The result cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It neither says what it is, nor was it told.
    #[error("the image does not say {what}; say it with {flag}")]
    Unknown {
        /// What is missing.
        what: &'static str,
        /// The flag that says it.
        flag: &'static str,
    },
}

/// Reads an image, raw or as gzip, and writes it as chunks to `output`, whole or not at all. `progress` is told the
/// unpacked bytes so far. The same image gives the same bytes.
///
/// # Errors
/// [`PrepareError`]; an older file of that name is untouched then.
pub fn prepare(
    source: impl Read,
    output: &Path,
    told: &Told,
    progress: &mut dyn FnMut(u64),
) -> Result<ImageManifest, PrepareError> {
    let failed = |source| PrepareError::Write { path: output.to_owned(), source };
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    let mut raw = Counted { source: unpacked(source)?, read: 0 };
    let (mut all, mut packed_all) = (Hasher::default(), Hasher::default());
    let (mut chunks, mut size, mut raw_size) = (Vec::new(), 0, 0);
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    loop {
        let pieces = read_pieces(&mut raw, at_once).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => PrepareError::Truncated { unpacked: raw.read },
            _ => PrepareError::Read(error),
        })?;
        let Some(first) = pieces.first() else { break };
        if raw_size == 0 && boot_start(first).is_none() {
            return Err(PrepareError::NoImage);
        }
        for (piece, packed) in pieces.iter().zip(pack(&pieces).map_err(failed)?) {
            all.update(piece);
            packed_all.update(&packed);
            file.as_file_mut().write_all(&packed).map_err(failed)?;
            let raw_sha256 = Sha256::of(piece).to_string();
            chunks.push(Chunk { size: packed.len() as u64, raw_sha256 });
            size += packed.len() as u64;
            raw_size += piece.len() as u64;
        }
        progress(raw_size);
    }
    if raw_size == 0 {
        return Err(PrepareError::NoImage);
    }
    let chunks = Chunks { raw_size: CHUNK as u64, chunks };
    let mut image = Chunked::new(file.as_file().try_clone().map_err(failed)?, &chunks, raw_size);
    let partitions = partitions(&mut image).map_err(failed)?;
    layout::check(&partitions, raw_size)?;
    let said = says(&mut image, &partitions).unwrap_or_default();
    agree(told, &said)?;
    let known = |told: &Option<String>, said: Option<String>, what, flag| {
        told.clone().or(said).ok_or(PrepareError::Unknown { what, flag })
    };
    let manifest = ImageManifest {
        schema: IMAGE_SCHEMA,
        device_type: known(
            &told.device_type,
            said.device_type,
            "its balena device type",
            "--device-type",
        )?,
        architecture: known(
            &told.architecture,
            said.architecture,
            "its architecture",
            "--architecture",
        )?,
        os_version: known(&told.os_version, said.os_version, "its version", "--os-version")?,
        compression: Compression::Gzip,
        size: ByteCount(size),
        sha256: packed_all.finish(),
        raw_size: ByteCount(raw_size),
        raw_sha256: all.finish(),
        chunks: Some(chunks),
    };
    file.as_file().sync_all().map_err(failed)?;
    file.persist(output).map_err(|error| failed(error.error))?;
    Ok(manifest)
}

/// Knows how far it came.
struct Counted<R> {
    source: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// As many chunks as may be packed at once; none at the end.
fn read_pieces(raw: &mut impl Read, at_once: usize) -> io::Result<Vec<Vec<u8>>> {
    let mut pieces = Vec::new();
    while pieces.len() < at_once {
        let mut piece = Vec::with_capacity(CHUNK);
        raw.take(CHUNK as u64).read_to_end(&mut piece)?;
        let is_last = piece.len() < CHUNK;
        if !piece.is_empty() {
            pieces.push(piece);
        }
        if is_last {
            break;
        }
    }
    Ok(pieces)
}

/// Each piece as a gzip member, side by side.
fn pack(pieces: &[Vec<u8>]) -> io::Result<Vec<Vec<u8>>> {
    let pack = |piece: &[u8]| {
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(piece)?;
        packed.finish()
    };
    thread::scope(|scope| {
        let begin = |piece| scope.spawn(move || pack(piece));
        let running: Vec<_> = pieces.iter().map(|piece| begin(piece.as_slice())).collect();
        let joined = running.into_iter().map(|it| it.join());
        joined.map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Refuses an image that says something else of itself than what it has to be.
fn agree(told: &Told, said: &Told) -> Result<(), PrepareError> {
    if let (Some(asked), Some(inside)) = (&told.device_type, &said.device_type)
        && asked != inside
    {
        let (asked, inside) = (asked.clone(), inside.clone());
        return Err(PrepareError::OtherType { asked, inside });
    }
    if let (Some(asked), Some(inside)) = (&told.asked, &said.os_version)
        && !is_version(inside, asked)
    {
        let (asked, inside) = (asked.clone(), inside.clone());
        return Err(PrepareError::OtherVersion { asked, inside });
    }
    Ok(())
}

fn boot_start(head: &[u8]) -> Option<u64> {
    boot_partition(head.first_chunk()?)
}
