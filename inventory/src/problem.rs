//! What is wrong with a file, where, and what to do about it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::yaml::KeyPath;

/// A place in a text: line and column, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One thing that is wrong in a file a person wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The keys that lead to the value, such as `devices.kiosk-042.serial`; empty for the whole
    /// file.
    pub path: String,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Problem {
    /// All of it on one line, the hint in brackets.
    pub fn on_one_line(&self) -> String {
        self.to_string().replacen("\n  hint: ", " (", 1)
            + if self.hint.is_some() { ")" } else { "" }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a file, in file order; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects the problems of one file, or of several that are read one after the other.
#[derive(Debug)]
pub struct Report {
    file: Arc<str>,
    /// Every file of the report, in the order in which they were turned to.
    files: Vec<Arc<str>>,
    problems: Vec<Problem>,
}

impl Report {
    /// Starts an empty report about `file`, which is only a name for messages.
    pub fn new(file: &str) -> Self {
        let file: Arc<str> = file.into();
        Self { files: vec![file.clone()], file, problems: Vec::new() }
    }

    /// Turns to another file: what is noted from here on is about that one.
    pub fn turn_to(&mut self, file: &str) {
        self.file = match self.files.iter().find(|known| &***known == file) {
            Some(known) => known.clone(),
            None => file.into(),
        };
        if !self.files.contains(&self.file) {
            self.files.push(self.file.clone());
        }
    }

    /// The file that is read now.
    pub fn file(&self) -> Arc<str> {
        self.file.clone()
    }

    /// Names a line for a message about the file that is read now: `line 3`, or `line 3 of a.yaml`.
    pub fn line_of(&self, file: &str, place: Place) -> String {
        match *self.file == *file {
            true => format!("line {}", place.line),
            false => format!("line {} of {file}", place.line),
        }
    }

    /// Notes a problem.
    pub fn add(&mut self, place: Place, path: &KeyPath, message: impl Into<String>) {
        self.push(place, path, message.into(), None);
    }

    /// Notes a problem and what to do about it.
    pub fn add_with_hint(
        &mut self,
        place: Place,
        path: &KeyPath,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(place, path, message.into(), Some(hint.into()));
    }

    fn push(&mut self, place: Place, path: &KeyPath, message: String, hint: Option<String>) {
        let Place { line, column } = place;
        let (file, path) = (self.file.to_string(), path.to_string());
        self.problems.push(Problem { file, line, column, path, message, hint });
    }

    /// Takes over the problems of another report.
    pub fn append(&mut self, other: Report) {
        self.problems.extend(other.problems);
    }

    /// Whether nothing was wrong so far.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems, file by file and in file order; those of one place in the order in which they were found.
    pub fn into_problems(mut self) -> Problems {
        let files = self.files;
        let number = |name: &str| files.iter().position(|file| &**file == name);
        self.problems.sort_by_key(|problem| (number(&problem.file), problem.line, problem.column));
        Problems(self.problems)
    }

    /// Gives `value` if nothing was wrong.
    ///
    /// # Errors
    /// All problems, in file order.
    pub fn into_result<T>(self, value: T) -> Result<T, Problems> {
        if self.is_clean() { Ok(value) } else { Err(self.into_problems()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_in_file_order_and_read_like_a_compiler_says_them() {
        let mut report = Report::new("kiosks.yaml");
        let serial = KeyPath::root().key("devices").key("kiosk-042").key("serial");
        report.add_with_hint(Place { line: 9, column: 4 }, &serial, "no serial", "add one");
        report.add(Place { line: 2, column: 1 }, &KeyPath::root(), "no devices");
        insta::assert_snapshot!(report.into_problems(), @r"
        kiosks.yaml:2:1: no devices
        kiosks.yaml:9:4: devices.kiosk-042.serial: no serial
          hint: add one
        ");
    }

    #[test]
    fn problems_of_several_files_come_file_by_file() {
        let mut report = Report::new("b.yaml");
        report.add(Place { line: 9, column: 1 }, &KeyPath::root(), "first file");
        report.turn_to("a.yaml");
        report.add(Place { line: 3, column: 1 }, &KeyPath::root(), "second file");
        report.turn_to("b.yaml");
        report.add(Place { line: 2, column: 1 }, &KeyPath::root(), "first again");
        insta::assert_snapshot!(report.into_problems(), @r"
        b.yaml:2:1: first again
        b.yaml:9:1: first file
        a.yaml:3:1: second file
        ");
    }

    #[test]
    fn a_clean_report_gives_the_value() {
        assert_eq!(Report::new("a").into_result(7), Ok(7));
    }
}
