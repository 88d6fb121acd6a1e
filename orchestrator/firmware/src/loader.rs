//! The loader files: what each chip family needs on the partition, and what its firmware
//! understands.

use memchr::memmem;

use crate::board::{Board, Soc};
use crate::boot::NoBoot;
use crate::config::Settings;
use crate::partition::BootPartition;

/// The bit of the EEPROM's capabilities that says `tryboot`.
const CAPABILITY_TRYBOOT: u32 = 1 << 3;
/// 18 March 2021: older BCM2711 loaders are not trusted with `tryboot`, whatever they say (snapd
/// demands the same).
const TRYBOOT_EEPROM_2711: u64 = 1_616_057_651;
/// 20 June 2025: the first BCM2712 loader with `kernel_watchdog_timeout` (rpi-eeprom release
/// notes).
const KERNEL_WATCHDOG_EEPROM_2712: u64 = 1_750_377_600;

/// Something firmware learnt at some time, told by a string in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    TrybootTxt,
    TrybootSection,
    BoardType,
    AutoInitramfs,
    OsPrefix,
    KernelWatchdog,
}

impl Feature {
    fn marker(self) -> &'static str {
        match self {
            Feature::TrybootTxt => "tryboot.txt",
            Feature::TrybootSection => "[tryboot]",
            Feature::BoardType => "board-type",
            Feature::AutoInitramfs => "auto_initramfs",
            Feature::OsPrefix => "os_prefix",
            Feature::KernelWatchdog => "kernel_watchdog_timeout",
        }
    }
}

/// The firmware that reads the configuration and loads the kernel.
#[derive(Debug)]
pub(crate) enum Firmware<'a> {
    /// A start file on the partition.
    Start { name: String, content: &'a [u8] },
    /// In the EEPROM, as on all BCM2712.
    Eeprom { build_timestamp: u64 },
}

impl Firmware<'_> {
    /// Does this firmware understand the feature?
    pub(crate) fn knows(&self, feature: Feature) -> bool {
        match self {
            Firmware::Start { content, .. } => contains(content, feature.marker()),
            Firmware::Eeprom { build_timestamp } => {
                feature != Feature::KernelWatchdog
                    || *build_timestamp >= KERNEL_WATCHDOG_EEPROM_2712
            }
        }
    }

    /// What to call it in the log.
    pub(crate) fn name(&self) -> &str {
        match self {
            Firmware::Start { name, .. } => name,
            Firmware::Eeprom { .. } => "the EEPROM",
        }
    }
}

/// Why the first stage does not understand the one-shot flag; nothing if it does.
pub(crate) fn ignores_tryboot(
    soc: Soc,
    board: &Board,
    partition: &dyn BootPartition,
) -> Option<&'static str> {
    match soc {
        Soc::Bcm2835 | Soc::Bcm2836 | Soc::Bcm2837 => {
            let known =
                partition.read("bootcode.bin").is_some_and(|code| contains(code, "tryboot.txt"));
            (!known).then_some("bootcode.bin does not know tryboot.txt")
        }
        Soc::Bcm2711 => match board.eeprom {
            None => Some("nothing is known of the EEPROM"),
            Some(eeprom) if eeprom.capabilities & CAPABILITY_TRYBOOT == 0 => {
                Some("the EEPROM cannot do tryboot")
            }
            Some(eeprom) if eeprom.build_timestamp < TRYBOOT_EEPROM_2711 => {
                Some("the EEPROM is too old for tryboot")
            }
            Some(_) => None,
        },
        Soc::Bcm2712 => None,
    }
}

/// Loads what the first stage needs, selected by the settings it saw (Raspberry Pi documentation:
/// boot options).
pub(crate) fn load<'a>(
    soc: Soc,
    board: &Board,
    settings: &Settings,
    partition: &'a dyn BootPartition,
    log: &mut Vec<String>,
) -> Result<Firmware<'a>, NoBoot> {
    let bootcode = match soc {
        Soc::Bcm2835 | Soc::Bcm2836 | Soc::Bcm2837 => Some("bootcode.bin"),
        Soc::Bcm2711 => None,
        Soc::Bcm2712 => {
            log.push("firmware: in the EEPROM".to_owned());
            let build_timestamp = board.eeprom.map_or(0, |eeprom| eeprom.build_timestamp);
            return Ok(Firmware::Eeprom { build_timestamp });
        }
    };
    if let Some(bootcode) = bootcode {
        needed(bootcode, partition)?;
    }
    let (start, fixup) = start_and_fixup(soc, settings);
    if mismatched(&start, &fixup) {
        return Err(NoBoot::FirmwareMismatch { start, fixup });
    }
    let content = needed(&start, partition)?;
    needed(&fixup, partition)?;
    let files: Vec<&str> = bootcode.into_iter().chain([start.as_str(), fixup.as_str()]).collect();
    log.push(format!("firmware: {}", files.join(", ")));
    Ok(Firmware::Start { name: start, content })
}

/// The start file a board loads when its configuration says nothing about it.
pub(crate) fn default_start(soc: Soc) -> Option<&'static str> {
    match soc {
        Soc::Bcm2835 | Soc::Bcm2836 | Soc::Bcm2837 => Some("start.elf"),
        Soc::Bcm2711 => Some("start4.elf"),
        Soc::Bcm2712 => None,
    }
}

/// `start_file` and `fixup_file`, each over the pair that `gpu_mem=16`, `start_debug` or `start_x`
/// selects; which of those three goes first is not documented.
fn start_and_fixup(soc: Soc, settings: &Settings) -> (String, String) {
    let variant = if settings.number("gpu_mem") == Some(16) {
        "cd"
    } else if settings.is_on("start_debug") {
        "db"
    } else if settings.is_on("start_x") {
        "x"
    } else {
        ""
    };
    let suffix = match (soc, variant) {
        (Soc::Bcm2711, variant) => format!("4{variant}"),
        (_, "") => String::new(),
        (_, variant) => format!("_{variant}"),
    };
    let choose = |key, default: String| settings.file_name(key).map_or(default, str::to_owned);
    (
        choose("start_file", format!("start{suffix}.elf")),
        choose("fixup_file", format!("fixup{suffix}.dat")),
    )
}

/// Are these two stock files that do not belong together? A pair with a name of its own cannot be
/// judged.
fn mismatched(start: &str, fixup: &str) -> bool {
    let start = start.strip_prefix("start").and_then(|rest| rest.strip_suffix(".elf"));
    let fixup = fixup.strip_prefix("fixup").and_then(|rest| rest.strip_suffix(".dat"));
    matches!((start, fixup), (Some(start), Some(fixup)) if start != fixup)
}

fn needed<'a>(file: &str, partition: &'a dyn BootPartition) -> Result<&'a [u8], NoBoot> {
    let content = partition.read(file).filter(|content| !content.is_empty());
    content.ok_or_else(|| NoBoot::FirmwareMissing { file: file.to_owned() })
}

fn contains(content: &[u8], marker: &str) -> bool {
    memmem::find(content, marker.as_bytes()).is_some()
}
