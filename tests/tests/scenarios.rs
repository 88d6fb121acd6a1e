//! Every script of `scenarios/`, held against its golden output; `UPDATE_SCENARIOS=1` writes that anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "scenarios/language.rs"]
mod language;
#[path = "scenarios/large.rs"]
mod large;

use migos_tests::scenario::Scenario;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The names of the files with this ending, without it.
fn names(ending: &str) -> BTreeSet<String> {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

/// What is wrong with a scenario, if anything.
fn play(name: &str, update: bool) -> Result<(), String> {
    let script = fs::read_to_string(folder().join(format!("{name}.script"))).unwrap();
    let scenario = Scenario::parse(&script).map_err(|error| error.to_string())?;
    let found = scenario.play().map_err(|error| format!("{error:#}"))?;
    let golden = folder().join(format!("{name}.out"));
    if update {
        #[expect(clippy::disallowed_methods, reason = "the working tree is under version control")]
        fs::write(&golden, &found).unwrap();
    }
    match fs::read_to_string(&golden) {
        Ok(expected) if expected == found => Ok(()),
        _ => Err(format!("it prints something else than {}:\n{found}", golden.display())),
    }
}

#[test]
fn every_scenario_ends_as_its_script_says_and_prints_what_it_printed() {
    #[expect(clippy::disallowed_methods, reason = "golden files are written on request only")]
    let update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let scripts = names(".script");
    assert!(scripts.len() >= 25, "scenarios are missing");
    let wrong: Vec<String> = scripts
        .iter()
        .filter_map(|name| play(name, update).err().map(|why| format!("## {name}\n{why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(names(".out"), scripts, "a golden file without a script");
}
