//! `config.txt` as a whole, and what it says to one board.

use super::filter::{Applies, Filter};
use super::line::{Line, LineKind, Span};
use super::walk::Walk;
use super::{COLUMN_LIMIT, is_decoy};
use crate::board::BoardFacts;

/// Keys that the first stage reads, which follows no `include` (Raspberry Pi documentation: config.txt,
/// include).
const FIRST_STAGE: &[&str] = &[
    "bootcode_delay",
    "fixup_file",
    "gpu_mem",
    "gpu_mem_1024",
    "gpu_mem_256",
    "gpu_mem_512",
    "sdram_freq",
    "start_debug",
    "start_file",
    "start_x",
    "total_mem",
    "uart_2ndstage",
];

/// How NOOBS headed the settings that it appended.
const NOOBS: &[u8] = b"# NOOBS Auto-generated Settings";

/// A `config.txt`, or any other bytes read as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigTxt {
    bytes: Vec<u8>,
    lines: Vec<Line>,
}

/// A line that the firmware of a board reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied<'a> {
    /// The line: a setting, an `initramfs` or an `include`.
    pub line: &'a Line,
    /// False if it cannot be told whether it applies.
    pub certain: bool,
}

/// The value that the firmware of a board uses for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective<'a> {
    /// The value.
    pub value: &'a [u8],
    /// The number of its line, from 1.
    pub line: usize,
    /// False if firmware may use another value, or none: because of sections that cannot be decided, cut
    /// lines, included files, or spellings that no document describes.
    pub certain: bool,
}

impl ConfigTxt {
    /// Reads a file. Every sequence of bytes is one.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut start = 0;
        let lines =
            (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')).map(|(number, line)| {
                let whole = Span { start, end: start + line.len() };
                start = whole.end;
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                let span = Span { start: whole.start, end: whole.start + text.len() };
                Line { number, span, whole, kind: LineKind::of(bytes, span) }
            });
        ConfigTxt { lines: lines.collect(), bytes: bytes.to_vec() }
    }

    /// The bytes it was read from.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// Its lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The bytes of one of its spans; empty for a span of another document.
    pub fn text(&self, span: Span) -> &[u8] {
        self.bytes.get(span.start..span.end).unwrap_or_default()
    }

    /// What firmware may take for a line of its own, because it cuts long lines, or because a stray CR or
    /// NUL is in the middle.
    pub(super) fn tail(&self, line: &Line) -> &[u8] {
        let text = self.text(line.span);
        let stray = text.iter().position(|byte| matches!(byte, b'\r' | b'\0'));
        &text[stray.unwrap_or(COLUMN_LIMIT).min(COLUMN_LIMIT).min(text.len())..]
    }

    /// True for the text that stands at `/boot/config.txt` where the real file is in `/boot/firmware`.
    pub fn is_decoy(&self) -> bool {
        is_decoy(&self.bytes)
    }

    /// True if NOOBS installed the system: then another partition boots first.
    pub fn is_from_noobs(&self) -> bool {
        self.lines.iter().any(|line| self.text(line.span).starts_with(NOOBS))
    }

    /// True if the initramfs is the one with which raspi-config (buster, bullseye) makes the root file
    /// system read-only under an overlay.
    pub fn has_overlay_root(&self) -> bool {
        self.lines.iter().any(|line| match line.kind {
            LineKind::Initramfs { file, .. } => self.text(file).ends_with(b"-overlay"),
            _ => false,
        })
    }

    /// The files that it includes, in whatever section; they are not followed.
    pub fn includes(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().filter_map(|line| match line.kind {
            LineKind::Include { file } => Some(self.text(file)),
            _ => None,
        })
    }

    /// The first line with an effect in a `[tryboot]` section of this board: new firmware reads it in
    /// one-shot boots only.
    pub(crate) fn in_tryboot_section(&self, board: &BoardFacts) -> Option<&Line> {
        let mut walk = Walk::new(self, board);
        while let Some(line) = walk.next() {
            let tryboot = walk.headers().iter().any(|header| header.filter == Filter::Tryboot);
            if line.acts() && tryboot && walk.applies() != Applies::No {
                return Some(line);
            }
        }
        None
    }

    /// All lines with an effect that apply to this board, or may.
    pub fn settings_for(&self, board: &BoardFacts) -> Vec<Applied<'_>> {
        let mut applied = Vec::new();
        let mut walk = Walk::new(self, board);
        while let Some(line) = walk.next() {
            let applies = walk.applies();
            if line.acts() && applies != Applies::No {
                applied.push(Applied { line, certain: applies == Applies::Yes });
            }
        }
        applied
    }

    /// The value that the firmware of this board uses for a key: of several the last (Raspberry Pi
    /// documentation: a later setting reverts an earlier one). Where no line applies for certain, the last
    /// that may. An `initramfs` line sets `ramfsfile`.
    ///
    /// Of keys that add up (`dtoverlay`, `dtparam`, `gpio`), this is only the last one: see
    /// [`settings_for`](Self::settings_for). Nothing here means that nothing is set in this file; an
    /// included one may.
    pub fn effective(&self, key: &str, board: &BoardFacts) -> Option<Effective<'_>> {
        let (mut sure, mut unsure): (Option<Effective<'_>>, Option<Effective<'_>>) = (None, None);
        // Two initramfs lines: what firmware does is written nowhere.
        let mut loads = 0;
        let mut walk = Walk::new(self, board);
        while let Some(line) = walk.next() {
            let applies = walk.applies();
            if applies == Applies::No {
                continue;
            }
            if matches!(line.kind, LineKind::Include { .. }) && !FIRST_STAGE.contains(&key) {
                sure = sure.map(|sure| Effective { certain: false, ..sure });
            }
            if let Some((value, plain)) = self.value(line, key) {
                loads += usize::from(matches!(line.kind, LineKind::Initramfs { .. }));
                let certain = plain && loads < 2 && applies == Applies::Yes;
                let found = Effective { value, line: line.number, certain };
                if certain {
                    sure = Some(found);
                } else {
                    unsure = Some(found);
                    sure = sure.map(|sure| doubted(sure, value));
                }
            }
            if let Some(value) = setting_in(self.tail(line), key) {
                unsure = Some(Effective { value, line: line.number, certain: false });
                sure = sure.map(|sure| doubted(sure, value));
            }
        }
        sure.or(unsure)
    }

    /// What a line sets a key to, and whether that is beyond doubt.
    fn value(&self, line: &Line, key: &str) -> Option<(&[u8], bool)> {
        let whole = self.tail(line).is_empty();
        match line.kind {
            LineKind::Setting(setting) => self
                .text(setting.key)
                .eq_ignore_ascii_case(key.as_bytes())
                .then(|| (self.text(setting.value), setting.plain && whole)),
            LineKind::Initramfs { file, .. } if key == "ramfsfile" => {
                Some((self.text(file), whole))
            }
            _ => None,
        }
    }
}

