//! What is to be kept of a card is on the controller, whole and verified, before the card is erased.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::{Pace, State};
use migos_payload::digest::Sha256;
use migos_playbooks::step::Action;
use migos_tests::fleet::{Bench, QUICK, begins, wait};
use migos_tests::verb_runner::unpack;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const KEEP: &str = "data: { keep: [/home/pi/photos, { path: /etc/kiosk.conf, optional: true }], exclude: [\"*.tmp\"] }";

/// Two folders of which the second takes seconds to fetch.
const SLOW: &str = "data: { keep: [/home/pi/photos, /home/pi/films] }";

/// Says something else about the data of a device in the lab's inventory.
fn keeps(bench: &Bench, device: &str, data: &str) {
    let text = bench.home.read("lab/inventory.yaml").unwrap();
    let line = format!("  {device}: {{ ");
    assert!(text.contains(&line), "{text}");
    bench
        .home
        .write("lab/inventory.yaml", text.replace(&line, &format!("{line}{data}, ")))
        .unwrap();
}

/// Bytes that no compression makes fewer.
fn noise(size: usize) -> Vec<u8> {
    let mut digest = Sha256::of(b"noise");
    let mut bytes = Vec::new();
    while bytes.len() < size {
        digest = Sha256::of(digest.to_string().as_bytes());
        bytes.extend(digest.to_string().bytes().map(|digit| digit.wrapping_mul(37)));
        bytes.extend((bytes.len() as u64).to_le_bytes());
    }
    bytes
}

/// The folder with a device's data in the only run.
fn folder(bench: &Bench, device: &str) -> PathBuf {
    bench.home.only_run().unwrap().path().join("data").join(device)
}

