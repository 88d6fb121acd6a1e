//! `tryboot.txt`: what the firmware reads instead of `config.txt`, once.

use super::BootTextError;
use crate::board::Architecture;
use migos_contract::boot_path;

/// The longest line that every firmware reads whole.
pub const COLUMN_LIMIT: usize = 78;

/// The most bytes of the file; some loaders are reported to read 4 KiB only.
pub const FILE_LIMIT: usize = 2048;

/// Keys whose lines are carried over: memory split, start files, power and reachability.
const CARRIED: &[&str] = &[
    "gpu_mem",
    "gpu_mem_256",
    "gpu_mem_512",
    "gpu_mem_1024",
    "start_x",
    "start_debug",
    "start_file",
    "fixup_file",
    "total_mem",
    "enable_uart",
    "uart_2ndstage",
    "otg_mode",
    "max_usb_current",
    "usb_max_current_enable",
];

/// Device-tree parameters that are carried over, by their beginning.
const CARRIED_PARAMETERS: &[&str] = &["ant1", "ant2", "pcie", "sd_"];

/// Overlays that are carried over, by their beginning: they are the way to the network, or keep the
/// power on.
const CARRIED_OVERLAYS: &[&str] = &[
    "dwc2",
    "dwc-otg",
    "w5500",
    "enc28j60",
    "sdio",
    "sdtweak",
    "disable-wifi",
    "disable-bt",
    "miniuart-bt",
    "pi3-disable-",
    "pi3-miniuart-bt",
    "pcie",
    "i2c-rtc",
];

/// The text of `tryboot.txt` for a device with this `config.txt`, and a payload of this architecture that
/// has these overlays.
///
/// A carried line keeps its filters: every run of carried lines is opened by `[all]` and the section
/// headers that stood above it.
///
/// # Errors
/// [`BootTextError`], for a text that some firmware would not read as it was meant.
pub fn tryboot_txt(
    config_txt: &str,
    architecture: Architecture,
    has_overlay: impl Fn(&str) -> bool,
) -> Result<String, BootTextError> {
    let arm_64bit = u8::from(architecture == Architecture::Arm64);
    let (folder, initrd) = (boot_path::FOLDER, boot_path::INITRD);
    let mut text = format!(
        "# one-shot boot into MIGOS by migos-fleet; safe to delete\n\
         [all]\n\
         os_prefix={folder}/\n\
         auto_initramfs=0\n\
         initramfs {initrd} followkernel\n\
         arm_64bit={arm_64bit}\n\
         dtparam=watchdog=on\n\
         kernel_watchdog_timeout=120\n"
    );

    let mut filters: Vec<&str> = Vec::new();
    let mut written: Vec<&str> = Vec::new();
    for (number, line) in config_txt.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let line = line.trim();
        if line.starts_with('[') {
            if line.eq_ignore_ascii_case("[all]") {
                filters.clear();
            } else {
                filters.push(line);
            }
            continue;
        }
        let Some(setting) = Carried::of(line) else { continue };
        if line.len() > COLUMN_LIMIT || filters.iter().any(|filter| filter.len() > COLUMN_LIMIT) {
            return Err(BootTextError::LongLine { line: number });
        }
        if let Carried::Overlay(name) = setting
            && !has_overlay(name)
        {
            return Err(BootTextError::NoOverlay { line: number, name: name.to_owned() });
        }
        if filters != written {
            text += "[all]\n";
            filters.iter().for_each(|filter| text += &format!("{filter}\n"));
            written.clone_from(&filters);
        }
        text += line;
        text.push('\n');
    }
    text += "[all]\n";
    if text.len() >= FILE_LIMIT {
        return Err(BootTextError::LongFile { bytes: text.len() });
    }
    Ok(text)
}

/// A line to be carried over.
enum Carried<'a> {
    Setting,
    Overlay(&'a str),
}

impl<'a> Carried<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let (key, value) = line.split_once('=')?;
        let begins = |list: &[&str]| list.iter().any(|beginning| value.starts_with(beginning));
        match key {
            "dtoverlay" if begins(CARRIED_OVERLAYS) => {
                let name = value.split([',', ':']).next().unwrap_or(value);
                Some(Carried::Overlay(name))
            }
            "dtparam" if begins(CARRIED_PARAMETERS) => Some(Carried::Setting),
            _ if CARRIED.contains(&key) => Some(Carried::Setting),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NONE: fn(&str) -> bool = |_| false;

    #[test]
    fn a_plain_config_gives_the_plain_text() {
        let config = "# For more options see the documentation\n#hdmi_safe=1\ndtparam=audio=on\n\n\
                      [pi4]\ndtoverlay=vc4-fkms-v3d\nmax_framebuffers=2\n\n[all]\n#dtoverlay=vc4\n";
        let text = tryboot_txt(config, Architecture::Armhf, NONE).unwrap();
        insta::assert_snapshot!(text, @r###"
        # one-shot boot into MIGOS by migos-fleet; safe to delete
        [all]
        os_prefix=migos/
        auto_initramfs=0
        initramfs initrd.migos followkernel
        arm_64bit=0
        dtparam=watchdog=on
        kernel_watchdog_timeout=120
        [all]
        "###);
    }

    #[test]
    fn carried_lines_keep_their_filters() {
        let config = "gpu_mem=16\r\n[cm4]\r\notg_mode=1\r\n[cm5]\r\ndtoverlay=dwc2,dr_mode=host\r\n\
                      arm_freq=2400\r\n[all]\r\nenable_uart=1\r\n";
        let text = tryboot_txt(config, Architecture::Arm64, |name| name == "dwc2").unwrap();
        insta::assert_snapshot!(text, @r###"
        # one-shot boot into MIGOS by migos-fleet; safe to delete
        [all]
        os_prefix=migos/
        auto_initramfs=0
        initramfs initrd.migos followkernel
        arm_64bit=1
        dtparam=watchdog=on
        kernel_watchdog_timeout=120
        gpu_mem=16
        [all]
        [cm4]
        otg_mode=1
        [all]
        [cm4]
        [cm5]
        dtoverlay=dwc2,dr_mode=host
        [all]
        enable_uart=1
        [all]
        "###);
    }

    #[test]
    fn what_firmware_would_misread_is_refused() {
        let long = format!("gpu_mem=16\nstart_file={}.elf", "x".repeat(70));
        let error = tryboot_txt(&long, Architecture::Armhf, NONE).unwrap_err();
        assert_eq!(error, BootTextError::LongLine { line: 2 });
        let overlay = "dtoverlay=w5500,cs=1\n";
        let error = tryboot_txt(overlay, Architecture::Armhf, NONE).unwrap_err();
        assert_eq!(error, BootTextError::NoOverlay { line: 1, name: "w5500".into() });
        let many = "gpu_mem=16\n".repeat(300);
        let error = tryboot_txt(&many, Architecture::Armhf, NONE).unwrap_err();
        assert!(matches!(error, BootTextError::LongFile { .. }));
    }
}
