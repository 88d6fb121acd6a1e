//! The cases: `tests/networks/NAME/found.yaml`, and beside it what is made of it.

use migos_payload::network::{Found, Networks, Untranslatable, translate};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of all cases.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("networks")
}

/// All cases by name.
pub(crate) fn cases() -> BTreeMap<String, Found> {
    let all: BTreeMap<String, Found> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(path.join("found.yaml")).unwrap();
            let found = serde_yaml::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
            (name, found)
        })
        .collect();
    assert!(all.len() >= 60, "{} cases", all.len());
    all
}

/// What a case gives, as files.
fn files(result: &Result<Networks, Vec<Untranslatable>>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let networks = match result {
        Ok(networks) => networks,
        Err(all) => {
            let line = |it: &Untranslatable| {
                let line = it.line.map(|it| format!(":{it}")).unwrap_or_default();
                format!("{}{line}: {}\n  {}\n", it.path, it.why, it.text)
            };
            out.insert("refused.txt".to_owned(), all.iter().map(line).collect());
            return out;
        }
    };
    for (name, text) in &networks.keyfiles {
        out.insert(format!("system-connections/{name}"), text.clone());
    }
    if let Some(wifi) = &networks.wifi {
        out.insert("wpa_supplicant.conf".to_owned(), wifi.clone());
    }
    let json =
        |value: &serde_json::Value| format!("{}\n", serde_json::to_string_pretty(value).unwrap());
    let migos = serde_json::to_value(&networks.migos).unwrap();
    out.insert("migos.json".to_owned(), json(&migos));
    let more = serde_json::json!({
        "migos_cannot": networks.migos_cannot,
        "country": networks.country,
        "dns": networks.dns,
        "ntp": networks.ntp,
        "notes": networks.notes,
    });
    out.insert("more.json".to_owned(), json(&more));
    out
}

fn on_disk(folder: &Path, prefix: &str, out: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            on_disk(&path, &format!("{name}/"), out);
        } else {
            out.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_network_becomes_what_is_expected_of_it() {
    let is_update = std::env::var_os("UPDATE_NETWORKS").is_some();
    let mut wrong = Vec::new();
    for (name, found) in cases() {
        let made = files(&translate(&found));
        let expected = folder().join(&name).join("expected");
        if is_update {
            let _ = fs::remove_dir_all(&expected);
            for (file, text) in &made {
                let path = expected.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            continue;
        }
        let mut there = BTreeMap::new();
        on_disk(&expected, "", &mut there);
        if made != there {
            wrong.push(format!("{name}: made {made:#?}\nexpected {there:#?}"));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_NETWORKS=1 writes them anew\n{}", wrong.join("\n"));
}
