//! Which Pi it is, and what follows from that.

use crate::boot::NoBoot;

/// One Raspberry Pi, as its firmware knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The revision code of `/proc/cpuinfo`, new style (bit 23 set) or old (`0002` to `0015`).
    pub revision: u32,
    /// The board's serial number.
    pub serial: u64,
    /// The boot EEPROM; `None` on boards without one (BCM2835 to BCM2837).
    pub eeprom: Option<Eeprom>,
}

/// The boot EEPROM of the Pi 4 and Pi 5 families, as `/proc/device-tree/chosen/bootloader` shows
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eeprom {
    /// When the bootloader was built, in seconds since 1970.
    pub build_timestamp: u64,
    /// What the bootloader can do; bit 3 (0x08) is `tryboot`.
    pub capabilities: u32,
}

/// The chip family, which decides how the first stage works and which kernels can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soc {
    /// Pi 1, Zero, Zero W, CM1: one ARMv6 core.
    Bcm2835,
    /// Pi 2 up to revision 1.1: ARMv7.
    Bcm2836,
    /// Pi 2 revision 1.2, Pi 3 family, Zero 2 W: ARMv8.
    Bcm2837,
    /// Pi 4 family: ARMv8, first stage in the EEPROM.
    Bcm2711,
    /// Pi 5 family: ARMv8, all firmware in the EEPROM.
    Bcm2712,
}

impl Soc {
    /// Can its cores start a 64-bit kernel?
    pub(crate) fn runs_64bit(self) -> bool {
        match self {
            Soc::Bcm2835 | Soc::Bcm2836 => false,
            Soc::Bcm2837 | Soc::Bcm2711 | Soc::Bcm2712 => true,
        }
    }
}

impl Board {
    /// The chip family in the revision code's processor field; old-style codes are all BCM2835.
    ///
    /// # Errors
    /// [`NoBoot::UnsupportedBoard`] for a processor this model does not know.
    pub fn soc(&self) -> Result<Soc, NoBoot> {
        if !self.is_new_style() {
            return Ok(Soc::Bcm2835);
        }
        match (self.revision >> 12) & 0xf {
            0 => Ok(Soc::Bcm2835),
            1 => Ok(Soc::Bcm2836),
            2 => Ok(Soc::Bcm2837),
            3 => Ok(Soc::Bcm2711),
            4 => Ok(Soc::Bcm2712),
            _ => Err(self.unsupported()),
        }
    }

    /// The model in the revision code (Raspberry Pi documentation: revision codes).
    pub(crate) fn model(&self) -> Result<Model, NoBoot> {
        if !self.is_new_style() {
            // The upper bits of an old code only say that the warranty is void.
            return Ok(match self.revision & 0xff {
                0x02 | 0x03 => Model::BRev1,
                0x04..=0x06 | 0x0d..=0x0f => Model::B,
                0x07..=0x09 => Model::A,
                0x10 | 0x13 => Model::BPlus,
                0x11 | 0x14 => Model::Cm1,
                0x12 | 0x15 => Model::APlus,
                _ => return Err(self.unsupported()),
            });
        }
        Ok(match (self.revision >> 4) & 0xff {
            0x00 => Model::A,
            0x01 => Model::B,
            0x02 => Model::APlus,
            0x03 => Model::BPlus,
            0x04 => Model::Pi2,
            0x06 => Model::Cm1,
            0x08 => Model::Pi3,
            0x09 => Model::Zero,
            0x0a => Model::Cm3,
            0x0c => Model::ZeroW,
            0x0d => Model::Pi3Plus,
            0x0e => Model::Pi3APlus,
            0x10 => Model::Cm3Plus,
            0x11 => Model::Pi4,
            0x12 => Model::Zero2W,
            0x13 => Model::Pi400,
            0x14 => Model::Cm4,
            0x15 => Model::Cm4S,
            0x17 => Model::Pi5,
            0x18 => Model::Cm5,
            0x19 => Model::Pi500,
            0x1a => Model::Cm5Lite,
            0x1b => Model::Cm0,
            _ => return Err(self.unsupported()),
        })
    }

    fn is_new_style(&self) -> bool {
        self.revision & (1 << 23) != 0
    }

    fn unsupported(&self) -> NoBoot {
        NoBoot::UnsupportedBoard { revision: self.revision }
    }
}

