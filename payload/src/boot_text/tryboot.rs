//! The text that makes the firmware boot MIGOS: `tryboot.txt`, or `config.txt` under `rewrite`.

use super::BootTextError;
use super::carried::{carries_overlay, carries_parameters, carries_setting, overlay_name};
use crate::board::{Architecture, BoardFacts};
use crate::boot_document::{Applies, COLUMN_LIMIT, ConfigTxt, Line, LineKind, Walk};
use migos_contract::boot_path;

/// The most bytes of the file; some loaders are reported to read 4 KiB only.
pub const FILE_LIMIT: usize = 2048;

/// The text that selects MIGOS on a board with this `config.txt`, for a payload of this architecture that
/// has these overlays. It is the same as `tryboot.txt` and in place of `config.txt`, since the first
/// becomes the second at the commit.
///
/// Lines are carried over that apply to this board or may, byte for byte, each under its own section
/// headers.
///
/// # Errors
/// [`BootTextError`], for a text that some firmware would not read as it was meant.
pub fn migos_config_txt(
    config: &ConfigTxt,
    board: &BoardFacts,
    architecture: Architecture,
    has_overlay: impl Fn(&str) -> bool,
) -> Result<String, BootTextError> {
    if config.is_decoy() {
        return Err(BootTextError::Decoy { file: boot_path::CONFIG });
    }
    if let Some(line) = config.in_tryboot_section(board) {
        return Err(BootTextError::Tryboot { line: line.number });
    }
    let text = selection(architecture, keeps_hats_away(config, board));
    let mut writer = Writer { config, text, headers: Vec::new() };
    let mut scope = Scope::default();
    let mut walk = Walk::new(config, board);
    while let Some(line) = walk.next() {
        let LineKind::Setting(setting) = line.kind else { continue };
        if walk.applies() == Applies::No {
            continue;
        }
        let key = String::from_utf8_lossy(config.text(setting.key)).to_ascii_lowercase();
        let value = String::from_utf8_lossy(config.text(setting.value));
        let carried = match key.as_str() {
            "dtoverlay" => {
                let name = overlay_name(&value);
                let carried = scope.overlay(name);
                if carried && !name.is_empty() && !has_overlay(name) {
                    let (line, name) = (line.number, name.to_owned());
                    return Err(BootTextError::NoOverlay { line, name });
                }
                carried
            }
            "dtparam" => carries_parameters(&value, scope.found == Found::Carried),
            _ => carries_setting(&key, &value, board.revision.board_type()),
        };
        if !carried {
            continue;
        }
        let headers: Vec<_> = walk.headers().iter().map(|header| header.line).collect();
        writer.section(&headers)?;
        if key == "dtparam" && scope.must_close() {
            writer.text += "dtoverlay=\n";
        }
        writer.line(line)?;
    }
    writer.finish()
}

/// What selects MIGOS. `os_prefix` and not `kernel`: where a file is missing the firmware drops the prefix
/// and boots Raspbian.
fn selection(architecture: Architecture, keeps_hats_away: bool) -> String {
    let arm_64bit = u8::from(architecture == Architecture::Arm64);
    let (folder, initrd) = (boot_path::FOLDER, boot_path::INITRD);
    let no_hat = if keeps_hats_away { "dtoverlay=\n" } else { "" };
    format!(
        "# Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.\n\
         [all]\n\
         os_prefix={folder}/\n\
         auto_initramfs=0\n\
         initramfs {initrd} followkernel\n\
         arm_64bit={arm_64bit}\n\
         {no_hat}\
         dtparam=watchdog=on\n\
         kernel_watchdog_timeout=120\n"
    )
}

/// An empty `dtoverlay=` before all other overlays and parameters keeps a HAT's own overlay away
/// (Raspberry Pi documentation: HATs and device tree).
fn keeps_hats_away(config: &ConfigTxt, board: &BoardFacts) -> bool {
    let mut first =
        config.settings_for(board).into_iter().filter_map(|applied| match applied.line.kind {
            LineKind::Setting(setting) => {
                let overlay = config.text(setting.key) == b"dtoverlay";
                let about_device_tree = overlay || config.text(setting.key) == b"dtparam";
                about_device_tree.then_some(overlay && setting.value.is_empty() && applied.certain)
            }
            _ => None,
        });
    first.next() == Some(true)
}

