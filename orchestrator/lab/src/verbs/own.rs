//! The verb for commands of the user's own: `run`. A virtual Pi has no shell; it knows a few commands by their words.

use super::{Outcome, code, fs_failure, number};
use crate::card::FileSystem;
use crate::raspbian::Raspbian;
use crate::server::Answer;

/// Where a device remembers what it has run, until it reboots.
const STATES: &str = "/run/migos-run";

/// `run KEY SECONDS DEVICE RUN COMMAND`
pub(super) fn run(system: &Raspbian, key: &str, seconds: &str, command: &str) -> Outcome {
    number(seconds, 10)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let other = match (key.strip_suffix(".do"), key.strip_suffix(".undo")) {
        (Some(name), _) if !name.is_empty() => format!("{name}.undo"),
        (_, Some(name)) if !name.is_empty() => format!("{name}.do"),
        _ => String::new(),
    };
    if other.is_empty() || !key.chars().all(is_plain) {
        return Err(Answer::fail(code::USAGE, format!("not a key: {key}")));
    }
    let done = format!("{STATES}/{key}");
    let forget = |path: &str| {
        let is_there = system.pi.file(path).is_some();
        if is_there { system.hands.change(path, FileSystem::remove) } else { Ok(()) }
    };
    let other = format!("{STATES}/{other}");
    forget(&other).map_err(|error| fs_failure(&other, error))?;
    if system.pi.file(&done).is_some() {
        return Ok(b"code 0\n".to_vec());
    }
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    let ended = match words[..] {
        ["true"] | ["systemctl", "stop" | "start", _] => 0,
        ["false"] => 1,
        _ => code::UNKNOWN,
    };
    system.pi.has_run(command);
    if ended == 0 {
        let content = system.pool().keep(b"0\n");
        let write = system.hands.change(&done, |files, inner| {
            files.make_folders(inner.rsplit_once('/').map_or("", |(folder, _)| folder))?;
            files.write(inner, content)
        });
        write.map_err(|error| fs_failure(&done, error))?;
    }
    Ok(format!("code {ended}\n").into_bytes())
}
