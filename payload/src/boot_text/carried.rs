//! Which lines of `config.txt` MIGOS needs: memory split and start files, power, and the way to the
//! network.

use crate::board::BoardType;

/// Keys that are carried over whatever their value is.
const KEYS: &[&str] = &[
    // Which start and fixup file: any other pair may be missing from the card.
    "gpu_mem",
    "gpu_mem_256",
    "gpu_mem_512",
    "gpu_mem_1024",
    "start_x",
    "start_debug",
    "start_file",
    "fixup_file",
    "total_mem",
    // The console.
    "enable_uart",
    "uart_2ndstage",
    // Power and the way to the network. A pin may hold the power of a HAT, modem or hub.
    "otg_mode",
    "max_usb_current",
    "usb_max_current_enable",
    "gpio",
    // Whether a HAT's own overlay is looked for.
    "force_eeprom_read",
];

/// Parameters of the base device tree that are carried over (Raspberry Pi overlays README).
const PARAMETERS: &[&str] = &[
    "ant1",
    "ant2",
    "noant",
    "eee",
    "eth_downshift_after",
    "eth_max_speed",
    "macaddr",
    "nvme",
    "sd",
    "sd_cqe",
    "sd_debug",
    "sd_force_pio",
    "sd_pio_limit",
    "sd_poll_once",
    "tx_lpi_timer",
    "wifiaddr",
];

/// Parameters by their beginning: `pcie`, `pciex1`, `pciex1_gen`.
const PARAMETERS_BEGIN: &str = "pcie";

/// Parameters of the base device tree that no overlay of ours has; an overlay that needs one of these
/// interfaces enables it by itself.
const INTERFACES: &[&str] = &["audio", "i2c", "i2c_arm", "i2c_vc", "i2s", "spi"];

/// Overlays that are the way to the network or to the card, by their beginning.
const OVERLAYS: &[&str] = &[
    "dwc2",
    "dwc-otg",
    "w5500",
    "enc28j60",
    "qca7000",
    "sdio",
    "sdtweak",
    "disable-wifi",
    "disable-bt",
    "miniuart-bt",
    "pi3-disable-",
    "pi3-miniuart-bt",
    "pcie",
    "vl805",
];

/// Overlays that keep the clock or the power, by a word of their name: a watchdog or UPS that nobody
/// feeds cuts the power.
const KEEPERS: &[&str] = &["rtc", "wdt", "watchdog", "ups", "poweroff", "shutdown", "wittypi"];

/// Is a line `key=value` carried over on this board? Overlays and parameters have rules of their own.
pub(super) fn carries_setting(key: &str, value: &str, board: BoardType) -> bool {
    // Raised clocks are not needed for MIGOS. Where a later line raises them again, MIGOS runs slower, never hotter.
    spares_power(key, value, board) || KEYS.contains(&key)
}

/// Does a setting lower clock or voltage, to spare the power supply?
pub(crate) fn spares_power(key: &str, value: &str, board: BoardType) -> bool {
    match key {
        "arm_freq" => (1..stock_mhz(board)).contains(&number(value)),
        "over_voltage" | "over_voltage_delta" => number(value) < 0,
        _ => false,
    }
}

/// Is an overlay carried over?
pub(super) fn carries_overlay(name: &str) -> bool {
    OVERLAYS.iter().any(|beginning| name.starts_with(beginning))
        || name.split(['-', '_']).any(|word| KEEPERS.contains(&word))
}

/// Is a `dtparam` carried over, given whether it may be meant for an overlay that is?
pub(super) fn carries_parameters(parameters: &str, of_carried_overlay: bool) -> bool {
    parameters.split(',').any(|parameter| {
        let name = parameter.split('=').next().unwrap_or(parameter).trim();
        PARAMETERS.contains(&name)
            || name.starts_with(PARAMETERS_BEGIN)
            || (of_carried_overlay && !INTERFACES.contains(&name))
    })
}

/// The overlay that a `dtoverlay=` names; empty where it closes the last one.
pub(crate) fn overlay_name(value: &str) -> &str {
    value.split([',', ':']).next().unwrap_or(value).trim()
}

/// The stock clock of the cores in MHz; of a board that is not known, the lowest there is (Raspberry Pi
/// documentation: overclocking).
fn stock_mhz(board: BoardType) -> i64 {
    match board.0 {
        0x04 => 900,
        0x09 | 0x0c | 0x12 | 0x1b => 1000,
        0x08 | 0x0a | 0x10 => 1200,
        0x0d | 0x0e => 1400,
        0x11 | 0x14 | 0x15 => 1500,
        0x13 => 1800,
        0x17..=0x1a => 2400,
        _ => 700,
    }
}

/// Reads a number as C does: what follows it is ignored, none is 0.
fn number(text: &str) -> i64 {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number = digits[..end].parse().unwrap_or(0);
    if text.starts_with('-') { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PI_3: BoardType = BoardType(0x08);

    #[test]
    fn lowered_clocks_are_kept_and_raised_ones_are_not() {
        let kept = |key, value| carries_setting(key, value, PI_3);
        assert!(kept("arm_freq", "900") && kept("arm_freq", "1199 # cool"));
        assert!(!kept("arm_freq", "1200") && !kept("arm_freq", "1350") && !kept("arm_freq", "x"));
        assert!(kept("over_voltage", "-2") && !kept("over_voltage", "2"));
        assert!(!carries_setting("arm_freq", "900", BoardType(0x7f)));
        assert!(!kept("force_turbo", "1") && !kept("core_freq", "250"));
    }

    #[test]
    fn overlays_for_network_and_power_are_kept_and_others_are_not() {
        for name in [
            "dwc2",
            "w5500",
            "sdio-1bit",
            "disable-bt-pi5",
            "pcie-32bit-dma",
            "i2c-rtc",
            "i2c-rtc-gpio",
            "gpio-poweroff",
            "acme_ups",
            "vendor-wdt",
        ] {
            assert!(carries_overlay(name), "{name}");
        }
        for name in ["vc4-kms-v3d", "hifiberry-dac", "upstream", "gpio-ir", "w1-gpio", ""] {
            assert!(!carries_overlay(name), "{name}");
        }
    }

    #[test]
    fn parameters_of_an_overlay_go_with_it() {
        assert!(carries_parameters("int_pin=25,speed=10000000", true));
        assert!(!carries_parameters("int_pin=25", false));
        assert!(!carries_parameters("audio=on,spi=on", true));
        assert!(carries_parameters("audio=on,ant2", false));
        assert!(carries_parameters("pciex1_gen=3", false));
        assert!(!carries_parameters("sd_overclock=100", false));
    }
}
