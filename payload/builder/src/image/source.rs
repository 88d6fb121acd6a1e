//! The bytes of an image, whatever it is packed in: in one stream, or any of them.

use super::prepare::PrepareError;
use flate2::bufread::MultiGzDecoder;
use flate2::read::GzDecoder;
use migos_contract::Chunks;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

/// How a gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The image's own bytes in one stream.
pub(super) fn unpacked(source: impl Read) -> Result<impl Read, PrepareError> {
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

/// Any bytes of an image.
pub(super) trait Anywhere: Read + Seek {}

impl<T: Read + Seek> Anywhere for T {}

/// Any bytes of the image in this file, raw or as gzip.
pub(super) fn anywhere(mut file: File) -> io::Result<Box<dyn Anywhere>> {
    let mut head = Vec::new();
    (&mut file).take(2).read_to_end(&mut head)?;
    file.rewind()?;
    match head == GZIP {
        true => Ok(Box::new(Unpacking { stream: stream(&file)?, file, at: 0, wanted: 0 })),
        false => Ok(Box::new(file)),
    }
}

fn stream(file: &File) -> io::Result<MultiGzDecoder<BufReader<File>>> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(MultiGzDecoder::new(BufReader::with_capacity(1 << 20, file)))
}

/// A gzip file that is unpacked up to what is asked for, and anew from its start for what lies before.
struct Unpacking {
    file: File,
    stream: MultiGzDecoder<BufReader<File>>,
    /// Where the stream is.
    at: u64,
    /// Where the next read begins.
    wanted: u64,
}

impl Read for Unpacking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.wanted < self.at {
            self.stream = stream(&self.file)?;
            self.at = 0;
        }
        self.at += io::copy(&mut (&mut self.stream).take(self.wanted - self.at), &mut io::sink())?;
        if self.at < self.wanted {
            return Ok(0);
        }
        let read = self.stream.read(into)?;
        self.at += read as u64;
        self.wanted = self.at;
        Ok(read)
    }
}

impl Seek for Unpacking {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.wanted.checked_add_signed(by),
            SeekFrom::End(by) => {
                self.at += io::copy(&mut self.stream, &mut io::sink())?;
                self.at.checked_add_signed(by)
            }
        };
        self.wanted = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.wanted)
    }
}

/// The unpacked image behind chunks: only what is asked for is unpacked.
pub(super) struct Chunked<'a> {
    file: File,
    chunks: &'a Chunks,
    raw_size: u64,
    at: u64,
    /// The last chunk that was unpacked, and its number.
    unpacked: Option<(u64, Vec<u8>)>,
}

impl<'a> Chunked<'a> {
    pub(super) fn new(file: File, chunks: &'a Chunks, raw_size: u64) -> Self {
        Self { file, chunks, raw_size, at: 0, unpacked: None }
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
        let (at, chunk) = (self.at, self.chunks.raw_size);
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

impl Seek for Chunked<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = place(to, self.at, self.raw_size)?;
        Ok(self.at)
    }
}

/// One partition of an image, as a file system library wants it. Writing fails.
pub(super) struct Window<R> {
    pub(super) image: R,
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) at: u64,
}

impl<R: Read + Seek> Read for Window<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.image.seek(SeekFrom::Start(self.start.saturating_add(self.at)))?;
        let left = self.size.saturating_sub(self.at);
        let read = (&mut self.image).take(left).read(into)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<R> Write for Window<R> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<R> Seek for Window<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = place(to, self.at, self.size)?;
        Ok(self.at)
    }
}

fn place(to: SeekFrom, at: u64, size: u64) -> io::Result<u64> {
    let place = match to {
        SeekFrom::Start(at) => Some(at),
        SeekFrom::Current(by) => at.checked_add_signed(by),
        SeekFrom::End(by) => size.checked_add_signed(by),
    };
    place.ok_or(io::ErrorKind::InvalidInput.into())
}
