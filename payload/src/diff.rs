//! How a file changes, as a unified diff for a person.

use similar::{Algorithm, ChangeTag, DiffOp};
use std::fmt::Write;
use std::ops::Range;

/// Unchanged lines shown around a change.
const CONTEXT: usize = 3;

/// The unified diff of a file called `name`; empty if nothing changes.
///
/// The files may hold any bytes. Whatever would not show, or would act on a terminal, is escaped: a CRLF
/// line ends in `\r`, a byte that is no text is shown as `\x80`, a backslash is doubled.
pub fn unified(old: &[u8], new: &[u8], name: &str) -> String {
    let (old, new) = (lines(old), lines(new));
    let changes = similar::capture_diff_slices(Algorithm::Myers, &old, &new);
    let hunks = similar::group_diff_ops(changes, CONTEXT);
    if hunks.is_empty() {
        return String::new();
    }
    let name = visible(name.as_bytes());
    let mut text = format!("--- {name}\n+++ {name}\n");
    for hunk in &hunks {
        text += &header(hunk);
        for change in hunk.iter().flat_map(|change| change.iter_changes(&old, &new)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let line = change.value();
            let (line, end) = match line.strip_suffix(b"\n") {
                Some(line) => (line, ""),
                None => (line, "\\ No newline at end of file\n"),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{sign}{}", visible(line));
            text += end;
        }
    }
    text
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

fn header(hunk: &[DiffOp]) -> String {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return String::new() };
    let old = first.old_range().start..last.old_range().end;
    let new = first.new_range().start..last.new_range().end;
    format!("@@ -{} +{} @@\n", place(old), place(new))
}

/// First line and count, as diff writes them: a count of 1 is left out, and what is empty stands behind
/// the line before it.
fn place(lines: Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        count => format!("{},{count}", lines.start + 1),
    }
}

fn visible(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\'' => text.push(c),
                _ => text.extend(c.escape_debug()),
            }
        }
        chunk.invalid().iter().for_each(|byte| text += &format!("\\x{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_the_lines_around_them() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n";
        let new = "a\nb\nC\nd\ne\nf\ng\nh\ni\nj\nl\nm";
        insta::assert_snapshot!(unified(old.as_bytes(), new.as_bytes(), "config.txt"), @r"
        --- config.txt
        +++ config.txt
        @@ -1,6 +1,6 @@
         a
         b
        -c
        +C
         d
         e
         f
        @@ -8,5 +8,5 @@
         h
         i
         j
        -k
         l
        +m
        \ No newline at end of file
        ");
    }

    #[test]
    fn a_new_file_and_a_deleted_one() {
        insta::assert_snapshot!(unified(b"", b"[all]\nx=1\n", "tryboot.txt"), @r"
        --- tryboot.txt
        +++ tryboot.txt
        @@ -0,0 +1,2 @@
        +[all]
        +x=1
        ");
        insta::assert_snapshot!(unified(b"x=1\n", b"", "tryboot.txt"), @r"
        --- tryboot.txt
        +++ tryboot.txt
        @@ -1 +0,0 @@
        -x=1
        ");
        assert_eq!(unified(b"same\n", b"same\n", "config.txt"), "");
    }

    #[test]
    fn nothing_reaches_the_terminal_that_is_not_text() {
        let old = b"a=1\r\nb=\"x\"\tc\n";
        let new = b"a=1\nb=\x1b[31m\xff\0\\n\xe2\x80\xae\xc3\xa9\n";
        insta::assert_snapshot!(unified(old, new, "x\n.txt"), @r#"
        --- x\n.txt
        +++ x\n.txt
        @@ -1,2 +1,2 @@
        -a=1\r
        -b="x"\tc
        +a=1
        +b=\u{1b}[31m\xff\0\\n\u{202e}é
        "#);
    }
}
