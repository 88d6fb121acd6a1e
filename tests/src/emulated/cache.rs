//! Things that take long to make are made once.

use anyhow::{Context, Result, ensure};
use migos_payload::digest::Sha256;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What all scripts may use.
const DEBIAN: &str = include_str!("debian.sh");

/// Where it all is: a folder that survives a test, and `cargo test` with it.
pub(super) fn folder() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/emulated");
    fs::create_dir_all(&folder)?;
    Ok(folder.canonicalize()?)
}

/// The file of a lock that all processes share.
pub(super) fn lock_file(name: &str) -> Result<File> {
    Ok(File::create(folder()?.join(name).with_extension("lock"))?)
}

/// Takes a lock that all processes share, until the file is dropped.
pub(super) fn lock(name: &str) -> Result<File> {
    let file = lock_file(name)?;
    file.lock()?;
    Ok(file)
}

/// The folder that a script makes of these others, by the name of what is in it. It is made anew when the script or
/// one of the others has changed.
pub(super) fn made(name: &str, script: &str, of: &[&Path]) -> Result<PathBuf> {
    let mut key = format!("{DEBIAN}\n{script}\n");
    for path in of {
        key.push_str(&path.file_name().unwrap_or_default().to_string_lossy());
    }
    let key: String = Sha256::of(key.as_bytes()).to_string().chars().take(12).collect();
    kept(name, &key, |path| make(path, script, of))
}

/// The folder of this name and key; if there is none it is made, and replaces those with other keys.
pub(super) fn kept(
    name: &str,
    key: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let path = folder()?.join(format!("{name}-{key}"));
    let _alone = lock(name)?;
    if !path.exists() {
        make(&path).with_context(|| format!("failed to make {}", path.display()))?;
        // What it replaces would never be asked for again.
        for entry in fs::read_dir(folder()?)? {
            let other = entry?.path();
            let name_of =
                |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
            let is_older = name_of(&other).is_some_and(|it| it.starts_with(&format!("{name}-")));
            if is_older && other != path {
                fs::remove_dir_all(other)?;
            }
        }
    }
    Ok(path)
}

fn make(path: &Path, script: &str, of: &[&Path]) -> Result<()> {
    require()?;
    // Beside it, and also what a script keeps beside that: nothing half made gets the name.
    let new = empty_beside(path)?;
    let output = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "sh", "-eu", "-c", &format!("{DEBIAN}\n{script}"), "sh"])
        .arg(new.join("made"))
        .args(of)
        .stdin(Stdio::null())
        .output()
        .context("failed to run setpriv (package util-linux)")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(new.join("made"), path)?;
    Ok(fs::remove_dir_all(&new)?)
}

/// An empty folder in which something is made before it gets its name.
pub(super) fn empty_beside(path: &Path) -> Result<PathBuf> {
    let new = path.with_extension("new");
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    fs::create_dir(&new)?;
    Ok(new)
}

/// Says which package or right is missing; these tests are never skipped.
fn require() -> Result<()> {
    let own = fs::read_to_string("/proc/self/status")?;
    let root = own.lines().any(|line| line.split_ascii_whitespace().take(3).eq(["Uid:", "0", "0"]));
    ensure!(root, "this test unpacks Debian packages with their owners: run it as root");
    for (program, package) in [
        ("/usr/bin/mmdebstrap", "mmdebstrap"),
        ("/usr/bin/mcopy", "mtools"),
        ("/usr/sbin/mkfs.vfat", "dosfstools"),
        ("/usr/sbin/mke2fs", "e2fsprogs"),
        ("/usr/sbin/sfdisk", "fdisk"),
        ("/usr/bin/cpio", "cpio"),
        ("/usr/sbin/depmod", "kmod"),
        ("/usr/bin/fdtput", "device-tree-compiler"),
        ("/usr/bin/ssh-keygen", "openssh-client"),
    ] {
        let found = Path::new(program).exists();
        ensure!(found, "{program} is missing: apt-get install {package}");
    }
    Ok(())
}
