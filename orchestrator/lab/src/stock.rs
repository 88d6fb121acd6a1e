//! A card as it is found in the field: stock files of a release, some years old.

use std::collections::BTreeMap;

use migos_payload::board::Architecture;

use crate::board::MODELS;
use crate::card::{Card, Content, FileSystem, FsError, Kind, Pool};
use crate::magic;
use crate::release::Release;
use crate::seed::noise;

/// Sectors of the cards: what is sold as 16 GB.
const SECTORS: u64 = 31_116_288;
/// Clusters of 4 KiB of a root file system that fills such a card.
const ROOT_CLUSTERS: u64 = 3_750_000;
/// Bytes that are free on it.
const ROOT_FREE: u64 = 11_200_000_000;

/// The sizes of stock files here. Real ones are some fifty times larger; the difference is counted
/// as used all the same (see [`FileSystem::leave_free`]).
const KERNEL: usize = 96 << 10;
const RAMDISK: usize = 64 << 10;
const FIRMWARE: usize = 48 << 10;
const DEVICE_TREE: usize = 12 << 10;

/// The files that hold the firmware.
const LOADERS: [&str; 5] =
    ["bootcode.bin", "start.elf", "start_cd.elf", "start4.elf", "start4cd.elf"];
/// What firmware of early 2020 understands.
const OLD_FIRMWARE_WORDS: &[&str] = &["os_prefix"];

/// What tells one card from another.
pub(crate) struct Identity<'a> {
    pub(crate) hostname: &'a str,
    pub(crate) machine_id: &'a str,
    pub(crate) disk_id: u32,
}

/// The stock files of the boot partitions, made once for each release.
pub(crate) struct Stock {
    pool: Pool,
    boot_files: BTreeMap<Release, Vec<(String, Content)>>,
}

impl Stock {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool, boot_files: BTreeMap::new() }
    }

    /// A card with this release.
    pub(crate) fn card(
        &mut self,
        release: Release,
        identity: &Identity<'_>,
    ) -> Result<Card, FsError> {
        let boot = self.boot(release, identity.disk_id)?;
        let root = self.root(release, identity)?;
        Ok(Card::new(identity.disk_id, SECTORS, boot, root))
    }

    fn boot(&mut self, release: Release, disk_id: u32) -> Result<FileSystem, FsError> {
        let pool = &self.pool;
        let stock = self.boot_files.entry(release).or_insert_with(|| boot_files(release, pool));
        let size = release.boot_size();
        let mut boot = FileSystem::new(Kind::Fat, size.cluster, size.total);
        boot.make_folders("overlays")?;
        for (path, content) in stock.iter() {
            boot.write(path, content.clone())?;
        }
        let cmdline = pool.keep(release.cmdline_txt(disk_id).as_bytes());
        boot.write("cmdline.txt", cmdline)?;
        boot.leave_free(size.free);
        Ok(boot)
    }

    /// Puts firmware of a time before `tryboot` onto a boot partition.
    pub(crate) fn age_firmware(
        &self,
        release: Release,
        boot: &mut FileSystem,
    ) -> Result<(), FsError> {
        for file in LOADERS {
            let bytes = firmware(&format!("{release:?} {file}"), OLD_FIRMWARE_WORDS);
            boot.write(file, self.pool.keep(&bytes))?;
        }
        Ok(())
    }

    /// Has changes of the root file system go to memory from the next boot on, as `raspi-config` does.
    pub(crate) fn overlay_root(
        &self,
        release: Release,
        boot: &mut FileSystem,
    ) -> Result<(), FsError> {
        let line = boot.text("cmdline.txt").unwrap_or_default();
        let line = format!("{} {line}", release.overlay_token());
        boot.write("cmdline.txt", self.pool.keep(line.as_bytes()))
    }

    fn root(&self, release: Release, identity: &Identity<'_>) -> Result<FileSystem, FsError> {
        let disk_id = identity.disk_id;
        let boot_path = release.boot_path();
        let mut files = vec![
            ("etc/hostname", format!("{}\n", identity.hostname)),
            ("etc/machine-id", format!("{}\n", identity.machine_id)),
            ("etc/os-release", release.os_release()),
            (
                "etc/fstab",
                format!(
                    "proc /proc proc defaults 0 0\n\
                     PARTUUID={disk_id:08x}-01 {boot_path} vfat defaults 0 2\n\
                     PARTUUID={disk_id:08x}-02 / ext4 defaults,noatime 0 1\n"
                ),
            ),
        ];
        if let Some(text) = release.dhcpcd_conf() {
            files.push(("etc/dhcpcd.conf", text.to_owned()));
        }
        if boot_path != "/boot" {
            // A note for those who look where it used to be; newer images leave one.
            files.push((
                "boot/config.txt",
                "This file is now /boot/firmware/config.txt\n".to_owned(),
            ));
        }
        let mut root = FileSystem::new(Kind::Unix, 4096, ROOT_CLUSTERS);
        root.make_folders("boot/firmware")?;
        root.make_folders("etc")?;
        root.make_folders("var/lib/dpkg")?;
        root.make_folders("home/pi")?;
        for (path, text) in files {
            root.write(path, self.pool.keep(text.as_bytes()))?;
        }
        root.leave_free(ROOT_FREE);
        Ok(root)
    }
}

