//! `status --watch` and `run export`.

use super::{bench, soaking};
use flate2::read::GzDecoder;
use std::fs::{self, File};
use std::io::Read;

#[test]
fn a_second_terminal_follows_a_run_to_its_end() {
    let (bench, run) = soaking();
    let name = bench.home.only_run().unwrap().name();
    let mut watch = bench.home.start(&["status", &name, "--watch", "--no-progress"]).unwrap();
    let folder = bench.home.only_run().unwrap();
    let before = folder.records().unwrap();
    assert!(!watch.has_ended().unwrap());
    let paused = bench.home.run(&["pause", &name]).unwrap();
    assert_eq!(paused.code, Some(0), "{}", paused.stderr);
    let ended = run.end().unwrap();
    let watched = watch.end().unwrap();
    assert_eq!((ended.code, watched.code), (Some(5), Some(5)), "{}", watched.stderr);
    assert!(!watched.stdout.is_empty());
    assert!(ended.stdout.ends_with(&watched.stdout), "the same summary: {}", watched.stdout);
    assert!(folder.records().unwrap().len() > before.len());

    let later = bench.home.run(&["status", "--watch"]).unwrap();
    assert_eq!((later.code, later.stdout), (Some(5), watched.stdout));
    let mut run = bench.home.start(&["resume", &name]).unwrap();
    let resumed = folder.records().unwrap().len();
    run.until("the resumed run", || folder.records().unwrap().len() > resumed).unwrap();
    run.kill().unwrap();
    let cut = bench.home.run(&["status", &name, "--watch"]).unwrap();
    assert_eq!(cut.code, Some(4));
    assert!(cut.stderr.contains("no controller is at work on run"), "{}", cut.stderr);
}

#[test]
fn a_run_is_given_away_without_any_secret() {
    let bench = bench(2, "", &[]);
    assert_eq!(bench.migrate(&[]).unwrap().end().unwrap().code, Some(0));
    let run = bench.home.only_run().unwrap();
    let told = bench.home.run(&["run", "export", &run.name(), "-o", "away.tar.gz"]).unwrap();
    assert_eq!(told.code, Some(0), "{}", told.stderr);

    let mut raw = Vec::new();
    let file = File::open(bench.home.path().join("away.tar.gz")).unwrap();
    GzDecoder::new(file).read_to_end(&mut raw).unwrap();
    let mut names = Vec::new();
    for entry in tar::Archive::new(raw.as_slice()).entries().unwrap() {
        let path = entry.unwrap().path().unwrap().to_string_lossy().into_owned();
        names.push(path.strip_prefix(&format!("{}/", run.name())).unwrap().to_owned());
    }
    for wanted in ["journal.jsonl", "plan.json", "summary.json", "devices/kiosk-001.log"] {
        assert!(names.iter().any(|name| name == wanted), "{names:?}");
    }
    assert!(names.iter().all(|name| !name.starts_with("secrets") && !name.starts_with("backups")));

    let mut secrets = vec![bench.home.read("lab/token").unwrap().trim().to_owned()];
    let kept = fs::read_dir(run.path().join("secrets")).unwrap();
    // What is kept of networks stands in a folder; passphrases of Wi-Fi are looked for by the invariants.
    for path in kept.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let text = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(serde_json::Value::Object(fields)) => {
                // Both are known to others, and open nothing: see the invariants.
                let is_public = |name: &str| ["uuid", "nonce"].contains(&name);
                let fields = fields.into_iter().filter(|(name, _)| !is_public(name));
                secrets.extend(fields.filter_map(|(_, value)| value.as_str().map(str::to_owned)));
            }
            _ => secrets.push(text.trim().to_owned()),
        }
    }
    assert!(
        secrets.len() > 2 && secrets.iter().all(|secret| secret.len() >= 8),
        "{}",
        secrets.len()
    );
    for secret in secrets {
        let found = raw.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "a secret was given away: {secret}");
    }
}
