//! As much of HTTP as MIGOS needs: one GET, of a part or of the whole, and what the server says of it.

mod date;

use migos_contract::Part;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;
use thiserror::Error;

/// Longer than any server's headers.
const LARGEST_HEAD: u64 = 64 << 10;

/// Why there is no answer, or none that can be used.
#[derive(Debug, Error)]
pub enum HttpError {
    /// Not a URL of a kind that MIGOS knows.
    #[error("not a URL of http or https: {0}")]
    Url(String),
    /// The name has no address.
    #[error("no address of {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// Nobody takes the connection.
    #[error("failed to connect to {host}: {source}")]
    Connect {
        /// Name and port.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The connection ended, or nothing came for too long.
    #[error("{host} does not answer: {source}")]
    Read {
        /// Name and port.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// What came is no HTTP.
    #[error("{0} answers what is no HTTP")]
    NotHttp(String),
    /// Only plain HTTP can be read.
    #[error("{0} wants encryption, with which MIGOS fetches nothing")]
    Encrypted(Url),
    /// Sent from one to the next.
    #[error("{0} sends on more than once")]
    Redirects(Url),
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For each address of a host to take the connection.
    pub connect: Duration,
    /// For the next bytes.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), silence: Duration::from_secs(30) }
    }
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https`.
    pub is_encrypted: bool,
    /// Name or address; one of IPv6 without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The path, and what follows it.
    pub path: String,
}

impl Url {
    /// Reads a URL. Names of users are not understood: they would be secrets in a log.
    ///
    /// # Errors
    /// It is not one of `http` or `https`.
    pub fn parse(text: &str) -> Result<Self, HttpError> {
        let no_url = || HttpError::Url(text.to_owned());
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(no_url)?;
        let is_encrypted = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(no_url()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.strip_prefix('[').and_then(|it| it.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let is_of_host = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        // A line's end would begin a header of its own.
        let is_of_path = |c: char| c.is_ascii_graphic();
        if host.is_empty() || !host.chars().all(is_of_host) || !path.chars().all(is_of_path) {
            return Err(no_url());
        }
        let standard = if is_encrypted { 443 } else { 80 };
        let port = port.map_or(Ok(standard), |port| port.parse().map_err(|_| no_url()))?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { is_encrypted, host: host.to_owned(), port, path: format!("{slash}{path}") })
    }

    /// Host and port, as they stand in a URL.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Where a `Location` leads from here.
    fn follow(&self, location: &str) -> Result<Self, HttpError> {
        match location.starts_with('/') && !location.starts_with("//") {
            true if location.chars().all(|c| c.is_ascii_graphic()) => {
                Ok(Self { path: location.to_owned(), ..self.clone() })
            }
            _ => Url::parse(location),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// The beginning of an answer, and the connection that the rest comes on.
pub struct Answer {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: BufReader<TcpStream>,
}

impl Answer {
    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The server's clock, in seconds since 1970 in UTC.
    pub fn date(&self) -> Option<u64> {
        date::parse(self.header("date")?)
    }

    /// How many bytes the body has, where the server says so and sends it in one piece.
    pub fn length(&self) -> Option<u64> {
        match self.header("transfer-encoding") {
            None => self.header("content-length")?.parse().ok(),
            Some(_) => None,
        }
    }

    /// For a part: its first byte, and the bytes of the whole, if that is known.
    pub fn part(&self) -> Option<(u64, Option<u64>)> {
        let range = self.header("content-range")?.strip_prefix("bytes ")?;
        let (part, whole) = range.split_once('/')?;
        let (first, _) = part.split_once('-')?;
        Some((first.trim().parse().ok()?, whole.trim().parse().ok()))
    }

    /// The body, to be read to [`length`](Self::length).
    pub fn body(self) -> impl Read {
        self.body
    }
}

/// Connects to a host, on the first of its addresses that takes the connection.
///
/// # Errors
/// None does.
pub fn connect(host: &str, port: u16, limits: Limits) -> Result<TcpStream, HttpError> {
    let unresolved = |source| HttpError::Resolve { host: host.to_owned(), source };
    let mut why = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs().map_err(unresolved)? {
        let connected = TcpStream::connect_timeout(&address, limits.connect).and_then(|stream| {
            stream.set_read_timeout(Some(limits.silence))?;
            stream.set_write_timeout(Some(limits.silence))?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => why = error,
        }
    }
    Err(HttpError::Connect { host: format!("{host}:{port}"), source: why })
}

/// Asks for what is at that URL, or for a part of it. Sent elsewhere, it does not go.
///
/// # Errors
/// There is no answer. Any status is one.
pub fn get(url: &Url, part: Option<Part>, limits: Limits) -> Result<Answer, HttpError> {
    if url.is_encrypted {
        return Err(HttpError::Encrypted(url.clone()));
    }
    let mut stream = connect(&url.host, url.port, limits)?;
    let failed = |source| HttpError::Read { host: url.authority(), source };
    stream.write_all(request(url, part).as_bytes()).map_err(failed)?;
    let mut body = BufReader::with_capacity(1 << 16, stream);
    let mut head = body.by_ref().take(LARGEST_HEAD);
    let mut line = || {
        let mut line = String::new();
        head.read_line(&mut line).map_err(failed)?;
        match line.ends_with('\n') {
            true => Ok(line.trim_end().to_owned()),
            false => Err(HttpError::NotHttp(url.authority())),
        }
    };
    let status = status(&line()?).ok_or_else(|| HttpError::NotHttp(url.authority()))?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        match line.split_once(':') {
            Some((name, value)) => {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
            None if line.is_empty() => return Ok(Answer { status, headers, body }),
            None => return Err(HttpError::NotHttp(url.authority())),
        }
    }
}

/// Like [`get`]; sent elsewhere once, it goes there.
///
/// # Errors
/// There is no answer, or only one that sends it elsewhere again.
pub fn get_moved(url: &Url, part: Option<Part>, limits: Limits) -> Result<Answer, HttpError> {
    let moved = |answer: &Answer| matches!(answer.status, 301 | 302 | 303 | 307 | 308);
    let answer = get(url, part, limits)?;
    let Some(location) = answer.header("location").filter(|_| moved(&answer)) else {
        return Ok(answer);
    };
    let there = get(&url.follow(location)?, part, limits)?;
    match moved(&there) {
        true => Err(HttpError::Redirects(url.clone())),
        false => Ok(there),
    }
}

fn request(url: &Url, part: Option<Part>) -> String {
    // Some servers compare the host with their own names: there the usual port is left out.
    let authority = url.authority();
    let host = authority.strip_suffix(":80").unwrap_or(&authority);
    let range = |Part { offset, length }| {
        let last = offset.saturating_add(length).saturating_sub(1);
        format!("Range: bytes={offset}-{last}\r\n")
    };
    let range = part.map_or(String::new(), range);
    let path = &url.path;
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: migos\r\nAccept: */*\r\n{range}Connection: close\r\n\r\n"
    )
}

/// The status of `HTTP/1.1 200 OK`.
fn status(line: &str) -> Option<u16> {
    let mut words = line.strip_prefix("HTTP/1.")?.split(' ');
    words.next()?;
    words.next()?.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests;
