//! Where images of balenaOS come from: asks which versions there are, and downloads one.
//!
//! A download may be sent on to another host, as balenaCloud does: only over TLS, and without the token. One that breaks
//! off goes on where it was; from a server that only sends whole files, what is there already is passed over.

use crate::address::ApiAddress;
use crate::failure::{Failure, reason};
use crate::http::Http;
use crate::odata;
use crate::os::{LINE_TAG, OsVersion};
use crate::setup::{Authority, SetupError, Timeouts, client};
use crate::token::Token;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, LOCATION, RANGE};
use reqwest::{Client, ClientBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use std::time::Duration;

/// How often a download is sent on at most.
const MOST_HOPS: usize = 5;
/// How often a download is tried again without getting further.
const MOST_TRIES: u32 = 5;
/// How long is waited before that, the first time; each time after twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A source of images.
pub struct Images {
    http: Http,
    /// Has no limit for a whole answer, only for silence.
    downloads: Client,
    token: Option<Token>,
    api: Url,
    first_wait: Duration,
}

/// Why an image was not had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImagesError {
    /// The API does not answer, or no longer.
    #[error("balena is away: {0}")]
    Away(String),
    /// The token, or that there is none, is what the API does not like.
    #[error("balena refused: {0}")]
    Refused(String),
    /// The API has no such image, or no images at all.
    #[error("{host} gives out no image of {version} for {device_type}")]
    NoSuchImage {
        /// The API.
        host: String,
        /// The device type.
        device_type: String,
        /// The version.
        version: String,
    },
    /// The API answers in another way than it should.
    #[error("the answer cannot be understood: {0}")]
    Garbled(String),
    /// The download is sent on to where it is not followed.
    #[error("the download is sent on to {0}, which is not followed: it has to be https")]
    Astray(String),
    /// The file was replaced by another one while it was downloaded.
    #[error("the file changed during the download; try again")]
    Changed,
    /// The download breaks off again and again.
    #[error("the download broke off after {got} bytes: {reason}")]
    BrokenOff {
        /// Bytes that came.
        got: u64,
        /// Why no more came.
        reason: String,
    },
}

impl From<Failure> for ImagesError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreached(message) | Failure::Lost(message) => ImagesError::Away(message),
            Failure::Garbled(message) => ImagesError::Garbled(message),
            Failure::Status { status, message, .. } => match status.as_u16() {
                408 | 429 | 500.. => ImagesError::Away(message),
                _ => ImagesError::Refused(message),
            },
        }
    }
}

impl Images {
    /// A source of images at this API. What is public needs no token.
    ///
    /// # Errors
    /// As [`crate::Balena::new`].
    pub fn new(
        api: &str,
        authority: Authority<'_>,
        token: Option<Token>,
        user_agent_version: &str,
        timeouts: Timeouts,
    ) -> Result<Self, SetupError> {
        let address = ApiAddress::parse(api)?;
        let common = || client(&address, authority, user_agent_version);
        let setup = |builder: ClientBuilder| {
            let built = builder.connect_timeout(timeouts.connect).build();
            built.map_err(|source| SetupError::Client { host: address.host.clone(), source })
        };
        let downloads = setup(common()?.read_timeout(timeouts.request))?;
        let one = setup(common()?.timeout(timeouts.request))?;
        let form = |_not_a_url| crate::AddressError::Form { address: api.to_owned() };
        let api = Url::parse(&address.base).map_err(form)?;
        let http = Http { client: one, address, limit: timeouts.request };
        Ok(Self { http, downloads, token, api, first_wait: FIRST_WAIT })
    }

    /// Waits so long before a download that does not get further is tried again; each time after twice as long.
    #[must_use]
    pub fn waiting(self, first_wait: Duration) -> Self {
        Self { first_wait, ..self }
    }

    /// The API's host, for messages.
    pub fn host(&self) -> &str {
        &self.http.address.host
    }

    /// The versions of balenaOS for this device type that are finished and not taken back; none if the type is unknown.
    ///
    /// # Errors
    /// [`ImagesError`].
    pub async fn versions(&self, device_type: &str) -> Result<Vec<OsVersion>, ImagesError> {
        let path = odata::os_versions(device_type);
        let systems: Vec<SeenSystem> = self.http.list_openly(&path, self.token.as_ref()).await?;
        Ok(systems.into_iter().flat_map(SeenSystem::versions).collect())
    }

    /// Begins to download the image of a version, packed by gzip.
    ///
    /// # Errors
    /// [`ImagesError`].
    pub async fn download(
        &self,
        device_type: &str,
        version: &str,
    ) -> Result<Download<'_>, ImagesError> {
        let (device_type, version) = (device_type.to_owned(), version.to_owned());
        let mut download = Download {
            images: self,
            device_type,
            version,
            response: None,
            etag: None,
            total: None,
            got: 0,
            skip: 0,
        };
        download.begin().await?;
        Ok(download)
    }

    /// Asks for a file from a byte on, wherever the question is sent on to.
    async fn ask(
        &self,
        path: &str,
        from: u64,
        etag: Option<&HeaderValue>,
    ) -> Result<Response, ImagesError> {
        let garbled = |what: &str| ImagesError::Garbled(format!("GET /download: {what}"));
        let mut url = self.api.join(path).map_err(|_not_a_url| garbled("no address"))?;
        for _ in 0..=MOST_HOPS {
            let mut request = self.downloads.get(url.clone());
            if let Some(token) = self.token.as_ref().filter(|_| url.origin() == self.api.origin()) {
                request = request.header(AUTHORIZATION, token.header());
            }
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
                if let Some(etag) = etag {
                    request = request.header(IF_RANGE, etag);
                }
            }
            let response = request.send().await.map_err(|error| {
                let host = url.host_str().unwrap_or_default();
                ImagesError::Away(format!("no connection to {host}: {}", reason(&error)))
            })?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or_else(|| garbled("it is sent on to nowhere"))?;
            url = url.join(to).map_err(|_not_a_url| garbled("it is sent on to no address"))?;
            if !self.may_follow(&url) {
                let to = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
                return Err(ImagesError::Astray(to));
            }
        }
        Err(garbled("it is sent on again and again"))
    }

    /// An API on this computer that is spoken to without TLS may send on to another such place.
    fn may_follow(&self, url: &Url) -> bool {
        let base = format!("{}/", url.origin().ascii_serialization());
        let here = || self.http.address.plain && ApiAddress::parse(&base).is_ok();
        url.scheme() == "https" || here()
    }
}

