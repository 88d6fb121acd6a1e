//! A computer on which few files may be open.

use super::bench;
use migos_tests::fleet::{Bench, program};
use std::process::{Command, Stdio};

/// The exit code and what was said, where so many files may be open.
fn with_files(bench: &Bench, files: u32, args: &[&str]) -> (Option<i32>, String) {
    let ended = Command::new("sh")
        .args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")])
        .arg(program().unwrap())
        .args(args)
        .env_clear()
        .current_dir(bench.home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn fewer_are_probed_at_a_time_and_too_many_are_not_migrated() {
    let bench = bench(12, "", &[]);
    let (code, said) = with_files(&bench, 70, &["probe", "lab/inventory.yaml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("at most 70 files may be open here: 6 devices at a time instead of 12"),
        "{said}"
    );
    assert!(said.contains("ulimit -n 100"), "{said}");
    let writes = || {
        (1..=12).map(|at| bench.device(&format!("kiosk-{at:03}")).unwrap().writes()).sum::<u64>()
    };
    let before = writes();
    let migrate = ["migrate", "--yes", "lab/inventory.yaml", "--policy", "quick.yaml"];
    let (code, said) = with_files(&bench, 70, &migrate);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("enough for 6 devices at a time and not for 8"), "{said}");
    assert_eq!(writes(), before, "{said}");
    assert!(bench.home.only_run().is_err(), "no run was begun");
}
