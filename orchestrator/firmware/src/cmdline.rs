//! The kernel command line.

use crate::board::Model;
use crate::config::Settings;
use crate::loader::{Feature, Firmware};
use crate::partition::BootPartition;
use crate::select;

/// What the firmware passes when there is no command line file (read in firmware binaries).
const BUILT_IN: &str = "console=ttyAMA0,115200 kgdboc=ttyAMA0,115200 console=tty1 \
    root=/dev/mmcblk0p2 rootfstype=ext4 rootwait";
/// What the firmware itself prepends, in bytes, at most; the sum must stay below [`LIMIT`].
const PREPENDED: usize = 400;
/// The firmware's own limit, in bytes; 32-bit kernels have the same.
const LIMIT: usize = 1024;

/// The command line after the words the firmware prepends, and the seconds for which it armed the
/// watchdog.
#[derive(Debug)]
pub(crate) struct Cmdline {
    pub(crate) text: String,
    pub(crate) watchdog: Option<u64>,
}

/// Reads the command line file and changes it as the firmware does: first line only, `serial0` by
/// its device name, the watchdog's time-out appended.
pub(crate) fn read(
    model: Model,
    firmware: &Firmware<'_>,
    settings: &Settings,
    prefix: &str,
    partition: &dyn BootPartition,
    log: &mut Vec<String>,
) -> Cmdline {
    let file = select::path(prefix, settings.file_name("cmdline").unwrap_or("cmdline.txt"));
    let line = match partition.read(&file) {
        Some(content) => {
            log.push(format!("command line: {file}"));
            let text = String::from_utf8_lossy(content).into_owned();
            text.lines().next().unwrap_or_default().trim_end().to_owned()
        }
        None => {
            log.push(format!("command line: {file} not found, the built-in default is used"));
            BUILT_IN.to_owned()
        }
    };
    let serial0 = format!("console={}", serial0(model, settings));
    let mut words: Vec<String> = line
        .split(' ')
        .map(|word| match word.strip_prefix("console=serial0") {
            Some(rest) if rest.is_empty() || rest.starts_with(',') => format!("{serial0}{rest}"),
            _ => word.to_owned(),
        })
        .collect();

    let watchdog = watchdog(firmware, settings, log);
    if let Some(seconds) = watchdog
        && !words.iter().any(|word| word.starts_with("watchdog.open_timeout="))
    {
        words.push(format!("watchdog.open_timeout={seconds}"));
    }
    let text = words.join(" ");
    if text.len() + PREPENDED > LIMIT {
        log.push(format!(
            "command line: {} bytes, too long once the firmware has added its own words",
            text.len()
        ));
    }
    Cmdline { text, watchdog }
}

/// Bluetooth gives the good UART back when an overlay turns it off or away.
fn serial0(model: Model, settings: &Settings) -> &'static str {
    let freed = settings.all("dtoverlay").any(|overlay| {
        let name = overlay.split([',', ':']).next().unwrap_or_default();
        matches!(name, "disable-bt" | "miniuart-bt" | "pi3-disable-bt" | "pi3-miniuart-bt")
    });
    match model.serial0() {
        "ttyS0" if freed => "ttyAMA0",
        serial0 => serial0,
    }
}

fn watchdog(firmware: &Firmware<'_>, settings: &Settings, log: &mut Vec<String>) -> Option<u64> {
    let seconds = settings.number("kernel_watchdog_timeout").filter(|seconds| *seconds > 0)?;
    if firmware.knows(Feature::KernelWatchdog) {
        log.push(format!("watchdog: armed for {seconds} s"));
        Some(seconds)
    } else {
        log.push(format!(
            "watchdog: not armed, {} does not know kernel_watchdog_timeout",
            firmware.name()
        ));
        None
    }
}
