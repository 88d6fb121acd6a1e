//! `payload build`.

use super::{boards, cache, write};
use crate::args::PayloadBuild;
use crate::failure::{Failure, Kind, OrFail};
use crate::printer::Printer;
use crate::wire;
use migos_payload::digest::Sha256;
use migos_payload::size::ByteCount;
use migos_payload_builder::{
    BuildError, Built, Cache, Chosen, Order, Progress, Recipe, build, build_program,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn run(args: &PayloadBuild, printer: Printer) -> Result<u8, Failure> {
    let recipe = recipe(&args.recipe)?;
    let chosen = chosen(args)?;
    let output =
        args.output.clone().unwrap_or_else(|| format!("payloads/{}.tgz", recipe.name).into());
    let program = program(args, &recipe, printer)?;
    let order = Order {
        recipe: &recipe,
        chosen: &chosen,
        program: &program,
        cache: &Cache::at(&cache(&args.cache)?),
        version: wire::VERSION,
    };
    let built = build(order, &mut |progress: Progress| printer.say(&format!("  {progress}")));
    let built = built.map_err(|error| Failure::of(kind(&error), &error))?;
    write(&output, &built.tarball)?;
    printer.out(&report(&recipe, &built, &output));
    Ok(0)
}

fn kind(error: &BuildError) -> Kind {
    match error {
        BuildError::Packages(..) | BuildError::Sources(..) => Kind::NotStarted,
        BuildError::Unpack(_)
        | BuildError::Kernel(..)
        | BuildError::Program(_)
        | BuildError::Ramdisk(_)
        | BuildError::TooLarge { .. } => Kind::Input,
        BuildError::Pack(_) => Kind::Internal,
    }
}

/// A file if it looks like one, else a built-in name.
fn recipe(name: &str) -> Result<Recipe, Failure> {
    if !name.ends_with(".yaml") && !name.contains('/') {
        let hint = "name one of them, or a file that ends in .yaml";
        return Recipe::named(name).or_fail(Kind::Usage).map_err(|failure| failure.hint(hint));
    }
    let what = || format!("the recipe {name} cannot be used");
    let text = fs::read_to_string(name).map_err(|it| Failure::at(Kind::Input, what(), &it))?;
    Recipe::parse(&text).map_err(|error| Failure::at(Kind::Input, what(), &error))
}

fn chosen(args: &PayloadBuild) -> Result<Chosen, Failure> {
    let keyrings = named(&args.keyring)?;
    Ok(Chosen {
        mirrors: named(&args.mirror)?,
        keyrings: keyrings.into_iter().map(|(name, path)| (name, PathBuf::from(path))).collect(),
    })
}

/// `NAME=VALUE`, or a value alone; an address may have `=` in it, but not before its first slash.
fn named(values: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut named = BTreeMap::new();
    for value in values {
        let split = value.split_once('=').filter(|(name, _)| !name.contains(['/', ':', '.']));
        let (name, value) = split.unwrap_or(("", value));
        if named.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Failure::new(
                Kind::Usage,
                format!("{value} is the second for one archive"),
            )
            .hint("write NAME=VALUE, with the recipe's name for each archive"));
        }
    }
    Ok(named)
}

fn program(args: &PayloadBuild, recipe: &Recipe, printer: Printer) -> Result<PathBuf, Failure> {
    match &args.ramdisk_program {
        Some(program) => Ok(program.clone()),
        None => {
            printer.say("  building the ramdisk's program");
            build_program(Path::new("."), recipe.architecture).or_fail(Kind::NotStarted)
        }
    }
}

fn report(recipe: &Recipe, built: &Built, output: &Path) -> String {
    let total: ByteCount = built.manifest.files.iter().map(|file| file.size).sum();
    let mut text = format!(
        "{}\n  recipe    {} (MIGOS {})\n  sha256    {}\n  boards    {}\n  memory    {} at least\n  on card   {total} of {} allowed\n",
        output.display(),
        recipe.name,
        built.manifest.version,
        Sha256::of(&built.tarball),
        boards(&built.manifest),
        built.manifest.minimum_memory,
        ByteCount(recipe.limit),
    );
    for room in &built.room {
        text += &format!("    {:<36}{:>8}\n", room.part, room.size.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mirrors_have_a_name_or_none() {
        let read =
            |values: &[&str]| named(&values.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        let pairs = read(&["http://host/a?b=c", "raspbian=file:///srv/r=2"]).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(name, url)| format!("{name} {url}")).collect();
        assert_eq!(pairs, [" http://host/a?b=c", "raspbian file:///srv/r=2"]);
        assert_eq!(read(&["file:///a", "file:///b"]).unwrap_err().exit_code(), 2);
    }
}
