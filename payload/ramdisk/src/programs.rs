//! The programs beside MIGOS, and the files they read: both are found under one roof, so that a test can put
//! others there.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

/// A program's name, and its words.
pub type Words = Vec<String>;

/// Words of a program that are known beforehand.
pub fn words(words: &[&str]) -> Words {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub struct Programs(OsString);

impl Programs {
    /// The ramdisk's own.
    pub fn of_this_system() -> Self {
        Self("/usr/sbin:/usr/bin:/sbin:/bin".into())
    }

    /// Those in these folders, with colons between.
    pub fn on(path: impl Into<OsString>) -> Self {
        Self(path.into())
    }

    /// A program about to be started. It has nothing to read.
    pub fn command(&self, words: &[String]) -> Command {
        let (name, words) = words.split_first().map_or(("", words), |(name, rest)| (name, rest));
        let mut command = Command::new(name);
        command.args(words).env("PATH", &self.0).stdin(Stdio::null());
        command
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// It does not start, or fails; the last line it said is given.
    pub fn run(&self, words: &[String]) -> Result<(), String> {
        let failed = |why: String| format!("{}: {why}", words.join(" "));
        let said = self.command(words).output().map_err(|error| failed(error.to_string()))?;
        match said.status.success() {
            true => Ok(()),
            false => Err(failed(last_line(&said.stderr).unwrap_or(said.status.to_string()))),
        }
    }
}

/// The last line that says anything.
fn last_line(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

/// Makes a folder that only root may look into, and those above it, where they are missing.
///
/// # Errors
/// It cannot be made.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file that only root may read, in the place of any other.
///
/// # Errors
/// It cannot be written.
pub fn private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    // One that is there already would keep its mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_for_root_alone_even_where_something_stood_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/key");
        private_folder(file.parent().unwrap()).unwrap();
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        private_file(&file, b"new").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let programs = Programs::on("/bin:/usr/bin");
        assert_eq!(programs.run(&words(&["true"])), Ok(()));
        let failed = programs.run(&words(&["sh", "-c", "echo one >&2; echo two >&2; exit 3"]));
        assert!(failed.unwrap_err().ends_with(": two"));
        let absent = Programs::on("/nowhere").run(&words(&["ip", "link"])).unwrap_err();
        assert!(absent.starts_with("ip link: "), "{absent}");
    }
}
