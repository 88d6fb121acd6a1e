//! Verbs that look: `probe`, `identity`.

mod network;
mod twin;

use std::fmt::{Display, Write};

use memchr::memmem;
use migos_payload::digest::Sha256;

use super::{Outcome, code, fs_failure};
use crate::card::{Card, FileSystem, FsError, Space};
use crate::raspbian::Raspbian;
use crate::release::OLD_FIRMWARE_VERSION;
use crate::server::Answer;
use crate::twin::Twin;

/// Words by which the age of firmware is told, in the files that may carry them.
const FIRMWARE_WORDS: [&str; 2] = ["tryboot.txt", "kernel_watchdog_timeout"];

/// The interface that a device with [`DeviceFaults::tunnel`](crate::faults::DeviceFaults::tunnel) is reached by.
const TUNNEL: &str = "wg0";

/// Lines `key value`.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, key: &str, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{key} {value}");
    }

    /// One value for each line of a text. A carriage return belongs to the line.
    fn add_each(&mut self, key: &str, text: &str) {
        for line in text.split_terminator('\n') {
            self.add(key, line);
        }
    }
}

/// `identity`
pub(super) fn identity(system: &Raspbian) -> Outcome {
    let mut lines = Lines("migos-identity 1\n".to_owned());
    add_identity(&mut lines, system)?;
    lines.add("end", "ok");
    Ok(lines.0.into_bytes())
}

/// What a device with [`DeviceFaults::little_memory`](crate::faults::DeviceFaults::little_memory) has of it, in KiB: the lab's payload
/// wants 256 MiB, and its images 8 MiB.
const LITTLE_MEMORY: u64 = 324 << 10;

/// `probe`
pub(super) fn probe(system: &Raspbian, connection: &str, hosts: &[&str]) -> Outcome {
    if let Some(wrong) = hosts.iter().find(|host| !is_host_and_port(host)) {
        return Err(Answer::fail(code::USAGE, format!("not HOST:PORT: {wrong}")));
    }
    let pi = &system.pi;
    if let Some(twin) = &pi.twin {
        return twin::probe(system, twin, connection, hosts);
    }
    let mut lines = Lines("migos-probe 1\n".to_owned());
    lines.add("model", &pi.model.description);
    lines.add("revision", pi.model.revision);
    add_identity(&mut lines, system)?;
    lines.add("hostname", &pi.name);
    lines.add_each("os-release", &text(system, "/etc/os-release")?);
    lines.add("kernel", &system.kernel.version);
    lines.add("machine", &system.kernel.machine);
    lines.add("userland", pi.release.userland());
    lines.add("memory", if pi.faults.little_memory { LITTLE_MEMORY } else { pi.model.memory });
    lines.add("cmdline", &system.kernel.cmdline);
    add_disk(&mut lines, system);
    let version = match has_old_firmware(system) {
        true => OLD_FIRMWARE_VERSION,
        false => pi.release.firmware_version(),
    };
    lines.add_each("firmware.version", version);
    if let Some(eeprom) = pi.model.eeprom {
        lines.add("eeprom.build-timestamp", eeprom.build_timestamp);
        lines.add("eeprom.capabilities", eeprom.capabilities);
    }
    // Now and since the start: bits 0 and 16 for under-voltage, 2 and 18 for throttling.
    lines.add("throttled", if pi.faults.under_voltage { "0x50005" } else { "0x0" });
    if !connection.is_empty() {
        lines.add("connection", connection);
    }
    network::add(&mut lines, system);
    let reached = if pi.faults.blocked { "no" } else { "yes" };
    for host in hosts {
        lines.add("reach", format_args!("{host} {reached}"));
    }
    lines.add("end", "ok");
    Ok(lines.0.into_bytes())
}

fn is_host_and_port(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"[]._:-".contains(&byte);
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    text.bytes().all(is_plain) && port.is_some_and(|port| port.parse::<u16>().is_ok())
}

