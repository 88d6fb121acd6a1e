//! Kernel, device tree and initramfs (Raspberry Pi documentation: boot options).

use crate::board::{Model, Soc};
use crate::boot::NoBoot;
use crate::config::Settings;
use crate::loader::{Feature, Firmware};
use crate::partition::BootPartition;

/// Kernel names the firmware recognises, and whether they are 64-bit; such a name overrides
/// `arm_64bit`.
const KNOWN_KERNELS: [(&str, bool); 5] = [
    ("kernel.img", false),
    ("kernel7.img", false),
    ("kernel7l.img", false),
    ("kernel8.img", true),
    ("kernel_2712.img", true),
];

/// The operating system's files, with paths as on the partition.
#[derive(Debug)]
pub(crate) struct Os {
    pub(crate) prefix: String,
    pub(crate) kernel: String,
    pub(crate) arm_64bit: bool,
    pub(crate) device_tree: Option<String>,
    pub(crate) initramfs: Option<Vec<String>>,
}

/// Where a file named in the configuration lies: under the prefix, unless the name starts with `/`.
pub(crate) fn path(prefix: &str, name: &str) -> String {
    match name.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("{prefix}{name}"),
    }
}

/// Selects the operating system's files.
pub(crate) fn select(
    soc: Soc,
    model: Model,
    firmware: &Firmware<'_>,
    settings: &Settings,
    partition: &dyn BootPartition,
    log: &mut Vec<String>,
) -> Result<Os, NoBoot> {
    let arm_64bit = starts_64bit(soc, firmware, settings, log);
    let selection = Selection { soc, model, settings, partition, arm_64bit };
    let prefix = selection.prefix(firmware, log);
    let kernel = selection.kernel(&prefix, log)?;
    let device_tree = selection.device_tree(&prefix, log)?;
    let initramfs = selection.initramfs(firmware, &prefix, &kernel, log);
    Ok(Os { prefix, kernel, arm_64bit, device_tree, initramfs })
}

/// Does the kernel start in 64-bit mode?
fn starts_64bit(
    soc: Soc,
    firmware: &Firmware<'_>,
    settings: &Settings,
    log: &mut Vec<String>,
) -> bool {
    if soc == Soc::Bcm2712 {
        return true;
    }
    let by_name = settings.file_name("kernel").and_then(|kernel| {
        let name = file_name(kernel);
        KNOWN_KERNELS.iter().find(|(known, _)| *known == name).map(|(_, arm_64bit)| *arm_64bit)
    });
    let wanted = match (by_name, settings.number("arm_64bit")) {
        (Some(arm_64bit), _) => arm_64bit,
        (None, Some(number)) => number != 0,
        // The default changed to 64-bit in spring 2023. `auto_initramfs` is of the same year, and
        // can be seen in the file.
        (None, None) => soc == Soc::Bcm2711 && firmware.knows(Feature::AutoInitramfs),
    };
    if wanted && !soc.runs_64bit() {
        log.push("arm_64bit=1 ignored: these cores are 32-bit".to_owned());
    }
    wanted && soc.runs_64bit()
}

struct Selection<'a> {
    soc: Soc,
    model: Model,
    settings: &'a Settings,
    partition: &'a dyn BootPartition,
    arm_64bit: bool,
}

