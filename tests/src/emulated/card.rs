//! The card of an emulated Pi, and its boot partition as seen from outside.

use super::{Model, cache};
use anyhow::{Context, Result, bail, ensure};
use migos_engine::run::write_whole;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
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
    pub fn raspberry_pi_os(model: Model, folder: &Path) -> Result<Self> {
        let (kernel, root) = (kernel(model)?, made("root", model, include_str!("root.sh"), &[])?);
        let stock = made("card", model, include_str!("card.sh"), &[&kernel, &root])?;
        let card = Self { image: folder.join("card.img"), key: folder.join("id") };
        copy(&stock.join("card.img"), &card.image)?;
        copy(&stock.join("id"), &card.key)?;
        Ok(card)
    }

    /// A card with a small balenaOS, whose `config.json` is still missing.
    ///
    /// # Errors
    /// If it cannot be made; the message says what is missing.
    pub fn balena_os(model: Model, folder: &Path) -> Result<Self> {
        let stock = made("balena", model, include_str!("balena.sh"), &[&kernel(model)?])?;
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

    /// Puts firmware onto the boot partition that knows nothing of the one-shot flag, as that of 2018 does.
    /// Nobody may have it mounted.
    ///
    /// # Errors
    /// If there is no first partition, or no FAT in it.
    pub fn forget_one_shot(&self) -> Result<()> {
        for name in ["bootcode.bin", "start.elf", "start_cd.elf"] {
            let content = self.boot_file(name)?.with_context(|| format!("there is no {name}"))?;
            let new = String::from_utf8(content)?.replace("tryboot", "notknow");
            self.write_boot_file(name, new.as_bytes())?;
        }
        Ok(())
    }

    /// So many bytes from there on. Seen while the Pi is on, they are what it would find after a power cut.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn bytes(&self, at: u64, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        File::open(&self.image)?.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The bytes that have ever been written, more or less.
    ///
    /// # Errors
    /// If it cannot be told.
    pub fn written(&self) -> Result<u64> {
        Ok(fs::metadata(&self.image)?.blocks() * SECTOR)
    }

    /// Changes one byte of a file's content, wherever on the card that begins like this.
    ///
    /// # Errors
    /// If it is nowhere.
    pub fn damage(&self, beginning: &[u8]) -> Result<()> {
        const BLOCK: usize = 4096;
        let beginning = &beginning[..beginning.len().min(BLOCK)];
        let mut file = File::options().read(true).write(true).open(&self.image)?;
        let mut block = vec![0; BLOCK];
        for at in (0..file.metadata()?.len()).step_by(BLOCK) {
            file.read_exact(&mut block)?;
            if block.starts_with(beginning) {
                let last = beginning.len() - 1;
                return Ok(file.write_all_at(&[!block[last]], at + last as u64)?);
            }
        }
        bail!("it is not on the card")
    }

    /// Where the boot partition starts: the first one, by sector 0.
    ///
    /// # Errors
    /// If there is none.
    pub fn boot_start(&self) -> Result<u64> {
        let sector = self.bytes(0, SECTOR as usize)?;
        ensure!(sector[510..] == [0x55, 0xaa], "the card has no partition table");
        let first = u32::from_le_bytes([sector[454], sector[455], sector[456], sector[457]]);
        Ok(u64::from(first) * SECTOR)
    }

    /// Where the boot partition starts and ends.
    ///
    /// # Errors
    /// If there is none.
    pub fn boot_extent(&self) -> Result<(u64, u64)> {
        let start = self.boot_start()?;
        let count = self.bytes(458, 4)?;
        let count = u32::from_le_bytes([count[0], count[1], count[2], count[3]]);
        Ok((start, start + u64::from(count) * SECTOR))
    }

    /// All places of the whole card where these bytes are.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn find(&self, wanted: &[u8]) -> Result<Vec<u64>> {
        let (first, card) = (wanted[0], fs::read(&self.image)?);
        let is_there = |at: &usize| card[*at] == first && card[*at..].starts_with(wanted);
        Ok((0..card.len()).filter(is_there).map(|at| at as u64).collect())
    }

    /// A file of the boot partition; nothing if there is none. While the Pi is on, it may be half a file.
    ///
    /// # Errors
    /// If there is no first partition.
    pub fn boot_file(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.file_of(self.boot_start()?, name)
    }

    /// A file of the FAT that starts there; nothing if there is none.
    ///
    /// # Errors
    /// If mtools is missing.
    pub fn file_of(&self, partition: u64, name: &str) -> Result<Option<Vec<u8>>> {
        let output = Command::new("mtype")
            .args(["-i", &format!("{}@@{partition}", self.image.display())])
            .arg(format!("::{name}"))
            .output()
            .context("failed to run mtype (package mtools)")?;
        Ok(output.status.success().then_some(output.stdout))
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
        let drive = format!("{}@@{}", self.image.display(), self.boot_start()?);
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

fn kernel(model: Model) -> Result<PathBuf> {
    made("kernel", model, include_str!("kernel.sh"), &[])
}

/// What a script makes for the architecture of a board.
fn made(name: &str, model: Model, script: &str, of: &[&Path]) -> Result<PathBuf> {
    let architecture = model.architecture();
    let script = format!("architecture={architecture}\n{script}");
    cache::made(&format!("{architecture}-{name}"), &script, of)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    // Most of a card is holes.
    let status = Command::new("cp").arg("-p").arg("--sparse=always").args([from, to]).status()?;
    ensure!(status.success(), "{} could not be copied", from.display());
    Ok(())
}
