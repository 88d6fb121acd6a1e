//! The models of the lab.

use std::borrow::Cow;

use migos_firmware::Eeprom;
use migos_payload::board::Revision;

/// A model of Raspberry Pi, as it tells of itself.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its short name.
    pub name: Cow<'static, str>,
    /// The device tree's model string.
    pub description: Cow<'static, str>,
    /// The revision code (Raspberry Pi documentation: revision codes).
    pub revision: Revision,
    /// What Linux has of its memory, in kB.
    pub memory: u64,
    /// The boot loader in EEPROM, where there is one.
    pub eeprom: Option<Eeprom>,
    /// True if it has Wi-Fi. Most of the lab's devices hang on a cable all the same.
    pub wireless: bool,
    /// The first half of its Ethernet address: one of those assigned to Raspberry Pi.
    pub mac_prefix: &'static str,
    /// The device tree's file name.
    pub dtb: &'static str,
}

/// A BCM2711 boot loader of January 2023, able to do `tryboot`.
const EEPROM_2711: Option<Eeprom> =
    Some(Eeprom { build_timestamp: 1_673_458_852, capabilities: 0x7f });
/// A BCM2712 boot loader of September 2025, which knows `kernel_watchdog_timeout`.
const EEPROM_2712: Option<Eeprom> =
    Some(Eeprom { build_timestamp: 1_757_289_600, capabilities: 0x7f });

/// All models of the lab. Their firmware can do `tryboot`.
pub static MODELS: [Model; 10] = [
    Model {
        name: Cow::Borrowed("B+"),
        description: Cow::Borrowed("Raspberry Pi Model B Plus Rev 1.2"),
        revision: Revision(0x90_0032),
        memory: 443_080,
        eeprom: None,
        wireless: false,
        mac_prefix: "b8:27:eb",
        dtb: "bcm2708-rpi-b-plus.dtb",
    },
    Model {
        name: Cow::Borrowed("Zero W"),
        description: Cow::Borrowed("Raspberry Pi Zero W Rev 1.1"),
        revision: Revision(0x90_00c1),
        memory: 443_080,
        eeprom: None,
        wireless: true,
        mac_prefix: "b8:27:eb",
        dtb: "bcm2708-rpi-zero-w.dtb",
    },
    Model {
        name: Cow::Borrowed("2B"),
        description: Cow::Borrowed("Raspberry Pi 2 Model B Rev 1.1"),
        revision: Revision(0xa0_1041),
        memory: 948_312,
        eeprom: None,
        wireless: false,
        mac_prefix: "b8:27:eb",
        dtb: "bcm2709-rpi-2-b.dtb",
    },
    Model {
        name: Cow::Borrowed("3B"),
        description: Cow::Borrowed("Raspberry Pi 3 Model B Rev 1.2"),
        revision: Revision(0xa0_2082),
        memory: 948_304,
        eeprom: None,
        wireless: true,
        mac_prefix: "b8:27:eb",
        dtb: "bcm2710-rpi-3-b.dtb",
    },
    Model {
        name: Cow::Borrowed("3B+"),
        description: Cow::Borrowed("Raspberry Pi 3 Model B Plus Rev 1.3"),
        revision: Revision(0xa0_20d3),
        memory: 945_512,
        eeprom: None,
        wireless: true,
        mac_prefix: "b8:27:eb",
        dtb: "bcm2710-rpi-3-b-plus.dtb",
    },
    Model {
        name: Cow::Borrowed("Zero 2 W"),
        description: Cow::Borrowed("Raspberry Pi Zero 2 W Rev 1.0"),
        revision: Revision(0x90_2120),
        memory: 426_236,
        eeprom: None,
        wireless: true,
        mac_prefix: "b8:27:eb",
        dtb: "bcm2710-rpi-zero-2-w.dtb",
    },
    Model {
        name: Cow::Borrowed("4B"),
        description: Cow::Borrowed("Raspberry Pi 4 Model B Rev 1.2"),
        revision: Revision(0xb0_3112),
        memory: 1_895_604,
        eeprom: EEPROM_2711,
        wireless: true,
        mac_prefix: "dc:a6:32",
        dtb: "bcm2711-rpi-4-b.dtb",
    },
    Model {
        name: Cow::Borrowed("400"),
        description: Cow::Borrowed("Raspberry Pi 400 Rev 1.0"),
        revision: Revision(0xc0_3130),
        memory: 3_884_008,
        eeprom: EEPROM_2711,
        wireless: true,
        mac_prefix: "dc:a6:32",
        dtb: "bcm2711-rpi-400.dtb",
    },
    Model {
        name: Cow::Borrowed("CM4"),
        description: Cow::Borrowed("Raspberry Pi Compute Module 4 Rev 1.0"),
        revision: Revision(0xb0_3140),
        memory: 1_895_604,
        eeprom: EEPROM_2711,
        wireless: false,
        mac_prefix: "dc:a6:32",
        dtb: "bcm2711-rpi-cm4.dtb",
    },
    Model {
        name: Cow::Borrowed("5"),
        description: Cow::Borrowed("Raspberry Pi 5 Model B Rev 1.0"),
        revision: Revision(0xc0_4170),
        memory: 4_146_784,
        eeprom: EEPROM_2712,
        wireless: true,
        mac_prefix: "2c:cf:67",
        dtb: "bcm2712-rpi-5-b.dtb",
    },
];

impl Model {
    /// The Ethernet address of the board with this serial number, which gives its second half.
    pub(crate) fn mac(&self, serial: u64) -> String {
        let [_, _, _, _, _, a, b, c] = serial.to_be_bytes();
        format!("{}:{a:02x}:{b:02x}:{c:02x}", self.mac_prefix)
    }

    /// The address of the radio on the board with this serial number: close by that of Ethernet.
    pub(crate) fn radio_mac(&self, serial: u64) -> String {
        match self.eeprom {
            Some(_) => self.mac(serial.wrapping_add(1)),
            None => self.mac(serial ^ 0x0055_5555),
        }
    }

    /// The balena device types whose images run on it.
    pub fn device_types(&self) -> &'static [&'static str] {
        self.revision.board_type().device_types()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_a_device_type_and_another_revision() {
        for model in &MODELS {
            assert!(!model.device_types().is_empty(), "{}", model.name);
            let same = MODELS.iter().filter(|other| other.revision == model.revision);
            assert_eq!(same.count(), 1, "{}", model.name);
            assert_eq!(model.revision.board_type().to_string(), model.name);
        }
    }
}
