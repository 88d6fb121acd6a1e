//! Keyfiles: network connections that an operator adds.

use super::read_text;
use crate::failure::{Failure, Kind};
use crate::wire;
use migos_payload::digest::Sha256;
use migos_payload::keyfile::{self, Keyfile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A keyfile that was read. Its text may hold secrets.
pub(crate) struct LoadedKeyfile {
    pub(crate) text: String,
    /// The digest of its text without secrets.
    pub(crate) sha256: Sha256,
}

/// Reads these keyfiles; their paths start at `base`.
pub(crate) fn keyfiles(
    base: &Path,
    written: &BTreeSet<&str>,
) -> Result<BTreeMap<String, LoadedKeyfile>, Failure> {
    let load = |written: &&str| {
        let path = wire::resolve(base, written);
        let text = read_text(&path, "the keyfile")?;
        Keyfile::parse(&text).map_err(|error| {
            let what = format!("{} is no keyfile of NetworkManager", path.display());
            Failure::at(Kind::Input, what, &error)
                .hint("write it as `nmcli connection` does; see man nm-settings-keyfile")
        })?;
        let sha256 = keyfile::digest(keyfile::name(written), &text);
        Ok(((*written).to_owned(), LoadedKeyfile { text, sha256 }))
    };
    written.iter().map(load).collect()
}
