//! The card of a twin: files with the names and sizes that were told, and inside them what decides a boot.

use std::collections::HashMap;

use migos_payload::board::Architecture;
use migos_payload::digest::Sha256;

use super::Told;
use crate::card::{Card, Content, FileSystem, FsError, Kind, Pool, Space};
use crate::magic;
use crate::release::Release;

/// A file on FAT is smaller than this.
const LARGEST: u64 = 4 << 30;

/// What firmware learnt with which build, by year and month, and does not tell of itself in a probe: as it is known
/// of builds of February 2021, August 2022 and April 2024, and from the notes of the releases between.
const LEARNT: [(&str, (u32, usize)); 4] = [
    ("os_prefix", (2019, 5)),
    ("board-type", (2022, 8)),
    ("[tryboot]", (2022, 10)),
    ("auto_initramfs", (2023, 3)),
];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Large files by what they begin with and how long they are: the same ones on all cards.
#[derive(Default)]
pub(crate) struct Hollows(HashMap<(Vec<u8>, usize), Content>);

impl Hollows {
    fn keep(&mut self, head: Vec<u8>, length: usize) -> Content {
        let entry = self.0.entry((head, length));
        let (head, length) = entry.key();
        let content = Content::hollow(head, *length);
        entry.or_insert(content).clone()
    }
}

/// The card of a device that told this. `spare` is the boot partition of one that told of none: it booted from
/// something.
pub(crate) fn card(
    told: &Told,
    release: Release,
    pool: &Pool,
    hollows: &mut Hollows,
    spare: impl FnOnce(u32) -> Result<Card, FsError>,
) -> Result<Card, FsError> {
    let disk_id = told.first("disk.id").and_then(|id| u32::from_str_radix(id, 16).ok());
    let mut card = spare(disk_id.unwrap_or_default())?;
    if let Some(sectors) = told.first("disk").and_then(|disk| disk.split_once(' ')?.1.parse().ok())
    {
        card.sectors = sectors;
    }
    card.extent = told.extent();
    card.root = root_name(told);
    let root = root(told, pool)?;
    let boot = match told.first("boot.path") {
        Some(_) => Some(boot(told, release, pool, hollows)?),
        None => None,
    };
    if let Some(partitions) = card.partitions_mut() {
        partitions.root = root;
        partitions.boot = boot.unwrap_or_else(|| partitions.boot.clone());
    }
    card.sync();
    Ok(card)
}

/// What the original's kernel took for its root file system.
fn root_name(told: &Told) -> Option<String> {
    let mut words = told.first("cmdline")?.split_ascii_whitespace().rev();
    words.find_map(|word| word.strip_prefix("root=")).map(str::to_owned)
}

fn root(told: &Told, pool: &Pool) -> Result<FileSystem, FsError> {
    let Space { cluster, free, total } = told.space("root.space").unwrap_or(ROOT);
    let mut root = FileSystem::new(Kind::Unix, cluster, total);
    for folder in ["boot/firmware", "etc", "var/lib/dpkg", "home/pi"] {
        root.make_folders(folder)?;
    }
    let line = |key: &str| format!("{}\n", told.first(key).unwrap_or_default());
    for (path, text) in [
        ("etc/hostname", line("hostname")),
        ("etc/machine-id", line("machine-id")),
        ("etc/os-release", told.text("os-release")),
    ] {
        root.write(path, pool.keep(text.as_bytes()))?;
    }
    // Below /run files are made at every start.
    for (path, text) in told.network_files().iter().filter(|(path, _)| !path.starts_with("/run/")) {
        let path = path.trim_start_matches('/');
        if let Some((folder, _)) = path.rsplit_once('/') {
            root.make_folders(folder)?;
        }
        root.write(path, pool.keep(text.as_bytes()))?;
    }
    root.leave_free(free * cluster);
    Ok(root)
}

/// The room on a root file system of which it was not told: enough.
const ROOT: Space = Space { cluster: 4096, free: 2_000_000, total: 3_750_000 };