impl Line {
    /// True if it does something beyond opening a section.
    pub(crate) fn acts(&self) -> bool {
        match self.kind {
            LineKind::Include { .. } | LineKind::Initramfs { .. } | LineKind::Setting(_) => true,
            LineKind::Blank
            | LineKind::Comment
            | LineKind::Section(_)
            | LineKind::NotUnderstood => false,
        }
    }
}

/// A value with a later line that may set another.
fn doubted<'a>(sure: Effective<'a>, later: &[u8]) -> Effective<'a> {
    Effective { certain: sure.certain && sure.value == later, ..sure }
}

/// The value of `key=` wherever it stands in a text.
fn setting_in<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let setting = [key.as_bytes(), b"="].concat();
    let at =
        text.windows(setting.len()).position(|window| window.eq_ignore_ascii_case(&setting))?;
    Some(&text[at + setting.len()..])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::board::Revision;

    const PI_3: BoardFacts = BoardFacts { revision: Revision(0xa02082), serial: Some(0x765f_c593) };

    /// `value@line`, with a `?` where it is not certain.
    fn effective(text: &str, key: &str) -> String {
        let config = ConfigTxt::parse(text.as_bytes());
        match config.effective(key, &PI_3) {
            None => "none".into(),
            Some(Effective { value, line, certain }) => {
                let doubt = if certain { "" } else { "?" };
                format!("{}@{line}{doubt}", String::from_utf8_lossy(value))
            }
        }
    }

    #[test]
    fn the_last_line_for_this_board_wins() {
        let text = "gpu_mem=64\n[pi4]\ngpu_mem=256\n[pi3]\ngpu_mem=16\n[all]\nkernel=a.img\n";
        assert_eq!(effective(text, "gpu_mem"), "16@5");
        assert_eq!(effective(text, "kernel"), "a.img@7");
        assert_eq!(effective(text, "start_x"), "none");
        assert_eq!(effective("[none]\n[pi3]\na=1\n[all]\n", "a"), "none");
        assert_eq!(effective("[0xdeadbeef]\n[pi3]\na=1", "a"), "none");
        assert_eq!(effective("[0x765fc593]\n[pi3]\na=1", "a"), "1@3");
        assert_eq!(effective("[pi4]\r\na=1\r\n[all]\r\na=2\r\n", "a"), "2@4");
    }

    #[test]
    fn what_cannot_be_decided_is_not_certain() {
        assert_eq!(effective("a=1\n[gpio4=1]\na=2\n", "a"), "1@1?");
        assert_eq!(effective("[EDID=x]\na=2\n", "a"), "2@2?");
        assert_eq!(effective("a=1\n[gpio4=1]\na=1\n", "a"), "1@1");
        assert_eq!(effective("[gpio4=1]\na=2\n[all]\na=1\n", "a"), "1@4");
        assert_eq!(effective("[gpio4=1]\n[pi4]\na=2\n", "a"), "none");
        assert_eq!(effective("a=1\nA=2\n", "a"), "1@1?");
        assert_eq!(effective("a = 2\n", "a"), "2@1?");
        assert_eq!(effective("a=1\n[pi6]\na=2\n", "a"), "1@1?");
        assert_eq!(effective("[pi4]\n[pi6]\na=2\n", "a"), "2@3?");
        assert_eq!(effective("[pi4\na=2\n", "a"), "2@2?");
    }

    #[test]
    fn an_included_file_may_say_otherwise_but_not_to_the_first_stage() {
        assert_eq!(effective("kernel=a\ninclude b.txt\n", "kernel"), "a@1?");
        assert_eq!(effective("gpu_mem=16\ninclude b.txt\n", "gpu_mem"), "16@1");
        assert_eq!(effective("kernel=a\n[pi4]\ninclude b.txt\n", "kernel"), "a@1");
        assert_eq!(effective("include b.txt\nkernel=a\n", "kernel"), "a@2?");
        assert_eq!(effective("include b.txt\n[all]\nkernel=a\n", "kernel"), "a@3");
        let config = ConfigTxt::parse(b"include b.txt\n[pi4]\ninclude\tc.txt\n");
        assert_eq!(config.includes().collect::<Vec<_>>(), [b"b.txt", b"c.txt"]);
    }

    #[test]
    fn the_rest_of_a_cut_line_may_be_a_line() {
        let comment = format!("{:#<80}", "# see ");
        assert_eq!(effective(&format!("a=1\n{comment}a=2\n"), "a"), "1@1?");
        assert_eq!(effective(&format!("a=1\n{comment}b=2\n"), "a"), "1@1");
        assert_eq!(effective(&format!("{comment}a=2\na=1\n"), "a"), "1@2");
        assert_eq!(effective(&format!("{comment}[all]\na=1\n"), "a"), "1@2?");
        assert_eq!(effective(&format!("a={}\n", "x".repeat(77)), "a"), format!("{:x<77}@1?", ""));
        // raspi-config appended to a file of NOOBS that had CRLF ends and no last one.
        assert_eq!(effective("disable_overscan=0\rdtparam=spi=on\n", "dtparam"), "spi=on@1?");
    }

    #[test]
    fn an_initramfs_is_a_ramfsfile_and_two_are_one_too_many() {
        assert_eq!(effective("initramfs a.img followkernel\n", "ramfsfile"), "a.img@1");
        assert_eq!(effective("initramfs a\n[pi4]\ninitramfs b\n", "ramfsfile"), "a@1");
        assert_eq!(effective("initramfs a\ninitramfs b\n", "ramfsfile"), "a@1?");
    }

    #[test]
    fn the_lines_for_a_board_come_in_order() {
        let text = "a=1\n# no\n[pi4]\nb=1\n[gpio2=0]\n[pi3]\nc=1\n[all]\ninitramfs x\nwhat\n";
        let config = ConfigTxt::parse(text.as_bytes());
        let lines = config.settings_for(&PI_3);
        let lines = lines.iter().map(|found| (found.line.number, found.certain));
        assert_eq!(lines.collect::<Vec<_>>(), [(1, true), (7, false), (9, true)]);
    }

    #[test]
    fn files_that_are_not_what_they_seem_are_told() {
        let decoy = "DO NOT EDIT THIS FILE\n\nIt stands elsewhere now\n";
        assert!(ConfigTxt::parse(decoy.as_bytes()).is_decoy());
        let noobs = "a=1\r\n# NOOBS Auto-generated Settings:\r\nhdmi_force_hotplug=1\r\n";
        assert!(ConfigTxt::parse(noobs.as_bytes()).is_from_noobs());
        let overlay = "initramfs initrd.img-5.10.17-v7+-overlay\n";
        assert!(ConfigTxt::parse(overlay.as_bytes()).has_overlay_root());
        let plain = ConfigTxt::parse(b"initramfs initrd.img followkernel\n");
        assert!(!plain.is_decoy() && !plain.is_from_noobs() && !plain.has_overlay_root());
    }
}
