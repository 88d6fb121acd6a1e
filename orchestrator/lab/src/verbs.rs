//! The verbs, performed on a virtual Pi's file systems.
//!
//! A verb arrives as `sh -c SCRIPT migos-<verb>/1 ARGS...`. The script is what a real device runs;
//! here its name and arguments are enough. The contract is one for both: arguments, input, output,
//! exit codes, and what is on the card afterwards.

mod data;
mod files;
mod folders;
mod lock;
mod own;
mod power;
mod probe;
mod update;
mod upload;

use std::sync::Arc;

use crate::card::FsError;
use crate::raspbian::Raspbian;
use crate::server::{Answer, Run};

/// Exit codes of verbs.
pub(crate) mod code {
    /// Anything that has no code of its own.
    pub(crate) const FAILED: u32 = 1;
    /// Wrong arguments.
    pub(crate) const USAGE: u32 = 64;
    /// A content is not what it should be.
    pub(crate) const DAMAGED: u32 = 65;
    /// The thing asked for is not there.
    pub(crate) const ABSENT: u32 = 66;
    /// No space left.
    pub(crate) const FULL: u32 = 73;
    /// Not now.
    pub(crate) const BUSY: u32 = 75;
    /// No such command.
    pub(crate) const UNKNOWN: u32 = 127;
}

/// Runs a verb by its name, `migos-<verb>/1`.
pub(crate) fn run(system: &Arc<Raspbian>, root: bool, name: &str, arguments: &[&str]) -> Run {
    let known = name.strip_prefix("migos-").and_then(|rest| rest.strip_suffix("/1"));
    // Reading is for everyone, as on a real device; what follows is for root.
    match (known, arguments) {
        (Some("probe"), []) => return ended(probe::probe(system, "", &[])),
        (Some("probe"), [connection, hosts @ ..]) => {
            return ended(probe::probe(system, connection, hosts));
        }
        (Some("identity"), []) => return ended(probe::identity(system)),
        (Some("read"), [path, limit]) => return ended(files::read(system, path, limit)),
        (Some("sums"), paths) if !paths.is_empty() => {
            return ended(files::sums(system, paths));
        }
        (Some("tree"), [path]) => return ended(folders::tree(system, path)),
        (Some("pack"), [path]) => return ended(folders::pack(system, path)),
        (Some("sizes"), paths) if !paths.is_empty() => return ended(data::sizes(system, paths)),
        (Some("save"), [path, patterns @ ..]) => {
            return Run::Ended(
                data::save(system, path, patterns).unwrap_or_else(|failure| failure),
            );
        }
        _ => {}
    }
    if !root {
        return ended(Err(Answer::fail(code::FAILED, "permission denied: this verb is for root")));
    }
    match (known, arguments) {
        (Some("write"), [path, mode, size]) => files::write(system, path, mode, size),
        (Some("remove"), paths) if !paths.is_empty() => ended(files::remove(system, paths)),
        (Some("receive"), [path, size, sha256]) => upload::receive(system, path, size, sha256),
        (Some("update"), [what]) => ended(update::update(system, what)),
        (Some("run"), [key, seconds, _, _, command]) => {
            ended(own::run(system, key, seconds, command))
        }
        (Some("arm"), []) => ended(power::arm(system)),
        (Some("reboot"), [tier]) => ended(power::reboot(system, tier)),
        (Some("backup"), [from, to]) => ended(folders::backup(system, from, to)),
        (Some("lock"), [owner, lease]) => ended(lock::lock(system, owner, lease)),
        (Some("unlock"), [owner]) => ended(lock::unlock(system, owner)),
        (
            Some(
                "probe" | "identity" | "read" | "sums" | "tree" | "pack" | "sizes" | "save"
                | "write" | "remove" | "receive" | "update" | "run" | "arm" | "reboot" | "backup"
                | "lock" | "unlock",
            ),
            _,
        ) => ended(Err(Answer::fail(code::USAGE, format!("wrong arguments for {name}")))),
        _ => ended(Err(Answer::fail(code::UNKNOWN, format!("a virtual Pi knows no {name}")))),
    }
}

/// A verb's outcome: what it prints, or the answer with which it fails.
type Outcome = Result<Vec<u8>, Answer>;

fn ended(outcome: Outcome) -> Run {
    Run::Ended(answer(outcome))
}

fn answer(outcome: Outcome) -> Answer {
    outcome.map_or_else(|failure| failure, Answer::print)
}

/// The answer to a failure on the file system.
fn fs_failure(path: &str, error: FsError) -> Answer {
    let code = match error {
        FsError::NoSpace => code::FULL,
        FsError::NotFound => code::ABSENT,
        FsError::ReadOnly | FsError::NotAFolder | FsError::IsAFolder | FsError::NoPower => {
            code::FAILED
        }
    };
    Answer::fail(code, format!("{error}: {path}"))
}

/// A whole number among the arguments, of these digits.
fn number(text: &str, radix: u32) -> Result<u64, Answer> {
    let is_plain = text.chars().all(|digit| digit.is_digit(radix));
    u64::from_str_radix(text, radix)
        .ok()
        .filter(|_| is_plain)
        .ok_or_else(|| Answer::fail(code::USAGE, format!("not a number: {text}")))
}

/// Checks that a path is absolute.
fn absolute(path: &str) -> Result<&str, Answer> {
    if path.starts_with('/') {
        return Ok(path);
    }
    Err(Answer::fail(code::USAGE, format!("not an absolute path: {path}")))
}
