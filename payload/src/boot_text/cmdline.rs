//! The kernel command line of the ramdisk.

use super::BootTextError;

/// The most bytes a command line of ours may have, the job's nonce included.
pub const CMDLINE_LIMIT: usize = 400;

/// The room left for ` migos.job=` and a nonce of 32 digits.
const NONCE_ROOM: usize = " migos.job=".len() + 32;

/// No `root=` and no `rootwait`: a kernel without its ramdisk must panic, and `panic=10` brings Raspbian
/// back. `rootfstype=ramfs` because a tmpfs root would be capped at half of the memory.
const OURS: &str = "panic=10 oops=panic rootfstype=ramfs rdinit=/init watchdog.open_timeout=120 \
                    watchdog.handle_boot_enabled=1 bcm2835_wdt.heartbeat=15 bcm2835_wdt.nowayout=1";

/// Tokens of the device's own line that decide whether it is reachable, by their beginning.
const KEPT: &[&str] = &[
    "cfg80211.ieee80211_regdom=",
    "dwc_otg.",
    "usb-storage.quirks=",
    "usbcore.",
    "smsc95xx.",
    "net.ifnames=",
    "pcie_",
    "8250.nr_uarts=",
    "modules-load=",
];

/// The line for `migos/cmdline.txt`, made from the device's own `cmdline.txt`; the job's nonce is added
/// when the job is made.
///
/// # Errors
/// [`BootTextError::LongCmdline`].
pub fn ramdisk_cmdline(found: &str) -> Result<String, BootTextError> {
    // Only the first line is for the kernel; a token with a quote may hold blanks and is not one of ours.
    let tokens = || found.lines().next().unwrap_or_default().split_ascii_whitespace();
    let consoles = tokens().filter(|token| token.starts_with("console="));
    let kept = tokens().filter(|token| {
        !token.contains('"') && KEPT.iter().any(|beginning| token.starts_with(beginning))
    });
    let line = consoles.chain(OURS.split(' ')).chain(kept).collect::<Vec<_>>().join(" ");
    let bytes = line.len() + NONCE_ROOM;
    if bytes > CMDLINE_LIMIT {
        return Err(BootTextError::LongCmdline { bytes });
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stock_line_loses_its_root_and_keeps_its_consoles() {
        let found = "dwc_otg.lpm_enable=0 console=serial0,115200 console=tty1 root=PARTUUID=738a4d67-02 \
                     rootfstype=ext4 elevator=deadline fsck.repair=yes rootwait\n";
        insta::assert_snapshot!(ramdisk_cmdline(found).unwrap_or_default(), @"console=serial0,115200 console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init watchdog.open_timeout=120 watchdog.handle_boot_enabled=1 bcm2835_wdt.heartbeat=15 bcm2835_wdt.nowayout=1 dwc_otg.lpm_enable=0");
    }

    #[test]
    fn whatever_could_reach_a_shell_or_another_system_is_left_out() {
        let found = "console=tty1 root=/dev/mmcblk0p2 ds=nocloud;i=rpi-imager-1 overlayroot=tmpfs \
                     modules-load=dwc2,g_ether init=/bin/sh quiet net.ifnames=0\nconsole=ttyS9";
        insta::assert_snapshot!(ramdisk_cmdline(found).unwrap_or_default(), @"console=tty1 panic=10 oops=panic rootfstype=ramfs rdinit=/init watchdog.open_timeout=120 watchdog.handle_boot_enabled=1 bcm2835_wdt.heartbeat=15 bcm2835_wdt.nowayout=1 modules-load=dwc2,g_ether net.ifnames=0");
    }

    #[test]
    fn a_line_too_long_for_the_firmware_is_refused() {
        let found = format!("console=tty1 modules-load={}", "x".repeat(200));
        assert_eq!(ramdisk_cmdline(&found), Err(BootTextError::LongCmdline { bytes: 424 }));
    }
}
