//! The secrets of a run and of its lab, and where they are told.

use migos_payload::network::Networks;
use migos_tests::fleet::{Bench, Run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Something that nobody may be told.
pub(crate) struct Secret {
    /// Where it is kept.
    pub(crate) name: String,
    text: String,
}

impl Secret {
    /// The bytes that it stands for: hex digits are usually unpacked.
    pub(crate) fn raw(&self) -> Vec<u8> {
        let digits: Option<Vec<u8>> = self
            .text
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        digits.unwrap_or_else(|| self.text.clone().into_bytes())
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        let forms =
            [self.text.clone().into_bytes(), self.text.to_uppercase().into_bytes(), self.raw()];
        forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form))
    }
}

/// All secrets of a run, the operator's key, and the token.
pub(crate) fn all_of(bench: &Bench, run: &Run) -> Vec<Secret> {
    let mut secrets = Vec::new();
    let mut keep = |name: String, text: &str| {
        assert!(text.len() >= 8, "{name} is too short to be looked for");
        secrets.push(Secret { name, text: text.to_owned() });
    };
    keep("token".into(), bench.home.read("lab/token").unwrap().trim());
    let key = bench.home.read("lab/operator_key").unwrap();
    let body: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).collect();
    for (number, line) in body.iter().filter(|line| line.len() >= 16).enumerate() {
        keep(format!("operator key, line {number}"), line);
    }
    for (path, bytes) in files(&run.path().join("secrets")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = String::from_utf8(bytes).unwrap();
        if path.parent().unwrap().ends_with("networks") {
            let networks: Networks = serde_json::from_str(&text).unwrap();
            for (key, value) in passphrases(&networks) {
                keep(format!("{name}: {key}"), &value);
            }
            continue;
        }
        match serde_json::from_str::<BTreeMap<String, Value>>(&text) {
            Ok(values) => {
                // The uuid is how everybody calls the device on balena. The nonce tells one job from
                // another; it opens nothing, and stands in the kernel's command line in MIGOS.
                let public = |key: &&String| ["uuid", "nonce"].contains(&key.as_str());
                for (key, value) in values.iter().filter(|(key, _)| !public(key)) {
                    keep(format!("{name}: {key}"), value.as_str().unwrap());
                }
            }
            Err(_) => keep(name, text.trim()),
        }
    }
    assert!(secrets.len() > 4, "the secrets are kept elsewhere");
    secrets
}

/// The passphrases and keys of networks, each once.
fn passphrases(networks: &Networks) -> BTreeMap<String, String> {
    let texts = networks.keyfiles.iter().map(|(name, text)| (name.as_str(), text));
    let mut found = BTreeMap::new();
    for (of, text) in texts.chain(networks.wifi.iter().map(|text| ("wpa_supplicant.conf", text))) {
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            if ["psk", "password", "sae_password"].contains(&key) {
                found.insert(value.trim_matches('"').to_owned(), format!("{of}, {key}"));
            }
        }
    }
    found.into_iter().map(|(value, place)| (place, value)).collect()
}

/// The names of those secrets that stand in these bytes.
pub(crate) fn told_in<'a>(secrets: &'a [Secret], bytes: &[u8]) -> Vec<&'a str> {
    let told = secrets.iter().filter(|secret| secret.is_in(bytes));
    told.map(|secret| secret.name.as_str()).collect()
}

/// All files of a folder, at any depth.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found
}
