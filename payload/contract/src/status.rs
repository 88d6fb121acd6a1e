//! What MIGOS says of itself.

use serde::{Deserialize, Serialize};

/// The answer to every `migos-ctl` command: one JSON object.
///
/// Readers skip fields that they do not know, so that an older controller can speak to a newer ramdisk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What MIGOS is doing.
    pub state: State,
    /// The job's nonce.
    pub nonce: String,
    /// The board's serial number, as MIGOS itself reads it: 16 hex digits.
    pub serial: String,
    /// Bytes written and read back so far: of the raw image, and of the copy of the old boot partition.
    pub written: u64,
    /// Bytes to be written in all, as far as is known.
    pub total: u64,
    /// The part of the image file that MIGOS wants next, where it wants any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<Part>,
    /// True while the image, or a part of it, is coming from somebody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receiving: bool,
    /// Tries to fetch the image from the job's URL that came to nothing; `None` if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfetched: Option<Unfetched>,
    /// True once a [`Configuration`](crate::Configuration) has been taken.
    pub configured: bool,
    /// What went wrong, where `state` is `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Tries to fetch the image that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfetched {
    /// How many since MIGOS came up.
    pub tries: u32,
    /// What was wrong the last time.
    pub why: String,
}

/// A part of the image file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// What MIGOS is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The image is verified in RAM, or still wanted there, or will be sent while the card is written; Raspbian is one
    /// reset away.
    Ready,
    /// On its way back to Raspbian.
    Leaving,
    /// Past the point of no return, not yet writing.
    Committed,
    /// Past the point of no return and without the image, or without the next part of it: the controller must send
    /// what [`Status::wants`] says with [`Command::Stream`](crate::Command::Stream).
    NeedsImage,
    /// Writing the card.
    Flashing,
    /// Everything is written and read back; about to reboot into balenaOS.
    Flashed,
    /// Past the point of no return and unable to go on by itself; the SSH server stays up.
    Failed,
    /// A state of a newer ramdisk.
    #[serde(other)]
    Unknown,
}

impl State {
    /// True if the commit has been taken: Raspbian cannot return any more.
    pub fn is_committed(self) -> bool {
        match self {
            State::Committed
            | State::NeedsImage
            | State::Flashing
            | State::Flashed
            | State::Failed => true,
            State::Ready | State::Leaving | State::Unknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_newer_ramdisk_is_still_understood() {
        let text = r#"{"state":"dreaming","nonce":"","serial":"","written":0,"total":0,
            "configured":false,"of":"sheep"}"#;
        assert_eq!(serde_json::from_str::<Status>(text).unwrap().state, State::Unknown);
    }

    #[test]
    fn whoever_needs_the_image_again_is_past_the_commit() {
        assert_eq!(serde_json::to_string(&State::NeedsImage).unwrap(), r#""needs-image""#);
        assert!(State::NeedsImage.is_committed());
    }
}
