//! A MIGOS that nobody orders anything: it looks for itself whether all is well, and commits.

use std::io;
use std::time::Duration;

use jiff::fmt::rfc2822;
use migos_contract::Unattended;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::control::Control;

/// How long balena's API is waited for, and how long it is left alone after that.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

/// Commits, or gives up for good; as long as neither is due, it goes on asking.
pub(super) async fn decide(control: &Control, permit: &Unattended) {
    loop {
        match timeout(PATIENCE, time_at(&permit.api)).await {
            Ok(Ok(now)) if now >= permit.expires => {
                return control.decline("the permit to commit has run out");
            }
            Ok(Ok(_)) if control.awaits_image() => tracing::debug!("the image has not come yet"),
            Ok(Ok(_)) => return control.commit_by_itself(),
            Ok(Err(error)) => tracing::debug!(error, "balena's API does not answer"),
            Err(_) => tracing::debug!("balena's API does not answer in time"),
        }
        sleep(RETRY).await;
    }
}

/// The time by the API's host, in seconds since 1970.
async fn time_at(api: &str) -> Result<u64, String> {
    let host = api.strip_prefix("http://").ok_or("a lab's API is asked over plain HTTP")?;
    let answer = head(host.trim_end_matches('/')).await.map_err(|error| error.to_string())?;
    let mut headers = answer.lines().filter_map(|line| line.split_once(':'));
    let date = headers.find(|(name, _)| name.eq_ignore_ascii_case("date"));
    let (_, date) = date.ok_or("the API does not tell the time")?;
    let time = rfc2822::parse(date.trim()).map_err(|error| error.to_string())?;
    u64::try_from(time.timestamp().as_second()).map_err(|error| error.to_string())
}

async fn head(host: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(host).await?;
    let request = format!("HEAD /ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
