//! The card that MIGOS was booted from: found by what is on it, never by a device's name.

use crate::disk::BlockDisk;
use crate::table::{SECTOR, Table};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The block devices of a system.
pub(super) struct Blocks {
    /// `/sys/class/block`.
    pub(super) sys: PathBuf,
    /// `/dev`.
    pub(super) dev: PathBuf,
}

/// A disk that the firmware could have booted from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The disk's device.
    pub(super) disk: PathBuf,
    /// Its identifier.
    pub(super) disk_id: String,
    /// The device of its boot partition.
    pub(super) boot: PathBuf,
    /// The devices of its other partitions, by their number. Raspbian's root is the second.
    pub(super) others: Vec<PathBuf>,
}

impl Blocks {
    /// The system's own.
    pub(super) fn of_this_system() -> Self {
        Self { sys: "/sys/class/block".into(), dev: "/dev".into() }
    }

    /// All disks with a boot partition. What cannot be read is no candidate.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut names: Vec<String> = fs::read_dir(&self.sys)
            .map(|entries| {
                entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
            })
            .unwrap_or_default();
        names.sort_unstable();
        let disks = names.iter().filter(|name| self.number(name, "partition").is_none());
        disks.filter_map(|disk| self.candidate(disk, &names)).collect()
    }

    fn candidate(&self, disk: &str, names: &[String]) -> Option<Candidate> {
        let device = self.dev.join(disk);
        let table = read_table(&device).ok()??;
        let start = table.boot()?.start / SECTOR as u64;
        let mut partitions: Vec<(u64, &String)> = names
            .iter()
            .filter(|name| is_partition_of(name, disk))
            .filter_map(|name| Some((self.number(name, "partition")?, name)))
            .collect();
        partitions.sort_unstable();
        let starts_there = |name: &str| self.number(name, "start") == Some(start);
        let boot = partitions.iter().find(|(_, name)| starts_there(name))?.1;
        let others = partitions.iter().filter(|(_, name)| *name != boot);
        Some(Candidate {
            disk_id: table.disk_id(),
            boot: self.dev.join(boot),
            others: others.map(|(_, name)| self.dev.join(name)).collect(),
            disk: device,
        })
    }

    fn number(&self, name: &str, file: &str) -> Option<u64> {
        fs::read_to_string(self.sys.join(name).join(file)).ok()?.trim().parse().ok()
    }
}

fn read_table(device: &Path) -> io::Result<Option<Table>> {
    Table::read(&BlockDisk::open_read_only(device)?)
}

/// `sda1` is of `sda`, `mmcblk0p1` of `mmcblk0`; `mmcblk0boot0` is of nobody.
fn is_partition_of(name: &str, disk: &str) -> bool {
    let ends_in_digit = disk.ends_with(|c: char| c.is_ascii_digit());
    name.strip_prefix(disk)
        .and_then(|rest| if ends_in_digit { rest.strip_prefix('p') } else { Some(rest) })
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn the_boot_partition_is_found_by_where_sector_0_says_it_starts() {
        let root = tempfile::tempdir().unwrap();
        let blocks = Blocks { sys: root.path().join("sys"), dev: root.path().join("dev") };
        fs::create_dir(&blocks.dev).unwrap();
        let add = |name: &str, files: &[(&str, &str)]| {
            fs::create_dir_all(blocks.sys.join(name)).unwrap();
            for (file, text) in files {
                fs::write(blocks.sys.join(name).join(file), format!("{text}\n")).unwrap();
            }
            fs::write(blocks.dev.join(name), [0; 4096]).unwrap();
        };
        add("mmcblk0", &[]);
        add("mmcblk0p10", &[("partition", "10"), ("start", "90000")]);
        add("mmcblk0p1", &[("partition", "1"), ("start", "8192")]);
        add("mmcblk0p2", &[("partition", "2"), ("start", "532480")]);
        add("mmcblk0boot0", &[]);
        add("sda", &[]);
        let mut sector = [0; 4096];
        sector[440..444].copy_from_slice(&[0x42, 0xee, 0xff, 0xc0]);
        sector[450] = 0x0c;
        sector[454..458].copy_from_slice(&8192_u32.to_le_bytes());
        sector[458] = 1;
        sector[510..512].copy_from_slice(&[0x55, 0xaa]);
        fs::write(blocks.dev.join("mmcblk0"), sector).unwrap();
        let device = |name: &str| blocks.dev.join(name);
        let found = Candidate {
            disk: device("mmcblk0"),
            disk_id: "c0ffee42".to_owned(),
            boot: device("mmcblk0p1"),
            others: vec![device("mmcblk0p2"), device("mmcblk0p10")],
        };
        assert_eq!(blocks.candidates(), [found]);
    }

    #[test]
    fn partitions_are_told_from_disks_of_like_names() {
        assert!(is_partition_of("sda1", "sda") && is_partition_of("mmcblk0p2", "mmcblk0"));
        for other in ["mmcblk0boot0", "mmcblk0", "mmcblk01", "mmcblk0p"] {
            assert!(!is_partition_of(other, "mmcblk0"), "{other}");
        }
    }
}
