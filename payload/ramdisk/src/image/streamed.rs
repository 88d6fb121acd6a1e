//! An image that memory does not hold: the flash asks for what it writes next, and the controller sends it.

use super::Image;
use super::chunks::{ChunkReader, ChunkTable, ChunksError};
use migos_contract::Part;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// Why what was sent has not been taken, or not all of it. What came before is kept.
#[derive(Debug, Error)]
pub enum StreamError {
    /// Nothing is asked for.
    #[error("no part of the image is wanted now")]
    NotWanted,
    /// The way was cut.
    #[error("the image was cut off in chunk {index}, which is wanted again: {source}")]
    Cut {
        /// The chunk's number, from 0.
        index: usize,
        /// Why.
        source: io::Error,
    },
    /// What came is not what was asked for.
    #[error("{0}; it is wanted again")]
    Chunk(#[from] ChunksError),
    /// More came than was asked for.
    #[error("more of the image was sent than was wanted; what was wanted is taken")]
    TooMuch,
    /// The flash has ended.
    #[error("the card is not written any more: no further part of the image is wanted")]
    BrokenOff,
}

/// The image as it comes. Its clones are one: one is read, another is given what comes.
///
/// The first chunk stays in memory: it holds sector 0, which is looked at before the commit and written last. Of
/// the others one waits in memory while the one before is written.
#[derive(Debug, Clone)]
pub struct StreamedImage {
    table: Arc<ChunkTable>,
    feed: Arc<Feed>,
}

#[derive(Debug, Default)]
struct Feed {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    first: Option<Arc<Vec<u8>>>,
    /// What the reader still needs, besides the first.
    wanted: Range<usize>,
    /// The chunk before those, if the reader has not taken it yet.
    arrived: Option<Arc<Vec<u8>>>,
    /// Counts the readers, so that what was meant for one is not given to the next.
    reader: u64,
}

impl Inside {
    fn wanted(&self) -> Option<Range<usize>> {
        match self.first {
            None => Some(0..1),
            Some(_) => Some(self.wanted.clone()).filter(|wanted| !wanted.is_empty()),
        }
    }
}

impl StreamedImage {
    /// Of this image, nothing has come yet.
    pub fn new(table: Arc<ChunkTable>) -> Self {
        Self { table, feed: Arc::default() }
    }

    /// The part of the file that is to be sent next, if any is.
    pub fn wants(&self) -> Option<Part> {
        self.inside().wanted().map(|chunks| self.table.part(&chunks))
    }

    /// True if the first chunk is there.
    pub fn has_first(&self) -> bool {
        self.inside().first.is_some()
    }

    /// Lets go of the first chunk: it is wanted again.
    pub(crate) fn forget_first(&self) {
        self.inside().first = None;
    }

    /// Takes what [`wants`](Self::wants) says, chunk by chunk, no faster than it is written. A chunk that is
    /// damaged or cut off is not given to anybody.
    ///
    /// # Errors
    /// [`StreamError`] says why not everything was taken.
    pub fn take(&self, input: &mut dyn Read) -> Result<(), StreamError> {
        let (chunks, reader) = {
            let inside = self.inside();
            (inside.wanted().ok_or(StreamError::NotWanted)?, inside.reader)
        };
        let mut packed = Vec::new();
        for index in chunks {
            let size = self.table.part(&(index..index + 1)).length;
            packed.resize(usize::try_from(size).unwrap_or(0), 0);
            input.read_exact(&mut packed).map_err(|source| StreamError::Cut { index, source })?;
            let raw = self.table.unpack(index, &packed)?;
            self.hand_over(index, reader, raw)?;
        }
        // Everything has been taken: a way that is cut now does no harm.
        match input.read(&mut [0]) {
            Ok(1) => Err(StreamError::TooMuch),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn hand_over(&self, index: usize, reader: u64, raw: Vec<u8>) -> Result<(), StreamError> {
        let mut inside = self.inside();
        if index == 0 {
            inside.first = Some(Arc::new(raw));
        } else {
            while inside.reader == reader && inside.arrived.is_some() {
                inside = self.wait(inside);
            }
            if inside.reader != reader || inside.wanted.start != index {
                return Err(StreamError::BrokenOff);
            }
            inside.wanted.start += 1;
            inside.arrived = Some(Arc::new(raw));
        }
        drop(inside);
        self.feed.changed.notify_all();
        Ok(())
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.feed.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, inside: MutexGuard<'a, Inside>) -> MutexGuard<'a, Inside> {
        self.feed.changed.wait(inside).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Image for StreamedImage {
    fn raw_size(&self) -> u64 {
        self.table.raw_size()
    }

    /// Reading it waits until the chunk has come. There is one reader at a time.
    fn open(&self, raw: Range<u64>) -> io::Result<Box<dyn Read + '_>> {
        let reader = ChunkReader::new(&self.table, &raw, |chunks| {
            let reading = Reading::new(self, chunks);
            move |index| Ok(reading.wait_for(index))
        });
        Ok(Box::new(reader))
    }
}

/// A reader's claim: it ends when the reader does.
struct Reading<'a>(&'a StreamedImage);

impl<'a> Reading<'a> {
    fn new(image: &'a StreamedImage, chunks: &Range<usize>) -> Self {
        image.claim(chunks.start.max(1)..chunks.end);
        Self(image)
    }

    fn wait_for(&self, index: usize) -> Arc<Vec<u8>> {
        let mut inside = self.0.inside();
        loop {
            let found = match index {
                0 => inside.first.clone(),
                _ => inside.arrived.take(),
            };
            if let Some(chunk) = found {
                drop(inside);
                self.0.feed.changed.notify_all();
                return chunk;
            }
            inside = self.0.wait(inside);
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.claim(0..0);
    }
}

impl StreamedImage {
    fn claim(&self, wanted: Range<usize>) {
        let mut inside = self.inside();
        (inside.wanted, inside.arrived) = (wanted, None);
        inside.reader += 1;
        drop(inside);
        self.feed.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