/// A download that is going on.
pub struct Download<'a> {
    images: &'a Images,
    device_type: String,
    version: String,
    response: Option<Response>,
    etag: Option<HeaderValue>,
    total: Option<u64>,
    /// Bytes that were handed out.
    got: u64,
    /// Bytes of the present answer that were handed out before.
    skip: u64,
}

impl Download<'_> {
    /// The size of the file, if the server says it.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next bytes; none at the end. A download that breaks off is taken up again.
    ///
    /// # Errors
    /// [`ImagesError`]; the download is over then.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ImagesError> {
        let (mut tries, mut wait) = (0, self.images.first_wait);
        let mut not_begun = None;
        loop {
            let broken = match self.piece().await {
                Ok(piece) => return Ok(piece),
                Err(broken) => not_begun.take().unwrap_or(broken),
            };
            let before = self.response.is_none();
            self.response = None;
            if tries == MOST_TRIES {
                return Err(ImagesError::BrokenOff { got: self.got, reason: broken });
            }
            tracing::debug!(got = self.got, broken, "the download is taken up again");
            // The first time it is tried at once: most that breaks off only needs another connection.
            if before || tries > 0 {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            tries += 1;
            match self.begin().await {
                Ok(()) => {}
                Err(ImagesError::Away(reason)) => not_begun = Some(reason),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends the request for what is missing.
    async fn begin(&mut self) -> Result<(), ImagesError> {
        let path = odata::download(&self.device_type, &self.version);
        let response = self.images.ask(&path, self.got, self.etag.as_ref()).await?;
        let status = response.status();
        let length = response.content_length();
        let (skip, total) = match status {
            StatusCode::PARTIAL_CONTENT => {
                if !begins_at(&response, self.got) {
                    return Err(ImagesError::Changed);
                }
                (0, length.map(|length| length + self.got))
            }
            StatusCode::OK => (self.got, length),
            StatusCode::NOT_FOUND => {
                return Err(ImagesError::NoSuchImage {
                    host: self.images.host().to_owned(),
                    device_type: self.device_type.clone(),
                    version: self.version.clone(),
                });
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(ImagesError::Away(format!("{status} to GET /download")));
            }
            status => return Err(ImagesError::Refused(format!("{status} to GET /download"))),
        };
        if self.total.is_some() && total.is_some() && self.total != total {
            return Err(ImagesError::Changed);
        }
        self.total = self.total.or(total);
        self.etag = self.etag.take().or_else(|| response.headers().get(ETAG).cloned());
        self.skip = skip;
        self.response = Some(response);
        Ok(())
    }

    /// The next bytes of the present answer that were not handed out before.
    async fn piece(&mut self) -> Result<Option<Bytes>, String> {
        let Some(response) = &mut self.response else { return Err("no connection".to_owned()) };
        loop {
            let Some(mut piece) = response.chunk().await.map_err(|error| reason(&error))? else {
                let whole = self.total.is_none_or(|total| self.got >= total);
                return if whole { Ok(None) } else { Err("it ended too early".to_owned()) };
            };
            let known = self.skip.min(piece.len() as u64);
            self.skip -= known;
            // What was handed out before is not longer than the piece.
            let new = piece.split_off(usize::try_from(known).unwrap_or(piece.len()));
            if !new.is_empty() {
                self.got += new.len() as u64;
                return Ok(Some(new));
            }
        }
    }
}

fn begins_at(response: &Response, from: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

/// An application that is an operating system.
#[derive(Deserialize)]
struct SeenSystem {
    #[serde(default, rename = "application_tag")]
    tags: Vec<SeenTag>,
    #[serde(rename = "owns__release")]
    releases: Vec<SeenRelease>,
}

#[derive(Deserialize)]
struct SeenTag {
    tag_key: String,
    value: String,
}

#[derive(Deserialize)]
struct SeenRelease {
    raw_version: String,
    variant: Option<String>,
}

impl SeenSystem {
    fn versions(self) -> Vec<OsVersion> {
        let line = self.tags.into_iter().find(|tag| tag.tag_key == LINE_TAG);
        let line = line.map(|tag| tag.value).filter(|line| line != "default");
        let version = |release: SeenRelease| OsVersion {
            is_development: release.variant.as_deref() == Some("dev")
                || release.raw_version.ends_with(".dev"),
            raw: release.raw_version,
            line: line.clone(),
        };
        self.releases.into_iter().map(version).collect()
    }
}
