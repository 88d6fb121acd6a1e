//! `sudo` before a command: the options that ask for no more than to be root, and a password where it
//! wants one.

use crate::faults::SUDO_PASSWORD;
use crate::server::{Answer, Program, Run};

/// How `sudo` may get at a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rise {
    /// Not at all: `-n`, or nothing said and no terminal.
    Silent,
    /// From the first line of the input: `-S`.
    FromInput,
}

/// The command behind `sudo`, and how that may ask; nothing if there is no `sudo`.
pub(crate) fn strip(words: &[String]) -> Result<(&[String], Option<Rise>), Answer> {
    let Some(("sudo", mut rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest))
    else {
        return Ok((words, None));
    };
    let mut rise = Rise::Silent;
    while let Some((option, after)) = rest.split_first() {
        rest = match option.as_str() {
            "-S" => {
                rise = Rise::FromInput;
                after
            }
            "-n" | "-k" | "-H" => after,
            "-p" => after.get(1..).unwrap_or_default(),
            "--" => {
                rest = after;
                break;
            }
            unknown if unknown.starts_with('-') => {
                return Err(Answer::fail(
                    1,
                    format!("sudo: the lab's sudo has no option {unknown}"),
                ));
            }
            _ => break,
        };
    }
    Ok((rest, Some(rise)))
}

/// Waits for the password, then runs a command with the rest of the input.
pub(crate) fn ask(start: Box<dyn FnOnce() -> Run + Send>) -> Run {
    Run::Reading(Box::new(Asking::Password { line: Vec::new(), start: Some(start) }))
}

enum Asking {
    Password { line: Vec<u8>, start: Option<Box<dyn FnOnce() -> Run + Send>> },
    Running(Box<dyn Program>),
}

impl Program for Asking {
    fn take(&mut self, input: &[u8]) -> Option<Answer> {
        let (line, start) = match self {
            Asking::Running(program) => return program.take(input),
            Asking::Password { line, start } => (line, start),
        };
        line.extend_from_slice(input);
        let end = line.iter().position(|byte| *byte == b'\n')?;
        let rest = line.split_off(end + 1);
        if line[..end] != *SUDO_PASSWORD.as_bytes() {
            return Some(Answer::fail(1, "sudo: 1 incorrect password attempt"));
        }
        match start.take()?() {
            Run::Ended(answer) => Some(answer),
            Run::Reading(mut program) => {
                let answer = if rest.is_empty() { None } else { program.take(&rest) };
                *self = Asking::Running(program);
                answer
            }
        }
    }

    fn prints(&mut self) -> Vec<u8> {
        match self {
            Asking::Running(program) => program.prints(),
            Asking::Password { .. } => Vec::new(),
        }
    }

    fn end(self: Box<Self>) -> Answer {
        match *self {
            Asking::Running(program) => program.end(),
            Asking::Password { .. } => Answer::fail(1, "sudo: no password was provided"),
        }
    }
}