/// What a `dtparam` is for: the overlay above it if that has such a parameter, else the base device tree
/// (Raspberry Pi documentation: device trees, overlays and parameters).
#[derive(Default)]
struct Scope {
    /// In the file as it was found.
    found: Found,
    /// Whether an overlay is open in ours.
    open: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Found {
    #[default]
    Base,
    Carried,
    Dropped,
}

impl Scope {
    /// Takes in a `dtoverlay=`; is it carried over? One without a name closes the last overlay.
    fn overlay(&mut self, name: &str) -> bool {
        let carried = match name {
            "" => self.open,
            _ => carries_overlay(name),
        };
        self.found = match (name, carried) {
            ("", _) => Found::Base,
            (_, true) => Found::Carried,
            (_, false) => Found::Dropped,
        };
        if carried {
            self.open = !name.is_empty();
        }
        carried
    }

    /// Before a parameter: is an overlay open that it was not written for?
    fn must_close(&mut self) -> bool {
        let close = self.open && self.found != Found::Carried;
        self.open &= !close;
        close
    }
}

struct Writer<'a> {
    config: &'a ConfigTxt,
    text: String,
    /// The section headers in force at the end of the text.
    headers: Vec<&'a Line>,
}

impl<'a> Writer<'a> {
    fn section(&mut self, headers: &[&'a Line]) -> Result<(), BootTextError> {
        if self.headers == headers {
            return Ok(());
        }
        self.text += "[all]\n";
        self.headers = headers.to_vec();
        headers.iter().try_for_each(|header| self.line(header))
    }

    fn line(&mut self, line: &Line) -> Result<(), BootTextError> {
        let bytes = self.config.text(line.span);
        if bytes.len() > COLUMN_LIMIT {
            return Err(BootTextError::LongLine { line: line.number });
        }
        let printable = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
        match str::from_utf8(bytes) {
            Ok(text) if bytes.iter().all(printable) => self.text += text,
            _ => return Err(BootTextError::NotText { line: line.number }),
        }
        self.text.push('\n');
        Ok(())
    }

    fn finish(mut self) -> Result<String, BootTextError> {
        self.text += "[all]\n";
        match self.text.len() {
            bytes if bytes >= FILE_LIMIT => Err(BootTextError::LongFile { bytes }),
            _ => Ok(self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::board::Revision;

    const PI_3: BoardFacts = BoardFacts { revision: Revision(0xa02082), serial: Some(0x765f_c593) };
    const CM5: BoardFacts = BoardFacts { revision: Revision(0xc04180), serial: Some(1) };

    fn text(config: &str, board: &BoardFacts) -> Result<String, BootTextError> {
        let config = ConfigTxt::parse(config.as_bytes());
        let payload = ["dwc2", "w5500", "i2c-rtc", "disable-bt"];
        migos_config_txt(&config, board, Architecture::Armhf, |name| payload.contains(&name))
    }

    /// What is carried over: the lines between the fixed ones.
    fn carried(config: &str, board: &BoardFacts) -> String {
        let text = text(config, board).unwrap();
        let carried = text.strip_prefix(&selection(Architecture::Armhf, false)).unwrap();
        carried.strip_suffix("[all]\n").unwrap().to_owned()
    }

    #[test]
    fn a_plain_config_gives_the_plain_text() {
        let config = "# Comments stay behind\n#hdmi_safe=1\ndtparam=audio=on\n\n[pi4]\n\
                      dtoverlay=vc4-fkms-v3d\nmax_framebuffers=2\n\n[all]\n#dtoverlay=vc4\n";
        insta::assert_snapshot!(text(config, &PI_3).unwrap(), @r"
        # Boots MIGOS; as tryboot.txt, once. Written by migos-fleet.
        [all]
        os_prefix=migos/
        auto_initramfs=0
        initramfs initrd.migos followkernel
        arm_64bit=0
        dtparam=watchdog=on
        kernel_watchdog_timeout=120
        [all]
        ");
    }

    #[test]
    fn lines_keep_their_filters_and_those_for_other_boards_stay_behind() {
        let config = "gpu_mem=16\r\n[cm4]\r\notg_mode=1\r\n[cm5]\r\ndtoverlay=dwc2,dr_mode=host\r\n\
                      arm_freq=2300\r\n[gpio4=1]\r\nmax_usb_current=1\r\n[all]\r\nenable_uart=1\r\n\
                      [none]\r\nstart_x=1\r\n";
        insta::assert_snapshot!(carried(config, &CM5), @r"
        gpu_mem=16
        [all]
        [cm5]
        dtoverlay=dwc2,dr_mode=host
        arm_freq=2300
        [all]
        [cm5]
        [gpio4=1]
        max_usb_current=1
        [all]
        enable_uart=1
        ");
        insta::assert_snapshot!(carried(config, &PI_3), @r"
        gpu_mem=16
        enable_uart=1
        ");
        insta::assert_snapshot!(carried(config, &BoardFacts::UNKNOWN), @r"
        gpu_mem=16
        [all]
        [cm4]
        otg_mode=1
        [all]
        [cm5]
        dtoverlay=dwc2,dr_mode=host
        [all]
        [cm5]
        [gpio4=1]
        max_usb_current=1
        [all]
        enable_uart=1
        ");
    }

    #[test]
    fn what_cannot_be_decided_goes_with_its_sections() {
        let config = "[pi6]\ngpu_mem=32\n[gpio4=1]\n[pi3]\ndtoverlay=w5500,cs=1\n[EDID=x]\n\
                      hdmi_mode=1\n[0x765fc593]\nenable_uart=1\n[0x1]\nenable_uart=0\n";
        insta::assert_snapshot!(carried(config, &PI_3), @r"
        [all]
        [pi6]
        gpu_mem=32
        [all]
        [pi6]
        [gpio4=1]
        [pi3]
        dtoverlay=w5500,cs=1
        [all]
        [pi6]
        [gpio4=1]
        [pi3]
        [EDID=x]
        [0x765fc593]
        enable_uart=1
        ");
    }

    #[test]
    fn parameters_stay_with_the_overlay_they_are_for() {
        let config = "dtoverlay=w5500\ndtparam=int_pin=25\ndtparam=spi=on\ndtoverlay=vc4-kms-v3d\n\
                      dtparam=noaudio\ndtparam=ant2\ndtoverlay=i2c-rtc,ds3231\ndtparam=addr=0x68\n\
                      dtoverlay=\ndtparam=sd_poll_once\n";
        insta::assert_snapshot!(carried(config, &PI_3), @r"
        dtoverlay=w5500
        dtparam=int_pin=25
        dtoverlay=
        dtparam=ant2
        dtoverlay=i2c-rtc,ds3231
        dtparam=addr=0x68
        dtoverlay=
        dtparam=sd_poll_once
        ");
        assert_eq!(
            carried("dtoverlay=vc4-kms-v3d\ndtoverlay=\ndtparam=eee=off\n", &PI_3),
            "dtparam=eee=off\n"
        );
    }

    #[test]
    fn a_hats_overlay_stays_away_where_it_is_kept_away() {
        let keeps =
            |config: &str| text(config, &PI_3).unwrap().contains("dtoverlay=\ndtparam=watchdog=on");
        assert!(keeps("# none\ndtoverlay=\ndtparam=ant2\n"));
        assert!(!keeps("dtparam=audio=on\ndtoverlay=\n"));
        assert!(!keeps("[pi4]\ndtoverlay=\n[gpio4=1]\ndtoverlay=\n"));
    }

    #[test]
    fn what_firmware_would_misread_is_refused() {
        let error = |config: &str| text(config, &PI_3).unwrap_err();
        let long = format!("gpu_mem=16\nstart_file={}.elf", "x".repeat(70));
        assert_eq!(error(&long), BootTextError::LongLine { line: 2 });
        assert_eq!(error("start_file=st\u{e4}rt.elf\n"), BootTextError::NotText { line: 1 });
        let (line, name) = (2, "enc28j60".to_owned());
        assert_eq!(error("\ndtoverlay=enc28j60,cs=1\n"), BootTextError::NoOverlay { line, name });
        assert!(text("[cm5]\ndtoverlay=enc28j60,cs=1\n", &PI_3).is_ok());
        assert_eq!(error("[tryboot]\ngpu_mem=16\n"), BootTextError::Tryboot { line: 2 });
        let many = "gpu_mem=16\n".repeat(300);
        assert!(matches!(error(&many), BootTextError::LongFile { .. }));
        let decoy = "DO NOT EDIT THIS FILE\n\nIt moved.\n";
        assert_eq!(error(decoy), BootTextError::Decoy { file: "config.txt" });
    }
}
