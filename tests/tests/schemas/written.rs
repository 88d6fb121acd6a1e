//! What is written already: examples, documents, shipped files, what `init` and the lab write, and broken inventories.

use super::kind::{Kind, plain};
use super::{ROOT, found_wrong};
use migos_lab::Pace;
use migos_playbooks::policy::SHIPPED;
use migos_tests::fleet::{Bench, Home};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What the texts of a kind are called, and they themselves.
type Texts = Vec<(String, Kind, String)>;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// The names of files in a folder that end so.
fn names(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

/// The blocks of YAML in the documents; one that is only a part of an inventory is completed.
fn in_documents() -> Texts {
    let paths = names("docs", ".md").into_iter().map(|name| format!("docs/{name}"));
    let mut found = Vec::new();
    for path in paths.chain(["README.md".to_owned()]) {
        let text = read(&path);
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let is_part = ["defaults:", "groups:", "devices:", "on_balena:", "data:"]
                .iter()
                .any(|key| block.starts_with(key));
            match Kind::of(block) {
                Some(kind) => found.push((path.clone(), kind, block.to_owned())),
                None if is_part => {
                    let whole = format!("migos: 1\n{block}");
                    found.push((path.clone(), Kind::Settings, whole.clone()));
                    found.push((path.clone(), Kind::Inventory, whole));
                }
                None => {}
            }
        }
    }
    found
}

/// What the program writes for people to go on with.
fn by_the_program() -> Texts {
    let home = Home::new().unwrap();
    let table = "Gerät;IP;Standort;Preis;Tags\nKiosk Süd 1;10.0.0.1;Köln;1,50;a=b\nkiosk-2;10.0.0.2;Köln;2;\n";
    home.write("kiosks.csv", table).unwrap();
    assert_eq!(home.run(&["init", "fleet"]).unwrap().code, Some(0));
    assert_eq!(home.run(&["init", "table", "--from-csv", "kiosks.csv"]).unwrap().code, Some(0));
    let bench = Bench::start(3, "", Pace::lab()).unwrap();
    vec![
        ("init".into(), Kind::Inventory, home.read("fleet/inventory.yaml").unwrap()),
        ("init".into(), Kind::Policy, home.read("fleet/policy.yaml").unwrap()),
        ("init --from-csv".into(), Kind::Inventory, home.read("table/inventory.yaml").unwrap()),
        ("lab".into(), Kind::Inventory, bench.home.read("lab/inventory.yaml").unwrap()),
        ("lab".into(), Kind::Policy, bench.home.read("lab/policy.yaml").unwrap()),
    ]
}

#[test]
fn whatever_is_written_and_read_is_valid() {
    let mut texts = in_documents();
    texts.extend(by_the_program());
    texts.extend(SHIPPED.map(|(name, text)| (name.to_owned(), Kind::Policy, text.to_owned())));
    for (name, kind) in [
        ("inventory", Kind::Inventory),
        ("small", Kind::Inventory),
        ("policy", Kind::Policy),
        ("playbook", Kind::Playbook),
    ] {
        texts.push((name.to_owned(), kind, read(&format!("tests/fuzz/{name}.yaml"))));
    }
    let readable: Vec<_> = texts.iter().filter(|(_, kind, text)| kind.read(text).is_ok()).collect();
    let of = |kind| readable.iter().filter(|(_, it, _)| *it == kind).count();
    let counts = [Kind::Inventory, Kind::Settings, Kind::Policy, Kind::Playbook].map(of);
    assert!(counts.iter().zip([12, 2, 10, 2]).all(|(count, least)| *count >= least), "{counts:?}");
    let values: Vec<Value> = readable.iter().map(|(_, _, text)| plain(text).unwrap()).collect();
    let documents: Vec<_> =
        readable.iter().zip(&values).map(|((_, kind, _), value)| (kind.schema(), value)).collect();
    let told = found_wrong(&documents);
    let wrong = readable.iter().zip(told).filter_map(|((name, _, text), told)| {
        let (place, told) = told?;
        Some(format!("{name}: {place}: {told}\n{text}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not found needs a look from one place to another, or is no matter of the form.
#[test]
fn of_broken_inventories_those_with_a_wrong_form_are_found() {
    let mut names = names("tests/broken", ".yaml");
    // Those of Ansible have no schema.
    names.retain(|name| !name.starts_with("ansible-"));
    let texts: Vec<String> =
        names.iter().map(|name| read(&format!("tests/broken/{name}"))).collect();
    let values: Vec<Option<Value>> = texts.iter().map(|text| plain(text)).collect();
    let documents: Vec<_> = values.iter().flatten().map(|value| ("inventory", value)).collect();
    let mut told = found_wrong(&documents).into_iter();
    let lines = names.iter().zip(&values).map(|(name, value)| {
        let found = match value {
            None => "not YAML of one meaning".to_owned(),
            Some(_) => match told.next().unwrap() {
                None => "not found".to_owned(),
                Some((place, _)) if place.is_empty() => "found at the top".to_owned(),
                Some((place, _)) => format!("found at {place}"),
            },
        };
        format!("{}: {found}", name.trim_end_matches(".yaml"))
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r###"
    aliases: not YAML of one meaning
    bad-api: found at balena.api
    bad-names: found at devices
    bad-policy: found at policy
    bad-ranges: found at groups.north.devices.2
    call-home-without-bastion: found at defaults.bastion
    clash-of-groups: not found
    data-unclear: found at data
    doubled-keys: not YAML of one meaning
    hold-without-reason: found at devices.kiosk-1.hold
    huge-range: not found
    list-for-mapping: found at devices
    mistyped-keys: found at the top
    mistyped-words: found at defaults.handover
    no-devices: not found
    password-in-api: found at balena.api
    same-board-twice: not found
    same-name-twice: found at groups
    secrets-inline: found at balena.token
    tab-indent: not YAML of one meaning
    two-documents: not YAML of one meaning
    unfinished-quote: not YAML of one meaning
    unquoted-range: not YAML of one meaning
    unquoted-serials: found at devices.kiosk-1.serial
    version-to-come: found at the top
    wrong-indent: not YAML of one meaning
    wrong-level: found at the top
    wrong-types: found at defaults.ssh.identity
    "###);
}
