//! Which Raspberry Pi it is, told by its revision code.
//!
//! Boards are told by the *type* and *processor* fields of a new-style revision code, never by exact
//! codes or model strings (Raspberry Pi documentation: revision codes). Codes without bit 23 are the
//! old style of the first boards, all BCM2835.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A revision code, as in `/proc/cpuinfo` and the device tree's `linux,revision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u32);

/// The type field of a revision code: which model it is, whatever its memory and board revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoardType(pub u8);

/// What tells one board from others in its firmware's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardFacts {
    /// Its revision code.
    pub revision: Revision,
    /// Its serial number, if it is known.
    pub serial: Option<u64>,
}

impl BoardFacts {
    /// No board in particular: of a type that is none.
    pub(crate) const UNKNOWN: Self = BoardFacts { revision: Revision(0x80_0ff0), serial: None };
}

/// The processor family, which decides the kernels a board can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Soc {
    /// Pi 1, Zero, Zero W, CM1: armv6.
    Bcm2835,
    /// Pi 2: armv7.
    Bcm2836,
    /// Pi 3 family, late Pi 2, Zero 2 W: armv8.
    Bcm2837,
    /// Pi 4 family: armv8, boot loader in EEPROM.
    Bcm2711,
    /// Pi 5 family: armv8, boot loader in EEPROM.
    Bcm2712,
}

/// The architecture of a kernel and of what runs on it, in Debian's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 32 bits.
    Armhf,
    /// 64 bits.
    Arm64,
}

struct Row {
    byte: u8,
    /// The name for people.
    name: &'static str,
    /// The balena device types that run on it, preferred first.
    device_types: &'static [&'static str],
    /// The device trees its firmware looks for, preferred first.
    device_trees: &'static [&'static str],
}

/// From the Raspberry Pi documentation (revision codes), balena's contracts (hw.device-type), and the names
/// of device trees in the firmware itself.
#[rustfmt::skip]
const BOARDS: &[Row] = &[
    Row { byte: 0x00, name: "A", device_types: &["raspberry-pi"], device_trees: &["bcm2708-rpi-b.dtb"] },
    Row { byte: 0x01, name: "B", device_types: &["raspberry-pi"], device_trees: &["bcm2708-rpi-b-rev1.dtb", "bcm2708-rpi-b.dtb"] },
    Row { byte: 0x02, name: "A+", device_types: &["raspberry-pi"], device_trees: &["bcm2708-rpi-b-plus.dtb"] },
    Row { byte: 0x03, name: "B+", device_types: &["raspberry-pi"], device_trees: &["bcm2708-rpi-b-plus.dtb"] },
    Row { byte: 0x04, name: "2B", device_types: &["raspberry-pi2"], device_trees: &["bcm2709-rpi-2-b.dtb", "bcm2710-rpi-2-b.dtb"] },
    Row { byte: 0x06, name: "CM1", device_types: &["raspberry-pi"], device_trees: &["bcm2708-rpi-cm.dtb"] },
    Row { byte: 0x08, name: "3B", device_types: &["raspberrypi3", "raspberrypi3-64"], device_trees: &["bcm2710-rpi-3-b.dtb"] },
    Row { byte: 0x09, name: "Zero", device_types: &["raspberry-pi"], device_trees: &["bcm2708-rpi-zero.dtb", "bcm2708-rpi-b-plus.dtb"] },
    Row { byte: 0x0a, name: "CM3", device_types: &["raspberrypi3", "raspberrypi3-64"], device_trees: &["bcm2710-rpi-cm3.dtb"] },
    Row { byte: 0x0c, name: "Zero W", device_types: &["raspberry-pi"], device_trees: &["bcm2708-rpi-zero-w.dtb", "bcm2708-rpi-0-w.dtb"] },
    Row { byte: 0x0d, name: "3B+", device_types: &["raspberrypi3", "raspberrypi3-64"], device_trees: &["bcm2710-rpi-3-b-plus.dtb"] },
    Row { byte: 0x0e, name: "3A+", device_types: &["raspberrypi3", "raspberrypi3-64"], device_trees: &["bcm2710-rpi-3-a-plus.dtb"] },
    Row { byte: 0x10, name: "CM3+", device_types: &["raspberrypi3", "raspberrypi3-64"], device_trees: &["bcm2710-rpi-cm3.dtb"] },
    Row { byte: 0x11, name: "4B", device_types: &["raspberrypi4-64"], device_trees: &["bcm2711-rpi-4-b.dtb"] },
    Row { byte: 0x12, name: "Zero 2 W", device_types: &["raspberrypi0-2w-64"], device_trees: &["bcm2710-rpi-zero-2-w.dtb", "bcm2710-rpi-zero-2.dtb"] },
    Row { byte: 0x13, name: "400", device_types: &["raspberrypi400-64"], device_trees: &["bcm2711-rpi-400.dtb"] },
    Row { byte: 0x14, name: "CM4", device_types: &["raspberrypicm4-ioboard"], device_trees: &["bcm2711-rpi-cm4.dtb"] },
    Row { byte: 0x15, name: "CM4S", device_types: &[], device_trees: &["bcm2711-rpi-cm4s.dtb"] },
    Row { byte: 0x17, name: "5", device_types: &["raspberrypi5"], device_trees: &["bcm2712-rpi-5-b.dtb"] },
    Row { byte: 0x18, name: "CM5", device_types: &["raspberrypi5"], device_trees: &["bcm2712-rpi-cm5-cm5io.dtb"] },
    Row { byte: 0x19, name: "500", device_types: &["raspberrypi5"], device_trees: &["bcm2712-rpi-500.dtb"] },
    Row { byte: 0x1a, name: "CM5 Lite", device_types: &["raspberrypi5"], device_trees: &["bcm2712-rpi-cm5l-cm5io.dtb"] },
];

