//! `payload pack`, `payload list` and `payload clean`.

use super::{boards, write};
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_payload_builder::{Cache, Recipe, pack as pack_folder};
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