fn add_identity(lines: &mut Lines, system: &Raspbian) -> Result<(), Answer> {
    let boot_path = system.pi.boot_path();
    if system.pi.twin.as_ref().is_none_or(Twin::knows_serial) {
        lines.add("serial", format_args!("{:016x}", system.serial));
    }
    lines.add("machine-id", text(system, "/etc/machine-id")?.trim_end());
    lines.add("boot-id", &system.boot_id);
    for name in ["config.txt", "cmdline.txt"] {
        let path = format!("{boot_path}/{name}");
        if let Ok(Some(sum)) =
            system.pi.on(&path, |files, inner| Ok(files.bytes(inner).map(Sha256::of)))
        {
            lines.add("boot.sum", format_args!("{sum} {name}"));
        }
    }
    Ok(())
}

fn has_old_firmware(system: &Raspbian) -> bool {
    let start = format!("{}/start.elf", system.pi.boot_path());
    let knows_tryboot = system.pi.on(&start, |files, inner| {
        Ok(files.bytes(inner).is_some_and(|bytes| contains(bytes, "tryboot.txt")))
    });
    knows_tryboot == Ok(false)
}

fn contains(bytes: &[u8], word: &str) -> bool {
    memmem::find(bytes, word.as_bytes()).is_some()
}

fn add_disk(lines: &mut Lines, system: &Raspbian) {
    let boot_path = system.pi.boot_path();
    let card = system.pi.card();
    let Some(partitions) = card.partitions() else { return };
    let access = |files: &FileSystem| if files.is_read_only() { "ro" } else { "rw" };
    // Old kernels call the root partition by this name.
    let root = if system.pi.release.debian().0 < 10 { "/dev/root" } else { "/dev/mmcblk0p2" };
    match &partitions.lower {
        None => {
            let access = access(&partitions.root);
            lines.add("mount", format_args!("{root} / ext4 {access},noatime 0 0"));
        }
        Some(_) => {
            add_overlay(lines, root);
        }
    }
    lines.add("mount", "proc /proc proc rw,relatime 0 0");
    lines.add("mount", "tmpfs /run tmpfs rw,nosuid,nodev,mode=755 0 0");
    lines.add(
        "mount",
        format_args!(
            "/dev/mmcblk0p1 {boot_path} vfat {},relatime,fmask=0022,dmask=0022,codepage=437 0 0",
            access(&partitions.boot)
        ),
    );
    lines.add("boot.path", boot_path);
    add_space(lines, "boot.space", partitions.boot.space());
    add_space(lines, "root.space", partitions.root.space());
    lines.add("boot.partition", 1);
    if let Some((start, sectors)) = card.boot_extent() {
        lines.add("boot.extent", format_args!("{start} {sectors}"));
    }
    let Card { disk_id, sectors, .. } = *card;
    lines.add("disk", format_args!("mmcblk0 {sectors}"));
    lines.add("disk.id", format_args!("{disk_id:08x}"));
    add_files(lines, &partitions.boot);
}

/// How a root file system is mounted that keeps changes in memory.
fn add_overlay(lines: &mut Lines, root: &str) {
    lines.add("mount", format_args!("{root} /media/root-ro ext4 ro,relatime 0 0"));
    lines.add("mount", "tmpfs-root /media/root-rw tmpfs rw,relatime 0 0");
    lines.add(
        "mount",
        "overlayroot / overlay rw,relatime,lowerdir=/media/root-ro,\
         upperdir=/media/root-rw/overlay,workdir=/media/root-rw/overlay-workdir/_ 0 0",
    );
}

/// What is on the boot partition.
fn add_files(lines: &mut Lines, boot: &FileSystem) {
    for (path, bytes) in boot.files() {
        lines.add("boot.file", format_args!("{} {path}", bytes.len()));
    }
    for name in ["config.txt", "cmdline.txt"] {
        lines.add_each(name, &boot.text(name).unwrap_or_default());
    }
    let loaders = boot.files().filter(|(path, _)| {
        *path == "bootcode.bin" || (path.starts_with("start") && path.ends_with(".elf"))
    });
    for (path, bytes) in loaders {
        for word in FIRMWARE_WORDS {
            if contains(bytes, word) {
                lines.add("firmware.has", format_args!("{word} {path}"));
            }
        }
    }
}

fn add_space(lines: &mut Lines, key: &str, Space { cluster, free, total }: Space) {
    lines.add(key, format_args!("{cluster} {free} {total}"));
}

fn text(system: &Raspbian, path: &str) -> Result<String, Answer> {
    system
        .pi
        .on(path, |files, inner| files.text(inner).ok_or(FsError::NotFound))
        .map_err(|error| fs_failure(path, error))
}