/// A board model: one entry of the revision code's type field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    A,
    BRev1,
    B,
    APlus,
    BPlus,
    Cm1,
    Pi2,
    Pi3,
    Pi3Plus,
    Pi3APlus,
    Cm3,
    Cm3Plus,
    Zero,
    ZeroW,
    Zero2W,
    Cm0,
    Pi4,
    Pi400,
    Cm4,
    Cm4S,
    Pi5,
    Pi500,
    Cm5,
    Cm5Lite,
}

impl Model {
    /// The number a `[board-type=N]` section compares with.
    pub(crate) fn type_number(self) -> u32 {
        match self {
            Model::A => 0x00,
            Model::BRev1 | Model::B => 0x01,
            Model::APlus => 0x02,
            Model::BPlus => 0x03,
            Model::Pi2 => 0x04,
            Model::Cm1 => 0x06,
            Model::Pi3 => 0x08,
            Model::Zero => 0x09,
            Model::Cm3 => 0x0a,
            Model::ZeroW => 0x0c,
            Model::Pi3Plus => 0x0d,
            Model::Pi3APlus => 0x0e,
            Model::Cm3Plus => 0x10,
            Model::Pi4 => 0x11,
            Model::Zero2W => 0x12,
            Model::Pi400 => 0x13,
            Model::Cm4 => 0x14,
            Model::Cm4S => 0x15,
            Model::Pi5 => 0x17,
            Model::Cm5 => 0x18,
            Model::Pi500 => 0x19,
            Model::Cm5Lite => 0x1a,
            Model::Cm0 => 0x1b,
        }
    }

