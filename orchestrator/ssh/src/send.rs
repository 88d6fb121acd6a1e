//! Uploads: what is there is not sent again, what was cut off goes on, and the end is compared.

use crate::content::prefix_digest;
use crate::exec::Input;
use crate::session::Session;
use crate::verb::Verb;
use migos_engine::port::{Content, Sent, TransportError};
use migos_payload::digest::Sha256;
use std::sync::atomic::AtomicU64;

/// What is on the device of an upload.
#[derive(Debug, PartialEq, Eq)]
enum There {
    /// Nothing.
    Nothing,
    /// All of it.
    Whole,
    /// Something that may be its beginning.
    Part { size: u64, sha256: Sha256 },
}

/// Sends a content to a path. If what came out is damaged, or too little of it came, it is tried once more.
pub(crate) async fn send(
    session: &Session,
    content: &Content,
    path: &str,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Sent, TransportError> {
    let sent = AtomicU64::new(0);
    let (size, sha256) = (content.size.to_string(), content.sha256.to_string());
    let args = [path, &size, &sha256];
    let attempt =
        || session.verb(Verb::Receive, &args, Input::Rest { content, progress, sent: &sent });
    match attempt().await {
        Err(TransportError::Damaged { .. }) => attempt().await?,
        result => result?,
    };
    Ok(Sent { bytes: sent.into_inner() })
}

/// Where to go on, by what the device says is there; `None` if nothing is to be sent.
pub(crate) async fn offset(content: &Content, answer: &str) -> Result<Option<u64>, TransportError> {
    let there = parse(answer).ok_or_else(|| TransportError::Garbled {
        verb: Verb::Receive.name(),
        message: answer.trim_end().to_owned(),
    })?;
    Ok(match there {
        There::Whole => None,
        There::Part { size, sha256 }
            if size <= content.size && prefix_digest(content, size).await? == sha256 =>
        {
            Some(size)
        }
        There::Nothing | There::Part { .. } => Some(0),
    })
}

fn parse(answer: &str) -> Option<There> {
    let words: Vec<&str> = answer.strip_suffix('\n')?.split(' ').collect();
    match words[..] {
        ["none"] => Some(There::Nothing),
        ["whole"] => Some(There::Whole),
        ["part", size, sha256] => {
            Some(There::Part { size: size.parse().ok()?, sha256: sha256.parse().ok()? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_read_strictly() {
        let sha256 = Sha256::of(b"");
        assert_eq!(parse("none\n"), Some(There::Nothing));
        assert_eq!(parse("whole\n"), Some(There::Whole));
        let part = format!("part 7 {sha256}\n");
        assert_eq!(parse(&part), Some(There::Part { size: 7, sha256 }));
        for bad in ["", "none", "part\n", "part x y\n", "half 1 2\n", &part[..part.len() - 9]] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
