//! The probe of a twin: what its original told, but for what is read from the card and the kernel again.

use super::{
    LITTLE_MEMORY, Lines, Outcome, TUNNEL, add_files, add_identity, add_overlay, add_space,
    has_old_firmware,
};
use crate::card::Partitions;
use crate::raspbian::Raspbian;
use crate::twin::Twin;

/// Lines that are not repeated: they are told anew.
const LIVE: [&str; 20] = [
    "serial",
    "machine-id",
    "boot-id",
    "boot.sum",
    "kernel",
    "machine",
    "cmdline",
    "memory",
    "mount",
    "boot.space",
    "root.space",
    "boot.file",
    "config.txt",
    "cmdline.txt",
    "disk",
    "firmware.has",
    "firmware.version",
    "throttled",
    "reach",
    "clock",
];

/// Lines of the way by which it is reached.
const WAY: [&str; 3] = ["connection", "address", "virtual"];

/// `probe`
pub(super) fn probe(system: &Raspbian, twin: &Twin, connection: &str, hosts: &[&str]) -> Outcome {
    if twin.is_no_pi {
        return Ok(b"sh: this is no Raspberry Pi\n".to_vec());
    }
    let (pi, told) = (&system.pi, &twin.told);
    let mut lines = Lines("migos-probe 1\n".to_owned());
    add_identity(&mut lines, system)?;
    for (key, value) in told.lines() {
        let is_not_asked = key == "connection" && connection.is_empty();
        let is_other_way = pi.faults.tunnel && WAY.contains(&key);
        if !(is_not_asked || is_other_way || LIVE.contains(&key)) {
            lines.add(key, value);
        }
    }
    lines.add("kernel", &system.kernel.version);
    lines.add("machine", &system.kernel.machine);
    lines.add("cmdline", &system.kernel.cmdline);
    lines.add("memory", if pi.faults.little_memory { LITTLE_MEMORY } else { pi.model.memory });
    match (pi.faults.under_voltage, told.first("throttled")) {
        (true, _) => lines.add("throttled", "0x50005"),
        (false, Some(flags)) => lines.add("throttled", flags),
        (false, None) => {}
    }
    add_disk(&mut lines, system, twin);
    add_version(&mut lines, system, twin);
    if pi.faults.tunnel {
        lines.add("connection", connection);
        lines.add("address", format_args!("{TUNNEL} {}", system.address()));
        lines.add("virtual", TUNNEL);
    }
    for host in hosts {
        let reached = if pi.faults.blocked { Some(false) } else { twin.reaches(host) };
        if let Some(reached) = reached {
            lines.add("reach", format_args!("{host} {}", if reached { "yes" } else { "no" }));
        }
    }
    if let Some(clock) = told.number::<i64>("clock") {
        let passed = i64::try_from(pi.made.elapsed().as_secs()).unwrap_or_default();
        lines.add("clock", clock.saturating_add(passed));
    }
    lines.add("end", "ok");
    Ok(lines.0.into_bytes())
}

fn add_disk(lines: &mut Lines, system: &Raspbian, twin: &Twin) {
    let told = &twin.told;
    let card = system.pi.card();
    let Some(partitions) = card.partitions() else { return };
    if let Some(root) = told.mounted("/") {
        match &partitions.lower {
            // A twin whose original had none.
            Some(_) if root.kind != "overlay" => add_overlay(lines, root.source),
            _ => {
                let access = if root.writable { "rw" } else { "ro" };
                lines.add("mount", format_args!("{} / {} {access} 0 0", root.source, root.kind));
            }
        }
        if told.space("root.space").is_some() {
            add_space(lines, "root.space", partitions.root.space());
        }
    }
    if let Some(name) = told.first("disk").and_then(|disk| disk.split(' ').next()) {
        lines.add("disk", format_args!("{name} {}", card.sectors));
    }
    add_boot(lines, twin, partitions);
}

fn add_boot(lines: &mut Lines, twin: &Twin, partitions: &Partitions) {
    let Some(path) = twin.told.first("boot.path") else { return };
    let boot = &partitions.boot;
    if let Some(mounted) = twin.told.mounted(path) {
        let access = if boot.is_read_only() { "ro" } else { "rw" };
        let (source, kind) = (mounted.source, mounted.kind);
        lines.add("mount", format_args!("{source} {path} {kind} {access} 0 0"));
    }
    if twin.told.space("boot.space").is_some() {
        add_space(lines, "boot.space", boot.space());
    }
    add_files(lines, boot);
}

/// The firmware's date is the original's until it is updated.
fn add_version(lines: &mut Lines, system: &Raspbian, twin: &Twin) {
    let was_old = !twin.told.all("firmware.has").any(|line| line == "tryboot.txt start.elf");
    match was_old && !has_old_firmware(system) {
        true => lines.add_each("firmware.version", system.pi.release.firmware_version()),
        false => {
            twin.told.all("firmware.version").for_each(|line| lines.add("firmware.version", line))
        }
    }
}
