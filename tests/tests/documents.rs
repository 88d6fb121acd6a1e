//! What the documents say about the sources is true.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// All sources of the workspace.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_built = path.ends_with("target");
        if path.is_dir() && !is_built {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The names of all test functions in a text.
fn tests(text: &str) -> BTreeSet<String> {
    let after = |attribute: &'static str| text.split(attribute).skip(1);
    let name = |after: &str| {
        let (_, rest) = after.split_once("fn ")?;
        Some(rest.split_once('(')?.0.to_owned())
    };
    after("#[test]").chain(after("#[tokio::test")).filter_map(name).collect()
}

/// What stands between backticks in the last column of a document's tables.
fn named(document: &str) -> Vec<&str> {
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit_once(" | "));
    cells.flat_map(|(_, cell)| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_test_that_shows_what_can_go_wrong_exists() {
    let document = fs::read_to_string(Path::new(ROOT).join("docs/what-can-go-wrong.md")).unwrap();
    let mut known = BTreeSet::new();
    for path in sources(Path::new(ROOT)) {
        known.extend(tests(&fs::read_to_string(path).unwrap()));
    }
    let named = named(&document);
    assert!(named.len() > 50, "{named:?}");
    let missing: Vec<&str> = named.into_iter().filter(|name| !known.contains(*name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_test_that_does_not_exist_is_missed() {
    let text = "| fire | water | `it_burns`, `it_is_put_out` |\n| flood | – | – |\nand `this` is not meant\n";
    assert_eq!(named(text), ["it_burns", "it_is_put_out"]);
    let source = "fn it_burns() {}\n#[test]\nfn it_is_put_out() {}\n";
    assert_eq!(tests(source), BTreeSet::from(["it_is_put_out".to_owned()]));
}