fn boot(
    told: &Told,
    release: Release,
    pool: &Pool,
    hollows: &mut Hollows,
) -> Result<FileSystem, FsError> {
    let size = release.boot_size();
    let known = told.space("boot.space");
    let Space { cluster, free, total } = known.unwrap_or(Space {
        cluster: size.cluster,
        free: size.free / size.cluster,
        total: size.total,
    });
    let mut boot = FileSystem::new(Kind::Fat, cluster, total);
    let inside = Inside::new(told, release);
    for line in told.all("boot.file") {
        let Some((length, path)) = line.split_once(' ') else { continue };
        let length: u64 = length.parse().unwrap_or_default();
        if length >= LARGEST || length > cluster * total {
            return Err(FsError::NoSpace);
        }
        if let Some((folder, _)) = path.rsplit_once('/') {
            boot.make_folders(folder)?;
        }
        let content = match path {
            "config.txt" | "cmdline.txt" => pool.keep(&text(told, path)),
            _ => hollows.keep(inside.head(path), length as usize),
        };
        boot.write(path, content)?;
    }
    boot.leave_free(free * cluster);
    Ok(boot)
}

/// The text of a file whose digest was told: whether its last line has an end is all that its lines do not say.
fn text(told: &Told, name: &str) -> Vec<u8> {
    let text = told.text(name).into_bytes();
    let sums = told.all("boot.sum").filter_map(|line| line.split_once(' '));
    let sum = sums.filter(|(_, of)| *of == name).map(|(sum, _)| sum).next();
    let open = text.strip_suffix(b"\n").unwrap_or(&text);
    match sum {
        Some(sum) if Sha256::of(open).to_string() == sum => open.to_vec(),
        _ => text,
    }
}

/// What is inside the files of a boot partition.
struct Inside<'a> {
    told: &'a Told,
    /// Words of which the probe does not tell, in all loaders.
    learnt: Vec<&'static str>,
    /// Files that `config.txt` names as kernels and ramdisks.
    kernels: Vec<String>,
    ramdisks: Vec<String>,
}

impl<'a> Inside<'a> {
    fn new(told: &'a Told, release: Release) -> Self {
        let built = told.first("firmware.version").and_then(date);
        let knows = |(word, since): (&'static str, (u32, usize))| {
            let knows = match built {
                Some(built) => built >= since,
                None => release.firmware_words().contains(&word),
            };
            knows.then_some(word)
        };
        let mut inside = Self {
            told,
            learnt: LEARNT.into_iter().filter_map(knows).collect(),
            kernels: Vec::new(),
            ramdisks: Vec::new(),
        };
        for line in told.all("config.txt").map(str::trim) {
            if let Some(name) = line.strip_prefix("kernel=") {
                inside.kernels.push(base(name.trim()).to_owned());
            } else if let Some(names) = line.strip_prefix("ramfsfile=") {
                inside.ramdisks.extend(names.split(',').map(|name| base(name.trim()).to_owned()));
            } else if let Some(rest) = line.strip_prefix("initramfs ") {
                let names = rest.split_ascii_whitespace().next().unwrap_or_default();
                inside.ramdisks.extend(names.split(',').map(|name| base(name).to_owned()));
            }
        }
        inside
    }

    /// What a file begins with.
    fn head(&self, path: &str) -> Vec<u8> {
        let name = base(path);
        let is_named = |names: &[String]| names.iter().any(|known| known == name);
        if name == "bootcode.bin" || (name.starts_with("start") && name.ends_with(".elf")) {
            return self.loader(path);
        }
        if is_named(&self.ramdisks) || name.starts_with("initramfs") || name.starts_with("initrd") {
            return magic::raspbian_ramdisk("", 0);
        }
        let is_kernel = name.starts_with("kernel") && name.ends_with(".img");
        if is_kernel || is_named(&self.kernels) || name.starts_with("vmlinu") {
            return magic::raspbian_kernel(self.architecture(name), "", 0);
        }
        Vec::new()
    }

    fn loader(&self, path: &str) -> Vec<u8> {
        let has = self.told.all("firmware.has").filter_map(|line| line.split_once(' '));
        let told = has.filter(|(_, file)| *file == path).map(|(word, _)| word);
        told.chain(self.learnt.iter().copied())
            .map(|word| format!("\0{word}\0"))
            .collect::<String>()
            .into()
    }

