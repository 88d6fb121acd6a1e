//! The grammar of `config.txt` and `tryboot.txt` (Raspberry Pi documentation: config.txt).

use crate::filter::{Circumstances, Filters};
use crate::partition::BootPartition;

/// The parser cuts lines after 99 characters and reads the rest as a line of its own
/// (raspberrypi/firmware issue 1669).
const LINE_COLUMNS: usize = 99;
/// The longest line older firmware reads whole (documented as "previously 78").
const OLD_LINE_COLUMNS: usize = 78;
/// Names in `initramfs` and `include` lines are scanned with `%64s`.
const NAME_CHARACTERS: usize = 64;
/// Some loaders are reported to read no more of the file than this, in bytes.
const SAFE_BYTES: usize = 4096;
/// How deep `include` may nest before the model gives up on a file that includes itself; the real
/// limit is not known.
const INCLUDE_DEPTH: usize = 8;

/// Does this reader of the file honour `include`?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Includes {
    Followed,
    /// As in `bootcode.bin` and the EEPROM loader.
    Ignored,
}

/// The properties in force for one board, in file order.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    properties: Vec<(String, String)>,
}

impl Settings {
    /// The property's value; of several, the last.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.properties.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The property's value as a file name; an empty one counts as not set.
    pub(crate) fn file_name(&self, key: &str) -> Option<&str> {
        self.text(key).filter(|name| !name.is_empty())
    }

    /// The property as a whole number, read as C's `atoi` would: trailing words are ignored, no
    /// digits are 0.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.text(key).map(leading_number)
    }

    /// Is the property set, and not to 0?
    pub(crate) fn is_on(&self, key: &str) -> bool {
        self.number(key).is_some_and(|number| number != 0)
    }

    /// Every value of a property that adds up, such as `dtoverlay`.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.properties.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Reads a configuration file as one board's firmware would; a missing file has no settings.
pub(crate) fn read(
    file: &str,
    partition: &dyn BootPartition,
    circumstances: Circumstances,
    includes: Includes,
    log: &mut Vec<String>,
) -> Settings {
    let settings = Settings::default();
    let mut reader =
        Reader { partition, filters: Filters::new(circumstances), includes, settings, log };
    reader.file(file, 0);
    if reader.settings.all("ramfsfile").count() > 1 {
        reader.log.push(
            "several initramfs lines: what firmware does is not known, the last is taken"
                .to_owned(),
        );
    }
    reader.settings
}

struct Reader<'a> {
    partition: &'a dyn BootPartition,
    filters: Filters,
    includes: Includes,
    settings: Settings,
    log: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn file(&mut self, name: &str, depth: usize) {
        let Some(content) = self.partition.read(name) else {
            self.log.push(format!("{name}: not found"));
            return;
        };
        if content.len() > SAFE_BYTES {
            self.log.push(format!(
                "{name}: longer than {SAFE_BYTES} bytes, which some loaders are said not to read"
            ));
        }
        for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
            if line.len() > LINE_COLUMNS {
                self.log
                    .push(format!("{name}: line {number} is cut after {LINE_COLUMNS} characters"));
            } else if line.len() > OLD_LINE_COLUMNS {
                self.log.push(format!("{name}: line {number} is too long for older firmware"));
            }
            for piece in line.chunks(LINE_COLUMNS) {
                self.line(&String::from_utf8_lossy(piece), name, depth);
            }
        }
    }

    fn line(&mut self, line: &str, file: &str, depth: usize) {
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        if let Some(header) = line.strip_prefix('[') {
            match header.split_once(']') {
                Some((section, _)) => self.log.extend(self.filters.enter(section)),
                None => {
                    self.log.push(format!("{file}: \"{line}\" ignored, it has no closing bracket"))
                }
            }
            return;
        }
        if !self.filters.satisfied() {
            return;
        }
        if let Some(included) = command(line, "include") {
            self.include(included, depth);
        } else if let Some(names) = command(line, "initramfs") {
            self.set("ramfsfile", names);
        } else if let Some((key, value)) = line.split_once('=') {
            if key.contains(|c: char| c == ' ' || c.is_ascii_uppercase()) {
                self.log.push(format!("{file}: \"{line}\" not recognised in this spelling"));
            }
            self.set(key, value);
        } else {
            self.log.push(format!("{file}: \"{line}\" ignored, it is no property=value"));
        }
    }

    fn include(&mut self, name: &str, depth: usize) {
        match self.includes {
            Includes::Ignored => {}
            Includes::Followed if depth == INCLUDE_DEPTH => {
                self.log.push(format!("include {name} ignored: included too deep"));
            }
            Includes::Followed => self.file(name, depth + 1),
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        self.settings.properties.push((key.to_owned(), value.to_owned()));
    }
}

/// The first word after a command that is written without `=`, cut to the length firmware scans.
fn command<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(word)?;
    let name = rest.strip_prefix([' ', '\t'])?.split_whitespace().next()?;
    Some(name.char_indices().nth(NAME_CHARACTERS).map_or(name, |(end, _)| &name[..end]))
}

