//! Readers of what was saved, of what ssh remembers, and of images.

use super::targets::text;
use flate2::Compression;
use flate2::write::GzEncoder;
use migos_payload_builder::{Look, look_into_image};
use migos_playbooks::facts;
use migos_playbooks::plan::Plan;
use migos_ramdisk::table::{SECTOR, Table};
use std::io::{self, Write};
use tempfile::NamedTempFile;

/// The text of the `probe` verb: what a lab's device tells of facts reads as facts, whatever stood in them first.
pub(super) fn probe(bytes: &[u8]) {
    if let Ok(read) = facts::parse(&text(bytes)) {
        assert!(facts::parse(&facts::write(&read)).is_ok());
    }
}

/// A saved plan: it is written again as it was read, and only an unchanged one passes.
pub(super) fn plan(bytes: &[u8]) {
    let Ok(mut plan) = Plan::from_json(&text(bytes)) else { return };
    let again = plan.to_json().map(|written| Plan::from_json(&written).ok());
    assert_eq!(again.ok().flatten().as_ref(), Some(&plan));
    let is_whole = plan.digest().ok() == Some(plan.id);
    match plan.clone().check() {
        Ok(checked) => assert!(is_whole && *checked == plan),
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

/// What ssh remembers of hosts: what is taken of it for a host reads the same, line by line.
pub(super) fn known_hosts(bytes: &[u8]) {
    for (host, port) in [("kiosk-1", 22), ("kiosk-1", 2222), ("pi.example", 22)] {
        let keys = migos_ssh::known_keys(&text(bytes), host, port);
        assert_eq!(migos_ssh::known_keys(&keys.join("\n"), host, port), keys);
    }
}

/// An image of a card: packed, it is the same; and MIGOS finds no partition where there is none.
pub(super) fn image(bytes: &[u8]) {
    let Ok(Some(raw)) = looked_at(bytes) else { return };
    if let Some(sector) = bytes.first_chunk::<SECTOR>()
        && let Some(boot) = Table::parse(*sector).and_then(|table| table.boot())
    {
        assert!(raw.partitions.iter().any(|it| it.start.0 == boot.start));
    }
    if let Ok(packed) = packed(bytes)
        && !bytes.starts_with(&[0x1f, 0x8b])
    {
        assert_eq!(looked_at(&packed).ok().flatten(), Some(raw));
    }
}

/// What is seen in an image with these bytes; nothing if it is refused.
fn looked_at(bytes: &[u8]) -> io::Result<Option<Look>> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(match look_into_image(file.path(), None) {
        Ok(look) => Some(look),
        Err(why) => {
            assert!(!why.to_string().is_empty());
            None
        }
    })
}

fn packed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes)?;
    packed.finish()
}
