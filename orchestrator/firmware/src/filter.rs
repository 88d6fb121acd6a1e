//! The `[sections]` of a configuration file (Raspberry Pi documentation: conditional filters).

use std::collections::BTreeMap;

use crate::board::Model;

/// What sections are compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    pub(crate) model: Model,
    pub(crate) serial: u64,
    /// The one-shot flag was set, and the firmware understood it.
    pub(crate) tryboot: bool,
    /// The firmware knows the section `[tryboot]`.
    pub(crate) knows_tryboot_section: bool,
    /// The firmware knows the section `[board-type=N]`.
    pub(crate) knows_board_type: bool,
}

/// Sections of one kind replace each other; the kinds are combined with AND.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Nothing,
    Model,
    Serial,
    Tryboot,
    Monitor,
    Gpio,
    Partition,
    Unknown,
}

/// The sections in force at one line of the file.
#[derive(Debug)]
pub(crate) struct Filters {
    circumstances: Circumstances,
    passes: BTreeMap<Kind, bool>,
}

/// The model sections of the 2026 firmware.
const MODEL_SECTIONS: [&str; 15] = [
    "pi0", "pi0w", "pi02", "pi1", "pi2", "pi3", "pi3+", "pi4", "pi400", "pi5", "pi500", "cm0",
    "cm4", "cm4s", "cm5",
];

impl Filters {
    pub(crate) fn new(circumstances: Circumstances) -> Self {
        Filters { circumstances, passes: BTreeMap::new() }
    }

    /// Do the lines here apply to this board?
    pub(crate) fn satisfied(&self) -> bool {
        self.passes.values().all(|pass| *pass)
    }

    /// Takes in one section header (without brackets); answers with a remark when its meaning is
    /// not certain.
    pub(crate) fn enter(&mut self, section: &str) -> Option<String> {
        let Circumstances { model, serial, tryboot, knows_tryboot_section, knows_board_type } =
            self.circumstances;
        let (kind, pass, remark) = match section {
            "all" => {
                self.passes.clear();
                return None;
            }
            "none" => (Kind::Nothing, false, None),
            "tryboot" if knows_tryboot_section => (Kind::Tryboot, tryboot, None),
            "tryboot" => (Kind::Tryboot, false, Some("this firmware does not know it")),
            _ if MODEL_SECTIONS.contains(&section) => {
                (Kind::Model, model.sections().contains(&section), None)
            }
            _ => match section.split_once('=') {
                Some(("board-type", _)) if !knows_board_type => {
                    (Kind::Model, false, Some("this firmware does not know it"))
                }
                Some(("board-type", number)) => {
                    (Kind::Model, hex(number) == Some(model.type_number().into()), None)
                }
                Some(("EDID", _)) => (Kind::Monitor, false, Some("no monitor is modelled")),
                Some(("partition" | "boot_partition", _)) => {
                    (Kind::Partition, false, Some("not modelled"))
                }
                Some((pin, _)) if pin.starts_with("gpio") => {
                    (Kind::Gpio, false, Some("no pins are modelled"))
                }
                None if section.starts_with("HDMI:") => {
                    (Kind::Monitor, false, Some("no monitor is modelled"))
                }
                None if section.starts_with("0x") => {
                    (Kind::Serial, is_serial(section, serial), None)
                }
                _ => (Kind::Unknown, false, Some("what firmware does with it is not known")),
            },
        };
        self.passes.insert(kind, pass);
        remark.map(|remark| format!("section [{section}] taken as not satisfied: {remark}"))
    }
}

/// A section's number; board types are written with and without `0x`.
fn hex(number: &str) -> Option<u64> {
    match number.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    }
}

/// Sections name the lower eight digits; the upper ones are flags on newer boards.
fn is_serial(section: &str, serial: u64) -> bool {
    hex(section).is_some_and(|wanted| wanted == serial || wanted == serial & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO_2_W: Circumstances = Circumstances {
        model: Model::Zero2W,
        serial: 0x1000_0000_765f_c593,
        tryboot: false,
        knows_tryboot_section: true,
        knows_board_type: true,
    };

    fn after(circumstances: Circumstances, sections: &[&str]) -> bool {
        let mut filters = Filters::new(circumstances);
        for section in sections {
            filters.enter(section);
        }
        filters.satisfied()
    }

    #[test]
    fn one_kind_replaces_and_kinds_add_up() {
        assert!(after(ZERO_2_W, &[]));
        assert!(after(ZERO_2_W, &["pi4", "pi02"]));
        assert!(!after(ZERO_2_W, &["pi02", "pi4"]));
        assert!(after(ZERO_2_W, &["pi02", "0x765fc593"]));
        assert!(!after(ZERO_2_W, &["0xdeadbeef", "pi02"]));
        assert!(!after(ZERO_2_W, &["none", "pi02"]));
        assert!(after(ZERO_2_W, &["none", "EDID=VSC-TD2220", "all"]));
    }

    #[test]
    fn a_board_sees_its_own_sections_and_its_family_s() {
        let seen = |model| {
            let circumstances = Circumstances { model, ..ZERO_2_W };
            MODEL_SECTIONS
                .iter()
                .copied()
                .filter(|name| after(circumstances, &[name]))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(seen(Model::Zero2W), "pi0 pi0w pi02");
        assert_eq!(seen(Model::ZeroW), "pi0 pi0w");
        assert_eq!(seen(Model::BPlus), "pi1");
        assert_eq!(seen(Model::Pi3Plus), "pi3 pi3+");
        assert_eq!(seen(Model::Cm3), "pi3");
        assert_eq!(seen(Model::Pi400), "pi4 pi400");
        assert_eq!(seen(Model::Cm4), "pi4 cm4");
        assert_eq!(seen(Model::Cm4S), "pi4 cm4s");
        assert_eq!(seen(Model::Cm5Lite), "pi5 cm5");
    }

    #[test]
    fn board_types_need_a_firmware_that_knows_them() {
        assert!(after(ZERO_2_W, &["board-type=0x12"]));
        assert!(after(ZERO_2_W, &["pi4", "board-type=0x12"]));
        assert!(!after(ZERO_2_W, &["board-type=0x11"]));
        assert!(!after(
            Circumstances { knows_board_type: false, ..ZERO_2_W },
            &["board-type=0x12"]
        ));
    }

    #[test]
    fn the_serial_number_counts_whole_or_by_its_lower_half() {
        assert!(after(ZERO_2_W, &["0x765fc593"]));
        assert!(after(ZERO_2_W, &["0x10000000765fc593"]));
        assert!(!after(ZERO_2_W, &["0x10000000"]));
    }

    #[test]
    fn tryboot_needs_the_flag_and_a_firmware_that_knows_the_section() {
        let flagged = Circumstances { tryboot: true, ..ZERO_2_W };
        assert!(after(flagged, &["tryboot"]));
        assert!(!after(ZERO_2_W, &["tryboot"]));
        assert!(!after(Circumstances { knows_tryboot_section: false, ..flagged }, &["tryboot"]));
    }

    #[test]
    fn what_cannot_be_known_is_not_satisfied_and_remarked() {
        for section in ["gpio4=1", "HDMI:0", "EDID=x", "partition=1", "PI02", "pi6"] {
            let mut filters = Filters::new(ZERO_2_W);
            assert!(filters.enter(section).is_some(), "{section}");
            assert!(!filters.satisfied(), "{section}");
        }
    }
}
