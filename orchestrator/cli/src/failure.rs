//! What went wrong: in words, with what to do about it, and as an exit code.

use std::error::Error;
use std::fmt::Display;

/// What sort of failure it is; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The program's own fault, or a disk that cannot be written.
    Internal,
    /// The command line.
    Usage,
    /// A file that the user wrote or named.
    Input,
    /// Nothing was begun.
    NotStarted,
}

/// A failure of a command.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    /// What failed, then why, from the outside in.
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, what: impl Display) -> Self {
        Failure { kind, causes: vec![what.to_string()], hints: Vec::new() }
    }

    /// A failure with the chain of its causes.
    pub(crate) fn of(kind: Kind, error: &dyn Error) -> Self {
        let mut failure = Failure::new(kind, error);
        failure.add_causes(error.source());
        failure
    }

    /// A failure at something, with the chain of its causes.
    pub(crate) fn at(kind: Kind, what: impl Display, error: &dyn Error) -> Self {
        let mut failure = Failure::new(kind, what);
        failure.add_causes(Some(error));
        failure
    }

    pub(crate) fn internal(what: impl Display, error: &dyn Error) -> Self {
        Failure::at(Kind::Internal, what, error)
    }

    fn add_causes(&mut self, mut next: Option<&dyn Error>) {
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
    }

    /// Adds what the user can do about it.
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Internal => 1,
            Kind::Usage => 2,
            Kind::Input => 3,
            Kind::NotStarted => 4,
        }
    }

    /// The text for people: causes one a line, then hints.
    pub(crate) fn text(&self) -> String {
        let mut lines = Vec::new();
        for (depth, cause) in self.causes.iter().enumerate() {
            let word = if depth == 0 { "error" } else { "because" };
            lines.push(format!("{word}: {cause}"));
        }
        lines.extend(self.hints.iter().map(|hint| format!("hint: {hint}")));
        lines.join("\n")
    }
}

/// Makes failures of errors where they cross into a command.
pub(crate) trait OrFail<T> {
    /// This kind of failure, in the error's own words.
    fn or_fail(self, kind: Kind) -> Result<T, Failure>;
}

impl<T, E: Error> OrFail<T> for Result<T, E> {
    fn or_fail(self, kind: Kind) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(kind, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_its_causes_and_what_to_do() {
        let source = std::io::Error::other("no such file");
        let failure =
            Failure::at(Kind::Input, "failed to read kiosks.yaml", &source).hint("check the path");
        insta::assert_snapshot!(failure.text(), @r"
        error: failed to read kiosks.yaml
        because: no such file
        hint: check the path
        ");
        assert_eq!(failure.exit_code(), 3);
    }
}
