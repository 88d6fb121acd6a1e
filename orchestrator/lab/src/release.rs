//! The releases of Raspbian and Raspberry Pi OS in the lab, and what each says of itself.
//!
//! The texts are the lab's own, with the keys, sections and words that stock images carry where
//! they matter to a boot.

use migos_payload::board::{Architecture, Soc};

/// A release of Raspbian or Raspberry Pi OS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Raspbian 9, brought by `rpi-update` to firmware and kernel of February 2021.
    Stretch,
    /// Raspbian 10, up to date.
    Buster,
    /// Raspbian 11, up to date.
    Bullseye,
    /// Raspbian 12.
    BookwormArmhf,
    /// Raspberry Pi OS on Debian 12.
    BookwormArm64,
    /// Raspberry Pi OS on Debian 13.
    TrixieArm64,
}

/// A boot partition as an imager makes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BootSize {
    /// Bytes of a cluster.
    pub(crate) cluster: u64,
    /// Clusters in all.
    pub(crate) total: u64,
    /// Bytes that stay free beside the stock files.
    pub(crate) free: u64,
}

const CONFIG_STRETCH: &str = "\
# Read by the firmware at power-on; lines with # are off.
#hdmi_safe=1
#disable_overscan=1
#dtparam=i2c_arm=on
#dtparam=spi=on

# Sound
dtparam=audio=on
";

const CONFIG_BUSTER: &str = "\
# Read by the firmware at power-on; lines with # are off.
#hdmi_safe=1
#dtparam=i2c_arm=on
#dtparam=spi=on

# Sound
dtparam=audio=on

[pi4]
dtoverlay=vc4-fkms-v3d
max_framebuffers=2

[all]
";

const CONFIG_BULLSEYE: &str = "\
# Read by the firmware at power-on; lines with # are off.
#dtparam=i2c_arm=on
#dtparam=spi=on

# Sound
dtparam=audio=on

camera_auto_detect=1
display_auto_detect=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
disable_overscan=1

[cm4]
otg_mode=1

[all]

[pi4]
arm_boost=1

[all]
";

const CONFIG_BOOKWORM: &str = "\
# Read by the firmware at power-on; lines with # are off.
#dtparam=i2c_arm=on
#dtparam=spi=on

# Sound
dtparam=audio=on

camera_auto_detect=1
display_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
disable_fw_kms_setup=1
disable_overscan=1
arm_boost=1

[cm4]
otg_mode=1

[cm5]
dtoverlay=dwc2,dr_mode=host

[all]
";

