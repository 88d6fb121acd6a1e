//! The boot as a whole: which tree, which configuration file, and the verdict.

use crate::board::{Board, Soc};
use crate::cmdline::{self, Cmdline};
use crate::config::{self, Includes, Settings};
use crate::filter::Circumstances;
use crate::loader::{self, Feature, Firmware};
use crate::partition::BootPartition;
use crate::select::{self, Os};

/// How the board came to this boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reset {
    /// The one-shot flag was set and has survived: a warm reset after `reboot '0 tryboot'`, no
    /// power cut in between. This boot consumes it, whatever comes of it.
    pub tryboot: bool,
    /// The partition number given to `reboot`; 0 is the default partition.
    pub partition: u32,
}

/// The configuration file that was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFile {
    /// `config.txt`; boards before the Pi 5 boot with defaults when it is missing.
    ConfigTxt,
    /// `tryboot.txt`, read instead of `config.txt`.
    TrybootTxt,
}

/// What the firmware hands over to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The configuration file that was in force.
    pub config: ConfigFile,
    /// The prefix in effect; empty if there is none or it was dropped.
    pub os_prefix: String,
    /// The kernel's path.
    pub kernel: String,
    /// Whether the kernel starts in 64-bit mode.
    pub arm_64bit: bool,
    /// The files concatenated to the initramfs; `None` where the kernel starts without one.
    pub initramfs: Option<Vec<String>>,
    /// The device tree's path; `None` where the kernel starts without one, and then no kernel of
    /// Raspbian or MIGOS comes up (a hang, which an armed watchdog ends).
    pub dtb: Option<String>,
    /// The end of `/proc/cmdline`: what follows the words the firmware itself prepends.
    pub cmdline: String,
    /// Seconds for which the firmware armed the hardware watchdog before it started the kernel.
    pub watchdog: Option<u64>,
    /// `/proc/device-tree/chosen/bootloader/tryboot`.
    pub tryboot: bool,
    /// One line for each decision, for a person.
    pub log: Vec<String>,
}

/// Why a board starts no kernel. It stays dark until its power is cut, and boots then without the
/// one-shot flag.
///
/// (Some EEPROMs since April 2026 reset by themselves after blinking; the model does not count on
/// it.)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBoot {
    /// The revision code names no board this model knows.
    #[error("no known board has revision {revision:x}")]
    UnsupportedBoard {
        /// The revision code.
        revision: u32,
    },
    /// The partition has nothing that would make a first stage look at it.
    #[error("the boot partition holds neither config.txt nor firmware")]
    NoConfigOrFirmware,
    /// A loader file is missing or empty.
    #[error("{file} is missing from the boot partition, or empty")]
    FirmwareMissing {
        /// The file's path.
        file: String,
    },
    /// The start file and the fixup file do not belong together.
    #[error("{start} and {fixup} are not a pair")]
    FirmwareMismatch {
        /// The start file.
        start: String,
        /// The fixup file.
        fixup: String,
    },
    /// No kernel was found; the firmware blinks or hangs until the power is cut.
    #[error("no kernel was found, looked for {}", tried.join(", "))]
    KernelNotFound {
        /// The paths that were tried.
        tried: Vec<String>,
    },
    /// The kernel file is there and has no content.
    #[error("the kernel {file} is empty")]
    KernelEmpty {
        /// The kernel's path.
        file: String,
    },
    /// The kernel's well-known name says that these cores cannot run it.
    #[error("the kernel {file} is for other boards")]
    KernelForOtherBoards {
        /// The kernel's path.
        file: String,
    },
    /// A Pi 5 refuses a system without a device tree for it.
    #[error("no device tree for this board was found, looked for {}", tried.join(", "))]
    DeviceTreeNotFound {
        /// The paths that were tried.
        tried: Vec<String>,
    },
    /// The reset asked for another partition than this one.
    #[error("the reset asked for partition {partition}, which is not this one")]
    OtherPartition {
        /// The partition number.
        partition: u32,
    },
    /// The partition uses a way to boot that this model does not follow.
    #[error("this way to boot is not modelled: {what}")]
    NotModelled {
        /// What was found.
        what: &'static str,
    },
}

/// Boots a board from its first FAT partition.
///
/// # Errors
/// [`NoBoot`], where a real Pi would not start a kernel, or where nobody can say which.
pub fn boot(board: &Board, partition: &impl BootPartition, reset: Reset) -> Result<Boot, NoBoot> {
    Session { board, soc: board.soc()?, partition, log: Vec::new() }.run(reset)
}

struct Session<'a> {
    board: &'a Board,
    soc: Soc,
    partition: &'a dyn BootPartition,
    log: Vec<String>,
}

