//! Writes the probe's text that facts were read from, as far as they hold it.

use super::{BootPartition, Disk, Facts, FileSystem, Firmware, Network};
use migos_payload::network::Found;
use std::fmt::{Display, Write};

/// The text of the `probe` verb that is read into these facts, and none other.
///
/// What [`parse`](fn@super::parse) does not keep is left out: lines of `/proc/mounts` that nothing is planned by, the
/// firmware's copyright, comments, the boot id.
pub fn write(facts: &Facts) -> String {
    let mut lines = Lines("migos-probe 1\n".to_owned());
    lines.add("model", &facts.model);
    lines.add("revision", facts.revision);
    lines.add_some("serial", &facts.serial);
    lines.add_some("machine-id", &facts.machine_id);
    lines.add_some("hostname", &facts.hostname);
    lines.add("os-release", format_args!("PRETTY_NAME=\"{}\"", facts.os.name));
    lines.add("os-release", format_args!("VERSION_ID=\"{}\"", facts.os.version));
    lines.add("os-release", format_args!("ID={}", facts.os.id));
    lines.add("kernel", &facts.kernel);
    lines.add("machine", &facts.machine);
    lines.add_some("userland", &facts.userland);
    lines.add("memory", facts.memory.0 / 1024);
    file_system(&mut lines, "root.space", "/", &facts.root);
    lines.add_some("cmdline", &facts.cmdline);
    if let Some(boot) = &facts.boot {
        boot_partition(&mut lines, boot);
    }
    if let Some(disk) = &facts.disk {
        self::disk(&mut lines, disk);
    }
    for name in &facts.device_mapper {
        lines.add("dm", name);
    }
    firmware(&mut lines, &facts.firmware);
    if let Some(flags) = facts.throttled {
        lines.add("throttled", format_args!("{flags:#x}"));
    }
    network(&mut lines, &facts.network);
    for folder in &facts.largest {
        lines.add("folder", format_args!("{} {}", folder.size.0 / 1024, folder.path));
    }
    condition(&mut lines, facts);
    lines.add("end", "ok");
    lines.0
}

/// Lines `key value`.
struct Lines(String);

impl Lines {
    fn add(&mut self, key: &str, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{key} {value}");
    }

    fn add_some(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.add(key, value);
        }
    }

    fn add_each(&mut self, key: &str, text: &str) {
        for line in text.split_terminator('\n') {
            self.add(key, line);
        }
    }
}

fn file_system(lines: &mut Lines, key: &str, path: &str, file_system: &FileSystem) {
    if file_system.source.is_empty() {
        return;
    }
    let access = if file_system.writable { "rw" } else { "ro" };
    let FileSystem { source, kind, cluster, free, size, .. } = file_system;
    lines.add("mount", format_args!("{source} {path} {kind} {access} 0 0"));
    if let (Some(free), Some(size)) = (free.0.checked_div(cluster.0), size.0.checked_div(cluster.0))
    {
        lines.add(key, format_args!("{} {free} {size}", cluster.0));
    }
}

fn boot_partition(lines: &mut Lines, boot: &BootPartition) {
    lines.add("boot.path", &boot.path);
    file_system(lines, "boot.space", &boot.path, &boot.file_system);
    if let Some(number) = boot.partition {
        lines.add("boot.partition", number);
    }
    if let Some(extent) = boot.extent {
        lines.add("boot.extent", format_args!("{} {}", extent.start / 512, extent.size / 512));
    }
    for (path, size) in &boot.files {
        lines.add("boot.file", format_args!("{} {path}", size.0));
    }
    for (name, sum) in &boot.sums {
        lines.add("boot.sum", format_args!("{sum} {name}"));
    }
    lines.add_each("config.txt", &boot.config_txt);
    lines.add_each("cmdline.txt", &boot.cmdline_txt);
    if let Some(words) = &boot.dirty {
        lines.add("boot.dirty", words);
    }
}

fn disk(lines: &mut Lines, disk: &Disk) {
    lines.add("disk", format_args!("{} {}", disk.name, disk.size.0 / 512));
    lines.add_some("disk.id", &disk.id);
    if disk.read_only {
        lines.add("disk.read-only", "yes");
    }
}