/// All that is the same on every boot partition of a release.
fn boot_files(release: Release, pool: &Pool) -> Vec<(String, Content)> {
    let name = |what: &str| format!("{release:?} {what}");
    let mut files: Vec<(String, Vec<u8>)> = vec![
        ("config.txt".into(), release.config_txt().into_bytes()),
        ("overlays/README".into(), b"Overlays and their parameters.\n".to_vec()),
        ("overlays/dwc2.dtbo".into(), noise("overlay dwc2", 700)),
        ("overlays/vc4-kms-v3d.dtbo".into(), noise("overlay vc4-kms-v3d", 2700)),
    ];
    for (file, architecture) in release.kernels() {
        files
            .push(((*file).to_owned(), magic::raspbian_kernel(*architecture, &name(file), KERNEL)));
    }
    for file in release.ramdisks() {
        files.push(((*file).to_owned(), magic::raspbian_ramdisk(&name(file), RAMDISK)));
    }
    // The 64-bit systems run on no board that reads the first of these, but they carry it.
    files.extend(loaders(release).map(|(file, bytes)| (file.to_owned(), bytes)));
    for file in ["fixup.dat", "fixup_cd.dat", "fixup4.dat", "fixup4cd.dat"] {
        files.push((file.to_owned(), noise(&name(file), 5400)));
    }
    for dtb in MODELS.iter().map(|model| model.dtb) {
        let older = dtb.starts_with("bcm2708") || dtb.starts_with("bcm2709");
        if release.userland() == Architecture::Armhf || !older {
            files.push((dtb.to_owned(), noise(&name(dtb), DEVICE_TREE)));
        }
    }
    files.into_iter().map(|(path, bytes)| (path, pool.keep(&bytes))).collect()
}

/// The loader files as a release has them.
pub(crate) fn loaders(release: Release) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    LOADERS
        .into_iter()
        .map(move |file| (file, firmware(&format!("{release:?} {file}"), release.firmware_words())))
}

/// A loader file of firmware that understands these words.
fn firmware(name: &str, words: &[&str]) -> Vec<u8> {
    let mut bytes = noise(name, FIRMWARE);
    for word in words {
        bytes.extend_from_slice(format!("\0{word}\0").as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::card::Partitions;

    #[test]
    fn two_cards_share_their_stock_files_and_differ_in_identity() {
        let mut stock = Stock::new(Pool::default());
        let mut card = |hostname, disk_id| {
            let identity = Identity { hostname, machine_id: "0", disk_id };
            stock.card(Release::Buster, &identity).unwrap()
        };
        let (a, b) = (card("a", 1), card("b", 2));
        let (a, b) = (a.partitions().unwrap(), b.partitions().unwrap());
        let kernel = |card: &Partitions| card.boot.bytes("kernel7.img").unwrap().as_ptr();
        assert_eq!(kernel(a), kernel(b));
        assert!(a.boot.text("cmdline.txt").unwrap().contains("root=PARTUUID=00000001-02"));
        assert_eq!(b.root.text("etc/hostname").unwrap(), "b\n");
        assert_eq!(a.boot.space().free * 2048, 203_999_232, "as much as df shows in the field");
    }
}
