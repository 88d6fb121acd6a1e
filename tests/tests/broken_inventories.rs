//! What is said about every inventory of `broken/`, held against what was said before; `UPDATE_BROKEN=1` writes that
//! anew. Whoever adds an inventory, in whatever form, adds a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_tests::fleet::{Ended, Home};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// What must never be repeated, whatever is wrong with the inventory that has it.
const SECRETS: [&str; 3] = ["hunter2", "0a1b2c3d4e5f60718293", "b3BlbnNzaC1rZXktdjEAAAAA"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("broken")
}

/// The inventories by name, and the names of what is said about them.
fn files() -> (BTreeMap<String, PathBuf>, BTreeSet<String>) {
    let (mut inventories, mut golden) = (BTreeMap::new(), BTreeSet::new());
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().and_then(OsStr::to_str).unwrap().to_owned();
        if path.extension() == Some(OsStr::new("out")) {
            golden.insert(name);
        } else {
            assert!(inventories.insert(name.clone(), path).is_none(), "two inventories {name}");
        }
    }
    (inventories, golden)
}

/// What the program says about an inventory, or a table that is to be one, and how it ends: it is refused, or something
/// in it is likely not meant.
fn said(home: &Home, inventory: &Path) -> String {
    let name = inventory.file_name().and_then(OsStr::to_str).unwrap();
    home.write(name, fs::read(inventory).unwrap()).unwrap();
    let args = match inventory.extension() == Some(OsStr::new("csv")) {
        true => ["init", "made", "--from-csv", name],
        false => ["inventory", name, "--check", "--strict"],
    };
    let Ended { code, stdout, stderr } = home.run(&args).unwrap();
    let told = format!("{stdout}{stderr}");
    let secret = SECRETS.iter().find(|secret| told.contains(*secret));
    assert_eq!(secret, None, "{name}: a secret is repeated");
    assert!(!told.contains('\u{1b}'), "{name}: {told:?}");
    let code = code.filter(|code| [3, 6].contains(code));
    let code = code.unwrap_or_else(|| panic!("{name} is not broken: {told}"));
    format!("{told}exit code {code}\n")
}

#[test]
fn every_broken_inventory_is_explained_as_it_was() {
    #[expect(clippy::disallowed_methods, reason = "golden files are written on request only")]
    let update = std::env::var_os("UPDATE_BROKEN").is_some();
    let home = Home::new().unwrap();
    let (inventories, _) = files();
    assert!(inventories.len() >= 50, "inventories are missing");
    let mut wrong = Vec::new();
    for (name, path) in &inventories {
        let found = said(&home, path);
        let golden = path.with_extension("out");
        if update {
            #[expect(
                clippy::disallowed_methods,
                reason = "the working tree is under version control"
            )]
            fs::write(&golden, &found).unwrap();
        }
        if fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("## {name}\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_BROKEN=1 writes them anew\n{}", wrong.join("\n"));
    let (inventories, golden) = files();
    let names: BTreeSet<String> = inventories.into_keys().collect();
    assert_eq!(golden, names, "a golden file without an inventory");
}
