//! What the controller may ask of MIGOS.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The program that the controller runs over SSH in MIGOS.
pub const PROGRAM: &str = "migos-ctl";

/// One call of `migos-ctl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Print the [`Status`](crate::Status); changes nothing.
    Status,
    /// Take the [`Configuration`] from standard input; a later one replaces it.
    Configure,
    /// Cross the point of no return. Refused without a configuration, and with another job's nonce.
    /// Repeated, it does nothing more.
    Commit {
        /// The job's nonce.
        nonce: String,
    },
    /// Go back to Raspbian. Refused after the commit.
    Abort,
    /// Take from standard input what [`Status::wants`](crate::Status::wants) says of the image file. Refused unless
    /// MIGOS asks for it with [`NeedsImage`](crate::State::NeedsImage).
    Stream,
    /// Print the log, as text and without secrets; changes nothing.
    Log,
}

/// Words that are not a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError(String);

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a {PROGRAM} command: {}", self.0)
    }
}

impl std::error::Error for CommandError {}

impl Command {
    /// The words to run, program first. No word ever needs quoting: a nonce is hex digits.
    pub fn words(&self) -> Vec<&str> {
        match self {
            Command::Status => vec![PROGRAM, "status"],
            Command::Configure => vec![PROGRAM, "configure"],
            Command::Commit { nonce } => vec![PROGRAM, "commit", nonce],
            Command::Abort => vec![PROGRAM, "abort"],
            Command::Stream => vec![PROGRAM, "stream"],
            Command::Log => vec![PROGRAM, "log"],
        }
    }

    /// Reads the words of a call, program first.
    ///
    /// # Errors
    /// [`CommandError`] names the words that are not understood.
    pub fn parse(words: &[&str]) -> Result<Command, CommandError> {
        match words {
            [PROGRAM, "status"] => Ok(Command::Status),
            [PROGRAM, "configure"] => Ok(Command::Configure),
            [PROGRAM, "commit", nonce] if is_nonce(nonce) => {
                Ok(Command::Commit { nonce: (*nonce).to_owned() })
            }
            [PROGRAM, "abort"] => Ok(Command::Abort),
            [PROGRAM, "stream"] => Ok(Command::Stream),
            [PROGRAM, "log"] => Ok(Command::Log),
            _ => Err(CommandError(words.join(" "))),
        }
    }
}

fn is_nonce(word: &str) -> bool {
    word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The files that make the flashed device itself: `config.json` and network connections.
///
/// They carry secrets, so they are sent into MIGOS just before the commit and never rest on the card
/// before that; `Debug` prints the names alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Contents by path, relative to the root of balenaOS's boot partition.
    pub files: BTreeMap<String, String>,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_reads_back_from_its_words() {
        let commit = Command::Commit { nonce: "0123456789abcdef0123456789abcdef".to_owned() };
        let others =
            [Command::Status, Command::Configure, Command::Abort, Command::Stream, Command::Log];
        for command in others.into_iter().chain([commit]) {
            assert_eq!(Command::parse(&command.words()), Ok(command.clone()));
        }
    }

    #[test]
    fn other_words_are_refused_by_name() {
        for words in [&["migos-ctl"][..], &["migos-ctl", "commit", "x; reboot"], &["sh", "status"]]
        {
            let error = Command::parse(words).map_err(|e| e.to_string());
            assert_eq!(error, Err(format!("not a migos-ctl command: {}", words.join(" "))));
        }
    }

    #[test]
    fn a_configuration_does_not_print_its_secrets() {
        let files =
            BTreeMap::from([("config.json".to_owned(), "{\"deviceApiKey\":\"s3cret\"}".into())]);
        assert_eq!(format!("{:?}", Configuration { files }), r#"{"config.json"}"#);
    }
}
