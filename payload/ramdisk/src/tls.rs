//! As much of TLS as tells whether somebody speaks it: a greeting that every server answers, and its answer. Nothing is
//! ever sent under it, so nothing is verified; whoever wants to know whom he speaks to needs more than this.

use crate::http::{HttpError, Limits, Url, connect};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::IpAddr;
use thiserror::Error;

/// Why there is nobody who speaks TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] HttpError),
    /// It is refused.
    #[error("{host} refuses TLS with alert {alert}")]
    Alert {
        /// Name and port.
        host: String,
        /// The alert (RFC 8446, B.2).
        alert: u8,
    },
    /// Something else answers.
    #[error("{0} answers what is no TLS")]
    NotTls(String),
}

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Greets a server; it is well if its own greeting comes back.
///
/// # Errors
/// It does not come.
pub fn greet(url: &Url, limits: Limits) -> Result<(), TlsError> {
    let host = url.authority();
    let mut stream = connect(&url.host, url.port, limits)?;
    let mut answer = [0; 6];
    stream
        .write_all(&client_hello(&url.host))
        .and_then(|()| {
            // An alert has seven bytes, a greeting more.
            stream.read_exact(&mut answer)
        })
        .map_err(|source| HttpError::Read { host: host.clone(), source })?;
    match answer {
        [HANDSHAKE, 3, _, _, _, SERVER_HELLO] => Ok(()),
        [ALERT, 3, _, _, _, _] => {
            let mut alert = [0];
            // Its number is worth knowing, and no more than that.
            let _ = stream.read_exact(&mut alert);
            Err(TlsError::Alert { host, alert: alert[0] })
        }
        _ => Err(TlsError::NotTls(host)),
    }
}

/// A greeting of TLS 1.2 and 1.3 (RFC 8446, 4.1.2), as one record. It offers no key for 1.3, so that such a server asks
/// for one: that is a greeting as well.
fn client_hello(host: &str) -> Vec<u8> {
    // Nothing is kept secret with them, they only have to be there.
    let random = Sha256::digest(host.as_bytes());
    // What servers have: AES and ChaCha of 1.3, then ECDHE of 1.2 with ECDSA and with RSA.
    const SUITES: [u16; 9] =
        [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8];
    const GROUPS: [u16; 3] = [29, 23, 24];
    const SIGNATURES: [u16; 8] = [0x0403, 0x0503, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601];
    let mut extensions = Vec::new();
    if host.parse::<IpAddr>().is_err() {
        let name = [&[0][..], &long(host.as_bytes())].concat();
        extensions.extend(extension(0, &long(&name)));
    }
    extensions.extend(extension(10, &long(&numbers(&GROUPS))));
    // Points as they are.
    extensions.extend(extension(11, &[1, 0]));
    extensions.extend(extension(13, &long(&numbers(&SIGNATURES))));
    extensions.extend(extension(43, &short(&numbers(&[0x0304, 0x0303]))));
    extensions.extend(extension(51, &long(&[])));
    let hello = [
        &[3, 3][..],
        &random,
        // Servers between, that know 1.2 only, want a session's name.
        &short(&random),
        &long(&numbers(&SUITES)),
        &short(&[0]),
        &long(&extensions),
    ]
    .concat();
    let message = [&[CLIENT_HELLO, 0][..], &long(&hello)].concat();
    [&[HANDSHAKE, 3, 1][..], &long(&message)].concat()
}

fn numbers(all: &[u16]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// With a length of one byte before it.
fn short(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    [&[length], &content[..usize::from(length)]].concat()
}

/// With a length of two bytes before it.
fn long(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], &content[..usize::from(length)]].concat()
}

fn extension(number: u16, content: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &long(content)].concat()
}

#[cfg(test)]
mod tests;
