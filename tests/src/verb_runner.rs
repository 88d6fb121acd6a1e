//! Holds a device to the contract of the verbs.

use crate::verb_cases::{Case, State};
use anyhow::{Context, Result, bail, ensure};
use migos_payload::digest::Sha256;
use migos_ssh::verb::{Rise, Verb, command_line};
use std::collections::BTreeMap;
use std::io::Read;
use tar::EntryType;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// A device that can be held to the contract: a real server or a virtual Pi.
pub trait Device {
    /// How commands get root's rights on it.
    const RISE: Rise;

    /// Brings it into the state before the first case: nothing under `/boot` but what
    /// [`put`](Device::put) writes, nothing under `/var/lib/migos` and `/run/systemd`.
    ///
    /// # Errors
    /// If that fails.
    fn fresh(&mut self, state: State) -> Result<()>;

    /// Writes a file, with its folders.
    ///
    /// # Errors
    /// If that fails.
    fn put(&mut self, path: &str, content: &[u8]) -> Result<()>;

    /// Reads a file; `None` if there is none.
    ///
    /// # Errors
    /// If that fails.
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>>;

    /// Runs a command line.
    ///
    /// # Errors
    /// If it cannot be run; an exit code is no error.
    fn execute(&mut self, command: &str, stdin: &[u8]) -> Result<Outcome>;

    /// The reboots asked for since [`fresh`](Device::fresh): for each, what stood in
    /// `/run/systemd/reboot-param`, without the line's end.
    ///
    /// # Errors
    /// If that fails.
    fn reboots(&mut self) -> Result<Vec<String>>;

    /// What stands for a placeholder: `serial`, `machine-id` or `boot-id`.
    fn known(&self, name: &str) -> String;
}

/// What a tar archive holds: files by path with their content, folders with none.
pub type Unpacked = BTreeMap<String, Option<Vec<u8>>>;

/// Reads a tar archive, compressed or not; the folder that was packed is left out.
///
/// # Errors
/// If it is none, or holds anything but files and folders.
pub fn unpack(archive: &[u8]) -> Result<Unpacked> {
    let mut unpacked = BTreeMap::new();
    let archive: Box<dyn Read> = match archive {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::GzDecoder::new(archive)),
        _ => Box::new(archive),
    };
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = String::from_utf8(entry.path_bytes().into_owned())?;
        let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
        let content = match entry.header().entry_type() {
            EntryType::Directory => None,
            EntryType::Regular => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                Some(content)
            }
            other => bail!("{path} is {other:?}"),
        };
        if !path.is_empty() {
            unpacked.insert(path, content);
        }
    }
    Ok(unpacked)
}

/// Runs one case.
///
/// # Errors
/// What differs from the contract.
pub fn run(device: &mut impl Device, case: &Case) -> Result<()> {
    check(device, case).with_context(|| format!("case {:?}", case.name))
}

fn check<D: Device>(device: &mut D, case: &Case) -> Result<()> {
    device.fresh(case.state)?;
    for (path, content) in &case.before {
        device.put(path, content)?;
    }
    for (verb, args) in &case.first {
        let outcome = device.execute(&command_line(D::RISE, *verb, args), b"")?;
        ensure!(outcome.code == 0, "{} before: {outcome:?}", verb.name());
    }
    let args: Vec<&str> = case.args.iter().map(String::as_str).collect();
    let outcome = device.execute(&command_line(D::RISE, case.verb, &args), &case.stdin)?;
    let code = i64::from(outcome.code);
    ensure!(code == i64::from(case.exit), "exit code {code}, not {}: {outcome:?}", case.exit);
    let mut wanted = case.stdout.clone();
    for name in ["serial", "machine-id", "boot-id"] {
        wanted = wanted.replace(&format!("{{{name}}}"), &device.known(name));
    }
    if let Some(wanted) = &case.archive {
        let got = unpack(&outcome.stdout)?;
        ensure!(got == *wanted, "the archive holds {got:?}, not {wanted:?}");
    } else {
        let got = String::from_utf8_lossy(&outcome.stdout);
        ensure!(got == wanted, "standard output {got:?}, not {wanted:?}");
    }
    if code == 0 && case.verb == Verb::Save {
        let told = format!("saved {} ", Sha256::of(&outcome.stdout));
        ensure!(outcome.stderr.contains(&told), "not {told:?}: {:?}", outcome.stderr);
    }
    if code != 0 {
        let lines = outcome.stderr.lines().count();
        ensure!(lines == 1, "not one line of standard error: {:?}", outcome.stderr);
        ensure!(outcome.stderr.contains(case.says), "{:?}, not {:?}", outcome.stderr, case.says);
    }
    for (path, wanted) in &case.after {
        let got = device.get(path)?;
        ensure!(got == *wanted, "{path} is {got:?} afterwards, not {wanted:?}");
    }
    let reboots = device.reboots()?;
    ensure!(reboots == case.reboots, "reboots {reboots:?}, not {:?}", case.reboots);
    Ok(())
}
