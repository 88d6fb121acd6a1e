//! What a tarball is: a payload of ours, or a stock MIGOS of the original project.

use migos_payload::archive::{ArchiveError, VerifiedPayload};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

/// No tarball worth looking at unpacks to more, in bytes.
const LARGEST: u64 = 1 << 30;
/// As many bytes of a file as its form is told by.
const HEAD: u64 = 16;

/// What a tarball turned out to be.
#[derive(Debug, Clone)]
pub enum Inspected {
    /// A payload, every digest of which is right.
    Payload(VerifiedPayload),
    /// A boot partition of the original project's MIGOS: `migrate` does not send it.
    Stock(Stock),
}

/// The original project's MIGOS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stock {
    /// Which of its generations it is.
    pub generation: Generation,
    /// The version it says it has.
    pub version: Option<String>,
    /// Its kernels.
    pub kernels: BTreeSet<String>,
    /// Its ramdisk.
    pub initrd: Option<Initrd>,
    /// The firmware it brings.
    pub firmware: BTreeSet<String>,
    /// Its device trees: the boards it was made for.
    pub device_trees: BTreeSet<String>,
}

/// The original project changed all its names once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    /// The first names, `MIGOS_…`.
    Migos,
    /// The later names, `UXMIGOS_…`.
    Uxmigos,
}

/// A ramdisk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Initrd {
    /// Its bytes.
    pub size: u64,
    /// How it is compressed, where that is known.
    pub compression: Option<&'static str>,
}

/// Why it cannot be told what a tarball is.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Damaged, or something else.
    #[error("it is not a payload")]
    Payload(#[source] ArchiveError),
    /// Not a gzip tarball, or cut off.
    #[error("failed to read the tarball")]
    Read(#[source] io::Error),
}

/// Tells what a tarball is.
///
/// # Errors
/// [`InspectError`], if it is neither, or damaged.
pub fn inspect(tarball: &[u8]) -> Result<Inspected, InspectError> {
    match VerifiedPayload::read(tarball) {
        Ok(payload) => Ok(Inspected::Payload(payload)),
        Err(error @ ArchiveError::NoManifest) => {
            match stock(tarball).map_err(InspectError::Read)? {
                Some(stock) => Ok(Inspected::Stock(stock)),
                None => Err(InspectError::Payload(error)),
            }
        }
        Err(error) => Err(InspectError::Payload(error)),
    }
}

/// A stock tarball has a marker file in its root.
fn stock(tarball: &[u8]) -> io::Result<Option<Stock>> {
    let members = members(tarball)?;
    let generation = if members.contains_key("UXMIGOS_BOOT_INSTALLED") {
        Generation::Uxmigos
    } else if members.contains_key("MIGOS_BOOT_INSTALLED") {
        Generation::Migos
    } else {
        return Ok(None);
    };
    let named = |wanted: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
        members.keys().filter(|name| wanted(name)).cloned().collect()
    };
    let version = |name: &String| {
        let version = name.strip_prefix("UXMIGOS_").or(name.strip_prefix("MIGOS_"))?;
        version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
    };
    let initrd = |member: &Member| Initrd { size: member.size, compression: form(&member.head) };
    Ok(Some(Stock {
        generation,
        version: members.keys().find_map(version),
        kernels: named(&|it| it.starts_with("kernel") && it.ends_with(".img")),
        initrd: members.get("initrd").map(initrd),
        firmware: named(&|it| {
            it == "bootcode.bin"
                || it.starts_with("start") && it.ends_with(".elf")
                || it.starts_with("fixup") && it.ends_with(".dat")
        }),
        device_trees: named(&|it| it.ends_with(".dtb")),
    }))
}

struct Member {
    size: u64,
    head: Vec<u8>,
}

/// The files of the tarball's root.
fn members(tarball: &[u8]) -> io::Result<BTreeMap<String, Member>> {
    let unpacked = flate2::read::MultiGzDecoder::new(tarball).take(LARGEST);
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(unpacked).entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.trim_start_matches("./").to_owned();
        if entry.header().entry_type().is_file() && !name.contains('/') {
            let (size, mut head) = (entry.size(), Vec::new());
            entry.by_ref().take(HEAD).read_to_end(&mut head)?;
            members.insert(name, Member { size, head });
        }
    }
    Ok(members)
}

fn form(head: &[u8]) -> Option<&'static str> {
    let forms: [(&[u8], &str); 5] = [
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0x1f, 0x8b], "gzip"),
        (&[0x02, 0x21, 0x4c, 0x18], "lz4"),
        (b"070701", "not compressed"),
    ];
    forms.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}
