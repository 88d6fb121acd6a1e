//! What a program needs to run: its interpreter and its libraries, read from its ELF headers.

use crate::root::{Root, RootError};
use migos_payload::board::Architecture;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, FileKind};
use std::collections::{BTreeMap, BTreeSet};

/// Where Debian keeps libraries, besides the folder of the architecture.
const FOLDERS: [&str; 2] = ["lib", "usr/lib"];

/// What one file asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The path of the program that loads it; none in a static program.
    pub(crate) interpreter: Option<String>,
    /// The names of its libraries.
    pub(crate) libraries: Vec<String>,
}

/// Why a program cannot go into the ramdisk.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The file could not be read.
    #[error("failed to read a program")]
    Read(#[source] RootError),
    /// Not a program.
    #[error("{0} is not a program in ELF form")]
    NotElf(String, #[source] object::Error),
    /// For another processor.
    #[error("{path} is not for {architecture}")]
    Foreign {
        /// The file.
        path: String,
        /// What it must be for.
        architecture: Architecture,
    },
    /// A library that no package has.
    #[error("{program} needs {library}, which no package of the recipe has")]
    Absent {
        /// The program or library.
        program: String,
        /// What it needs.
        library: String,
    },
}

/// The content of the programs and of everything they need, by path in the ramdisk. Libraries go flat into
/// `/lib`, where every interpreter looks.
pub(crate) fn closure(
    root: &Root,
    architecture: Architecture,
    programs: &[String],
) -> Result<BTreeMap<String, Vec<u8>>, ElfError> {
    let mut found = BTreeMap::new();
    let mut left: Vec<(String, String)> =
        programs.iter().map(|path| (path.clone(), path.clone())).collect();
    let mut seen: BTreeSet<String> = programs.iter().cloned().collect();
    while let Some((inside, path)) = left.pop() {
        let content = root.read(&path).map_err(ElfError::Read)?;
        let needs = needs(&path, &content, architecture)?;
        if let Some(interpreter) = &needs.interpreter {
            let interpreter = interpreter.trim_start_matches('/').to_owned();
            if seen.insert(interpreter.clone()) {
                left.push((interpreter.clone(), interpreter));
            }
        }
        for library in needs.libraries {
            let inside = format!("lib/{library}");
            if seen.insert(inside.clone()) {
                let path = library_path(root, architecture, &library).ok_or_else(|| {
                    ElfError::Absent { program: path.clone(), library: library.clone() }
                })?;
                left.push((inside, path));
            }
        }
        found.insert(inside, content);
    }
    Ok(found)
}

fn library_path(root: &Root, architecture: Architecture, name: &str) -> Option<String> {
    let multiarch = match architecture {
        Architecture::Arm64 => "aarch64-linux-gnu",
        Architecture::Armhf => "arm-linux-gnueabihf",
    };
    let folders = FOLDERS.iter().flat_map(|it| [format!("{it}/{multiarch}"), (*it).to_owned()]);
    let mut paths = folders.map(|folder| format!("{folder}/{name}"));
    paths.find(|path| root.resolve(path).is_some_and(|file| file.is_file()))
}

/// Reads what a file asks for, and checks that it is for this architecture.
pub(crate) fn needs(
    path: &str,
    content: &[u8],
    architecture: Architecture,
) -> Result<Needs, ElfError> {
    let not_elf = |source| ElfError::NotElf(path.to_owned(), source);
    let foreign = || ElfError::Foreign { path: path.to_owned(), architecture };
    let (kind, machine) = match architecture {
        Architecture::Arm64 => (FileKind::Elf64, elf::EM_AARCH64),
        Architecture::Armhf => (FileKind::Elf32, elf::EM_ARM),
    };
    match FileKind::parse(content).map_err(not_elf)? {
        FileKind::Elf32 if kind == FileKind::Elf32 => {
            read::<FileHeader32<Endianness>>(content, machine).map_err(not_elf)?.ok_or_else(foreign)
        }
        FileKind::Elf64 if kind == FileKind::Elf64 => {
            read::<FileHeader64<Endianness>>(content, machine).map_err(not_elf)?.ok_or_else(foreign)
        }
        _ => Err(foreign()),
    }
}

/// `None` for another machine.
fn read<H: FileHeader<Endian = Endianness>>(
    content: &[u8],
    machine: elf::Machine,
) -> Result<Option<Needs>, object::Error> {
    let header = H::parse(content)?;
    let endian = header.endian()?;
    if header.e_machine(endian) != machine {
        return Ok(None);
    }
    let mut needs = Needs::default();
    for segment in header.program_headers(endian, content)? {
        if let Some(path) = segment.interpreter(endian, content)? {
            needs.interpreter = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    let sections = header.sections(endian, content)?;
    if let Some((dynamic, link)) = sections.dynamic(endian, content)? {
        let strings = sections.strings(endian, content, link)?;
        for entry in dynamic.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED) {
            let name = entry.string(endian, strings)?;
            needs.libraries.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(Some(needs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_another_machine_is_refused() {
        // The test's own program: an ELF file for the machine that builds.
        let own = std::fs::read("/proc/self/exe").unwrap_or_default();
        let refused = needs("sbin/tool", &own, Architecture::Armhf).map_err(|it| it.to_string());
        assert_eq!(refused, Err("sbin/tool is not for armhf".to_owned()));
        let text = needs("sbin/tool", b"#!/bin/sh\n", Architecture::Arm64);
        assert!(matches!(text, Err(ElfError::NotElf(..))));
    }
}
