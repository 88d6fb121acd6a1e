//! Section headers: which board a line is for (Raspberry Pi documentation: conditional filters).

use crate::board::{BoardFacts, BoardType};

/// The longest header that the firmware scans (`[%60c]` in its binaries).
const HEADER_LIMIT: usize = 60;

/// What a section header asks for.
///
/// A filter replaces the one before it of the same kind; filters of different kinds are combined with AND.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// `[all]`: no filter any more.
    All,
    /// `[none]`: nothing, until `[all]`.
    None,
    /// `[pi4]` and the like: a model, or a family of models.
    Model(&'static str),
    /// `[board-type=0x11]`: the type field of the revision code. The same kind as a model.
    BoardType(u32),
    /// `[0x12345678]`: a serial number.
    Serial(u64),
    /// `[tryboot]`: the boot is a one-shot boot.
    Tryboot,
    /// `[EDID=...]`: a monitor is connected.
    Edid,
    /// `[HDMI:1]`: a socket for a monitor.
    Hdmi,
    /// `[gpio4=1]`: the level of a pin.
    Gpio,
    /// `[partition=2]`: the partition that is booted from.
    Partition,
    /// `[boot_partition=2]`: the partition that was asked for.
    BootPartition,
    /// `[bootvar0...]`: a variable of the boot loader.
    BootVariable,
    /// `[board_attributes...]`: memory that is written once.
    BoardAttributes,
    /// `[cust_otp...]`: memory that is written once.
    CustomerOtp,
    /// None that is known, by this program or by older firmware; what comes of it is not.
    Unknown,
}

/// Whether the firmware of a board reads a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// It does.
    Yes,
    /// It cannot be told: it depends on pins, monitors or firmware.
    Maybe,
    /// It does not.
    No,
}

/// The model filters of firmware of 2026.
const MODELS: [&str; 15] = [
    "pi0", "pi0w", "pi02", "pi1", "pi2", "pi3", "pi3+", "pi4", "pi400", "pi5", "pi500", "cm0",
    "cm4", "cm4s", "cm5",
];

impl Filter {
    /// Reads what stands between the brackets. Names are in lower case, without blanks.
    pub(super) fn parse(header: &[u8]) -> Self {
        let Ok(header) = str::from_utf8(header) else { return Filter::Unknown };
        if header.len() > HEADER_LIMIT {
            return Filter::Unknown;
        }
        if let Some(model) = MODELS.iter().find(|model| **model == header) {
            return Filter::Model(model);
        }
        let (name, value) = header.split_once('=').unwrap_or((header, ""));
        match (header, name) {
            ("all", _) => Filter::All,
            ("none", _) => Filter::None,
            ("tryboot", _) => Filter::Tryboot,
            (_, "board-type") => board_type(value).map_or(Filter::Unknown, Filter::BoardType),
            (_, "EDID") => Filter::Edid,
            (_, "partition") => Filter::Partition,
            (_, "boot_partition") => Filter::BootPartition,
            _ if header.starts_with("HDMI:") => Filter::Hdmi,
            _ if header.starts_with("gpio") && header.contains('=') => Filter::Gpio,
            _ if header.starts_with("bootvar0") => Filter::BootVariable,
            _ if header.starts_with("board_attributes") => Filter::BoardAttributes,
            _ if header.starts_with("cust_otp") => Filter::CustomerOtp,
            _ => header
                .strip_prefix("0x")
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .map_or(Filter::Unknown, Filter::Serial),
        }
    }

    /// True if it takes the place of an earlier filter.
    pub(super) fn replaces(self, earlier: Self) -> bool {
        let one_kind = |filter| match filter {
            Filter::Model(_) => Filter::BoardType(0),
            other => other,
        };
        std::mem::discriminant(&one_kind(self)) == std::mem::discriminant(&one_kind(earlier))
            && self != Filter::Unknown
    }

