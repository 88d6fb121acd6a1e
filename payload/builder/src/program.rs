//! The ramdisk's own program: named by the user, or built from this repository.

use crate::elf::{self, ElfError};
use crate::host::SH;
use crate::process::{Process, ProcessError};
use migos_payload::board::Architecture;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What builds the program in the repository, and tells where it is.
const SCRIPT: &str = "payload/ramdisk/build.sh";

/// Why there is no program for the ramdisk.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Neither named nor inside the repository.
    #[error("the ramdisk's program is not named and {} is not in its repository; name it with --ramdisk-program FILE", .0.display())]
    NotNamed(PathBuf),
    /// It cannot be read.
    #[error("failed to read the ramdisk's program {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It does not build.
    #[error("failed to build the ramdisk's program for {target}")]
    Build {
        /// What it is built for.
        target: &'static str,
        /// Why.
        #[source]
        source: ProcessError,
    },
    /// Not a program for the payload's boards.
    #[error("the ramdisk's program cannot be used")]
    Elf(#[source] ElfError),
    /// It would look for libraries that the ramdisk may not have.
    #[error("the ramdisk's program {} is not static: it asks for {needs}", path.display())]
    NotStatic {
        /// The file.
        path: PathBuf,
        /// What it asks for.
        needs: String,
    },
}

/// Reads a program and makes sure that it runs by itself on the payload's boards.
pub(crate) fn read(path: &Path, architecture: Architecture) -> Result<Vec<u8>, ProgramError> {
    let failed = |source| ProgramError::Read { path: path.to_owned(), source };
    let content = fs::read(path).map_err(failed)?;
    let name = path.display().to_string();
    let needs = elf::needs(&name, &content, architecture).map_err(ProgramError::Elf)?;
    match needs.interpreter.into_iter().chain(needs.libraries).next() {
        Some(needs) => Err(ProgramError::NotStatic { path: path.to_owned(), needs }),
        None => Ok(content),
    }
}

/// Builds the program, if this folder is in the repository; gives its file.
///
/// # Errors
/// [`ProgramError::NotNamed`] elsewhere, [`ProgramError::Build`] where it does not build.
pub fn build(folder: &Path, architecture: Architecture) -> Result<PathBuf, ProgramError> {
    let not_named = || ProgramError::NotNamed(folder.to_owned());
    let here = std::path::absolute(folder).map_err(|_| not_named())?;
    let top = here.ancestors().find(|it| it.join(SCRIPT).is_file()).ok_or_else(not_named)?;
    let target = target(architecture);
    let failed = |source| ProgramError::Build { target, source };
    let script = Process::new(&SH).folder(top).args([SCRIPT, target]);
    let said = script.run().map_err(failed)?.text();
    // Its last line is where the program is.
    let path = said.lines().last().map(PathBuf::from).filter(|path| path.is_file());
    path.ok_or_else(|| {
        let complaint = format!("{SCRIPT} did not say where the program is");
        failed(ProcessError::Failed { program: SH.program, complaint })
    })
}

fn target(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Arm64 => "aarch64-unknown-linux-musl",
        Architecture::Armhf => "arm-unknown-linux-gnueabi",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn outside_of_the_repository_it_must_be_named() {
        let error = build(Path::new("/tmp"), Architecture::Arm64).unwrap_err();
        assert!(matches!(error, ProgramError::NotNamed(_)), "{error}");
    }

    #[test]
    fn a_program_for_this_computer_is_refused() {
        let error = read(Path::new("/proc/self/exe"), Architecture::Armhf).unwrap_err();
        assert!(matches!(error, ProgramError::Elf(ElfError::Foreign { .. })), "{error}");
    }
}