/// The list of what was fetched, each held against its archive.
fn manifest(folder: &Path) -> Vec<Value> {
    let text = fs::read(folder.join("data.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_slice(&text).unwrap();
    for entry in &entries {
        let bytes = fs::read(folder.join(entry["archive"].as_str().unwrap())).unwrap();
        assert_eq!(entry["size"].as_u64(), Some(bytes.len() as u64));
        assert_eq!(entry["sha256"].as_str(), Some(&*Sha256::of(&bytes).to_string()));
        assert_eq!(entry["changed"], false);
    }
    entries
}

/// A device with folders whose second is fetched slowly, a policy that sees to it, and both paths of its archives.
fn slow() -> (Bench, String) {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    let pi = bench.device("kiosk-001").unwrap();
    pi.put_file("/home/pi/photos/1.jpg", b"a photo").unwrap();
    pi.put_file("/home/pi/films/1.mp4", &noise(1_500_000)).unwrap();
    keeps(&bench, "kiosk-001", SLOW);
    let policy = format!("{QUICK}bandwidth: {{ per_device: 500kB/s }}\n");
    bench.home.write("quick.yaml", policy).unwrap();
    (bench, "02-films.tar.gz.new".to_owned())
}

#[test]
fn what_is_kept_arrives_whole_before_the_card_is_erased() {
    let bench = Bench::start(2, "", Pace::test()).unwrap();
    let pi = bench.device("kiosk-001").unwrap();
    for (path, bytes) in [
        ("/home/pi/photos/summer/1.jpg", "a photo"),
        ("/home/pi/photos/2.jpg", "another"),
        ("/home/pi/photos/2.tmp", "half of one"),
    ] {
        pi.put_file(path, bytes.as_bytes()).unwrap();
    }
    keeps(&bench, "kiosk-001", KEEP);
    let words = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml"];
    let text = bench.home.run(&words).unwrap().stdout;
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("fetch what is to be kept of its data: /home/pi/photos, /etc/kiosk.conf if it has it, without *.tmp"));
    assert!(flat.contains("and data of 1 device, up to 12 kB, in the run's folder"), "{text}");

    let ended = bench.migrate(&[]).unwrap().end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(pi.state(), State::BalenaOs);
    let folder = folder(&bench, "kiosk-001");
    let entries = manifest(&folder);
    assert_eq!(entries.len(), 1, "what is optional and not there is left out: {entries:?}");
    assert_eq!(entries[0]["path"], "/home/pi/photos");
    let held = unpack(&fs::read(folder.join("01-photos.tar.gz")).unwrap()).unwrap();
    let held: Vec<(&str, Option<&[u8]>)> =
        held.iter().map(|(path, bytes)| (path.as_str(), bytes.as_deref())).collect();
    assert_eq!(
        held,
        [
            ("photos", None),
            ("photos/2.jpg", Some(&b"another"[..])),
            ("photos/summer", None),
            ("photos/summer/1.jpg", Some(&b"a photo"[..])),
        ]
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["01-photos.tar.gz", "data.json"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    // The other device has nothing to be kept, and takes no such step.
    let records = bench.home.only_run().unwrap().records().unwrap();
    assert_eq!(records.iter().filter(|record| begins(record, Action::SaveData)).count(), 1);
}

#[test]
fn after_a_power_cut_in_the_middle_only_the_rest_is_fetched() {
    let (bench, part) = slow();
    let pi = bench.device("kiosk-001").unwrap();
    let mut process = bench.migrate(&[]).unwrap();
    let part =
        || bench.home.only_run().is_ok_and(|_| folder(&bench, "kiosk-001").join(&part).exists());
    process.until("the second folder is being fetched", part).unwrap();
    let first = folder(&bench, "kiosk-001").join("01-photos.tar.gz");
    let before = fs::metadata(&first).unwrap().ino();
    pi.cut_power();
    let ended = process.end().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::metadata(&first).unwrap().ino(), before, "it was fetched once");
    let folder = folder(&bench, "kiosk-001");
    assert_eq!(manifest(&folder).len(), 2);
    let films = unpack(&fs::read(folder.join("02-films.tar.gz")).unwrap()).unwrap();
    assert_eq!(films["films/1.mp4"].as_deref(), Some(&*noise(1_500_000)));
}

#[test]
fn a_controller_that_was_killed_in_the_middle_fetches_only_the_rest() {
    let (bench, part) = slow();
    let mut process = bench.migrate(&[]).unwrap();
    let part =
        || bench.home.only_run().is_ok_and(|_| folder(&bench, "kiosk-001").join(&part).exists());
    process.until("the second folder is being fetched", part).unwrap();
    process.kill().unwrap();
    let first = folder(&bench, "kiosk-001").join("01-photos.tar.gz");
    let before = fs::metadata(&first).unwrap().ino();
    let run = bench.home.only_run().unwrap().name();
    let ended = bench.home.run(&["resume", &run]).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::metadata(&first).unwrap().ino(), before, "it was fetched once");
    assert_eq!(manifest(&folder(&bench, "kiosk-001")).len(), 2);
}

#[test]
fn a_device_without_what_is_to_be_kept_is_refused() {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    keeps(&bench, "kiosk-001", "data: { keep: [/home/pi/photos] }");
    let words = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "--format", "json"];
    let plan: Value = serde_json::from_str(&bench.home.run(&words).unwrap().stdout).unwrap();
    let refused = plan["set_aside"]["kiosk-001"]["refused"][0].clone();
    assert_eq!(refused["check"], "data", "{plan}");
    assert_eq!(refused["reason"], "/home/pi/photos is to be kept, and it has none");
}

#[test]
fn a_full_disk_here_is_told_before_anything_is_fetched() {
    let bench = Bench::start(1, "", Pace::test()).unwrap();
    let pi = bench.device("kiosk-001").unwrap();
    pi.put_file("/home/pi/photos/1.jpg", &vec![0; 40 << 20]).unwrap();
    keeps(&bench, "kiosk-001", "data: { keep: [/home/pi/photos] }");
    let before = pi.boot_tree();
    let args = ["migrate", "--yes", "lab/inventory.yaml", "--policy", "quick.yaml"];
    let migrate = bench.home.command(&args).unwrap();
    // The runs are on a small disk of their own, which dies with its mount namespace.
    let mut small = Command::new("unshare");
    let script = "mkdir runs && mount -t tmpfs -o size=30m none runs && exec \"$@\"";
    small.args(["--mount", "sh", "-c", script, "sh"]);
    small.arg(migrate.get_program()).args(migrate.get_args());
    small.current_dir(bench.home.path());
    let ended = small.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(6), "{said}");
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("its data may take 41 MB, and"), "{said}");
    assert!(flat.contains("on this computer (undone)"), "{said}");
    wait(|| Ok(pi.state() == State::Raspbian)).unwrap();
    assert_eq!(pi.boot_tree(), before);
}
