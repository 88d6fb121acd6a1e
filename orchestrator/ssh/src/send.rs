//! Uploads: what is there is not sent again, what was cut off goes on, and the end is compared.

use crate::content::prefix_digest;
use crate::exec::Input;
use crate::session::Session;
use crate::verb::Verb;
use migos_contract::Part;
use migos_engine::port::{Content, Sent, TransportError};
use migos_payload::digest::Sha256;
use std::sync::atomic::AtomicU64;

/// What is on the device of an upload.
#[derive(Debug, PartialEq, Eq)]
enum There {
    /// Nothing.
    Nothing,
    /// A file of that name.
    Whole { size: u64, sha256: Sha256 },
    /// The beginning of one.
    Part { size: u64, sha256: Sha256 },
}

/// Sends a content to a path. If what came out is damaged, all of it is sent once more.
pub(crate) async fn send(
    session: &Session,
    content: &Content,
    path: &str,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Sent, TransportError> {
    let sent = AtomicU64::new(0);
    let there = match part(session, path).await? {
        There::Whole { size, sha256 } if size == content.size && sha256 == content.sha256 => {
            progress(size);
            return Ok(Sent { bytes: 0 });
        }
        There::Part { size, sha256 }
            if size <= content.size && prefix_digest(content, size).await? == sha256 =>
        {
            size
        }
        There::Nothing | There::Whole { .. } | There::Part { .. } => 0,
    };
    match attempt(session, content, path, there, progress, &sent).await {
        Err(TransportError::Damaged { .. }) => {
            attempt(session, content, path, 0, progress, &sent).await?;
        }
        result => result?,
    }
    Ok(Sent { bytes: sent.into_inner() })
}

async fn attempt(
    session: &Session,
    content: &Content,
    path: &str,
    offset: u64,
    progress: &(dyn Fn(u64) + Send + Sync),
    sent: &AtomicU64,
) -> Result<(), TransportError> {
    progress(offset);
    let size = content.size.to_string();
    if offset < content.size || offset == 0 {
        let part = Part { offset, length: content.size.saturating_sub(offset) };
        let input = Input::Part { content, part, progress, sent };
        session.verb(Verb::Receive, &[path, &offset.to_string(), &size], input).await?;
    }
    let sha256 = content.sha256.to_string();
    session.verb(Verb::Settle, &[path, &size, &sha256], Input::Nothing).await.map(drop)
}

async fn part(session: &Session, path: &str) -> Result<There, TransportError> {
    let answer = session.verb(Verb::Part, &[path], Input::Nothing).await?;
    let answer = String::from_utf8_lossy(&answer);
    parse(&answer).ok_or_else(|| TransportError::Garbled {
        verb: Verb::Part.name(),
        message: answer.trim_end().to_owned(),
    })
}

fn parse(answer: &str) -> Option<There> {
    let words: Vec<&str> = answer.strip_suffix('\n')?.split(' ').collect();
    match words[..] {
        ["none"] => Some(There::Nothing),
        [kind, size, sha256] => {
            let (size, sha256) = (size.parse().ok()?, sha256.parse().ok()?);
            match kind {
                "whole" => Some(There::Whole { size, sha256 }),
                "part" => Some(There::Part { size, sha256 }),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_part_is_read_strictly() {
        let sha256 = Sha256::of(b"");
        assert_eq!(parse("none\n"), Some(There::Nothing));
        let part = format!("part 0 {sha256}\n");
        assert_eq!(parse(&part), Some(There::Part { size: 0, sha256 }));
        let whole = format!("whole 7 {sha256}\n");
        assert_eq!(parse(&whole), Some(There::Whole { size: 7, sha256 }));
        for bad in ["", "none", "part\n", "part x y\n", "half 1 2\n", &part[..part.len() - 9]] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
