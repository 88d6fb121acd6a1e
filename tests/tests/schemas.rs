//! The published JSON Schemas are those of the types, and what the program writes is valid under them, says a reader
//! that is not ours. What people write is valid where the program can read it: `schemas/written.rs` takes what there is,
//! `schemas/changed.rs` makes more of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "schemas/changed.rs"]
mod changed;
#[path = "schemas/kind.rs"]
mod kind;
#[path = "schemas/written.rs"]
mod written;

use migos_lab::Pace;
use migos_playbooks::plan::plan_schema;
use migos_playbooks::schema::{inventory_schema, playbook_schema, policy_schema, settings_schema};
use migos_tests::fleet::{Bench, Home};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Tells of each document the first place where something is wrong with it, and what, or nothing.
const READER: &str = "\
import json, sys, jsonschema
given = json.load(sys.stdin)
validators = {}
for name, schema in given['schemas'].items():
    jsonschema.Draft202012Validator.check_schema(schema)
    validators[name] = jsonschema.Draft202012Validator(schema)
told = []
for name, document in given['documents']:
    errors = validators[name].iter_errors(document)
    wrong = (['.'.join(map(str, error.absolute_path)), error.message[:200]] for error in errors)
    told.append(min(wrong, default=None))
json.dump(told, sys.stdout)
";

/// Where a document is wrong, by its keys, and what is said of it.
type Wrong = (String, String);

/// The schemas by the names of their files.
fn schemas() -> [(&'static str, String); 5] {
    [
        ("inventory", inventory_schema().unwrap()),
        ("settings", settings_schema().unwrap()),
        ("policy", policy_schema().unwrap()),
        ("playbook", playbook_schema().unwrap()),
        ("plan", plan_schema().unwrap()),
    ]
}

fn published(name: &str) -> PathBuf {
    Path::new(ROOT).join(format!("docs/schemas/{name}.schema.json"))
}

/// What Debian's python3-jsonschema finds wrong with each of these documents, which are named with their schema.
fn found_wrong(documents: &[(&str, &Value)]) -> Vec<Option<Wrong>> {
    let parsed = |text: &String| serde_json::from_str::<Value>(text).unwrap();
    let schemas = schemas();
    let schemas: serde_json::Map<_, _> =
        schemas.iter().map(|(name, text)| ((*name).to_owned(), parsed(text))).collect();
    let given = json!({ "schemas": schemas, "documents": documents }).to_string();
    let mut reader = Command::new("python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is there; `make packages` installs it");
    reader.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let read = reader.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "`make packages` installs python3-jsonschema: {errors}");
    let told: Vec<Option<Wrong>> = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(told.len(), documents.len());
    told
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the way to make the schemas anew")]
fn the_published_schemas_are_those_of_the_types() {
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    for (name, schema) in schemas() {
        let path = published(name);
        if update {
            fs::write(&path, &schema).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap_or_default() == schema,
            "docs/schemas is not current; make it anew with: \
             UPDATE_DOCS=1 cargo test --release --workspace --test schemas"
        );
    }
}

#[test]
fn a_saved_plan_is_valid_and_a_damaged_one_is_not() {
    let faults = "kiosk-002: [no-space]\nkiosk-003: [unreachable]\nkiosk-004: [read-only-boot]\n";
    let bench = Bench::start(6, faults, Pace::lab()).unwrap();
    let policy = "policy: 1\nprove: per-class\nbandwidth: { total: 40MB/s }\n\
         window: { days: mon-sun, from: \"00:00\", to: \"23:59\", zone: Europe/Berlin }\n\
         stages: [{ name: all, to: 100%, gate: { check: ./verify.sh, pause: Look. } }]\n";
    bench.home.write("policy.yaml", policy).unwrap();
    let args = ["plan", "lab/inventory.yaml", "-o", "plan.json", "--policy", "policy.yaml"];
    let planned = bench.home.run(&args).unwrap();
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    let text = bench.home.read("plan.json").unwrap();
    assert!(text.contains("\"no-space\"") || text.contains("\"refused\""), "{text}");
    let plan: Value = serde_json::from_str(&text).unwrap();
    let damaged = text.replacen("\"boot_path\"", "\"boot_paths\"", 1);
    let damaged: Value = serde_json::from_str(&damaged).unwrap();
    let told = found_wrong(&[("plan", &plan), ("plan", &damaged)]);
    assert_eq!(told[0], None);
    assert!(told[1].as_ref().unwrap().1.contains("boot_path"), "{told:?}");
}

#[test]
fn the_program_prints_them_and_puts_them_beside_what_it_writes() {
    let home = Home::new().unwrap();
    let list = home.run(&["schema"]).unwrap();
    assert_eq!((list.code, list.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(list.stdout, @r###"
    inventory  An inventory in the native form (`migos: 1`)
    settings   A file of settings: `migos.yaml` beside the inventory, `fleet.yaml` of a person or a computer
    policy     A policy (`policy: 1`)
    playbook   A playbook of your own (`playbook: 1`)
    plan       A plan that `plan -o` has saved

    Save one:     migos-fleet schema inventory > schemas/inventory.schema.json
    Use it:       # yaml-language-server: $schema=PATH as the first line of the file
    "###);
    assert_eq!(home.run(&["init", "."]).unwrap().code, Some(0));
    for (name, schema) in schemas() {
        let printed = home.run(&["schema", name]).unwrap();
        assert_eq!((printed.code, printed.stdout == schema), (Some(0), true), "{name}");
        let beside = home.read(&format!("schemas/{name}.schema.json"));
        assert_eq!(beside.ok(), Some(schema).filter(|_| name != "plan"), "{name}");
    }
    for name in ["inventory", "policy"] {
        let written = home.read(&format!("{name}.yaml")).unwrap();
        let line = format!("# yaml-language-server: $schema=schemas/{name}.schema.json");
        assert_eq!(written.lines().next(), Some(line.as_str()));
    }
    assert_eq!(home.run(&["schema", "ansible"]).unwrap().code, Some(2));
}

/// The tables of keys in the sources of a folder, as `module::NAME`.
fn tables(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tables(&path));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let module = path.file_stem().unwrap().to_string_lossy();
        let names =
            text.lines().filter_map(|line| line.split_once("const ")?.1.split_once(": Keys"));
        found.extend(names.map(|(name, _)| format!("{module}::{name}")));
    }
    found
}

#[test]
fn no_table_of_keys_is_without_its_form() {
    let root = Path::new(ROOT);
    let forms = [
        "inventory/src/native/schema.rs",
        "playbooks/src/schema/policy.rs",
        "playbooks/src/schema/playbook.rs",
    ];
    let forms = forms.map(|path| fs::read_to_string(root.join(path)).unwrap()).concat();
    let native = tables(&root.join("inventory/src/native"));
    let playbooks = tables(&root.join("playbooks/src"));
    assert!(native.len() >= 15 && playbooks.len() >= 16, "{native:?} {playbooks:?}");
    let missing: Vec<_> = native
        .into_iter()
        .chain(playbooks)
        .filter(|table| !forms.contains(&format!("{table})")))
        .collect();
    assert!(
        missing.is_empty(),
        "say the form of these, and hold it against its reader: {missing:?}"
    );
}
