//! The scripts keep the contract of the verbs.

use crate::show_read_only;
use anyhow::{Result, ensure};
use migos_ssh::verb::{Rise, Verb};
use migos_tests::openssh::OpenSsh;
use migos_tests::sshd::{Sshd, Userland};
use migos_tests::verb_cases::{Case, State, cases, with_gnu_tar};
use migos_tests::verb_runner::{Device, Outcome, run};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A server, and what is the matter with it.
struct Server {
    sshd: Sshd,
    openssh: OpenSsh,
    lock: Option<File>,
    /// The boot partition is mounted read-only while a verb begins, and has to be when it has ended.
    read_only: bool,
    /// The reboots that came after a session.
    later: usize,
}

fn empty(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Device for Server {
    const RISE: Rise = Rise::Login;

    fn fresh(&mut self, state: State) -> Result<()> {
        for folder in ["/boot", "/var/lib/migos", "/run/systemd", "/run/migos-run"] {
            empty(&self.sshd.path(folder))?;
        }
        fs::write(self.sshd.path("/run/systemctl.log"), "")?;
        self.later = 0;
        let fails = self.sshd.path("/run/systemctl-fails");
        match state {
            State::RebootFails => fs::write(fails, "")?,
            State::Plain | State::PackagesLocked if fails.exists() => fs::remove_file(fails)?,
            State::Plain | State::PackagesLocked => {}
        }
        self.lock = None;
        if state == State::PackagesLocked {
            let file = File::open(self.sshd.path("/var/lib/dpkg/lock-frontend"))?;
            file.lock()?;
            self.lock = Some(file);
        }
        Ok(())
    }

    fn put(&mut self, path: &str, content: &[u8]) -> Result<()> {
        let path = self.sshd.path(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, content)?)
    }

    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.sshd.path(path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn execute(&mut self, command: &str, stdin: &[u8]) -> Result<Outcome> {
        if self.read_only {
            self.sshd.remount("/boot", "ro")?;
        }
        let outcome = self.openssh.execute(command, stdin)?;
        for (tier, done) in [("forced", &["reboot -f"][..]), ("sysrq", &["s", "u", "b"])] {
            if outcome.code == 0 && command.ends_with(&format!(" migos-reboot/1 '{tier}'")) {
                let told = self.sshd.let_go_on(done.len())?;
                ensure!(told == done, "{told:?}");
                self.later += 1;
            }
        }
        if self.read_only {
            ensure!(self.sshd.is_read_only("/boot")?, "the boot partition stays writable");
            self.sshd.remount("/boot", "rw")?;
        }
        Ok(outcome)
    }

    fn reboots(&mut self) -> Result<Vec<String>> {
        let log = fs::read_to_string(self.sshd.path("/run/systemctl.log"))?;
        let reboots = log.lines().filter_map(|line| line.strip_prefix("reboot: "));
        let parameter = self.get("/run/systemd/reboot-param")?.unwrap_or_default();
        let later = vec![String::from_utf8(parameter)?; self.later];
        Ok(reboots.map(str::to_owned).chain(later).collect())
    }

    fn known(&self, name: &str) -> String {
        match name {
            "serial" => "00000000765fc593",
            "machine-id" => "0123456789abcdef0123456789abcdef",
            _ => "9c52f6ab-35f5-4a8e-8e07-6f0d4c1b8a11",
        }
        .to_owned()
    }
}

fn keeps_the_contract(userland: Userland, read_only: bool) {
    let cases = match userland {
        Userland::Debian => [cases(), with_gnu_tar()].concat(),
        Userland::Busybox => cases(),
    };
    holds(Sshd::start(userland).unwrap(), read_only, &cases);
}

fn holds(sshd: Sshd, read_only: bool, cases: &[Case]) {
    let openssh = OpenSsh::connect(&sshd).unwrap();
    if read_only {
        show_read_only(&sshd);
    }
    let mut server = Server { sshd, openssh, lock: None, read_only, later: 0 };
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| run(&mut server, case).err())
        .map(|error| format!("{error:#}"))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_scripts_keep_the_contract_under_dash() {
    keeps_the_contract(Userland::Debian, false);
}

#[test]
fn the_scripts_keep_the_contract_under_busybox() {
    keeps_the_contract(Userland::Busybox, false);
}

#[test]
fn the_scripts_keep_the_contract_under_bash() {
    let sshd = Sshd::start(Userland::Debian).unwrap();
    // By this name bash keeps to POSIX, as it does where it is the system's shell.
    symlink("/usr/bin/bash", sshd.path("/usr/local/bin/sh")).unwrap();
    holds(sshd, false, &[cases(), with_gnu_tar()].concat());
}

#[test]
fn the_contract_holds_with_a_boot_partition_that_is_read_only() {
    keeps_the_contract(Userland::Debian, true);
}

#[test]
fn the_contract_holds_with_a_boot_partition_that_is_read_only_under_busybox() {
    keeps_the_contract(Userland::Busybox, true);
}

#[test]
fn every_verb_but_the_probe_has_cases() {
    let cases = cases();
    for verb in Verb::ALL {
        let has = cases.iter().any(|case| case.verb == verb && case.exit == 0);
        // The facts have a form of their own, and no Pi is a bastion.
        let elsewhere = matches!(verb, Verb::Probe | Verb::Admit | Verb::Dismiss);
        assert_eq!(has, !elsewhere, "{verb:?}");
    }
}
