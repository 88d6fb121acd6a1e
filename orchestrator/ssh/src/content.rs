//! Reads what is to be sent, piece by piece.

use bytes::Bytes;
use migos_contract::Part;
use migos_engine::port::{Content, Source, TransportError};
use migos_payload::digest::{Hasher, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use tokio::task;

/// How much of a file is read at once, and so held in memory for each upload.
const PIECE: usize = 256 << 10;

/// The pieces of a part of a content; what is behind its end is left out.
#[derive(Debug)]
pub(crate) enum Pieces {
    Memory(Bytes),
    File { path: String, file: Arc<File>, left: u64 },
}

impl Pieces {
    pub(crate) async fn of(content: &Content, part: Part) -> Result<Self, TransportError> {
        let Part { offset, length } = part;
        let length = length.min(content.size.saturating_sub(offset));
        match &content.source {
            Source::Memory(bytes) => {
                let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Pieces::Memory(bytes.slice(at(offset)..at(offset.saturating_add(length)))))
            }
            Source::File(path) => {
                let name = path.display().to_string();
                let path = Arc::clone(path);
                let open = move || {
                    let mut file = File::open(path.as_path())?;
                    file.seek(SeekFrom::Start(offset))?;
                    Ok(file)
                };
                let file = Arc::new(aside(&name, open).await?);
                Ok(Pieces::File { path: name, file, left: length })
            }
        }
    }

    /// The next piece; `None` after the last. Memory is shared, not copied.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        match self {
            Pieces::Memory(rest) if rest.is_empty() => Ok(None),
            Pieces::Memory(rest) => Ok(Some(rest.split_to(rest.len().min(PIECE)))),
            Pieces::File { left: 0, .. } => Ok(None),
            Pieces::File { path, file, left } => {
                let size = PIECE.min(usize::try_from(*left).unwrap_or(PIECE));
                let file = Arc::clone(file);
                // Without a runtime's own buffer between, and without zeros that are overwritten.
                let read = move || {
                    let mut piece = Vec::with_capacity(size);
                    match (&*file).take(size as u64).read_to_end(&mut piece)? {
                        read if read < size => Err(io::ErrorKind::UnexpectedEof.into()),
                        _ => Ok(piece),
                    }
                };
                let piece = aside(path, read).await?;
                *left -= size as u64;
                Ok(Some(Bytes::from(piece)))
            }
        }
    }
}

/// The digest of a content's first bytes.
pub(crate) async fn prefix_digest(
    content: &Content,
    length: u64,
) -> Result<Sha256, TransportError> {
    match content.source.clone() {
        Source::Memory(bytes) => {
            let end = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
            aside("", move || Ok(Sha256::of(&bytes[..end]))).await
        }
        Source::File(path) => {
            let name = path.display().to_string();
            aside(&name, move || hash_file(&path, length)).await
        }
    }
}

/// Does what waits for the disk or the processor where no connection waits for it.
async fn aside<T: Send + 'static>(
    path: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, TransportError> {
    let done =
        task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| local(path, &error))
}

fn hash_file(path: &Path, length: u64) -> io::Result<Sha256> {
    let mut file = File::open(path)?.take(length);
    let mut hasher = Hasher::default();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            size => hasher.update(&piece[..size]),
        }
    }
}

fn local(path: &str, error: &io::Error) -> TransportError {
    let message = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it became shorter since it was checked".to_owned(),
        _ => error.to_string(),
    };
    TransportError::Local { path: path.to_owned(), message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    #![allow(clippy::disallowed_methods, reason = "files for tests")]
    use super::*;

    fn bytes(size: usize) -> Bytes {
        (0..size).map(|at| (at % 251) as u8).collect()
    }

    fn both(all: &Bytes, file: &Path) -> [Content; 2] {
        std::fs::write(file, all).unwrap();
        let (size, sha256) = (all.len() as u64, Sha256::of(all));
        [Source::Memory(all.clone()), Source::File(Arc::new(file.to_owned()))]
            .map(|source| Content { source, size, sha256 })
    }

    #[tokio::test]
    async fn the_pieces_are_the_wanted_part_of_the_content() {
        let all = bytes(2 * PIECE + 7);
        let file = tempfile::NamedTempFile::new().unwrap();
        let end = all.len();
        for content in both(&all, file.path()) {
            for (from, to) in
                [(0, end), (1, end), (PIECE, 2 * PIECE), (2 * PIECE + 6, end), (end, end)]
            {
                // What is behind the end is not there to be sent.
                let length = if to == end { u64::MAX } else { (to - from) as u64 };
                let part = Part { offset: from as u64, length };
                let mut pieces = Pieces::of(&content, part).await.unwrap();
                let mut got = Vec::new();
                while let Some(piece) = pieces.next().await.unwrap() {
                    assert!(!piece.is_empty() && piece.len() <= PIECE);
                    got.extend(piece);
                }
                assert!(got == all[from..to], "{from} {to}");
                let prefix = prefix_digest(&content, from as u64).await.unwrap();
                assert_eq!(prefix, Sha256::of(&all[..from]));
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_shrank_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let [_, mut content] = both(&bytes(10), file.path());
        content.size = 11;
        let mut pieces = Pieces::of(&content, Part { offset: 0, length: 11 }).await.unwrap();
        let error = pieces.next().await.unwrap_err();
        assert!(error.to_string().ends_with("it became shorter since it was checked"), "{error}");
    }
}
