//! The card of an emulated Pi, and its boot partition as seen from outside.

use super::cache;
use anyhow::{Context, Result, ensure};
use migos_engine::run::write_whole;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The files of a boot partition by path, and its folders, whose paths end with `/`.
pub type Tree = BTreeMap<String, Arc<[u8]>>;

const SECTOR: u64 = 512;

/// A card that nobody else writes to.
#[derive(Debug)]
pub struct Card {
    image: PathBuf,
    key: PathBuf,
}

impl Card {
    /// A card with Raspberry Pi OS, in a folder.
    ///
    /// # Errors
    /// If it cannot be made; the message says what is missing.
    pub fn raspberry_pi_os(folder: &Path) -> Result<Self> {
        let kernel = cache::made("kernel", include_str!("kernel.sh"), &[])?;
        let root = cache::made("root", include_str!("root.sh"), &[])?;
        let stock = cache::made("card", include_str!("card.sh"), &[&kernel, &root])?;
        let card = Self { image: folder.join("card.img"), key: folder.join("id") };
        copy(&stock.join("card.img"), &card.image)?;
        copy(&stock.join("id"), &card.key)?;
        Ok(card)
    }

    /// A card with a small balenaOS, whose `config.json` is still missing.
    ///
    /// # Errors
    /// If it cannot be made; the message says what is missing.
    pub fn balena_os(folder: &Path) -> Result<Self> {
        let kernel = cache::made("kernel", include_str!("kernel.sh"), &[])?;
        let stock = cache::made("balena", include_str!("balena.sh"), &[&kernel])?;
        let card = Self { image: folder.join("card.img"), key: folder.join("id") };
        copy(&stock.join("balena.img"), &card.image)?;
        Ok(card)
    }

    /// The image of the whole card.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// The private key that the user `pi` of Raspberry Pi OS logs in with.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// What is on the boot partition. Nobody may have it mounted.
    ///
    /// # Errors
    /// If there is no first partition, or no FAT in it.
    pub fn boot_tree(&self) -> Result<Tree> {
        let folder = tempfile::tempdir()?;
        self.mcopy(&["::*".as_ref(), folder.path().as_os_str()])?;
        let mut tree = Tree::new();
        gather(folder.path(), "", &mut tree)?;
        Ok(tree)
    }

    /// Writes a file into the root of the boot partition. Nobody may have it mounted.
    ///
    /// # Errors
    /// If there is no first partition, no FAT in it, or no room.
    pub fn write_boot_file(&self, name: &str, content: &[u8]) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(name);
        write_whole(&file, content, 0o600)?;
        self.mcopy(&[file.as_os_str(), "::/".as_ref()])
    }

    fn mcopy(&self, what: &[&OsStr]) -> Result<()> {
        let mut sector = [0; SECTOR as usize];
        File::open(&self.image)?.read_exact(&mut sector)?;
        ensure!(sector[510..] == [0x55, 0xaa], "the card has no partition table");
        let first = u32::from_le_bytes([sector[454], sector[455], sector[456], sector[457]]);
        let drive = format!("{}@@{}", self.image.display(), u64::from(first) * SECTOR);
        let output = Command::new("mcopy")
            .args(["-s", "-n", "-o", "-i", &drive])
            .args(what)
            .output()
            .context("failed to run mcopy (package mtools)")?;
        ensure!(output.status.success(), "mcopy: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

fn gather(folder: &Path, prefix: &str, tree: &mut Tree) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &format!("{name}/"), tree)?;
            tree.insert(format!("{name}/"), Arc::from([]));
        } else {
            tree.insert(name, Arc::from(fs::read(entry.path())?));
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    // Most of a card is holes.
    let status = Command::new("cp").arg("-p").arg("--sparse=always").args([from, to]).status()?;
    ensure!(status.success(), "{} could not be copied", from.display());
    Ok(())
}
