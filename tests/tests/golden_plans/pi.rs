//! Devices as their probe tells of them: stock ones, changed line by line.

use super::READ;
use migos_inventory::DeviceId;
use migos_payload::digest::Sha256;
use migos_playbooks::facts::{Facts, parse};

/// What the probe says of a device, but for what tells it from others.
#[derive(Clone)]
pub(crate) struct Pi(String);

impl Pi {
    /// A Pi 3B+ with Raspbian 10, of 16 GB.
    pub(crate) fn three() -> Pi {
        Pi(THREE.to_owned())
    }

    /// A Pi 4B with Raspberry Pi OS 12, 64 bits, of 32 GB.
    pub(crate) fn four() -> Pi {
        Pi(FOUR.to_owned())
    }

    /// A Pi Zero W with Raspberry Pi OS 11 and a USB network adapter, of 8 GB.
    pub(crate) fn zero() -> Pi {
        let zero = Pi::three()
            .is("Raspberry Pi 3 Model B Plus Rev 1.3", "Raspberry Pi Zero W Rev 1.1")
            .is("revision a020d3", "revision 9000c1")
            .is("10 (buster)", "11 (bullseye)")
            .is("VERSION_ID=\"10\"", "VERSION_ID=\"11\"")
            .is("kernel 5.10.103-v7+", "kernel 6.1.21+")
            .is("machine armv7l", "machine armv6l");
        zero.is("memory 948280", "memory 439000")
            .is("disk mmcblk0 31116288", "disk mmcblk0 15558144")
    }

    /// With one piece of the text replaced.
    pub(crate) fn is(&self, old: &str, new: &str) -> Pi {
        assert!(self.0.contains(old), "the probe's text has no {old:?}");
        Pi(self.0.replacen(old, new, 1))
    }

    /// With one more line.
    pub(crate) fn and(&self, line: &str) -> Pi {
        self.is("end ok", &format!("{line}\nend ok"))
    }

    /// The facts of a device of this name: its serial number and ids follow from it.
    pub(crate) fn facts(&self, id: &DeviceId) -> Facts {
        let digest = Sha256::of(id.as_str().as_bytes()).to_string();
        let own = format!(
            "hostname {id}\nmachine-id {}\nclock {}\nclock.synced yes\nend ok",
            &digest[16..48],
            READ.as_second()
        );
        let serial = format!("serial 00000000{}", &digest[..8]);
        parse(&self.0.replace("serial OWN", &serial).replace("end ok", &own)).unwrap()
    }
}

const THREE: &str = "migos-probe 1
model Raspberry Pi 3 Model B Plus Rev 1.3
revision a020d3
serial OWN
boot-id 1b7a5e0c-53a5-4e26-8f39-fd0c2d7a1f10
os-release PRETTY_NAME=\"Raspbian GNU/Linux 10 (buster)\"
os-release ID=raspbian
os-release VERSION_ID=\"10\"
kernel 5.10.103-v7+
machine armv7l
userland armhf
memory 948280
mount /dev/mmcblk0p2 / ext4 rw,noatime 0 0
mount /dev/mmcblk0p1 /boot vfat rw,relatime 0 0
boot.path /boot
boot.space 2048 100000 125000
boot.partition 1
boot.extent 8192 524288
boot.file 52456 bootcode.bin
boot.file 60 config.txt
boot.file 120 cmdline.txt
boot.sum 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 config.txt
boot.sum a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa cmdline.txt
config.txt # For more options see the documentation
config.txt dtparam=audio=on
config.txt hdmi_group=2
cmdline.txt console=serial0,115200 console=tty1 root=PARTUUID=738a4d67-02 rootfstype=ext4 rootwait
root.space 4096 3000000 3700000
folder 1400000 /home/pi/media
folder 120000 /var/lib/kiosk
cmdline console=ttyS0,115200 console=tty1 root=PARTUUID=738a4d67-02 rootfstype=ext4 rootwait
disk mmcblk0 31116288
disk.id 738a4d67
card.errors 0
firmware.has tryboot.txt bootcode.bin
firmware.has tryboot.txt start.elf
firmware.has kernel_watchdog_timeout start.elf
firmware.version May 14 2025 12:23:36
throttled 0x0
route eth0 00000000 0101A8C0 0003 0 0 202 00000000 0 0 0
mac eth0 b8:27:eb:5f:c5:93
net.active dhcpcd
reach api.balena-cloud.com:443 yes
reach cloudlink.balena-cloud.com:443 yes
connection 10.1.0.9 50000 10.1.4.1 22
address eth0 10.1.4.1
virtual lo
end ok
";

const FOUR: &str = "migos-probe 1
model Raspberry Pi 4 Model B Rev 1.1
revision c03111
serial OWN
boot-id 2c8b6f1d-64b6-4f37-9f4a-0e1d3e8b2a21
os-release PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"
os-release ID=debian
os-release VERSION_ID=\"12\"
kernel 6.12.25+rpt-rpi-v8
machine aarch64
userland arm64
memory 3884000
mount /dev/mmcblk0p2 / ext4 rw,noatime 0 0
mount /dev/mmcblk0p1 /boot/firmware vfat rw,relatime 0 0
boot.path /boot/firmware
boot.space 4096 110000 128000
boot.partition 1
boot.extent 8192 1048576
boot.file 800 config.txt
boot.file 120 cmdline.txt
boot.sum 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 config.txt
boot.sum a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa cmdline.txt
config.txt dtparam=audio=on
config.txt arm_64bit=1
config.txt dtoverlay=vc4-kms-v3d
config.txt [cm4]
config.txt otg_mode=1
config.txt [all]
cmdline.txt console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 rootwait
root.space 4096 6000000 7500000
folder 2300000 /home/pi/recordings
cmdline console=ttyS0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 rootwait
disk mmcblk0 62333952
disk.id 4e639091
card.errors 0
firmware.has tryboot.txt start4.elf
firmware.has kernel_watchdog_timeout start4.elf
eeprom.build-timestamp 1750377600
eeprom.capabilities 127
throttled 0x0
route eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0
mac eth0 dc:a6:32:00:00:01
net.active NetworkManager
reach api.balena-cloud.com:443 yes
reach cloudlink.balena-cloud.com:443 yes
connection 10.1.0.9 50000 10.1.4.1 22
address eth0 10.1.4.1
virtual lo
end ok
";