fn firmware(lines: &mut Lines, firmware: &Firmware) {
    for (word, files) in &firmware.has {
        for file in files {
            lines.add("firmware.has", format_args!("{word} {file}"));
        }
    }
    lines.add_some("firmware.version", &firmware.date);
    if let Some(build) = firmware.eeprom_build {
        lines.add("eeprom.build-timestamp", build);
    }
    if let Some(capabilities) = firmware.eeprom_capabilities {
        lines.add("eeprom.capabilities", capabilities);
    }
    if firmware.signed_boot {
        lines.add("eeprom.signed", 1);
    }
    for setting in &firmware.eeprom_config {
        lines.add("eeprom.config", setting);
    }
}

fn network(lines: &mut Lines, network: &Network) {
    let found = &network.configuration;
    if let Some(name) = &network.interface {
        // A default route: destination 0, a gateway, up; the metric is of no matter where it is the only one.
        lines.add("route", format_args!("{name}\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000"));
        if found.interfaces.iter().all(|interface| interface.name != *name) {
            if network.wireless {
                lines.add("wireless", name);
            }
            if !network.mac.is_empty() {
                lines.add("mac", format_args!("{name} {}", network.mac));
                lines.add("virtual", name);
            }
        }
    }
    configuration(lines, found);
    if let Some(arrival) = &network.arrival {
        let (address, interface) = (arrival.address, &arrival.interface);
        // A link's own addresses are no addresses without the link.
        let link = match address {
            std::net::IpAddr::V6(own) if own.is_unicast_link_local() => format!("%{interface}"),
            _ => String::new(),
        };
        lines.add("connection", format_args!("{address}{link} 50022 {address}{link} 22"));
        let owner = network.configuration.interfaces.iter().find(|it| it.name == *interface);
        if owner.is_none() {
            lines.add("address", format_args!("{interface} {address}"));
        }
        if arrival.is_virtual {
            lines.add("virtual", interface);
        }
    }
}

fn configuration(lines: &mut Lines, found: &Found) {
    for interface in &found.interfaces {
        let name = &interface.name;
        lines.add("mac", format_args!("{name} {}", interface.mac));
        if interface.wireless {
            lines.add("wireless", name);
        }
        for address in &interface.addresses {
            lines.add("address", format_args!("{name} {address}"));
        }
    }
    for (number, file) in (1..).zip(&found.files) {
        lines.add("net.file", format_args!("{number} {}", file.path));
        for line in file.text.split_terminator('\n') {
            lines.add("net.line", format_args!("{number} {line}"));
        }
    }
    for unit in &found.active {
        lines.add("net.active", unit);
    }
    for (interface, id) in &found.client_ids {
        lines.add("net.client-id", format_args!("{interface} {id}"));
    }
    lines.add_some("net.country", found.country.as_deref().unwrap_or_default());
}

