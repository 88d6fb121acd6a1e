//! Payloads for emulated Pis: the one of Debian's packages, and copies of it whose ramdisk has other files.

use super::{Model, cache};
use crate::fleet::{Ended, Home};
use anyhow::{Context, Result, ensure};
use migos_engine::run::write_whole;
use migos_payload::digest::Sha256;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a payload is made of, besides MIGOS's own program and Debian's packages.
const SOURCES: [&str; 3] = ["payload/builder/src", "payload/builder/recipes", "payload/src"];

/// The recipe of a payload for the emulated board alone.
const LEAN: &str = include_str!("lean.yaml");

/// A file of a ramdisk that all may run: its path, and what is in it.
pub type Overlay<'a> = (&'a str, &'a str);

/// The payload that the program builds of Debian's packages, with MIGOS as it now is. Made once, until something of it
/// changes.
///
/// # Errors
/// If it cannot be built; the message says what is missing.
pub(super) fn whole(model: Model) -> Result<Vec<u8>> {
    let recipe = format!("debian-{}", model.architecture());
    Ok(fs::read(built(model, &recipe, None)?)?)
}

/// A payload for the usual board alone, with other files in its ramdisk.
///
/// # Errors
/// If it cannot be built or packed; the message says what is missing.
pub(super) fn lean(files: &[Overlay<'_>]) -> Result<Vec<u8>> {
    let payload = built(Model::default(), "lean", Some(LEAN))?;
    match files {
        [] => Ok(fs::read(payload)?),
        _ => overlaid(&payload, files),
    }
}

/// Builds it by the program's recipe of this name, or by one of our own.
fn built(model: Model, name: &str, recipe: Option<&str>) -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = workspace.join("payload/ramdisk/build.sh");
    let target = match model.architecture() {
        "armhf" => "arm-unknown-linux-gnueabi",
        _ => "aarch64-unknown-linux-musl",
    };
    let built = Command::new(&script).arg(target).stderr(Stdio::inherit()).output()?;
    ensure!(built.status.success(), "{} failed; see above", script.display());
    let program = PathBuf::from(String::from_utf8(built.stdout)?.trim());

    let mut all = fs::read(&program)?;
    all.extend(recipe.unwrap_or_default().bytes());
    for folder in SOURCES {
        gather(&workspace.join(folder), &mut all)?;
    }
    let key: String = Sha256::of(&all).to_string().chars().take(12).collect();
    let made = cache::kept(&format!("payload-{name}"), &key, |path| {
        let packages = cache::folder()?.join("packages");
        let new = cache::empty_beside(path)?;
        let tarball = new.join("payload.tgz");
        let home = Home::new()?;
        let file = format!("{name}.yaml");
        let mut build = vec!["payload", "build", "--recipe"];
        match recipe {
            Some(text) => {
                home.write(&file, text)?;
                build.push(&file);
            }
            None => build.push(name),
        }
        build.extend(["--ramdisk-program", word(&program)?, "--cache", word(&packages)?]);
        build.extend(["--output", word(&tarball)?]);
        // Two builds at a time would be in each other's way in the cache of packages.
        let _alone = cache::lock("packages")?;
        succeeds(&home.run(&build)?)?;
        Ok(fs::rename(new, path)?)
    })?;
    Ok(made.join("payload.tgz"))
}

fn overlaid(payload: &Path, files: &[Overlay<'_>]) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let unpacked = folder.path().join("payload");
    fs::create_dir(&unpacked)?;
    let tar = Command::new("tar").arg("-xzf").args([payload, "-C".as_ref(), &unpacked]).status()?;
    ensure!(tar.success(), "{} could not be unpacked", payload.display());
    let ramdisk = unpacked.join("migos/initrd.migos");
    let mut bytes = fs::read(&ramdisk)?;
    // An archive begins at a multiple of four bytes; what is zero before it is passed over. What the kernel unpacks
    // later replaces what it has.
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(archive(&folder.path().join("overlay"), files)?);
    write_whole(&ramdisk, &bytes, 0o644)?;
    let packed = folder.path().join("packed.tgz");
    let home = Home::new()?;
    succeeds(&home.run(&["payload", "pack", word(&unpacked)?, "-o", word(&packed)?])?)?;
    Ok(fs::read(packed)?)
}

fn archive(folder: &Path, files: &[Overlay<'_>]) -> Result<Vec<u8>> {
    let mut names = String::new();
    for (path, content) in files {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().context("a file stands in a folder")?)?;
        write_whole(&file, content.as_bytes(), 0o755)?;
        names.push_str(&format!("{path}\n"));
    }
    let mut cpio = Command::new("cpio")
        .args(["--quiet", "-o", "-H", "newc", "-R", "0:0"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to run cpio (package cpio)")?;
    cpio.stdin.take().context("cpio takes no names")?.write_all(names.as_bytes())?;
    let output = cpio.wait_with_output()?;
    ensure!(output.status.success(), "cpio failed");
    Ok(output.stdout)
}

fn gather(folder: &Path, all: &mut Vec<u8>) -> Result<()> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        match path.is_dir() {
            true => gather(&path, all)?,
            false => all.extend(fs::read(path)?),
        }
    }
    Ok(())
}

fn word(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}

fn succeeds(ended: &Ended) -> Result<()> {
    ensure!(ended.code == Some(0), "{}{}", ended.stdout, ended.stderr);
    Ok(())
}