impl Release {
    /// Where the boot partition is mounted.
    pub fn boot_path(self) -> &'static str {
        match self {
            Release::Stretch | Release::Buster | Release::Bullseye => "/boot",
            Release::BookwormArmhf | Release::BookwormArm64 | Release::TrixieArm64 => {
                "/boot/firmware"
            }
        }
    }

    /// dpkg's architecture.
    pub fn userland(self) -> Architecture {
        match self {
            Release::Stretch | Release::Buster | Release::Bullseye | Release::BookwormArmhf => {
                Architecture::Armhf
            }
            Release::BookwormArm64 | Release::TrixieArm64 => Architecture::Arm64,
        }
    }

    /// The version and the name of the Debian release.
    pub(crate) fn debian(self) -> (u32, &'static str) {
        match self {
            Release::Stretch => (9, "stretch"),
            Release::Buster => (10, "buster"),
            Release::Bullseye => (11, "bullseye"),
            Release::BookwormArmhf | Release::BookwormArm64 => (12, "bookworm"),
            Release::TrixieArm64 => (13, "trixie"),
        }
    }

    /// The text of `/etc/os-release`. The 64-bit systems are plain Debian there.
    pub(crate) fn os_release(self) -> String {
        let (version, code_name) = self.debian();
        let (name, id) = match self.userland() {
            Architecture::Armhf => ("Raspbian GNU/Linux", "raspbian"),
            Architecture::Arm64 => ("Debian GNU/Linux", "debian"),
        };
        format!(
            "PRETTY_NAME=\"{name} {version} ({code_name})\"\n\
             NAME=\"{name}\"\n\
             VERSION_ID=\"{version}\"\n\
             VERSION=\"{version} ({code_name})\"\n\
             ID={id}\n"
        )
    }

    /// The size of the boot partition; old images made it small.
    pub(crate) fn boot_size(self) -> BootSize {
        match self {
            Release::Stretch => BootSize { cluster: 512, total: 86_467, free: 21_900_000 },
            Release::Buster | Release::Bullseye => {
                BootSize { cluster: 2048, total: 129_039, free: 204_000_000 }
            }
            Release::BookwormArmhf | Release::BookwormArm64 => {
                BootSize { cluster: 4096, total: 130_554, free: 448_000_000 }
            }
            Release::TrixieArm64 => BootSize { cluster: 512, total: 1_032_449, free: 439_000_000 },
        }
    }

    /// The text of `config.txt`.
    pub(crate) fn config_txt(self) -> String {
        match self {
            Release::Stretch => CONFIG_STRETCH.to_owned(),
            Release::Buster => CONFIG_BUSTER.to_owned(),
            Release::Bullseye => CONFIG_BULLSEYE.to_owned(),
            Release::BookwormArmhf => CONFIG_BOOKWORM.to_owned(),
            Release::BookwormArm64 | Release::TrixieArm64 => {
                CONFIG_BOOKWORM.replace("disable_overscan=1\n", "arm_64bit=1\ndisable_overscan=1\n")
            }
        }
    }

    /// The text of `cmdline.txt`, after the first boot.
    pub(crate) fn cmdline_txt(self, disk_id: u32) -> String {
        let (before, middle) = match self {
            Release::Stretch => ("dwc_otg.lpm_enable=0 ", "elevator=deadline "),
            Release::Buster => ("", "elevator=deadline "),
            Release::Bullseye
            | Release::BookwormArmhf
            | Release::BookwormArm64
            | Release::TrixieArm64 => ("", ""),
        };
        format!(
            "{before}console=serial0,115200 console=tty1 root=PARTUUID={disk_id:08x}-02 \
             rootfstype=ext4 {middle}fsck.repair=yes rootwait\n"
        )
    }

    /// The words by which the age of the firmware on the boot partition is told.
    pub(crate) fn firmware_words(self) -> &'static [&'static str] {
        // What builds of these dates carry: February 2021, August 2022, April 2024, February 2026.
        match self {
            Release::Stretch | Release::Buster => &["tryboot.txt", "os_prefix"],
            Release::Bullseye => &["tryboot.txt", "os_prefix", "board-type"],
            Release::BookwormArmhf | Release::BookwormArm64 => {
                &["tryboot.txt", "os_prefix", "board-type", "[tryboot]", "auto_initramfs"]
            }
            Release::TrixieArm64 => &[
                "tryboot.txt",
                "os_prefix",
                "board-type",
                "[tryboot]",
                "auto_initramfs",
                "kernel_watchdog_timeout",
            ],
        }
    }

    /// What `vcgencmd version` prints.
    pub(crate) fn firmware_version(self) -> &'static str {
        match self {
            Release::Stretch | Release::Buster => {
                "Feb 25 2021 12:10:40 \nCopyright (c) 2012 Broadcom\n\
                 version 564e5f9b852b23a330b1764bcf0b2d022a20afd0 (clean) (release) (start)\n"
            }
            Release::Bullseye => {
                "Aug 26 2022 14:04:36 \nCopyright (c) 2012 Broadcom\n\
                 version 102f1e848393c2112206fadffaaf86db04e98326 (clean) (release) (start)\n"
            }
            Release::BookwormArmhf | Release::BookwormArm64 => {
                "Apr 17 2024 17:27:09 \nCopyright (c) 2012 Broadcom\n\
                 version 86ccc427f35fdc604edc511881cdf579df945fb4 (clean) (release) (start)\n"
            }
            Release::TrixieArm64 => {
                "Feb 11 2026 15:51:03 \nCopyright (c) 2012 Broadcom\n\
                 version 3e4b2f2a8a4d2cd4d1ba4a9b7a7a3a3e7fd2b8c1 (clean) (release) (start)\n"
            }
        }
    }

    /// `uname -r` of the kernel in this file.
    pub(crate) fn kernel_version(self, kernel_file: &str) -> String {
        let base = match self {
            Release::Stretch => "5.10.17",
            Release::Buster => "5.10.63",
            Release::Bullseye => "6.1.21",
            Release::BookwormArmhf | Release::BookwormArm64 => "6.12.25",
            Release::TrixieArm64 => "6.12.47",
        };
        let flavour = match kernel_file {
            "kernel.img" => "v6",
            "kernel7.img" => "v7",
            "kernel7l.img" => "v7l",
            "kernel_2712.img" => "2712",
            _ => "v8",
        };
        match (self.debian().0, flavour) {
            (12.., flavour) => format!("{base}+rpt-rpi-{flavour}"),
            (_, "v6") => format!("{base}+"),
            (_, flavour) => format!("{base}-{flavour}+"),
        }
    }

    /// What on the kernel's command line has changes of the root file system go to memory.
    pub(crate) fn overlay_token(self) -> &'static str {
        match self {
            Release::Stretch | Release::Buster | Release::Bullseye => "boot=overlay",
            Release::BookwormArmhf | Release::BookwormArm64 | Release::TrixieArm64 => {
                "overlayroot=tmpfs"
            }
        }
    }

    /// The kernels on the boot partition, and what they run on.
    pub(crate) fn kernels(self) -> &'static [(&'static str, Architecture)] {
        use Architecture::{Arm64, Armhf};
        const OLD: &[(&str, Architecture)] =
            &[("kernel.img", Armhf), ("kernel7.img", Armhf), ("kernel7l.img", Armhf)];
        const MIXED: &[(&str, Architecture)] = &[
            ("kernel.img", Armhf),
            ("kernel7.img", Armhf),
            ("kernel7l.img", Armhf),
            ("kernel8.img", Arm64),
        ];
        const NEW: &[(&str, Architecture)] = &[("kernel8.img", Arm64), ("kernel_2712.img", Arm64)];
        match self {
            Release::Stretch => OLD,
            Release::Buster | Release::Bullseye | Release::BookwormArmhf => MIXED,
            Release::BookwormArm64 | Release::TrixieArm64 => NEW,
        }
    }

    /// The initramfs files that go with the kernels; older releases have none.
    pub(crate) fn ramdisks(self) -> &'static [&'static str] {
        match self {
            Release::Stretch | Release::Buster | Release::Bullseye => &[],
            Release::BookwormArmhf => &["initramfs", "initramfs7", "initramfs7l", "initramfs8"],
            Release::BookwormArm64 | Release::TrixieArm64 => &["initramfs8", "initramfs_2712"],
        }
    }

    /// The text of `/etc/dhcpcd.conf`, where dhcpcd manages the network.
    pub(crate) fn dhcpcd_conf(self) -> Option<&'static str> {
        match self {
            Release::Stretch | Release::Buster | Release::Bullseye => Some(
                "# The network is set up by DHCP.\n\nhostname\nclientid\npersistent\noption rapid_commit\n\
                 option domain_name_servers, domain_name, domain_search, host_name\n\
                 require dhcp_server_identifier\nslaac private\n",
            ),
            Release::BookwormArmhf | Release::BookwormArm64 | Release::TrixieArm64 => None,
        }
    }
}

