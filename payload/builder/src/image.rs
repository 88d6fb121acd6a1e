//! Prepares an operating system image: a gzip file of chunks, each of which can be unpacked and verified by itself,
//! with the manifest that says so.
//!
//! Such a file is still a gzip file like any other. What the image is for, it says itself: the boot partition of a
//! balenaOS image holds `device-type.json` and `os-release`.

use crate::card::{SECTOR, boot_partition};
use fatfs::{FileSystem, FsOptions};
use flate2::read::{GzDecoder, MultiGzDecoder};
use flate2::write::GzEncoder;
use migos_contract::{Chunk, Chunks, Compression};
use migos_payload::digest::{Hasher, Sha256};
use migos_payload::image::{IMAGE_SCHEMA, ImageManifest};
use migos_payload::size::ByteCount;
use serde::Deserialize;
use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

/// Bytes of a chunk when unpacked: the size of the blocks in which cards erase.
const CHUNK: usize = 4 << 20;

/// What a person says of an image, over what the image says of itself.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The balena device type.
    pub device_type: Option<String>,
    /// The architecture of its userland, as balena calls it.
    pub architecture: Option<String>,
    /// The version of balenaOS, as the running system will report it.
    pub os_version: Option<String>,
}

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
    let mut raw = unpacked(source)?;
    let (mut all, mut packed_all) = (Hasher::default(), Hasher::default());
    let (mut chunks, mut size, mut raw_size) = (Vec::new(), 0, 0);
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    loop {
        let pieces = read_pieces(&mut raw, at_once).map_err(PrepareError::Read)?;
        let Some(first) = pieces.first() else { break };
        if raw_size == 0 && boot_start(first).is_none() {
            return Err(PrepareError::NoImage);
        }
        for (piece, packed) in pieces.iter().zip(pack(&pieces).map_err(failed)?) {
            all.update(piece);
            packed_all.update(&packed);
            file.write_all(&packed).map_err(failed)?;
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
    let said = says(file.as_file(), &chunks, raw_size).unwrap_or_default();
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

/// The image's own bytes, whatever the source is packed in.
fn unpacked(source: impl Read) -> Result<impl Read, PrepareError> {
    let mut source = BufReader::with_capacity(1 << 20, source);
    let head = source.fill_buf().map_err(PrepareError::Read)?;
    let form = |what, how| Err(PrepareError::Form { what, how });
    match head {
        [0x1f, 0x8b, ..] => Ok(Either::Packed(MultiGzDecoder::new(source))),
        [b'P', b'K', 3, 4, ..] => form("a zip archive", "unzip -p FILE.zip"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => form("packed by xz", "xz -dc FILE.xz"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => form("packed by zstd", "zstd -dc FILE.zst"),
        _ => Ok(Either::Raw(source)),
    }
}

enum Either<R: BufRead> {
    Raw(R),
    Packed(MultiGzDecoder<R>),
}

impl<R: BufRead> Read for Either<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Either::Raw(source) => source.read(into),
            Either::Packed(source) => source.read(into),
        }
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

/// What an image says of itself; nothing where its boot partition cannot be read.
fn says(file: &File, chunks: &Chunks, raw_size: u64) -> Option<Told> {
    #[derive(Deserialize)]
    struct DeviceType {
        slug: Option<String>,
        arch: Option<String>,
    }
    let mut image = Chunked::new(file.try_clone().ok()?, chunks, raw_size);
    let mut head = vec![0; SECTOR];
    image.read_exact(&mut head).ok()?;
    image.base = boot_start(&head)?;
    image.at = 0;
    let partition = FileSystem::new(image, FsOptions::new()).ok()?;
    let read = |name: &str| {
        let mut text = String::new();
        let mut file = partition.root_dir().open_file(name).ok()?;
        file.read_to_string(&mut text).ok()?;
        Some(text)
    };
    let device_type = read("device-type.json").and_then(|text| serde_json::from_str(&text).ok());
    let DeviceType { slug, arch } = device_type.unwrap_or(DeviceType { slug: None, arch: None });
    let os_version = read("os-release").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(line.trim().trim_matches('"').to_owned())
    });
    Some(Told { device_type: slug, architecture: arch, os_version })
}

fn boot_start(head: &[u8]) -> Option<u64> {
    boot_partition(head.first_chunk()?)
}

/// The unpacked image behind the chunks, from a byte on: only what is asked for is unpacked. Writing fails.
struct Chunked<'a> {
    file: File,
    chunks: &'a Chunks,
    raw_size: u64,
    base: u64,
    at: u64,
    /// The last chunk that was unpacked, and its number.
    unpacked: Option<(u64, Vec<u8>)>,
}

impl<'a> Chunked<'a> {
    fn new(file: File, chunks: &'a Chunks, raw_size: u64) -> Self {
        Self { file, chunks, raw_size, base: 0, at: 0, unpacked: None }
    }

    fn chunk(&mut self, number: u64) -> io::Result<&[u8]> {
        if self.unpacked.as_ref().is_none_or(|(at_hand, _)| *at_hand != number) {
            let index = usize::try_from(number).map_err(io::Error::other)?;
            let before = self.chunks.chunks.iter().take(index).map(|chunk| chunk.size).sum();
            self.file.seek(SeekFrom::Start(before))?;
            let mut raw = Vec::new();
            GzDecoder::new(BufReader::new(&self.file)).read_to_end(&mut raw)?;
            self.unpacked = Some((number, raw));
        }
        Ok(self.unpacked.as_ref().map(|(_, raw)| raw.as_slice()).unwrap_or_default())
    }
}

impl Read for Chunked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (at, chunk) = (self.base.saturating_add(self.at), self.chunks.raw_size);
        if at >= self.raw_size {
            return Ok(0);
        }
        let from = usize::try_from(at % chunk).map_err(io::Error::other)?;
        let raw = self.chunk(at / chunk)?;
        let read = raw.get(from..).unwrap_or_default().read(into)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Write for Chunked<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Chunked<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.raw_size.saturating_sub(self.base).checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