    /// Whether it lets this board through, in a boot of `config.txt` without the one-shot flag.
    pub fn applies(self, board: &BoardFacts) -> Applies {
        let decided = |yes| if yes { Applies::Yes } else { Applies::No };
        match self {
            Filter::All => Applies::Yes,
            Filter::None => Applies::No,
            Filter::Model(model) => match sections(board.revision.board_type()) {
                None => Applies::Maybe,
                Some((_, unclear)) if unclear.contains(&model) => Applies::Maybe,
                Some((seen, _)) => decided(seen.contains(&model)),
            },
            Filter::BoardType(number) => match board.revision.board_type() {
                unknown if sections(unknown).is_none() => Applies::Maybe,
                known => decided(u32::from(known.0) == number),
            },
            Filter::Serial(number) => match board.serial {
                None => Applies::Maybe,
                // The documented form has eight digits, the lower ones; the upper are flags.
                Some(serial) if number == serial & 0xffff_ffff => Applies::Yes,
                Some(serial) if number == serial => Applies::Maybe,
                Some(_) => Applies::No,
            },
            // Firmware before October 2022 does not know the section.
            Filter::Tryboot => Applies::Maybe,
            Filter::Edid
            | Filter::Hdmi
            | Filter::Gpio
            | Filter::Partition
            | Filter::BootPartition
            | Filter::BootVariable
            | Filter::BoardAttributes
            | Filter::CustomerOtp
            | Filter::Unknown => Applies::Maybe,
        }
    }
}

/// Board types are written in hex with `0x`, or in decimal.
fn board_type(number: &str) -> Option<u32> {
    match number.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    }
}

