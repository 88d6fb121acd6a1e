//! Which settings of `config.txt` are kept, and why others are not.

/// Settings that have one fate for one reason.
#[derive(Debug)]
pub struct Group {
    /// Their keys; a `*` at the end stands for any more.
    pub keys: &'static [&'static str],
    /// What becomes of them.
    pub fate: Fate,
    /// What they are about if they are kept, else why they are not.
    pub why: &'static str,
}

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is a variable of the device; of several lines the last counts.
    Variable,
    /// It is an entry in a variable that is a list.
    List,
    /// It is left behind.
    Dropped,
}

const fn kept(keys: &'static [&'static str], why: &'static str) -> Group {
    Group { keys, fate: Fate::Variable, why }
}

const fn dropped(keys: &'static [&'static str], why: &'static str) -> Group {
    Group { keys, fate: Fate::Dropped, why }
}

/// Why clocks and voltages above the board's own are left behind.
pub(super) const OVERCLOCKED: &str = "it drives the board harder than it is made for, so a person sets it once the device has proven stable";

/// All groups: the first that names a key decides. The keys are those of the Raspberry Pi documentation
/// (config.txt); those that balena's supervisor refuses are among the dropped ones.
#[rustfmt::skip]
pub const GROUPS: &[Group] = &[
    dropped(&["hdmi_edid_file", "hdmi_edid_filename*"], "it names a file that is not on balenaOS's card"),
    kept(&["hdmi_*", "config_hdmi_boost", "display_*", "disable_fw_kms_setup", "edid_content_type", "cec_osd_name"], "monitors, their modes and rotation"),
    kept(&["lcd_*", "ignore_lcd", "disable_touchscreen", "dpi_*", "enable_dpi_lcd"], "panels and touch"),
    kept(&["framebuffer_*", "max_framebuffer*", "overscan_*", "disable_overscan"], "the picture's size and edges"),
    kept(&["sdtv_*", "enable_tvout"], "composite video"),
    kept(&["audio_pwm_mode", "disable_audio_dither", "enable_audio_dither", "pwm_sample_bits", "no_hdmi_resample"], "sound"),
    kept(&["camera_auto_detect", "start_x", "disable_camera_led", "awb_auto_is_greyworld"], "cameras"),
    kept(&["gpu_mem", "gpu_mem_*"], "memory for pictures, which cameras and decoders need"),
    kept(&["decode_MPG2", "decode_WVC1"], "licences of decoders, which are the board's own"),
    kept(&["enable_uart", "init_uart_baud", "init_uart_clock"], "the serial port"),
    kept(&["max_usb_current", "usb_max_current_enable", "otg_mode", "force_eeprom_read", "disable_poe_fan"], "power and ports"),
    kept(&["temp_limit", "temp_soft_limit", "arm_boost"], "heat, and the speed that the board's maker has for it"),
    kept(&["disable_splash", "avoid_warnings"], "what the firmware shows"),
    Group { keys: &["dtparam", "dtoverlay", "device_tree_param", "device_tree_overlay"], fate: Fate::List, why: "clocks (RTC), I2C, SPI, sound cards, touch, buses, drivers" },
    Group { keys: &["gpio"], fate: Fate::List, why: "pins" },
    dropped(&["arm_freq*", "core_freq*", "gpu_freq*", "h264_freq*", "hevc_freq*", "isp_freq*", "v3d_freq*", "sdram_*", "over_voltage*", "force_turbo", "initial_turbo"], OVERCLOCKED),
    dropped(&["start_file", "fixup_file", "start_debug"], "it names firmware without which the board would not start, and which balenaOS may not have"),
    dropped(&["kernel*", "initramfs", "auto_initramfs", "ramfs*", "arm_64bit", "arm_control", "armstub", "os_prefix", "overlay_prefix", "cmdline", "device_tree", "device_tree_*", "disable_commandline_tags", "enable_gic", "boot_*", "bootcode_delay", "init_emmc_clock", "avoid_safe_mode"], "balenaOS decides what is booted, and how"),
    dropped(&["total_mem"], "balenaOS has all the memory that is there"),
    dropped(&["uart_2ndstage", "dtdebug", "enable_jtag_gpio"], "it is for whoever watches the board start"),
    dropped(&["program_*"], "it was burnt into the board once, and stays there"),
    dropped(&["include"], "what the included file says is not read"),
];

/// Why a setting that no group names is left behind.
pub(super) const UNKNOWN: &str = "it is not known what it does on balenaOS";

/// The group of a key.
pub(super) fn group(key: &str) -> Option<&'static Group> {
    let is_it = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(beginning) => key.starts_with(beginning),
        None => key.eq_ignore_ascii_case(pattern),
    };
    GROUPS.iter().find(|group| group.keys.iter().any(is_it))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What balena's supervisor refuses to change: `forbiddenConfigKeys` of its backend for config.txt.
    const REFUSED: [&str; 11] = [
        "disable_commandline_tags",
        "cmdline",
        "kernel",
        "kernel_address",
        "kernel_old",
        "ramfsfile",
        "ramfsaddr",
        "initramfs",
        "device_tree_address",
        "init_emmc_clock",
        "avoid_safe_mode",
    ];

    #[test]
    fn what_the_supervisor_refuses_is_never_kept() {
        for key in REFUSED {
            assert_eq!(group(key).unwrap().fate, Fate::Dropped, "{key}");
        }
    }

    #[test]
    fn the_first_group_decides() {
        let fate = |key| group(key).map(|group| group.fate);
        assert_eq!(fate("hdmi_edid_file"), Some(Fate::Dropped));
        assert_eq!(fate("hdmi_mode"), Some(Fate::Variable));
        assert_eq!(fate("device_tree_overlay"), Some(Fate::List));
        assert_eq!(fate("device_tree"), Some(Fate::Dropped));
        assert_eq!(fate("gpu_mem_512"), Some(Fate::Variable));
        assert_eq!(fate("gpio_in_pin"), None);
        assert_eq!(fate("mask_gpu_interrupt0"), None);
    }

    #[test]
    fn the_guide_tells_every_group_and_no_other() {
        let guide = include_str!("../../../docs/config-txt.md");
        let rows: Vec<&str> = guide.lines().filter(|line| line.starts_with("| `")).collect();
        let row = |group: &Group| {
            let keys: Vec<String> = group.keys.iter().map(|key| format!("`{key}`")).collect();
            let fate = match group.fate {
                Fate::Variable => "variable",
                Fate::List => "list",
                Fate::Dropped => "dropped",
            };
            format!("| {} | {fate} | {} |", keys.join(", "), group.why)
        };
        let expected: Vec<String> = GROUPS.iter().map(row).collect();
        assert_eq!(
            rows,
            expected,
            "docs/config-txt.md is not current; it should have\n{}",
            expected.join("\n")
        );
    }
}