    fn architecture(&self, kernel: &str) -> Architecture {
        match kernel {
            "kernel8.img" | "kernel_2712.img" => Architecture::Arm64,
            "kernel.img" | "kernel7.img" | "kernel7l.img" => Architecture::Armhf,
            _ if self.told.first("machine") == Some("aarch64") => Architecture::Arm64,
            _ => Architecture::Armhf,
        }
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Year and month of a date such as `Feb 25 2021`.
fn date(text: &str) -> Option<(u32, usize)> {
    let mut words = text.split_ascii_whitespace();
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Some((words.nth(1)?.parse().ok()?, month))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::card::Card;
    use crate::magic::{Kernel, Ramdisk};

    const TOLD: &str = "migos-probe 1\nmachine aarch64\nhostname pi\nmachine-id 1\n\
        cmdline a=1 root=LABEL=writable\ndisk mmcblk0 1000000\ndisk.id 0000abcd\n\
        boot.path /boot/firmware\nboot.space 4096 50 20000\nboot.extent 2048 160000\n\
        boot.file 9000000 vmlinuz\nboot.file 8000000 kernel7.img\nboot.file 7000000 initrd.img\n\
        boot.file 3000000 start4.elf\nboot.file 4 config.txt\nboot.file 700 overlays/Dwc2.dtbo\n\
        boot.file 30 my.img\nfirmware.has tryboot.txt start4.elf\nfirmware.version Sep 1 2022\n\
        config.txt a=\nconfig.txt kernel=vmlinuz\nend ok\n";

    fn of(text: &str) -> Result<Card, FsError> {
        let told = Told::read(text);
        let spare = |disk_id| {
            let file_system = |kind| FileSystem::new(kind, 512, 100);
            Ok(Card::new(disk_id, 1, file_system(Kind::Fat), file_system(Kind::Unix)))
        };
        card(&told, Release::Bullseye, &Pool::default(), &mut Hollows::default(), spare)
    }

    #[test]
    fn files_have_their_sizes_and_begin_with_what_they_are() {
        let card = of(TOLD).unwrap();
        let boot = &card.partitions().unwrap().boot;
        let bytes = |name: &str| boot.bytes(name).unwrap();
        assert_eq!(bytes("vmlinuz").len(), 9_000_000);
        assert_eq!(Kernel::read(bytes("vmlinuz")), Some(Kernel::Raspbian(Architecture::Arm64)));
        assert_eq!(Kernel::read(bytes("kernel7.img")), Some(Kernel::Raspbian(Architecture::Armhf)));
        assert_eq!(Ramdisk::read(bytes("initrd.img")), Some(Ramdisk::Raspbian));
        assert_eq!((Kernel::read(bytes("my.img")), bytes("overlays/dwc2.dtbo").len()), (None, 700));
        let knows =
            |word: &str| bytes("start4.elf").windows(word.len()).any(|at| at == word.as_bytes());
        assert!(knows("tryboot.txt") && knows("os_prefix") && knows("board-type"));
        assert!(!knows("[tryboot]") && !knows("kernel_watchdog_timeout"));
        assert_eq!((boot.space().free, card.sectors, card.disk_id), (50, 1_000_000, 0xabcd));
        assert_eq!(card.boot_extent(), Some((2048, 160_000)));
        assert!(card.is_root("LABEL=writable") && !card.is_root("LABEL=other"));
    }

    #[test]
    fn the_digest_tells_whether_the_last_line_has_an_end() {
        for end in ["", "\n"] {
            let sum = Sha256::of(format!("a=\nkernel=vmlinuz{end}").as_bytes());
            let text = TOLD.replace("end ok", &format!("boot.sum {sum} config.txt\nend ok"));
            let boot = &of(&text).unwrap().partitions().unwrap().boot.clone();
            assert_eq!(Sha256::of(boot.bytes("config.txt").unwrap()), sum, "{end:?}");
        }
    }

    #[test]
    fn what_no_card_can_hold_is_refused() {
        let huge = TOLD.replace("9000000 vmlinuz", "18446744073709551615 vmlinuz");
        assert_eq!(of(&huge).err(), Some(FsError::NoSpace));
        assert_eq!(of(&TOLD.replace("50 20000", "0 200")).err(), Some(FsError::NoSpace));
    }

    #[test]
    fn a_device_that_told_of_no_boot_partition_has_one_all_the_same() {
        let told: String = TOLD
            .lines()
            .filter(|line| !line.starts_with("boot."))
            .map(|line| format!("{line}\n"))
            .collect();
        let card = of(&told).unwrap();
        assert_eq!(card.partitions().unwrap().boot.space().total, 100);
    }
}
