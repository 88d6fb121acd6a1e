//! Verbs that keep a device for one controller: `lock`, `unlock`.

use super::{Outcome, code, files, fs_failure, number};
use crate::card::FileSystem;
use crate::raspbian::Raspbian;
use crate::server::Answer;

/// Where the lock stands.
const LOCK: &str = "/var/lib/migos/lock";

/// A lock that was found: one line of the owner, the boot id, and the uptime at which it ends.
struct Found {
    owner: String,
    /// In seconds; 0 for a lock of another boot.
    until: u64,
}

/// `lock OWNER LEASE_SECONDS`
pub(super) fn lock(system: &Raspbian, owner: &str, lease: &str) -> Outcome {
    check(owner)?;
    let lease = number(lease, 10)?;
    let now = system.uptime();
    if let Some(Found { owner: holder, until }) = found(system)
        && holder != owner
        && until > now
    {
        let left = until - now;
        return Err(Answer::fail(code::BUSY, format!("{holder} has the device for {left} s more")));
    }
    let until = now.saturating_add(lease);
    let line = system.pool().keep(format!("{owner} {} {until}\n", system.boot_id).as_bytes());
    let write = |files: &mut FileSystem, inner: &str| {
        files::make_folders_for(files, inner)?;
        files.write(&format!("{inner}.new"), line)
    };
    let rename = |files: &mut FileSystem, inner: &str| files.rename(&format!("{inner}.new"), inner);
    // Without a sync: after a power cut no lock counts.
    let put = system.hands.change(LOCK, write).and_then(|()| system.hands.change(LOCK, rename));
    put.map_err(|error| fs_failure(LOCK, error))?;
    Ok(Vec::new())
}

/// `unlock OWNER`
pub(super) fn unlock(system: &Raspbian, owner: &str) -> Outcome {
    check(owner)?;
    if found(system).is_some_and(|found| found.owner == owner) {
        let removed = system.hands.change(LOCK, FileSystem::remove);
        removed.map_err(|error| fs_failure(LOCK, error))?;
    }
    Ok(Vec::new())
}

fn check(owner: &str) -> Result<(), Answer> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match !owner.is_empty() && owner.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(Answer::fail(code::USAGE, format!("not an owner: {owner}"))),
    }
}

fn found(system: &Raspbian) -> Option<Found> {
    let text = String::from_utf8(system.pi.file(LOCK)?).ok()?;
    let mut words = text.split_ascii_whitespace();
    let owner = words.next()?.to_owned();
    let same_boot = words.next() == Some(&system.boot_id);
    let until = words.next().and_then(|word| word.parse().ok()).filter(|_| same_boot).unwrap_or(0);
    Some(Found { owner, until })
}
