//! Holds a device to the contract of the verbs.

use crate::verb_cases::{Case, State};
use anyhow::{Context, Result, ensure};
use migos_ssh::verb::{Rise, command_line};

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
    let args: Vec<&str> = case.args.iter().map(String::as_str).collect();
    let outcome = device.execute(&command_line(D::RISE, case.verb, &args), &case.stdin)?;
    let code = i64::from(outcome.code);
    ensure!(code == i64::from(case.exit), "exit code {code}, not {}: {outcome:?}", case.exit);
    let mut wanted = case.stdout.clone();
    for name in ["serial", "machine-id", "boot-id"] {
        wanted = wanted.replace(&format!("{{{name}}}"), &device.known(name));
    }
    let got = String::from_utf8_lossy(&outcome.stdout);
    ensure!(got == wanted, "standard output {got:?}, not {wanted:?}");
    if code != 0 {
        let lines = outcome.stderr.lines().count();
        ensure!(lines == 1, "not one line of standard error: {:?}", outcome.stderr);
    }
    for (path, wanted) in &case.after {
        let got = device.get(path)?;
        ensure!(got == *wanted, "{path} is {got:?} afterwards, not {wanted:?}");
    }
    let reboots = device.reboots()?;
    ensure!(reboots == case.reboots, "reboots {reboots:?}, not {:?}", case.reboots);
    Ok(())
}