    /// The model sections this board sees, such as `pi3` and `pi3+` on a 3B+ (Raspberry Pi
    /// documentation: conditional filters).
    pub(crate) fn sections(self) -> &'static [&'static str] {
        match self {
            Model::A | Model::BRev1 | Model::B | Model::APlus | Model::BPlus | Model::Cm1 => {
                &["pi1"]
            }
            Model::Pi2 => &["pi2"],
            Model::Pi3 | Model::Cm3 | Model::Cm3Plus => &["pi3"],
            Model::Pi3Plus | Model::Pi3APlus => &["pi3", "pi3+"],
            Model::Zero => &["pi0"],
            Model::ZeroW => &["pi0", "pi0w"],
            Model::Zero2W => &["pi0", "pi0w", "pi02"],
            Model::Cm0 => &["cm0"],
            Model::Pi4 => &["pi4"],
            Model::Pi400 => &["pi4", "pi400"],
            Model::Cm4 => &["pi4", "cm4"],
            Model::Cm4S => &["pi4", "cm4s"],
            Model::Pi5 => &["pi5"],
            Model::Pi500 => &["pi5", "pi500"],
            Model::Cm5 | Model::Cm5Lite => &["pi5", "cm5"],
        }
    }

    /// The device tree files the firmware tries, best first.
    ///
    /// Second names are older names (`0-w`, `zero-2`) or a sibling's file, both seen in firmware
    /// logs. The upstream names (`bcm2837-...`) that newer firmware tries last are left out,
    /// because older firmware never does.
    pub(crate) fn device_trees(self, soc: Soc) -> &'static [&'static str] {
        match self {
            Model::BRev1 => &["bcm2708-rpi-b-rev1.dtb", "bcm2708-rpi-b.dtb"],
            Model::A | Model::B => &["bcm2708-rpi-b.dtb"],
            Model::APlus | Model::BPlus => &["bcm2708-rpi-b-plus.dtb"],
            Model::Cm1 => &["bcm2708-rpi-cm.dtb"],
            // Until 2019 there was no file for the Zero.
            Model::Zero => &["bcm2708-rpi-zero.dtb", "bcm2708-rpi-b-plus.dtb"],
            Model::ZeroW => &["bcm2708-rpi-zero-w.dtb", "bcm2708-rpi-0-w.dtb"],
            Model::Pi2 => match soc {
                Soc::Bcm2837 => &["bcm2710-rpi-2-b.dtb", "bcm2709-rpi-2-b.dtb"],
                Soc::Bcm2835 | Soc::Bcm2836 | Soc::Bcm2711 | Soc::Bcm2712 => {
                    &["bcm2709-rpi-2-b.dtb"]
                }
            },
            Model::Pi3 => &["bcm2710-rpi-3-b.dtb"],
            Model::Pi3Plus => &["bcm2710-rpi-3-b-plus.dtb", "bcm2710-rpi-3-b.dtb"],
            Model::Pi3APlus => &["bcm2710-rpi-3-a-plus.dtb", "bcm2710-rpi-3-b-plus.dtb"],
            Model::Cm3 | Model::Cm3Plus => &["bcm2710-rpi-cm3.dtb"],
            Model::Zero2W => &["bcm2710-rpi-zero-2-w.dtb", "bcm2710-rpi-zero-2.dtb"],
            Model::Cm0 => &["bcm2710-rpi-cm0.dtb"],
            Model::Pi4 => &["bcm2711-rpi-4-b.dtb"],
            Model::Pi400 => &["bcm2711-rpi-400.dtb"],
            Model::Cm4 => &["bcm2711-rpi-cm4.dtb"],
            Model::Cm4S => &["bcm2711-rpi-cm4s.dtb"],
            Model::Pi5 => &["bcm2712-rpi-5-b.dtb"],
            Model::Pi500 => &["bcm2712-rpi-500.dtb"],
            Model::Cm5 => &["bcm2712-rpi-cm5-cm5io.dtb"],
            Model::Cm5Lite => &["bcm2712-rpi-cm5l-cm5io.dtb"],
        }
    }

    /// The device `console=serial0` turns into, before overlays: boards with Bluetooth give it the
    /// good UART.
    pub(crate) fn serial0(self) -> &'static str {
        match self {
            Model::A | Model::BRev1 | Model::B | Model::APlus | Model::BPlus | Model::Cm1 => {
                "ttyAMA0"
            }
            Model::Zero | Model::Pi2 | Model::Cm3 | Model::Cm3Plus | Model::Cm4S => "ttyAMA0",
            Model::Pi3 | Model::Pi3Plus | Model::Pi3APlus | Model::ZeroW | Model::Zero2W => "ttyS0",
            Model::Cm0 | Model::Pi4 | Model::Pi400 | Model::Cm4 => "ttyS0",
            // The three-pin debug connector of the Pi 5.
            Model::Pi5 | Model::Pi500 | Model::Cm5 | Model::Cm5Lite => "ttyAMA10",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn board(revision: u32) -> Board {
        Board { revision, serial: 0, eeprom: None }
    }

    #[test]
    fn new_style_codes() {
        for (revision, soc, model) in [
            (0x9000c1, Soc::Bcm2835, Model::ZeroW),
            (0xa01041, Soc::Bcm2836, Model::Pi2),
            (0xa02042, Soc::Bcm2837, Model::Pi2),
            (0x902120, Soc::Bcm2837, Model::Zero2W),
            (0xb03140, Soc::Bcm2711, Model::Cm4),
            (0xc04170, Soc::Bcm2712, Model::Pi5),
        ] {
            assert_eq!((board(revision).soc(), board(revision).model()), (Ok(soc), Ok(model)));
        }
    }

    #[test]
    fn old_style_codes_are_all_bcm2835_with_or_without_warranty() {
        for (revision, model) in [
            (0x0002, Model::BRev1),
            (0x000e, Model::B),
            (0x0010, Model::BPlus),
            (0x1000012, Model::APlus),
        ] {
            assert_eq!(board(revision).soc(), Ok(Soc::Bcm2835));
            assert_eq!(board(revision).model(), Ok(model));
        }
    }

    #[test]
    fn unknown_codes_are_an_error() {
        let prototype = board(0xc03160);
        assert_eq!(prototype.model(), Err(NoBoot::UnsupportedBoard { revision: 0xc03160 }));
        assert_eq!(board(0xc05170).soc(), Err(NoBoot::UnsupportedBoard { revision: 0xc05170 }));
        assert!(board(0x0016).model().is_err());
    }

    #[test]
    fn a_pi_2_is_two_boards() {
        assert_eq!(Model::Pi2.device_trees(Soc::Bcm2836), ["bcm2709-rpi-2-b.dtb"]);
        assert_eq!(Model::Pi2.device_trees(Soc::Bcm2837)[0], "bcm2710-rpi-2-b.dtb");
    }
}
