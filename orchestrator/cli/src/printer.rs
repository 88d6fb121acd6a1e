//! What goes to stdout, what to stderr, and in which style.

use crate::args::Color;
use crate::failure::Failure;
use crate::wire;
use console::Term;
use migos_report::Style;
use std::io::{self, Write};

/// Columns where no terminal says how many it has.
const WIDTH: u16 = 100;

/// Prints: data to stdout, words for people to stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    color: Color,
}

impl Printer {
    pub(crate) fn new(color: Color) -> Self {
        Printer { color }
    }

    /// The style for stdout.
    pub(crate) fn out_style(self) -> Style {
        self.style(&Term::stdout())
    }

    /// The style for stderr.
    pub(crate) fn err_style(self) -> Style {
        self.style(&Term::stderr())
    }

    fn style(self, term: &Term) -> Style {
        let terminal = term.is_term();
        let color = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !wire::no_color(),
        };
        // What the shell tells is for programs that cannot ask the terminal.
        let width = term.size_checked().map(|(_, columns)| columns).filter(|columns| *columns > 0);
        let width = width.or_else(wire::columns).filter(|_| terminal);
        Style { color, width: width.unwrap_or(WIDTH) }
    }

    /// Writes data. A reader who has gone away is no error.
    pub(crate) fn out(self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Writes a line for people.
    pub(crate) fn say(self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Writes what went wrong.
    pub(crate) fn failure(self, failure: &Failure) {
        self.say(&failure.text());
    }
}
