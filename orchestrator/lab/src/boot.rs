//! What a virtual Pi runs after a reset.
//!
//! The firmware's part is decided by [`migos_firmware`], from the FAT tree alone. The kernel's part
//! is decided here, from the bytes that the firmware loaded and the command line it passed.

use migos_firmware::{Board, Boot, ConfigFile, Reset};
use migos_payload::board::Architecture;

use crate::balena_os::Image;
use crate::board::Model;
use crate::card::{Card, Medium, Partitions};
use crate::magic::{Kernel, Ramdisk};
use crate::raspbian::RunningKernel;
use crate::release::{Release, machine};

/// What comes up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Raspbian, with this kernel.
    Raspbian(RunningKernel),
    /// MIGOS.
    Migos(MigosBoot),
    /// The flashed balenaOS.
    BalenaOs(Image),
    /// The kernel gave up and asks for a reset.
    Panic { reason: String },
    /// Nothing; `watchdog` if the firmware armed it, and it will bite.
    Nothing { reason: String, watchdog: bool },
}

/// How MIGOS was booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MigosBoot {
    /// Its files stand under this prefix.
    pub(crate) prefix: String,
    /// It was booted for this time only, by `tryboot.txt`.
    pub(crate) one_shot: bool,
    /// False under a kernel that is not its own: then no driver fits, and no network comes up.
    pub(crate) has_drivers: bool,
    /// The firmware has armed the watchdog.
    pub(crate) watchdog: bool,
}

impl MigosBoot {
    fn new(boot: &Boot, has_drivers: bool) -> Self {
        Self {
            prefix: boot.os_prefix.clone(),
            one_shot: boot.config == ConfigFile::TrybootTxt,
            has_drivers,
            watchdog: boot.watchdog.is_some(),
        }
    }
}

impl Outcome {
    fn dead(reason: impl Into<String>) -> Self {
        Outcome::Nothing { reason: reason.into(), watchdog: false }
    }
}

/// Boots a card in a board.
pub(crate) fn boot(
    model: &Model,
    release: Release,
    serial: u64,
    card: &Card,
    reset: Reset,
) -> Outcome {
    match &card.medium {
        Medium::Raspbian(partitions) => {
            let board = Board { revision: model.revision.0, serial, eeprom: model.eeprom };
            match migos_firmware::boot(&board, &partitions.boot, reset) {
                Ok(boot) => start_kernel(model, release, card, partitions, &boot),
                Err(reason) => Outcome::dead(reason.to_string()),
            }
        }
        Medium::Flashed(flashed) => match Image::read(flashed.image.bytes()) {
            None => Outcome::dead("the card holds no system"),
            Some(image) if !model.device_types().contains(&image.device_type.as_str()) => {
                Outcome::dead(format!("an image for {} does not boot here", image.device_type))
            }
            Some(image) => Outcome::BalenaOs(image),
        },
    }
}

