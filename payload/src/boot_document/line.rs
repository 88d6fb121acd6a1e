//! One line of `config.txt`: what kind it is, and where its parts stand.

use super::filter::Filter;

/// The longest name that the firmware scans after `include` and `initramfs` (`%64s` in its binaries).
const NAME_LIMIT: usize = 64;

/// A stretch of a document, in bytes from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// One line of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// The line without its end (LF or CRLF).
    pub span: Span,
    /// The line with its end; the lines of a document lie end to end.
    pub whole: Span,
    /// What it is.
    pub kind: LineKind,
}

/// What a line of `config.txt` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Nothing but blanks.
    Blank,
    /// A comment.
    Comment,
    /// A section header.
    Section(Filter),
    /// `include FILE`.
    Include {
        /// The file's name.
        file: Span,
    },
    /// `initramfs FILE [followkernel|ADDRESS]`.
    Initramfs {
        /// The file's name; a comma separates several.
        file: Span,
        /// Where it is loaded to, if said.
        place: Option<Span>,
    },
    /// `key=value`.
    Setting(Setting),
    /// Anything else.
    NotUnderstood,
}

/// A line `key=value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The key, without blanks around it.
    pub key: Span,
    /// The value, without blanks around it; it may be empty.
    pub value: Span,
    /// False for a spelling that no document describes, and that firmware may not take: blanks around
    /// `=` or at the end, capitals in the key, bytes that are no printable ASCII.
    pub plain: bool,
}

impl Span {
    /// Its length in bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// True if it holds nothing.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl LineKind {
    /// What the line is that stands at `span` of `bytes`.
    pub(super) fn of(bytes: &[u8], span: Span) -> Self {
        let text = &bytes[span.start..span.end];
        let Some(indent) = text.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            return LineKind::Blank;
        };
        let (start, text) = (span.start + indent, &text[indent..]);
        match text[0] {
            b'#' => return LineKind::Comment,
            b'[' => return section(text),
            _ => {}
        }
        if let Some(rest) = command(text, b"include") {
            let mut words = words(rest, start + text.len() - rest.len());
            return match words.next() {
                Some(file) if file.len() <= NAME_LIMIT => LineKind::Include { file },
                _ => LineKind::NotUnderstood,
            };
        }
        if let Some(rest) = command(text, b"initramfs") {
            let mut words = words(rest, start + text.len() - rest.len());
            return match (words.next(), words.next()) {
                (Some(file), place) if file.len() <= NAME_LIMIT => {
                    LineKind::Initramfs { file, place }
                }
                _ => LineKind::NotUnderstood,
            };
        }
        let Some(equals) = text.iter().position(|byte| *byte == b'=') else {
            return LineKind::NotUnderstood;
        };
        let (key, value) = (&text[..equals], &text[equals + 1..]);
        let (key_span, value_span) = (trimmed(key, start), trimmed(value, start + equals + 1));
        if key_span.is_empty() {
            return LineKind::NotUnderstood;
        }
        let printable = |byte: &u8| matches!(byte, b' '..=b'~');
        let plain = key_span.len() == key.len()
            && value_span.len() == value.len()
            && !key.iter().any(u8::is_ascii_uppercase)
            && !key.contains(&b' ')
            && text.iter().all(printable);
        LineKind::Setting(Setting { key: key_span, value: value_span, plain })
    }
}

fn section(text: &[u8]) -> LineKind {
    match text.iter().position(|byte| *byte == b']') {
        Some(end) => LineKind::Section(Filter::parse(&text[1..end])),
        None => LineKind::NotUnderstood,
    }
}

/// What follows a command that is written without `=`.
fn command<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    text.strip_prefix(word).filter(|rest| matches!(rest.first(), None | Some(b' ' | b'\t')))
}

/// The words of a text that stands at `from`.
fn words(text: &[u8], from: usize) -> impl Iterator<Item = Span> {
    let mut at = from;
    text.split(u8::is_ascii_whitespace).filter_map(move |word| {
        let span = Span { start: at, end: at + word.len() };
        at = span.end + 1;
        (!span.is_empty()).then_some(span)
    })
}

/// Where the text that stands at `from` is without the blanks around it.
fn trimmed(text: &[u8], from: usize) -> Span {
    let start = from + text.len() - text.trim_ascii_start().len();
    Span { start, end: start + text.trim_ascii().len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let part = |span: Span| &text[span.start..span.end];
        match LineKind::of(text.as_bytes(), Span { start: 0, end: text.len() }) {
            LineKind::Setting(Setting { key, value, plain }) => {
                format!("{} = {:?}{}", part(key), part(value), if plain { "" } else { ", odd" })
            }
            LineKind::Include { file } => format!("include {:?}", part(file)),
            LineKind::Initramfs { file, place } => {
                format!("initramfs {:?} at {:?}", part(file), place.map(part))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_is_told_and_its_parts_are_found() {
        let long = format!("initramfs {}", "x".repeat(65));
        let lines = [
            "",
            " \t",
            "# gpu_mem=16",
            "  # x",
            "[pi4]",
            "[pi4",
            "gpu_mem=16",
            "  gpu_mem=16",
            "gpu_mem = 16 ",
            "GPU_MEM=16",
            "gpu mem=16",
            "dtoverlay=",
            "=x",
            "hdmi_mode:1=4",
            "a=b=c",
            "a=\u{fc}",
            "include more.txt",
            "include\tmore.txt more",
            "include",
            "includes=1",
            "initramfs a.img",
            "initramfs a.img,b.img  followkernel",
            "initramfs=a",
            "initramfs",
            &long,
            "gpu_mem 16",
            "\0\0",
        ];
        let table = lines.map(|line| format!("{line:?}: {}", read(line)));
        insta::assert_snapshot!(table.join("\n"), @r##"
        "": Blank
        " \t": Blank
        "# gpu_mem=16": Comment
        "  # x": Comment
        "[pi4]": Section(Model("pi4"))
        "[pi4": NotUnderstood
        "gpu_mem=16": gpu_mem = "16"
        "  gpu_mem=16": gpu_mem = "16"
        "gpu_mem = 16 ": gpu_mem = "16", odd
        "GPU_MEM=16": GPU_MEM = "16", odd
        "gpu mem=16": gpu mem = "16", odd
        "dtoverlay=": dtoverlay = ""
        "=x": NotUnderstood
        "hdmi_mode:1=4": hdmi_mode:1 = "4"
        "a=b=c": a = "b=c"
        "a=ü": a = "ü", odd
        "include more.txt": include "more.txt"
        "include\tmore.txt more": include "more.txt"
        "include": NotUnderstood
        "includes=1": includes = "1"
        "initramfs a.img": initramfs "a.img" at None
        "initramfs a.img,b.img  followkernel": initramfs "a.img,b.img" at Some("followkernel")
        "initramfs=a": initramfs = "a"
        "initramfs": NotUnderstood
        "initramfs xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": NotUnderstood
        "gpu_mem 16": NotUnderstood
        "\0\0": NotUnderstood
        "##);
    }
}
