//! The journal cannot be written any more; and a computer that is kept awake.

use super::bench;
use migos_tests::fleet::program;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

#[test]
fn a_journal_that_cannot_be_written_ends_the_controller_and_the_run_goes_on_later() {
    let two = "stages: [{ name: first, to: 1, gate: { tolerate: 0 } }, { name: all, to: 100%, gate: { tolerate: 3 } }]";
    let one = "stages: [{ name: all, to: 100%, gate: { tolerate: 3 } }]";
    let bench = bench(3, "", &[(one, two)]);
    let first = bench.migrate(&["--until", "first"]).unwrap().end().unwrap();
    assert_eq!(first.code, Some(5), "{}", first.stderr);
    let run = bench.home.only_run().unwrap();
    let before = run.records().unwrap();

    // The journal is made the largest file by far (spaces before the end of a line mean nothing), and no file may
    // become larger. Instead of a signal the writer gets an error, as from a disk that is full.
    let journal = run.path().join("journal.jsonl");
    let (limit, room) = (64 << 20, 2000);
    let mut text = fs::read(&journal).unwrap();
    assert_eq!(text.pop(), Some(b'\n'));
    text.resize(limit - room, b' ');
    text.push(b'\n');
    fs::write(&journal, text).unwrap();
    let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", limit / 512);
    let ended = Command::new("sh")
        .args(["-c", &limited])
        .arg(program().unwrap())
        .args(["resume", &run.name()])
        .env_clear()
        .current_dir(bench.home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("failed to write") && told.contains("journal.jsonl"), "{told}");
    assert!(told.contains(&format!("migos-fleet resume {}", run.name())), "{told}");
    assert!(
        run.records().unwrap().len() > before.len(),
        "it was written as long as there was room"
    );
    let ended = bench.home.run(&["resume", &run.name()]).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(run.fates().unwrap().iter().all(|(_, fate)| fate == "migrated"));
}

#[test]
fn the_computer_is_kept_awake_as_long_as_the_controller_lives() {
    let bench = bench(1, "", &[("tolerate: 3", "tolerate: 3, soak: 1h")]);
    let script = "#!/bin/sh\nPATH=/usr/bin:/bin\necho \"$@\" > awake\ncat\necho over > asleep\n";
    bench.home.write("bin/systemd-inhibit", script).unwrap();
    let fake = bench.home.path().join("bin/systemd-inhibit");
    fs::set_permissions(&fake, Permissions::from_mode(0o755)).unwrap();
    let arguments = ["migrate", "--yes", "lab/inventory.yaml", "--policy", "quick.yaml"];
    let path = format!("{}:/usr/bin:/bin", bench.home.path().join("bin").display());
    let mut run = bench.home.start_with(&arguments, &[("PATH", &path)]).unwrap();
    let (awake, asleep) = (bench.home.path().join("awake"), bench.home.path().join("asleep"));
    run.until("the inhibitor", || {
        fs::read_to_string(&awake).is_ok_and(|text| text.ends_with('\n'))
    })
    .unwrap();
    let asked = fs::read_to_string(&awake).unwrap();
    assert!(asked.starts_with("--what=sleep:idle --mode=block --who=migos-fleet"), "{asked}");
    assert!(!asleep.exists());
    run.kill().unwrap();
    let mut looks = bench.home.start(&["lab", "up", "--devices", "1", "--dir", "other"]).unwrap();
    looks.until("its end", || asleep.exists()).unwrap();
}
