//! Keeps this computer from falling asleep while a run goes on.

use std::process::Stdio;
use tokio::process::{Child, Command};

/// What holds sleep off, on Linux (systemd-inhibit(1)) and on macOS (caffeinate(8)).
const INHIBITORS: [(&str, &[&str]); 2] = [
    (
        "systemd-inhibit",
        &["--what=idle:sleep", "--who=migos-fleet", "--why=devices are being migrated", "cat"],
    ),
    ("caffeinate", &["-i", "cat"]),
];

/// Held while the computer is to stay awake. The program behind it ends when nobody writes to it any more, so also
/// when this one is killed.
#[derive(Debug)]
pub(crate) struct Awake {
    _holder: Option<Child>,
}

/// Holds sleep off, where this computer has a program for it; where it has none, the user's own settings hold.
pub(crate) fn stay_awake() -> Awake {
    let start = |(program, args): &(&str, &[&str])| {
        let mut command = Command::new(program);
        command.args(*args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn().ok()
    };
    let holder = INHIBITORS.iter().find_map(start);
    if holder.is_none() {
        tracing::debug!("no program here keeps the computer awake");
    }
    Awake { _holder: holder }
}
