//! Raspbian as it runs on a virtual Pi: its mounts, its login, its commands.

use std::sync::Arc;

use russh::keys::PublicKey;

use crate::card::{FsError, Pool};
use crate::device::VirtualPi;
use crate::server::{Answer, Run, Shell};
use crate::{mounts, verbs, words};

/// The login that images of this age come with.
const USER: &str = "pi";

/// A running Raspbian.
pub(crate) struct Raspbian {
    pub(crate) pi: Arc<VirtualPi>,
    pub(crate) kernel: RunningKernel,
    pub(crate) boot_id: String,
}

/// The kernel that the firmware started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunningKernel {
    /// `uname -r`.
    pub(crate) version: String,
    /// `uname -m`.
    pub(crate) machine: &'static str,
    /// `/proc/cmdline`.
    pub(crate) cmdline: String,
}

impl Raspbian {
    pub(crate) fn start(
        pi: Arc<VirtualPi>,
        kernel: RunningKernel,
        boots: u32,
    ) -> Result<Self, FsError> {
        let boot_id = pi.seed.uuid(&format!("{} boot {boots}", pi.name));
        let mut memory = mounts::memory();
        for folder in ["run/systemd", "proc/sys/kernel/random"] {
            memory.make_folders(folder)?;
        }
        for (path, text) in
            [("proc/cmdline", &kernel.cmdline), ("proc/sys/kernel/random/boot_id", &boot_id)]
        {
            memory.write(path, pi.pool.keep(format!("{text}\n").as_bytes()))?;
        }
        *pi.memory() = memory;
        Ok(Self { pi, kernel, boot_id })
    }

    /// Where contents are kept.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pi.pool
    }
}

/// What stands before the command: `sudo`, with the options that ask for no more than to be root.
fn strip_sudo(words: &[String]) -> Result<(&[String], bool), Answer> {
    let Some(("sudo", mut rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest))
    else {
        return Ok((words, false));
    };
    while let Some((option, after)) = rest.split_first() {
        rest = match option.as_str() {
            // Sudo asks for no password here, so -S has nothing to read.
            "-n" | "-S" | "-k" | "-H" => after,
            "-p" => after.get(1..).unwrap_or_default(),
            "--" => {
                rest = after;
                break;
            }
            unknown if unknown.starts_with('-') => {
                return Err(Answer::fail(
                    1,
                    format!("sudo: the lab's sudo has no option {unknown}"),
                ));
            }
            _ => break,
        };
    }
    Ok((rest, true))
}

impl Shell for Raspbian {
    fn accepts(&self, user: &str, key: &PublicKey) -> bool {
        user == USER && key.key_data() == self.pi.operator.key_data()
    }

    fn run(self: Arc<Self>, line: &str) -> Run {
        let words = match words::split(line) {
            Ok(words) => words,
            Err(error) => return Run::Ended(Answer::fail(2, format!("sh: {error}"))),
        };
        let (words, root) = match strip_sudo(&words) {
            Ok(stripped) => stripped,
            Err(answer) => return Run::Ended(answer),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            [] => Run::Ended(Answer::fail(1, "sudo: no command")),
            // The script is for real shells. A virtual Pi knows the verb by its name.
            ["sh", "-c", _script, verb, ref arguments @ ..] => {
                verbs::run(&self, root, verb, arguments)
            }
            _ => Run::Ended(self.plain_command(&words, root)),
        }
    }
}

impl Raspbian {
    /// The few commands that a person tries first.
    fn plain_command(&self, words: &[&str], root: bool) -> Answer {
        let user = if root { "root" } else { USER };
        let line = |text: &str| Answer::print(format!("{text}\n"));
        match words {
            ["true"] => Answer::done(),
            ["id", "-u"] => line(if root { "0" } else { "1000" }),
            ["id", "-un"] | ["whoami"] => line(user),
            ["hostname"] => line(&self.pi.name),
            ["uname", "-r"] => line(&self.kernel.version),
            ["uname", "-m"] => line(self.kernel.machine),
            _ => {
                let name = words.first().copied().unwrap_or_default();
                Answer::fail(
                    127,
                    format!("sh: {name}: not found (a virtual Pi knows the verbs and little more)"),
                )
            }
        }
    }
}
