//! The image from a web server, where the job names one.

use std::io;
use std::time::Duration;

use migos_contract::Part;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::control::Control;

/// How long an answer is waited for, and how long the server is left alone after one that was of no use.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(200);

/// How often it is looked whether anything is wanted.
const LOOK: Duration = Duration::from_millis(50);

/// Fetches whatever is wanted, for ever.
pub(super) async fn fetch(control: &Control, url: &str) {
    loop {
        let Some(part) = control.wanted() else {
            sleep(LOOK).await;
            continue;
        };
        let body = match timeout(PATIENCE, get(url, part)).await {
            Ok(body) => body.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        // Meanwhile the controller may have sent it.
        let taken = body.and_then(|body| match control.wanted() == Some(part) {
            true => control.take_image(&body),
            false => Ok(()),
        });
        if let Err(why) = taken {
            control.not_fetched(format!("{url}: {why}"));
            sleep(RETRY).await;
        }
    }
}

/// The bytes of a part.
async fn get(url: &str, part: Part) -> io::Result<Vec<u8>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let rest = url.strip_prefix("http://").ok_or_else(|| bad("not an http:// URL"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).await?;
    let last = part.offset + part.length.saturating_sub(1);
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes={}-{last}\r\nConnection: close\r\n\r\n",
        part.offset
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| bad("the answer has no end of its head"))? + 4;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap_or_default();
    let body = answer.split_off(end);
    let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    match status {
        "206" => Ok(body),
        // A server that knows no parts sends the whole.
        "200" => {
            let wanted = place(part.offset)..place(part.offset + part.length);
            body.get(wanted).map(<[u8]>::to_vec).ok_or_else(|| bad("it is shorter than the image"))
        }
        other => Err(bad(&format!("status {other}"))),
    }
}
