//! The image from a web server: where the job names a URL, and the card has no image, or no more. What comes is checked
//! as if the controller had sent it.

use crate::control::Server;
use crate::http::{Answer, HttpError, Limits, Url, get_moved};
use migos_contract::{Image, Part};
use std::io::{self, Read};
use thiserror::Error;

/// Why nothing could be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// There is no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server has it not.
    #[error("{url} is answered with status {status}")]
    Status {
        /// Where it was asked for.
        url: Url,
        /// What came.
        status: u16,
    },
    /// The server says not how long it is, or sends another part.
    #[error("{0} is answered with something else than was asked for")]
    OtherPart(Url),
    /// Another file than the job's.
    #[error("{url} has {found} bytes, the job's image {wanted}")]
    OtherSize {
        /// Where it was asked for.
        url: Url,
        /// How many it has.
        found: u64,
        /// How many it should have.
        wanted: u64,
    },
    /// The connection ended before the part began.
    #[error("{url} breaks off: {source}")]
    Skip {
        /// Where it was asked for.
        url: Url,
        /// Why.
        source: io::Error,
    },
    /// What came is not taken.
    #[error("what {url} sends is not taken: {why}")]
    Refused {
        /// Where it was asked for.
        url: Url,
        /// Why.
        why: String,
    },
}

/// Where the image can be fetched.
pub struct Source {
    url: Url,
    size: u64,
    limits: Limits,
}

impl Source {
    /// The place that the job names; none if it names none.
    ///
    /// # Errors
    /// It is not a URL.
    pub fn of_job(image: &Image, limits: Limits) -> Result<Option<Self>, HttpError> {
        let url = image.url.as_deref().map(Url::parse).transpose()?;
        Ok(url.map(|url| Self { url, size: image.size, limits }))
    }

    /// Fetches what is wanted, if anything is. True if something came.
    ///
    /// # Errors
    /// Nothing came, or not what the job says.
    pub fn serve(&self, server: &Server) -> Result<bool, FetchError> {
        let status = server.status();
        let Some(part) = status.wants else { return Ok(false) };
        let mut input = self.open(part)?;
        let refused = |why| FetchError::Refused { url: self.url.clone(), why };
        server.take(&mut input).map_err(refused)?;
        Ok(true)
    }

    /// The bytes of a part, and no others.
    fn open(&self, part: Part) -> Result<impl Read + use<>, FetchError> {
        let is_whole = part.offset == 0 && part.length >= self.size;
        let answer = get_moved(&self.url, (!is_whole).then_some(part), self.limits)?;
        let skip = self.skip(&answer, part)?;
        let mut body = answer.body();
        let url = || self.url.clone();
        let skipped = io::copy(&mut body.by_ref().take(skip), &mut io::sink())
            .map_err(|source| FetchError::Skip { url: url(), source })?;
        match skipped == skip {
            true => Ok(body.take(part.length)),
            false => {
                let source = io::ErrorKind::UnexpectedEof.into();
                Err(FetchError::Skip { url: url(), source })
            }
        }
    }

    /// How many bytes come before those that are wanted.
    fn skip(&self, answer: &Answer, part: Part) -> Result<u64, FetchError> {
        let url = || self.url.clone();
        let (first, size) = match answer.status {
            // A server that knows no parts sends the whole.
            200 => (0, answer.length()),
            206 => answer.part().ok_or_else(|| FetchError::OtherPart(url()))?,
            status => return Err(FetchError::Status { url: url(), status }),
        };
        // Without a length it might come in pieces, with their sizes in between.
        if answer.length().is_none() {
            return Err(FetchError::OtherPart(url()));
        }
        match size {
            Some(found) if found != self.size => {
                Err(FetchError::OtherSize { url: url(), found, wanted: self.size })
            }
            _ => part.offset.checked_sub(first).ok_or_else(|| FetchError::OtherPart(url())),
        }
    }
}

#[cfg(test)]
mod tests;