/// The model sections that a board sees, and those of which no document tells; nothing for a board that
/// this version does not know.
fn sections(board: BoardType) -> Option<(&'static [&'static str], &'static [&'static str])> {
    let seen: &[&str] = match board.0 {
        0x00..=0x03 | 0x06 => &["pi1"],
        0x04 => &["pi2"],
        0x08 | 0x0a | 0x10 => &["pi3"],
        0x0d | 0x0e => &["pi3", "pi3+"],
        0x09 => &["pi0"],
        0x0c => &["pi0", "pi0w"],
        0x12 => &["pi0", "pi0w", "pi02"],
        0x1b => return Some((&["cm0"], &["pi0", "pi0w", "pi02", "pi3"])),
        0x11 => &["pi4"],
        0x13 => &["pi4", "pi400"],
        0x14 => &["pi4", "cm4"],
        0x15 => &["pi4", "cm4s"],
        0x17 => &["pi5"],
        0x18 | 0x1a => &["pi5", "cm5"],
        0x19 => &["pi5", "pi500"],
        _ => return None,
    };
    Some((seen, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Revision;

    const ZERO_2_W: BoardFacts =
        BoardFacts { revision: Revision(0x902120), serial: Some(0x1000_0000_765f_c593) };

    fn applies(header: &str) -> Applies {
        Filter::parse(header.as_bytes()).applies(&ZERO_2_W)
    }

    #[test]
    fn each_header_is_told() {
        let headers = [
            "all",
            "none",
            "pi3+",
            "cm5",
            "board-type=0x11",
            "board-type=17",
            "board-type=x",
            "0x12345678",
            "0xg",
            "tryboot",
            "EDID=VSC-TD2220",
            "HDMI:1",
            "gpio4=1",
            "gpio4",
            "partition=2",
            "boot_partition=2",
            "bootvar0=1",
            "board_attributes&1",
            "cust_otp0=1",
            "pi6",
            "PI4",
            " pi4",
            "pi4 ",
            "ALL",
            "",
        ];
        let table = headers.map(|text| format!("[{text}] {:?}", Filter::parse(text.as_bytes())));
        insta::assert_snapshot!(table.join("\n"), @r#"
        [all] All
        [none] None
        [pi3+] Model("pi3+")
        [cm5] Model("cm5")
        [board-type=0x11] BoardType(17)
        [board-type=17] BoardType(17)
        [board-type=x] Unknown
        [0x12345678] Serial(305419896)
        [0xg] Unknown
        [tryboot] Tryboot
        [EDID=VSC-TD2220] Edid
        [HDMI:1] Hdmi
        [gpio4=1] Gpio
        [gpio4] Unknown
        [partition=2] Partition
        [boot_partition=2] BootPartition
        [bootvar0=1] BootVariable
        [board_attributes&1] BoardAttributes
        [cust_otp0=1] CustomerOtp
        [pi6] Unknown
        [PI4] Unknown
        [ pi4] Unknown
        [pi4 ] Unknown
        [ALL] Unknown
        [] Unknown
        "#);
    }

    #[test]
    fn a_board_sees_its_own_sections_and_its_familys() {
        let table = (0..=0x1c).map(|number| {
            let revision = Revision(0x80_0000 | number << 4);
            let board = BoardFacts { revision, serial: None };
            let seen =
                MODELS.into_iter().filter_map(|model| match Filter::Model(model).applies(&board) {
                    Applies::Yes => Some(model.to_owned()),
                    Applies::Maybe => Some(format!("{model}?")),
                    Applies::No => None,
                });
            format!("{}: {}", revision.board_type(), seen.collect::<Vec<_>>().join(" "))
        });
        insta::assert_snapshot!(table.collect::<Vec<_>>().join("\n"), @r"
        A: pi1
        B: pi1
        A+: pi1
        B+: pi1
        2B: pi2
        type 0x05: pi0? pi0w? pi02? pi1? pi2? pi3? pi3+? pi4? pi400? pi5? pi500? cm0? cm4? cm4s? cm5?
        CM1: pi1
        type 0x07: pi0? pi0w? pi02? pi1? pi2? pi3? pi3+? pi4? pi400? pi5? pi500? cm0? cm4? cm4s? cm5?
        3B: pi3
        Zero: pi0
        CM3: pi3
        type 0x0b: pi0? pi0w? pi02? pi1? pi2? pi3? pi3+? pi4? pi400? pi5? pi500? cm0? cm4? cm4s? cm5?
        Zero W: pi0 pi0w
        3B+: pi3 pi3+
        3A+: pi3 pi3+
        type 0x0f: pi0? pi0w? pi02? pi1? pi2? pi3? pi3+? pi4? pi400? pi5? pi500? cm0? cm4? cm4s? cm5?
        CM3+: pi3
        4B: pi4
        Zero 2 W: pi0 pi0w pi02
        400: pi4 pi400
        CM4: pi4 cm4
        CM4S: pi4 cm4s
        type 0x16: pi0? pi0w? pi02? pi1? pi2? pi3? pi3+? pi4? pi400? pi5? pi500? cm0? cm4? cm4s? cm5?
        5: pi5
        CM5: pi5 cm5
        500: pi5 pi500
        CM5 Lite: pi5 cm5
        type 0x1b: pi0? pi0w? pi02? pi3? cm0
        type 0x1c: pi0? pi0w? pi02? pi1? pi2? pi3? pi3+? pi4? pi400? pi5? pi500? cm0? cm4? cm4s? cm5?
        ");
    }

    #[test]
    fn types_and_serial_numbers_are_compared() {
        assert_eq!(applies("board-type=0x12"), Applies::Yes);
        assert_eq!(applies("board-type=18"), Applies::Yes);
        assert_eq!(applies("board-type=0x11"), Applies::No);
        assert_eq!(applies("0x765fc593"), Applies::Yes);
        assert_eq!(applies("0x10000000765fc593"), Applies::Maybe);
        assert_eq!(applies("0x10000000"), Applies::No);
    }

    #[test]
    fn only_the_same_kind_is_replaced() {
        let replaces = |later: &str, earlier: &str| {
            Filter::parse(later.as_bytes()).replaces(Filter::parse(earlier.as_bytes()))
        };
        assert!(replaces("pi4", "pi3"));
        assert!(replaces("board-type=0x11", "pi3"));
        assert!(replaces("gpio4=1", "gpio2=0"));
        assert!(!replaces("pi4", "gpio4=1"));
        assert!(!replaces("EDID=x", "HDMI:0"));
        assert!(!replaces("what", "ever"), "unknown headers may be of different kinds");
    }
}