/// What `vcgencmd version` prints with firmware of a time before `tryboot`.
pub(crate) const OLD_FIRMWARE_VERSION: &str = "Feb 12 2020 12:36:21 \nCopyright (c) 2012 Broadcom\n\
     version c3c8dbdf147686fb0c3f32aece709d0653368810 (clean) (release) (start)\n";

/// `uname -m` of a kernel on a processor.
pub(crate) fn machine(soc: Option<Soc>, kernel: Architecture) -> &'static str {
    match (kernel, soc) {
        (Architecture::Arm64, _) => "aarch64",
        (Architecture::Armhf, Some(Soc::Bcm2835)) => "armv6l",
        (Architecture::Armhf, _) => "armv7l",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_names_itself_and_its_kernel_in_its_own_way() {
        let os = Release::Buster.os_release();
        assert!(os.starts_with("PRETTY_NAME=\"Raspbian GNU/Linux 10 (buster)\"\n"), "{os}");
        let os = Release::TrixieArm64.os_release();
        assert!(os.starts_with("PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n"), "{os}");

        assert_eq!(Release::Stretch.kernel_version("kernel.img"), "5.10.17+");
        assert_eq!(Release::Bullseye.kernel_version("kernel7l.img"), "6.1.21-v7l+");
        assert_eq!(Release::TrixieArm64.kernel_version("kernel_2712.img"), "6.12.47+rpt-rpi-2712");
    }

    #[test]
    fn the_64_bit_releases_say_so_in_config_txt() {
        let says = |release: Release| release.config_txt().contains("\narm_64bit=1\n");
        assert!(!says(Release::BookwormArmhf) && says(Release::BookwormArm64));
    }
}