fn start_kernel(
    model: &Model,
    release: Release,
    card: &Card,
    partitions: &Partitions,
    boot: &Boot,
) -> Outcome {
    // From here on the watchdog runs, if the firmware has started it.
    let hang = |reason: String| Outcome::Nothing { reason, watchdog: boot.watchdog.is_some() };

    let Some(kernel) = partitions.boot.bytes(&boot.kernel).and_then(Kernel::read) else {
        return hang(format!("{} is no kernel", boot.kernel));
    };
    let wanted = if boot.arm_64bit { Architecture::Arm64 } else { Architecture::Armhf };
    if kernel.architecture() != wanted {
        return hang(format!(
            "{} is for {}, started as {wanted}",
            boot.kernel,
            kernel.architecture()
        ));
    }
    if boot.dtb.is_none() {
        return hang("the kernel was given no device tree".to_owned());
    }
    let ramdisk = boot
        .initramfs
        .iter()
        .flatten()
        .find_map(|file| partitions.boot.bytes(file).and_then(Ramdisk::read));
    let words: Vec<&str> = boot.cmdline.split_ascii_whitespace().collect();
    let value =
        |key: &str| words.iter().rev().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let panic =
        |reason: String| match value("panic").and_then(|seconds| seconds.parse::<i64>().ok()) {
            // A negative number resets at once.
            Some(seconds) if seconds != 0 => Outcome::Panic { reason },
            _ => hang(reason),
        };

    match (kernel, ramdisk) {
        // With an /init in the initramfs the kernel never looks at `root=`.
        (Kernel::Migos(_), Some(Ramdisk::Migos))
            if value("rdinit").is_none_or(|init| init == "/init") =>
        {
            Outcome::Migos(MigosBoot::new(boot, true))
        }
        (Kernel::Raspbian(_), Some(Ramdisk::Migos)) => Outcome::Migos(MigosBoot::new(boot, false)),
        (Kernel::Migos(_), _) => match value("root") {
            None => panic("no root file system is named".to_owned()),
            Some(root) => hang(format!("a MIGOS kernel has no modules in {root}")),
        },
        (Kernel::Raspbian(architecture), Some(Ramdisk::Raspbian) | None) => match value("root") {
            Some(root) if card.is_root(root) && is_raspbian(partitions) => {
                let file = boot.kernel.rsplit('/').next().unwrap_or_default();
                Outcome::Raspbian(RunningKernel {
                    version: release.kernel_version(file),
                    machine: machine(model.revision.soc(), architecture).to_owned(),
                    file: boot.kernel.clone(),
                    cmdline: boot.cmdline.clone(),
                    tryboot: boot.tryboot,
                })
            }
            // It waits for a partition that never comes.
            Some(root) if words.contains(&"rootwait") => hang(format!("waiting for {root}")),
            Some(root) => panic(format!("no root file system on {root}")),
            None => panic("no root file system is named".to_owned()),
        },
    }
}

