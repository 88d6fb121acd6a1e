//! `payload pack`, `list`, `clean` and `write-card`.

use super::{boards, read, write};
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use migos_payload::archive::VerifiedPayload;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_payload_builder::{Cache, CardError, Recipe, pack as pack_folder, write_card as lay};
use std::path::Path;

pub(super) fn pack(dir: &Path, output: &Path, printer: Printer) -> Result<u8, Failure> {
    let (manifest, tarball) = pack_folder(dir).or_fail(Kind::Input).map_err(|failure| {
        failure.hint("a folder to pack has manifest.json and migos/: see docs/payload.md")
    })?;
    write(output, &tarball)?;
    printer.out(&format!(
        "{}\n  sha256    {}\n  boards    {}\n  files     {}\n",
        output.display(),
        Sha256::of(&tarball),
        boards(&manifest),
        manifest.files.len(),
    ));
    Ok(0)
}

pub(super) fn list(cache: &Path, printer: Printer) -> Result<u8, Failure> {
    let recipes = Recipe::builtin().or_fail(Kind::Internal)?;
    let mut text = "recipes\n".to_owned();
    for recipe in recipes {
        text += &format!("  {:<16}{}\n", recipe.name, recipe.about);
    }
    let cached = Cache::at(cache).contents().or_fail(Kind::Input)?;
    let size: ByteCount = cached.iter().map(|(_, size)| *size).sum();
    text += &format!("{}: {} packages, {size}\n", cache.display(), cached.len());
    for (name, size) in cached {
        text += &format!("  {name:<60}{:>8}\n", size.to_string());
    }
    printer.out(&text);
    Ok(0)
}

pub(super) fn clean(cache: &Path, printer: Printer) -> Result<u8, Failure> {
    Cache::at(cache).clean().or_fail(Kind::Input)?;
    printer.out(&format!("{} holds no packages any more\n", cache.display()));
    Ok(0)
}

pub(super) fn write_card(
    payload: &Path,
    card: &Path,
    again: Option<&Path>,
    printer: Printer,
) -> Result<u8, Failure> {
    let verified = VerifiedPayload::read(&read(payload)?).map_err(|error| {
        let what = format!("the payload {} cannot be used", payload.display());
        Failure::at(Kind::Input, what, &error)
    })?;
    lay(&verified, card, again).map_err(|error| {
        let kind = match error {
            CardError::NotConfirmed(_) => Kind::Usage,
            CardError::Read { .. }
            | CardError::NoBootPartition(_)
            | CardError::Write { .. }
            | CardError::Different(_) => Kind::Input,
        };
        Failure::of(kind, &error)
    })?;
    let count = verified.manifest().files.len();
    printer.out(&format!("{}: {count} files written and read back\n", card.display()));
    Ok(0)
}
