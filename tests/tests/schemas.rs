//! The published JSON Schemas are those of the types, and what the program writes is valid under them, says a reader
//! that is not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_playbooks::plan::plan_schema;
use migos_tests::fleet::Bench;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schemas/plan.schema.json");

/// Prints what is wrong with a document.
const READER: &str = "\
import json, sys, jsonschema
schema, document = (json.load(open(path)) for path in sys.argv[1:])
jsonschema.Draft202012Validator.check_schema(schema)
for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
    print(error.json_path, error.message[:200])
";

/// What Debian's python3-jsonschema finds wrong.
fn found_wrong(document: &Path) -> String {
    let read = Command::new("python3")
        .args(["-c", READER, SCHEMA])
        .arg(document)
        .stderr(Stdio::piped())
        .output()
        .expect("python3 is there; `make packages` installs it");
    let errors = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "`make packages` installs python3-jsonschema: {errors}");
    String::from_utf8(read.stdout).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the way to make the schema anew")]
fn the_published_schema_is_that_of_the_types() {
    let schema = plan_schema().unwrap();
    if std::env::var("UPDATE_DOCS").is_ok() {
        fs::write(SCHEMA, &schema).unwrap();
    }
    let published = fs::read_to_string(SCHEMA).unwrap_or_default();
    assert!(
        published == schema,
        "docs/schemas is not current; make it anew with: \
         UPDATE_DOCS=1 cargo test --release -p migos-tests --test schemas"
    );
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
    let plan = bench.home.path().join("plan.json");
    assert_eq!(found_wrong(&plan), "");
    let text = bench.home.read("plan.json").unwrap();
    assert!(text.contains("\"no-space\"") || text.contains("\"refused\""), "{text}");
    let damaged = text.replacen("\"boot_path\"", "\"boot_paths\"", 1);
    bench.home.write("damaged.json", damaged).unwrap();
    let wrong = found_wrong(&bench.home.path().join("damaged.json"));
    assert!(wrong.contains("boot_path"), "{wrong}");
}