/// Is there still a system on the root file system? Not once its flashing has begun.
fn is_raspbian(partitions: &Partitions) -> bool {
    partitions.root.bytes("etc/os-release").is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::board::MODELS;
    use crate::card::Pool;
    use crate::magic;
    use crate::stock::{Identity, Stock};

    const COMMITTED: &str = "console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init";

    fn model(name: &str) -> &'static Model {
        MODELS.iter().find(|model| model.name == name).unwrap()
    }

    fn card(release: Release) -> Card {
        let identity = Identity { hostname: "pi", machine_id: "0", disk_id: 0x1234_abcd };
        Stock::new(Pool::default()).card(release, &identity).unwrap()
    }

    fn put(card: &mut Card, path: &str, bytes: &[u8]) {
        let boot = &mut card.partitions_mut().unwrap().boot;
        if let Some((folder, _)) = path.rsplit_once('/') {
            boot.make_folders(folder).unwrap();
        }
        boot.write(path, Pool::default().keep(bytes)).unwrap();
    }

    fn boot_3b(card: &Card, tryboot: bool) -> Outcome {
        boot(model("3B"), Release::Buster, 1, card, Reset { tryboot, partition: 0 })
    }

    /// A 3B's card with MIGOS beside Raspbian.
    fn card_with_migos() -> Card {
        let mut card = card(Release::Buster);
        let text = b"[all]\nos_prefix=migos/\nauto_initramfs=0\n\
            initramfs initrd.migos followkernel\narm_64bit=0\n[all]\n";
        put(&mut card, "tryboot.txt", text);
        put(&mut card, "migos/kernel7.img", &magic::migos_kernel(Architecture::Armhf, "k", 500));
        put(&mut card, "migos/bcm2710-rpi-3-b.dtb", b"dtb");
        put(&mut card, "migos/initrd.migos", &magic::migos_ramdisk("r", 500));
        put(&mut card, "migos/cmdline.txt", COMMITTED.as_bytes());
        card
    }

    fn migos(has_drivers: bool) -> MigosBoot {
        MigosBoot { prefix: "migos/".into(), one_shot: true, has_drivers, watchdog: false }
    }

    #[test]
    fn every_model_boots_the_releases_it_comes_with() {
        for (name, release, machine) in [
            ("B+", Release::Stretch, "armv6l"),
            ("Zero W", Release::BookwormArmhf, "armv6l"),
            ("2B", Release::Bullseye, "armv7l"),
            ("3B+", Release::Stretch, "armv7l"),
            ("Zero 2 W", Release::TrixieArm64, "aarch64"),
            ("4B", Release::Buster, "armv7l"),
            // Newer firmware starts the 64-bit kernel under a 32-bit userland.
            ("4B", Release::BookwormArmhf, "aarch64"),
            ("400", Release::Bullseye, "armv7l"),
            ("CM4", Release::BookwormArm64, "aarch64"),
            ("5", Release::BookwormArm64, "aarch64"),
        ] {
            let outcome = boot(model(name), release, 1, &card(release), Reset::default());
            let Outcome::Raspbian(kernel) = outcome else {
                panic!("{name} {release:?}: {outcome:?}")
            };
            assert_eq!(kernel.machine, machine, "{name} {release:?}");
            assert!(kernel.cmdline.contains("root=PARTUUID=1234abcd-02"));
        }
    }

    #[test]
    fn tryboot_starts_migos_for_one_boot() {
        let card = card_with_migos();
        assert_eq!(boot_3b(&card, true), Outcome::Migos(migos(true)));
        assert!(matches!(boot_3b(&card, false), Outcome::Raspbian(_)));
    }

    #[test]
    fn bytes_decide_and_not_names() {
        let mut card = card_with_migos();
        put(&mut card, "migos/initrd.migos", b"cut off");
        assert!(matches!(boot_3b(&card, true), Outcome::Panic { .. }), "no ramdisk, no root=");
        put(&mut card, "migos/cmdline.txt", b"console=tty1 rdinit=/init");
        assert!(
            matches!(boot_3b(&card, true), Outcome::Nothing { .. }),
            "and no panic= to heal it"
        );

        let mut card = card_with_migos();
        put(&mut card, "migos/kernel7.img", &magic::raspbian_kernel(Architecture::Armhf, "k", 500));
        assert_eq!(boot_3b(&card, true), Outcome::Migos(migos(false)));
        put(&mut card, "migos/kernel7.img", &magic::migos_kernel(Architecture::Arm64, "k", 500));
        assert!(matches!(boot_3b(&card, true), Outcome::Nothing { watchdog: false, .. }));
    }

    #[test]
    fn raspbian_wants_its_own_root() {
        let mut card = card(Release::Buster);
        put(&mut card, "cmdline.txt", b"root=PARTUUID=00000000-02 rootwait panic=10");
        assert!(
            matches!(boot_3b(&card, false), Outcome::Nothing { .. }),
            "rootwait waits for ever"
        );
        put(&mut card, "cmdline.txt", b"root=PARTUUID=00000000-02 panic=10");
        assert!(matches!(boot_3b(&card, false), Outcome::Panic { .. }));
        put(&mut card, "cmdline.txt", b"root=/dev/mmcblk0p2 rootwait");
        assert!(matches!(boot_3b(&card, false), Outcome::Raspbian(_)));
        card.partitions_mut().unwrap().root.clear();
        assert!(matches!(boot_3b(&card, false), Outcome::Nothing { .. }), "flashing has begun");
    }

    #[test]
    fn a_card_without_firmware_is_dead() {
        let mut card = card(Release::Buster);
        card.partitions_mut().unwrap().boot.remove("start.elf").unwrap();
        let Outcome::Nothing { reason, .. } = boot_3b(&card, false) else { panic!() };
        assert_eq!(reason, "start.elf is missing from the boot partition, or empty");
    }
}