fn condition(lines: &mut Lines, facts: &Facts) {
    if let Some(clock) = facts.clock {
        lines.add("clock", clock.seconds);
        if let Some(synced) = clock.synced {
            lines.add("clock.synced", if synced { "yes" } else { "no" });
        }
    }
    let errors = &facts.card_errors;
    if let Some(count) = errors.count {
        lines.add("card.errors", count);
    }
    for line in &errors.last {
        lines.add("card.error", line);
    }
    for (partition, count) in &errors.file_systems {
        lines.add("ext4.errors", format_args!("{partition} {count}"));
    }
    let watchdogs = &facts.watchdogs;
    for dog in &watchdogs.devices {
        let state = if dog.armed { "active" } else { "inactive" };
        let seconds = dog.timeout.map_or_else(|| "-".to_owned(), |seconds| seconds.to_string());
        lines.add("watchdog", format_args!("{} {state} {seconds} {}", dog.name, dog.identity));
    }
    lines.add_some("watchdog.systemd", watchdogs.systemd.as_deref().unwrap_or_default());
    lines.add_some("watchdog.daemon", watchdogs.daemon.as_deref().unwrap_or_default());
    lines.add_some("hat", facts.hat.as_deref().unwrap_or_default());
    for (host, reached) in &facts.reach {
        lines.add("reach", format_args!("{host} {}", if *reached { "yes" } else { "no" }));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::facts::parse;

    /// A probe's text with every fact that is kept.
    const FULL: &str = "migos-probe 1\n\
        model Raspberry Pi 3 Model B Plus Rev 1.3\nrevision a020d3\nserial 00000000765fc593\n\
        machine-id 3f0a\nhostname kiosk-7\n\
        os-release PRETTY_NAME=\"Raspbian GNU/Linux 10 (buster)\"\nos-release VERSION_ID=\"10\"\n\
        os-release ID=raspbian\n\
        kernel 5.10.63-v7+\nmachine armv7l\nuserland armhf\nmemory 945512\n\
        mount /dev/root / ext4 rw,noatime 0 0\nmount /dev/mmcblk0p1 /boot vfat ro,relatime 0 0\n\
        boot.path /boot\nboot.space 2048 99609 129039\nroot.space 4096 2734375 3750000\n\
        boot.partition 1\nboot.extent 8192 516156\nboot.dirty FAT-fs (mmcblk0p1): not properly unmounted\n\
        boot.file 12 config.txt\nboot.file 5 cmdline.txt\nboot.file 7 overlays/a name.dtbo\n\
        boot.sum 1111111111111111111111111111111111111111111111111111111111111111 config.txt\n\
        config.txt a=1\nconfig.txt \nconfig.txt # b\r\ncmdline.txt root=/dev/mmcblk0p2\n\
        cmdline coherent_pool=1M root=/dev/mmcblk0p2\n\
        disk mmcblk0 31116288\ndisk.id 1234abcd\ndisk.read-only yes\ndm dm-0\n\
        firmware.has tryboot.txt start.elf\nfirmware.version Feb 25 2021 12:10:40\n\
        eeprom.build-timestamp 1673458852\neeprom.capabilities 127\neeprom.signed 1\n\
        eeprom.config [config.txt]\neeprom.config gpu_mem=16\n\
        throttled 0x50005\nconnection 192.168.1.1 50022 192.168.1.20 22\naddress eth0 192.168.1.20\n\
        virtual lo\nroute eth0\t00000000\t0101A8C0\t0003\t0\t0\t202\t00000000\t0\t0\t0\n\
        wireless eth0\nmac eth0 b8:27:eb:5f:c5:93\n\
        net.file 1 /etc/dhcpcd.conf\nnet.line 1 hostname\nnet.line 1 \nnet.line 1 # a comment\n\
        net.file 2 /etc/network/interfaces\nnet.active dhcpcd\nnet.client-id eth0 01b827eb5fc593\nnet.country DE\n\
        clock 1700000000\nclock.synced yes\ncard.errors 7\ncard.error mmc0: timeout\n\
        ext4.errors mmcblk0p2 3\nwatchdog watchdog0 active 15 Broadcom BCM2835 Watchdog timer\n\
        watchdog watchdog1 inactive - \nwatchdog.systemd 20s\nwatchdog.daemon watchdog\nhat Sense HAT\n\
        reach api.balena-cloud.com:443 yes\nreach cloudlink.balena-cloud.com:443 no\n\
        folder 700000 /home/pi/media\nfolder 90000 /opt/kiosk\nend ok\n";

    #[test]
    fn what_is_written_is_read_into_the_same_facts() {
        let facts = parse(FULL).unwrap();
        assert_eq!(parse(&write(&facts)).unwrap(), facts);
        assert_eq!((facts.largest.len(), facts.network.configuration.files.len()), (2, 2));
    }

    #[test]
    fn what_is_not_known_stays_so() {
        let text = "migos-probe 1\nmodel x\nrevision 0\nkernel y\nmachine z\nmemory 1\nend ok\n";
        let mut facts = parse(text).unwrap();
        assert_eq!(parse(&write(&facts)).unwrap(), facts);

        let arrival = |address: &str, interface: &str, is_virtual| crate::facts::Arrival {
            address: address.parse().unwrap(),
            interface: interface.to_owned(),
            is_virtual,
        };
        for arrival in [
            arrival("10.8.0.5", "wg0", true),
            arrival("fe80::1", "wlan0", false),
            arrival("fd00::5", "eth0", false),
            arrival("127.0.0.1", "lo", true),
        ] {
            facts.network.arrival = Some(arrival);
            assert_eq!(parse(&write(&facts)).unwrap(), facts);
        }
    }
}