impl Revision {
    /// The board's type; for old-style codes the nearest model of the first boards.
    pub fn board_type(self) -> BoardType {
        if self.is_new_style() {
            return BoardType(((self.0 >> 4) & 0xff) as u8);
        }
        // Old-style codes; a leading 1 (0x1000000) only tells that the warranty bit is set.
        match self.0 & 0xffff {
            0x7..=0x9 => BoardType(0x00),
            0x12 | 0x15 => BoardType(0x02),
            0x10 | 0x13 => BoardType(0x03),
            0x11 | 0x14 => BoardType(0x06),
            _ => BoardType(0x01),
        }
    }

    /// The revision of the board itself: 3 of `1.3`; old-style codes do not tell it.
    pub fn of_board(self) -> u32 {
        if self.is_new_style() { self.0 & 0xf } else { 0 }
    }

    /// The processor; `None` for a code of a family that this version does not know.
    pub fn soc(self) -> Option<Soc> {
        if !self.is_new_style() {
            return Some(Soc::Bcm2835);
        }
        match (self.0 >> 12) & 0xf {
            0 => Some(Soc::Bcm2835),
            1 => Some(Soc::Bcm2836),
            2 => Some(Soc::Bcm2837),
            3 => Some(Soc::Bcm2711),
            4 => Some(Soc::Bcm2712),
            _ => None,
        }
    }

    fn is_new_style(self) -> bool {
        self.0 & (1 << 23) != 0
    }
}

impl BoardType {
    /// The board with this name for people, such as `3B+`.
    pub fn named(name: &str) -> Option<Self> {
        BOARDS.iter().find(|row| row.name == name).map(|row| BoardType(row.byte))
    }

    fn row(self) -> Option<&'static Row> {
        BOARDS.iter().find(|row| row.byte == self.0)
    }

    /// The balena device types whose images run on this board, preferred first.
    pub fn device_types(self) -> &'static [&'static str] {
        self.row().map_or(&[], |row| row.device_types)
    }

    /// True if its processor has instructions for AES: from the Pi 5 on.
    pub fn has_aes(self) -> bool {
        matches!(self.0, 0x17..=0x1a)
    }

    /// The file names under which its firmware looks for a device tree, preferred first. Firmware of old knows
    /// the vendor's names only (`bcm2710-…`), not those of the upstream kernel (`bcm2837-…`).
    pub fn device_trees(self) -> &'static [&'static str] {
        self.row().map_or(&[], |row| row.device_trees)
    }
}

impl Soc {
    /// True if the boot loader is in EEPROM and not on the card.
    pub fn has_eeprom(self) -> bool {
        matches!(self, Soc::Bcm2711 | Soc::Bcm2712)
    }

    /// True if the board can run a kernel of this architecture.
    pub fn runs(self, architecture: Architecture) -> bool {
        match architecture {
            Architecture::Armhf => self != Soc::Bcm2712,
            Architecture::Arm64 => !matches!(self, Soc::Bcm2835 | Soc::Bcm2836),
        }
    }

    /// The names under which the firmware looks for a kernel of this architecture.
    pub fn kernel_names(self, architecture: Architecture) -> &'static [&'static str] {
        match (self, architecture) {
            (Soc::Bcm2712, _) => &["kernel_2712.img", "kernel8.img"],
            (_, Architecture::Arm64) => &["kernel8.img"],
            (Soc::Bcm2835, Architecture::Armhf) => &["kernel.img"],
            (Soc::Bcm2836 | Soc::Bcm2837, Architecture::Armhf) => &["kernel7.img"],
            (Soc::Bcm2711, Architecture::Armhf) => &["kernel7l.img"],
        }
    }
}

impl fmt::Display for BoardType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some(row) => f.write_str(row.name),
            None => write!(f, "type {:#04x}", self.0),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Architecture::Armhf => "armhf",
            Architecture::Arm64 => "arm64",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revision_codes_tell_the_board() {
        // Codes of the Raspberry Pi documentation's list.
        let seen = [0x9000c1, 0xa01041, 0xa02082, 0xa020d3, 0x902120, 0xc03111, 0xc04170, 0x000e]
            .map(|code| (Revision(code).board_type().to_string(), Revision(code).soc()));
        assert_eq!(
            seen,
            [
                ("Zero W".into(), Some(Soc::Bcm2835)),
                ("2B".into(), Some(Soc::Bcm2836)),
                ("3B".into(), Some(Soc::Bcm2837)),
                ("3B+".into(), Some(Soc::Bcm2837)),
                ("Zero 2 W".into(), Some(Soc::Bcm2837)),
                ("4B".into(), Some(Soc::Bcm2711)),
                ("5".into(), Some(Soc::Bcm2712)),
                ("B".into(), Some(Soc::Bcm2835)),
            ]
        );
    }

    #[test]
    fn every_board_is_found_by_its_name_and_has_a_device_tree() {
        for row in BOARDS {
            let board = BoardType(row.byte);
            assert_eq!(BoardType::named(&board.to_string()), Some(board));
            assert!(!board.device_trees().is_empty(), "{board}");
        }
        assert_eq!(BoardType::named("3C"), None);
    }

    #[test]
    fn an_unknown_board_has_a_name_and_no_device_type() {
        let board = Revision(0xa0f7f0).board_type();
        assert_eq!(board.to_string(), "type 0x7f");
        assert!(board.device_types().is_empty());
        assert!(board.device_trees().is_empty());
        assert_eq!(Revision(0xa0f7f0).soc(), None);
    }
}
