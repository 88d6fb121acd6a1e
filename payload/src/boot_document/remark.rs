//! What is odd about a `config.txt`, for a person.

use super::COLUMN_LIMIT;
use super::config_txt::ConfigTxt;
use super::filter::Filter;
use super::line::{Line, LineKind};
use std::fmt;

/// A line that firmware may read otherwise than it was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    /// The line's number, from 1.
    pub line: usize,
    /// What is odd about it.
    pub oddity: Oddity,
}

/// What is odd about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// It is longer than some firmware reads (raspberrypi/firmware issues 692 and 1669).
    Long {
        /// Its length.
        columns: usize,
    },
    /// A stray CR or NUL is in it.
    Stray,
    /// A setting in a spelling that no document describes.
    Spelling,
    /// A section that is not known.
    Section,
    /// It includes another file, which was not read.
    Include,
    /// One `initramfs` too many.
    Initramfs,
    /// Nothing that is known.
    NotUnderstood,
}

impl ConfigTxt {
    /// All that is odd, in order.
    pub fn remarks(&self) -> Vec<Remark> {
        let mut loads = 0;
        let mut remarks = Vec::new();
        for line in self.lines() {
            loads += usize::from(matches!(line.kind, LineKind::Initramfs { .. }));
            let of_bytes = self.oddity_of_bytes(line);
            let of_kind = match line.kind {
                LineKind::Blank | LineKind::Comment => None,
                LineKind::Section(Filter::Unknown) => Some(Oddity::Section),
                LineKind::Section(_) => None,
                LineKind::Include { .. } => Some(Oddity::Include),
                LineKind::Initramfs { .. } => (loads > 1).then_some(Oddity::Initramfs),
                LineKind::Setting(setting) => (!setting.plain).then_some(Oddity::Spelling),
                LineKind::NotUnderstood => Some(Oddity::NotUnderstood),
            };
            let found = of_bytes.into_iter().chain(of_kind);
            remarks.extend(found.map(|oddity| Remark { line: line.number, oddity }));
        }
        remarks
    }

    fn oddity_of_bytes(&self, line: &Line) -> Option<Oddity> {
        let columns = line.span.len();
        if columns > COLUMN_LIMIT {
            return Some(Oddity::Long { columns });
        }
        (!self.tail(line).is_empty()).then_some(Oddity::Stray)
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} ", self.line)?;
        match self.oddity {
            Oddity::Long { columns } => write!(
                f,
                "has {columns} columns: firmware reads on after 98, older after {COLUMN_LIMIT}, as in a \
                 new line"
            ),
            Oddity::Stray => {
                f.write_str("has a CR or NUL in it: firmware may read on as in a new line")
            }
            Oddity::Spelling => f.write_str(
                "is not spelt key=value in small letters without blanks: firmware may ignore it",
            ),
            Oddity::Section => f.write_str("opens a section that is not known"),
            Oddity::Include => f.write_str("includes another file, which is not read here"),
            Oddity::Initramfs => f.write_str(
                "is not the first initramfs line: which one firmware takes is not known",
            ),
            Oddity::NotUnderstood => f.write_str("is not understood"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_is_said_with_its_line() {
        let text = format!(
            "[all]\ngpu_mem = 16\n[pi6]\ninclude a.txt\ninitramfs a\ninitramfs b\n{}\nx=1\ry=2\nwhat\n\
             dtparam=audio=on\n",
            "#".repeat(120)
        );
        let remarks = ConfigTxt::parse(text.as_bytes()).remarks();
        let text = remarks.iter().map(Remark::to_string).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(text, @r"
        line 2 is not spelt key=value in small letters without blanks: firmware may ignore it
        line 3 opens a section that is not known
        line 4 includes another file, which is not read here
        line 6 is not the first initramfs line: which one firmware takes is not known
        line 7 has 120 columns: firmware reads on after 98, older after 78, as in a new line
        line 8 has a CR or NUL in it: firmware may read on as in a new line
        line 8 is not spelt key=value in small letters without blanks: firmware may ignore it
        line 9 is not understood
        ");
    }
}