fn leading_number(text: &str) -> u64 {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    u64::from_str_radix(&digits[..end], radix).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::board::Model;

    const PI_3: Circumstances = Circumstances {
        model: Model::Pi3,
        serial: 0,
        tryboot: false,
        knows_tryboot_section: true,
        knows_board_type: true,
    };

    /// Reads `config.txt` from files given as name and text; answers settings and log.
    fn read_files(files: &[(&str, &str)], includes: Includes) -> (Settings, Vec<String>) {
        let tree: BTreeMap<String, Arc<[u8]>> = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Arc::from(text.as_bytes())))
            .collect();
        let mut log = Vec::new();
        let settings = read("config.txt", &tree, PI_3, includes, &mut log);
        (settings, log)
    }

    fn settings(text: &str) -> Settings {
        read_files(&[("config.txt", text)], Includes::Followed).0
    }

    #[test]
    fn the_last_of_two_wins_and_sections_filter() {
        let read =
            settings("gpu_mem=64\n[pi4]\ngpu_mem=256\n[pi3]\ngpu_mem=16\n[all]\nkernel=a.img\n");
        assert_eq!(read.number("gpu_mem"), Some(16));
        assert_eq!(read.text("kernel"), Some("a.img"));
    }

    #[test]
    fn windows_line_ends_and_indents_are_tolerated() {
        let read = settings("[pi3]\r\n  kernel=a.img\r\n[all]\r\n");
        assert_eq!(read.text("kernel"), Some("a.img"));
    }

    #[test]
    fn other_spellings_are_not_recognised() {
        let text = "kernel = a.img\nKERNEL=b.img\nkernel d.img\ninitramfs=c\n";
        let (read, log) = read_files(&[("config.txt", text)], Includes::Followed);
        assert_eq!((read.text("kernel"), read.text("ramfsfile")), (None, None));
        assert_eq!(
            log,
            [
                "config.txt: \"kernel = a.img\" not recognised in this spelling",
                "config.txt: \"KERNEL=b.img\" not recognised in this spelling",
                "config.txt: \"kernel d.img\" ignored, it is no property=value",
            ]
        );
    }

    #[test]
    fn the_tail_of_a_long_comment_is_a_live_line() {
        let comment = format!("{:#<99}", "# see ");
        let (read, log) = read_files(
            &[("config.txt", &format!("{comment}kernel=tail.img\n"))],
            Includes::Followed,
        );
        assert_eq!(read.text("kernel"), Some("tail.img"));
        assert_eq!(log, ["config.txt: line 1 is cut after 99 characters"]);

        let (read, log) = read_files(&[("config.txt", &comment)], Includes::Followed);
        assert_eq!(read.text("kernel"), None);
        assert_eq!(log, ["config.txt: line 1 is too long for older firmware"]);
    }

    #[test]
    fn initramfs_is_written_without_an_equals_sign() {
        for line in [
            "initramfs a.img followkernel",
            "initramfs a.img 0x00a00000",
            "initramfs\ta.img",
            "ramfsfile=a.img",
        ] {
            assert_eq!(settings(line).text("ramfsfile"), Some("a.img"), "{line}");
        }
        assert_eq!(settings("initramfsa.img").text("ramfsfile"), None);
        let long = "x".repeat(65);
        assert_eq!(settings(&format!("initramfs {long}")).text("ramfsfile"), Some(&long[..64]));
    }

    #[test]
    fn two_initramfs_lines_are_remarked() {
        let (read, log) =
            read_files(&[("config.txt", "initramfs a\ninitramfs b\n")], Includes::Followed);
        assert_eq!(read.text("ramfsfile"), Some("b"));
        assert_eq!(
            log,
            ["several initramfs lines: what firmware does is not known, the last is taken"]
        );
    }

    #[test]
    fn included_text_stands_where_the_include_stands() {
        let files = [
            ("config.txt", "[pi4]\ninclude other.txt\n[all]\ninclude user.txt\nkernel=a.img\n"),
            ("other.txt", "gpu_mem=16\n"),
            ("user.txt", "kernel=b.img\narm_64bit=1\n[pi4]\n"),
        ];
        let (read, _) = read_files(&files, Includes::Followed);
        assert!(read.is_on("arm_64bit"));
        assert_eq!(read.number("gpu_mem"), None);
        // The section opened in user.txt is still in force behind the include.
        assert_eq!(read.text("kernel"), Some("b.img"));

        let (read, _) = read_files(&files, Includes::Ignored);
        assert_eq!(read.text("kernel"), Some("a.img"));
        assert_eq!(read.number("arm_64bit"), None);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let (read, log) =
            read_files(&[("config.txt", "kernel=a.img\ninclude config.txt\n")], Includes::Followed);
        assert_eq!(read.text("kernel"), Some("a.img"));
        assert_eq!(
            log.last().map(String::as_str),
            Some("include config.txt ignored: included too deep")
        );
    }

    #[test]
    fn numbers_are_read_as_c_does() {
        let read = settings("a=1\" other text\nb=0x10\nc=yes\nd=\n");
        assert_eq!(
            [read.number("a"), read.number("b"), read.number("c"), read.number("d")],
            [Some(1), Some(16), Some(0), Some(0)]
        );
        assert_eq!(read.number("e"), None);
    }

    #[test]
    fn a_file_of_zeros_has_no_settings() {
        let (read, log) = read_files(&[("config.txt", &"\0".repeat(300))], Includes::Followed);
        assert_eq!(read.properties, []);
        assert!(log.iter().any(|line| line.contains("no property=value")));
    }
}