impl<'a> Session<'a> {
    fn run(mut self, reset: Reset) -> Result<Boot, NoBoot> {
        let model = self.board.model()?;
        self.check_partition(reset)?;

        let flagged = reset.tryboot && self.flag_survives();
        let understood = flagged && self.first_stage_understands_flag();
        let tryboot_txt = understood && self.has("tryboot.txt");
        let firmware = self.load_firmware(tryboot_txt, understood)?;

        // The second stage decides again for itself: it may be older than the first.
        let understood = understood && self.second_stage_understands_flag(&firmware);
        let config =
            if understood && tryboot_txt { ConfigFile::TrybootTxt } else { ConfigFile::ConfigTxt };
        if understood && !tryboot_txt {
            self.log.push(
                "no tryboot.txt: what a Pi does then is not known, the flag is ignored".to_owned(),
            );
        }
        self.log.push(match config {
            ConfigFile::TrybootTxt => "config: tryboot.txt (one-shot flag was set)".to_owned(),
            ConfigFile::ConfigTxt => "config: config.txt".to_owned(),
        });
        let settings = self.second_stage_settings(config, &firmware, understood)?;

        let Os { prefix, kernel, arm_64bit, device_tree, initramfs } =
            select::select(self.soc, model, &firmware, &settings, self.partition, &mut self.log)?;
        let Cmdline { text, watchdog } =
            cmdline::read(model, &firmware, &settings, &prefix, self.partition, &mut self.log);
        Ok(Boot {
            config,
            os_prefix: prefix,
            kernel,
            arm_64bit,
            initramfs,
            dtb: device_tree,
            cmdline: text,
            watchdog,
            tryboot: config == ConfigFile::TrybootTxt,
            log: self.log,
        })
    }

    /// Is this the partition that boots, and does it boot from files?
    fn check_partition(&self, reset: Reset) -> Result<(), NoBoot> {
        if reset.partition > 1 {
            return Err(NoBoot::OtherPartition { partition: reset.partition });
        }
        if let Some(autoboot) = self.partition.read("autoboot.txt") {
            let text = String::from_utf8_lossy(autoboot);
            let switches = |line: &str| {
                let line = line.trim_start();
                line.starts_with("boot_partition=") || line.starts_with("tryboot_a_b=")
            };
            if text.lines().any(switches) {
                return Err(NoBoot::NotModelled { what: "autoboot.txt selects a partition" });
            }
        }
        let bootable = match loader::default_start(self.soc) {
            None => self.has("config.txt"),
            Some(start) => self.has("config.txt") || self.has("bootcode.bin") || self.has(start),
        };
        if bootable { Ok(()) } else { Err(NoBoot::NoConfigOrFirmware) }
    }

    /// A pending EEPROM update runs first and resets, which may eat the flag.
    fn flag_survives(&mut self) -> bool {
        let update = match self.soc {
            Soc::Bcm2835 | Soc::Bcm2836 | Soc::Bcm2837 => None,
            Soc::Bcm2711 | Soc::Bcm2712 => {
                ["recovery.bin", "pieeprom.upd"].into_iter().find(|file| self.has(file))
            }
        };
        if let Some(file) = update {
            self.log.push(format!(
                "one-shot flag taken as lost: the EEPROM update in {file} runs first and resets"
            ));
        }
        update.is_none()
    }

    fn first_stage_understands_flag(&mut self) -> bool {
        let reason = loader::ignores_tryboot(self.soc, self.board, self.partition);
        if let Some(reason) = reason {
            self.log.push(format!("one-shot flag ignored: {reason}"));
        }
        reason.is_none()
    }

    fn second_stage_understands_flag(&mut self, firmware: &Firmware<'_>) -> bool {
        let understands = firmware.knows(Feature::TrybootTxt);
        if !understands {
            self.log.push(format!(
                "one-shot flag ignored: {} does not know tryboot.txt",
                firmware.name()
            ));
        }
        understands
    }

    /// The first stage reads the configuration for the names of the start and fixup files, without
    /// its includes.
    fn load_firmware(
        &mut self,
        tryboot_txt: bool,
        understood: bool,
    ) -> Result<Firmware<'a>, NoBoot> {
        let file = if tryboot_txt { "tryboot.txt" } else { "config.txt" };
        let circumstances = Circumstances {
            model: self.board.model()?,
            serial: self.board.serial,
            tryboot: understood,
            knows_tryboot_section: self.soc == Soc::Bcm2712,
            knows_board_type: self.soc == Soc::Bcm2712,
        };
        // What is remarkable about the file is remarked when the second stage reads it.
        let settings =
            config::read(file, self.partition, circumstances, Includes::Ignored, &mut Vec::new());
        loader::load(self.soc, self.board, &settings, self.partition, &mut self.log)
    }

    fn second_stage_settings(
        &mut self,
        config: ConfigFile,
        firmware: &Firmware<'_>,
        tryboot: bool,
    ) -> Result<Settings, NoBoot> {
        let file = match config {
            ConfigFile::ConfigTxt => "config.txt",
            ConfigFile::TrybootTxt => "tryboot.txt",
        };
        let circumstances = Circumstances {
            model: self.board.model()?,
            serial: self.board.serial,
            tryboot,
            knows_tryboot_section: firmware.knows(Feature::TrybootSection),
            knows_board_type: firmware.knows(Feature::BoardType),
        };
        let settings =
            config::read(file, self.partition, circumstances, Includes::Followed, &mut self.log);
        if settings.is_on("boot_ramdisk") {
            return Err(NoBoot::NotModelled { what: "boot_ramdisk=1 boots from an image" });
        }
        if settings.is_on("upstream_kernel") {
            return Err(NoBoot::NotModelled {
                what: "upstream_kernel=1 changes prefix and device tree",
            });
        }
        Ok(settings)
    }

    fn has(&self, file: &str) -> bool {
        self.partition.read(file).is_some()
    }
}
