//! What the figures were measured on, and with.

use crate::account::Group;
use crate::figures::megabytes;
use crate::peers::Peers;
use crate::scale::Scale;
use anyhow::{Context, Result};
use migos_tests::fleet;
use std::fs;
use std::process::Command;

/// The computer and the versions of all that takes part, in one paragraph.
///
/// # Errors
/// If it cannot be told.
pub(crate) fn about(peers: &Peers, scale: &Scale) -> Result<String> {
    let after = |file: &str, key: &str| -> Result<String> {
        let text = fs::read_to_string(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let value = line.with_context(|| format!("{file} has no {key}"))?;
        Ok(value.trim_start_matches([' ', '\t', ':']).trim_end().to_owned())
    };
    let processor = after("/proc/cpuinfo", "model name").unwrap_or_else(|_| "unknown".to_owned());
    let memory = after("/proc/meminfo", "MemTotal")?;
    let memory: f64 = memory.trim_end_matches(" kB").parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let own = Command::new(fleet::program()?).arg("--version").output()?;
    let own = String::from_utf8_lossy(&own.stdout).trim().to_owned();
    Ok(format!(
        "Measured on {} processors ({processor}), {} of memory, Linux {}, with {own}, {}. Processor time is counted by {}; \
         memory is what processes have of their own, the sum of a whole process tree at its largest.",
        scale.processors,
        megabytes(memory * 1024.0),
        kernel.trim(),
        peers.versions()?.join(", "),
        Group::new("about").how(),
    ))
}
