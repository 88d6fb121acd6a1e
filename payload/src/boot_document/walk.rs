//! Walking down `config.txt` with the sections in force at each line.

use super::config_txt::ConfigTxt;
use super::filter::{Applies, Filter};
use super::line::{Line, LineKind};
use crate::board::BoardFacts;

/// A walk down a file, as the firmware of one board reads it.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    config: &'a ConfigTxt,
    board: BoardFacts,
    next: usize,
    in_force: Vec<Header<'a>>,
    /// Something above may have opened or closed a section that is not seen here.
    doubtful: bool,
    /// The line just passed is such a thing.
    doubt_ahead: bool,
}

/// A section header in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    pub(crate) line: &'a Line,
    pub(crate) filter: Filter,
    applies: Applies,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(config: &'a ConfigTxt, board: &BoardFacts) -> Self {
        let (in_force, doubtful, doubt_ahead) = (Vec::new(), false, false);
        Walk { config, board: *board, next: 0, in_force, doubtful, doubt_ahead }
    }

    /// The next line; the sections in force are then those that it stands under.
    pub(crate) fn next(&mut self) -> Option<&'a Line> {
        let line = self.config.lines().get(self.next)?;
        self.next += 1;
        if self.doubt_ahead {
            self.doubt();
        }
        match line.kind {
            LineKind::Section(filter) => self.enter(line, filter),
            LineKind::NotUnderstood if self.config.text(line.span).contains(&b'[') => self.doubt(),
            LineKind::Blank
            | LineKind::Comment
            | LineKind::Include { .. }
            | LineKind::Initramfs { .. }
            | LineKind::Setting(_)
            | LineKind::NotUnderstood => {}
        }
        // A section that an included file, or the rest of a cut line, leaves open stays in force.
        let includes =
            matches!(line.kind, LineKind::Include { .. }) && self.applies() != Applies::No;
        self.doubt_ahead = includes || self.config.tail(line).contains(&b'[');
        Some(line)
    }

    /// Whether lines apply that stand here.
    pub(crate) fn applies(&self) -> Applies {
        let any = |verdict| self.in_force.iter().any(|header| header.applies == verdict);
        if any(Applies::No) {
            Applies::No
        } else if self.doubtful || any(Applies::Maybe) {
            Applies::Maybe
        } else {
            Applies::Yes
        }
    }

    /// The headers in force here, in the order in which they came.
    pub(crate) fn headers(&self) -> &[Header<'a>] {
        &self.in_force
    }

    fn enter(&mut self, line: &'a Line, filter: Filter) {
        match filter {
            Filter::All => {
                self.in_force.clear();
                self.doubtful = false;
                return;
            }
            Filter::Unknown => self.doubt(),
            _ => self.in_force.retain(|earlier| !filter.replaces(earlier.filter)),
        }
        self.in_force.push(Header { line, filter, applies: filter.applies(&self.board) });
    }

    fn doubt(&mut self) {
        self.doubtful = true;
        self.in_force.iter_mut().for_each(|header| header.applies = Applies::Maybe);
    }
}
