//! The journal cannot be written any more; and a computer that is kept awake.

use super::bench;
use migos_tests::fleet::program;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

#[test]
fn a_journal_that_cannot_be_written_ends_the_controller_and_the_run_goes_on_later() {
    let bench = bench(3, "", &[("parallel: 8", "parallel: 1")]);
    // Both in blocks of 512 bytes; the plan fits, and the journal of three devices does not.
    let plan = bench.home.run(&["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "-o", "p"]);
    assert_eq!(plan.unwrap().code, Some(0));
    let blocks = fs::metadata(bench.home.path().join("p")).unwrap().len() / 512 + 1;
    // Instead of a signal the writer gets an error, as from a disk that is full.
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let ended = Command::new("sh")
        .args(["-c", &limited])
        .arg(program().unwrap())
        .args(["migrate", "--yes", "lab/inventory.yaml", "--plan", "p"])
        .env_clear()
        .current_dir(bench.home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("failed to write") && told.contains("journal.jsonl"), "{told}");
    let run = bench.home.only_run().unwrap();
    assert!(told.contains(&format!("migos-fleet resume {}", run.name())), "{told}");
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
