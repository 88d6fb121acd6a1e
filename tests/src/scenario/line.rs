//! The lines of a script and the words in them.

use migos_inventory::{DeviceId, nearest, select_from};
use migos_playbooks::span::Span;
use std::fmt;
use std::time::Duration;

/// Why a script cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}\n  remedy: {}", self.line, self.message, self.remedy)
    }
}

/// The words of one line that are still to be read.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) number: usize,
    words: std::collections::VecDeque<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    is_quoted: bool,
}

impl Line {
    /// Splits a line into words; text in double quotes is one word, `#` begins a remark.
    pub(super) fn new(number: usize, text: &str) -> Result<Line, ScriptError> {
        let mut words = std::collections::VecDeque::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let (word, after) = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let (inside, after) = quoted.split_once('"').ok_or_else(|| ScriptError {
                        line: number,
                        message: format!("a quotation mark is not closed: {rest}"),
                        remedy: "close it on the same line".into(),
                    })?;
                    (Word { text: inside.to_owned(), is_quoted: true }, after)
                }
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    let (word, after) = rest.split_at(end);
                    (Word { text: word.to_owned(), is_quoted: false }, after)
                }
            };
            words.push_back(word);
            rest = after.trim_start();
        }
        Ok(Line { number, words })
    }

    pub(super) fn error(
        &self,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ScriptError {
        ScriptError { line: self.number, message: message.into(), remedy: remedy.into() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The next word, whatever it is.
    pub(super) fn word(&mut self, what: &str) -> Result<String, ScriptError> {
        match self.words.pop_front() {
            Some(word) if !word.is_quoted => Ok(word.text),
            Some(word) => Err(self.error(
                format!("{:?} stands where {what} must", word.text),
                format!("write {what}, without quotation marks"),
            )),
            None => Err(self.error(format!("{what} is missing"), format!("add {what}"))),
        }
    }

    /// The next word, if it is a text in quotation marks.
    pub(super) fn quoted(&mut self) -> Option<String> {
        self.words.pop_front_if(|word| word.is_quoted).map(|word| word.text)
    }

    /// Takes these words, if they come next.
    pub(super) fn takes(&mut self, words: &str) -> bool {
        let wanted: Vec<&str> = words.split(' ').collect();
        let next = self.words.iter().take(wanted.len());
        let is_next =
            next.filter(|it| !it.is_quoted).map(|it| it.text.as_str()).eq(wanted.iter().copied());
        if is_next {
            self.words.drain(..wanted.len());
        }
        is_next
    }

    /// These words have to come next.
    pub(super) fn must(&mut self, words: &str) -> Result<(), ScriptError> {
        match self.takes(words) {
            true => Ok(()),
            false => {
                let found = self.words.front().map_or("the end of the line", |it| it.text.as_str());
                Err(self.error(
                    format!("{found} stands where `{words}` must"),
                    format!("write `{words}` there"),
                ))
            }
        }
    }

    /// Nothing more may come.
    pub(super) fn ends(&self) -> Result<(), ScriptError> {
        match self.words.front() {
            None => Ok(()),
            Some(word) => Err(self.error(
                format!("nothing is known of {:?} here", word.text),
                "take it away, or see README.md beside the scripts for the line's form",
            )),
        }
    }

    /// The next word, which must be one of these.
    pub(super) fn one_of<T: Clone>(
        &mut self,
        what: &str,
        known: &[(&str, T)],
    ) -> Result<T, ScriptError> {
        let word = self.word(what)?;
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == word) {
            return Ok(value.clone());
        }
        let names = known.iter().map(|(name, _)| *name);
        let remedy = match nearest(&word, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", names.collect::<Vec<_>>().join(", ")),
        };
        Err(self.error(format!("`{word}` is not {what}"), remedy))
    }

    /// A length of time, or a moment counted from the start: `90s`, `1h30m`.
    pub(super) fn span(&mut self) -> Result<Duration, ScriptError> {
        let word = self.word("a length of time")?;
        let span = word.parse::<Span>().map(|span| span.0);
        span.map_err(|error| {
            self.error(error.to_string(), "write it without blanks, such as 90s or 1h30m")
        })
    }

    /// Some of these devices.
    pub(super) fn devices(&mut self, all: &[DeviceId]) -> Result<Vec<DeviceId>, ScriptError> {
        let word = self.word("a set of devices")?;
        select_from(all, Some(&word)).map_err(|error| self.error(error.to_string(), error.hint()))
    }

    pub(super) fn device(&mut self, all: &[DeviceId]) -> Result<DeviceId, ScriptError> {
        let found = self.devices(all)?;
        match found.as_slice() {
            [one] => Ok(one.clone()),
            several => Err(self.error(
                format!("{} devices stand where one must", several.len()),
                "name one device",
            )),
        }
    }
}