impl Selection<'_> {
    /// The prefix in effect: it is dropped unless the expected kernel and device tree are found
    /// with it.
    fn prefix(&self, firmware: &Firmware<'_>, log: &mut Vec<String>) -> String {
        let prefix = self.settings.text("os_prefix").unwrap_or_default();
        if prefix.is_empty() {
            return String::new();
        }
        if !firmware.knows(Feature::OsPrefix) {
            log.push(format!(
                "os_prefix {prefix} ignored: {} does not know os_prefix",
                firmware.name()
            ));
            return String::new();
        }
        let kernels = self.kernel_names();
        let device_trees = self.device_tree_names();
        for names in [&kernels, &device_trees] {
            let paths: Vec<String> = names.iter().map(|name| path(prefix, name)).collect();
            if !paths.is_empty() && !paths.iter().any(|path| self.exists(path)) {
                log.push(format!("os_prefix {prefix} dropped: {} not found", paths.join(", ")));
                return String::new();
            }
        }
        log.push(format!("os_prefix: {prefix}"));
        prefix.to_owned()
    }

    fn kernel(&self, prefix: &str, log: &mut Vec<String>) -> Result<String, NoBoot> {
        let mut tried: Vec<String> =
            self.kernel_names().iter().map(|name| path(prefix, name)).collect();
        let fallback = "kernel8.img".to_owned();
        if self.soc == Soc::Bcm2711 && self.arm_64bit && !tried.contains(&fallback) {
            // For a missing kernel= file, measured on a Pi 4; of other boards, and of 32-bit mode,
            // it is not known.
            tried.push(fallback);
        }
        let Some(found) = tried.iter().position(|path| self.exists(path)) else {
            return Err(NoBoot::KernelNotFound { tried });
        };
        for missing in &tried[..found] {
            log.push(format!("kernel {missing} not found"));
        }
        let kernel = tried.swap_remove(found);
        if self.is_empty(&kernel) {
            return Err(NoBoot::KernelEmpty { file: kernel });
        }
        if !may_run(file_name(&kernel), self.soc) {
            return Err(NoBoot::KernelForOtherBoards { file: kernel });
        }
        log.push(format!("kernel: {kernel} ({}-bit)", if self.arm_64bit { 64 } else { 32 }));
        Ok(kernel)
    }

    /// The kernel names to look for, best first. A kernel of the other width is no substitute:
    /// whether firmware falls back to one has been said both ways (raspberrypi/firmware issue
    /// 1193).
    fn kernel_names(&self) -> Vec<&str> {
        if let Some(explicit) = self.settings.file_name("kernel") {
            return vec![explicit];
        }
        match (self.soc, self.arm_64bit) {
            (Soc::Bcm2712, _) => vec!["kernel_2712.img", "kernel8.img"],
            (_, true) => vec!["kernel8.img"],
            (Soc::Bcm2835, false) => vec!["kernel.img"],
            (Soc::Bcm2836 | Soc::Bcm2837, false) => vec!["kernel7.img"],
            (Soc::Bcm2711, false) => vec!["kernel7l.img"],
        }
    }

    fn device_tree(&self, prefix: &str, log: &mut Vec<String>) -> Result<Option<String>, NoBoot> {
        let tried: Vec<String> =
            self.device_tree_names().iter().map(|name| path(prefix, name)).collect();
        if let Some(found) = tried.iter().find(|path| self.exists(path) && !self.is_empty(path)) {
            log.push(format!("device tree: {found}"));
            return Ok(Some(found.clone()));
        }
        // The Pi 5's check that the system is meant for it; it can be switched off.
        if self.soc == Soc::Bcm2712 && self.settings.number("os_check") != Some(0) {
            return Err(NoBoot::DeviceTreeNotFound { tried });
        }
        log.push(match tried.is_empty() {
            true => "device tree: switched off by device_tree=".to_owned(),
            false => format!("device tree: none, {} not found", tried.join(", ")),
        });
        Ok(None)
    }

    /// The device tree names to look for, best first; none where `device_tree=` switches device
    /// trees off.
    fn device_tree_names(&self) -> Vec<&str> {
        match self.settings.text("device_tree") {
            None => self.model.device_trees(self.soc).to_vec(),
            Some("") => Vec::new(),
            Some(name) => vec![name],
        }
    }

    fn initramfs(
        &self,
        firmware: &Firmware<'_>,
        prefix: &str,
        kernel: &str,
        log: &mut Vec<String>,
    ) -> Option<Vec<String>> {
        if let Some(names) = self.settings.file_name("ramfsfile") {
            let files: Vec<String> = names.split(',').map(|name| path(prefix, name)).collect();
            if let Some(missing) =
                files.iter().find(|file| !self.exists(file) || self.is_empty(file))
            {
                log.push(format!("initramfs disabled: {missing} not found or empty"));
                return None;
            }
            log.push(format!("initramfs: {}", files.join(", ")));
            return Some(files);
        }
        if !self.settings.is_on("auto_initramfs") {
            return None;
        }
        if !firmware.knows(Feature::AutoInitramfs) {
            log.push(format!("auto_initramfs ignored: {} does not know it", firmware.name()));
            return None;
        }
        // initramfs8 goes with kernel8.img, initramfs_2712 with kernel_2712.img, and so on.
        let suffix =
            file_name(kernel).strip_prefix("kernel").and_then(|name| name.strip_suffix(".img"))?;
        let file = path(prefix, &format!("initramfs{suffix}"));
        if !self.exists(&file) || self.is_empty(&file) {
            log.push(format!("initramfs: none, {file} not found or empty"));
            return None;
        }
        log.push(format!("initramfs: {file}"));
        Some(vec![file])
    }

    fn exists(&self, path: &str) -> bool {
        self.partition.read(path).is_some()
    }

    fn is_empty(&self, path: &str) -> bool {
        self.partition.read(path).is_some_and(|content| content.is_empty())
    }
}

/// Can these cores run a kernel of this name? Of other names than the known ones nothing is said.
fn may_run(kernel: &str, soc: Soc) -> bool {
    match kernel {
        "kernel.img" => soc != Soc::Bcm2712,
        "kernel7.img" | "kernel7l.img" => !matches!(soc, Soc::Bcm2835 | Soc::Bcm2712),
        "kernel8.img" | "kernel_2712.img" => soc.runs_64bit(),
        _ => true,
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
