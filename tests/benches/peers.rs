//! The peers: what else a fleet's owner would take, each called as its manual says for many hosts.

use crate::endpoints::{Endpoint, Endpoints};
use crate::send;
use anyhow::{Context, Result, ensure};
use migos_engine::port::Cipher;
use migos_engine::run::write_whole;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Where the peers' own scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

/// The programs of other people, and what they are told of the devices.
pub(crate) struct Peers {
    environment: PathBuf,
    folder: TempDir,
}

impl Peers {
    /// Installs what Python has, unless it is there; and writes the lists of hosts that each wants.
    ///
    /// # Errors
    /// If something cannot be installed.
    pub(crate) fn install(target: &Path) -> Result<Self> {
        let environment = target.join("compare/venv");
        let stamp = environment.join("requirements.txt");
        if !fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == REQUIREMENTS) {
            crate::page::say("installing the peers");
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
            let list = environment.join("wanted.txt");
            write_whole(&list, REQUIREMENTS.as_bytes(), 0o644)?;
            run(Command::new(environment.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(list))?;
            write_whole(&stamp, REQUIREMENTS.as_bytes(), 0o644)?;
        }
        for program in ["ssh", "scp", "rsync"] {
            let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output()?;
            ensure!(found.status.success(), "{program} is missing: run `make bench`");
        }
        Ok(Peers { environment, folder: tempfile::tempdir()? })
    }

    /// The versions of all, for the page.
    ///
    /// # Errors
    /// If one does not say it.
    pub(crate) fn versions(&self) -> Result<Vec<String>> {
        let ssh = Command::new("ssh").arg("-V").output()?;
        let ssh = String::from_utf8_lossy(&ssh.stderr).into_owned();
        let rsync = Command::new("rsync").arg("--version").output()?;
        let rsync = String::from_utf8_lossy(&rsync.stdout).into_owned();
        let rsync: Vec<&str> = rsync.split_whitespace().take(3).collect();
        let first = |text: &str| text.split([',', '\n']).next().unwrap_or_default().to_owned();
        let pinned = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
        let pinned = pinned.map(|line| line.replace("==", " "));
        Ok([first(&ssh), rsync.join(" ").replace(" version", "")]
            .into_iter()
            .chain(pinned)
            .collect())
    }

    /// A list that the peers' scripts and our sender read.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn list(&self, crowd: &Crowd<'_>) -> Result<PathBuf> {
        let line = |one: &Endpoint| {
            format!("{} {} {} root {}\n", one.name, one.address, crowd.port, one.path)
        };
        self.write("receivers", &crowd.to.iter().map(line).collect::<String>())
    }

    /// Our own transport sends a file.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub(crate) fn ours(&self, crowd: &Crowd<'_>, file: &Path) -> Result<Command> {
        let mut command = self.command(std::env::current_exe()?);
        command
            .arg(send::WORD)
            .arg(send::name(crowd.cipher))
            .args([&crowd.key, &crowd.known_hosts]);
        command.arg(crowd.parallel.to_string()).arg(file).arg(self.list(crowd)?);
        Ok(command)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        write_whole(&path, text.as_bytes(), 0o644)?;
        Ok(path)
    }

    /// A command line for everybody to run, in a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn order(&self, line: &str) -> Result<PathBuf> {
        self.write("order", line)
    }

    /// The same as Ansible's variable `order`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn variables(&self, line: &str) -> Result<String> {
        let text = serde_json::json!({ "order": line }).to_string();
        Ok(format!("@{}", self.write("order.json", &text)?.display()))
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        // Nothing of the user's own settings takes part.
        command.env("HOME", self.folder.path()).env_remove("SSH_AUTH_SOCK");
        command.current_dir(self.folder.path());
        command
    }

    /// A script of ours in Python, with a library.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub(crate) fn library(
        &self,
        script: &str,
        job: &str,
        crowd: &Crowd<'_>,
        what: &Path,
    ) -> Result<Command> {
        let mut command = self.command(self.environment.join("bin/python"));
        let list = self.list(crowd)?;
        command.arg(Path::new(SCRIPTS).join(script)).arg(job).arg(list);
        command.args([&crowd.key, &crowd.known_hosts]);
        command.arg(crowd.parallel.to_string()).arg(what);
        Ok(command)
    }

    /// Ansible with these arguments: pipelining, kept connections, and its interpreter told.
    ///
    /// # Errors
    /// If the inventory cannot be written.
    pub(crate) fn ansible(&self, crowd: &Crowd<'_>, args: &[&str]) -> Result<Command> {
        let mut text = String::from("[all]\n");
        for one in crowd.to {
            text += &format!("{} ansible_host={} path={}\n", one.name, one.address, one.path);
        }
        let (key, known) = (crowd.key.display(), crowd.known_hosts.display());
        text += &format!(
            "[all:vars]\nansible_user=root\nansible_port={}\nansible_ssh_private_key_file={key}\n\
             ansible_python_interpreter=/usr/bin/python3\nansible_ssh_common_args=-F none -o \
             UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes\n",
            crowd.port
        );
        let inventory = self.write("inventory.ini", &text)?;
        let mut command = self.command(self.environment.join("bin/ansible"));
        command.arg("all").arg("-i").arg(inventory).args(args);
        command.arg("-f").arg(crowd.parallel.to_string());
        command.env("ANSIBLE_PIPELINING", "True").env("ANSIBLE_NOCOWS", "1");
        command.env("ANSIBLE_LOCALHOST_WARNING", "False").env("LC_ALL", "C.UTF-8");
        command.env("ANSIBLE_HOME", self.folder.path().join("ansible"));
        Ok(command)
    }

    /// pyinfra puts a file.
    ///
    /// # Errors
    /// If the inventory cannot be written.
    pub(crate) fn pyinfra_copy(&self, crowd: &Crowd<'_>, file: &Path) -> Result<Command> {
        let mut text = String::from("devices = [\n");
        for one in crowd.to {
            text += &format!(
                "    (\"{}\", {{\"ssh_hostname\": \"{}\", \"path\": \"{}\"}}),\n",
                one.name, one.address, one.path
            );
        }
        text += "]\n";
        let inventory = self.write("devices.py", &text)?;
        let mut command = self.command(self.environment.join("bin/pyinfra"));
        command.arg("-y").arg("--parallel").arg(crowd.parallel.to_string());
        command.args(["--user", "root", "--port", &crowd.port.to_string(), "--key"]);
        command.arg(&crowd.key).arg("--data");
        command.arg(format!("ssh_known_hosts_file={}", crowd.known_hosts.display()));
        command.arg(inventory).arg(Path::new(SCRIPTS).join("pyinfra_copy.py"));
        command.env("COMPARE_FILE", file).env("LC_ALL", "C.UTF-8");
        Ok(command)
    }

    /// A shell line with `xargs`, once for each device; `$0` to `$4` are its words in the list.
    ///
    /// # Errors
    /// If the list cannot be written.
    pub(crate) fn xargs(&self, crowd: &Crowd<'_>, line: &str) -> Result<Command> {
        let list = self.list(crowd)?;
        let mut command = self.command("xargs");
        command.arg("-a").arg(list).arg("-P").arg(crowd.parallel.to_string());
        command.args(["-L", "1", "sh", "-c", line]);
        Ok(command)
    }
}

/// Who is served, by how many hands.
pub(crate) struct Crowd<'a> {
    /// Those that take part.
    pub(crate) to: &'a [Endpoint],
    /// So many at a time.
    pub(crate) parallel: usize,
    /// The port that all are reached at.
    pub(crate) port: u16,
    /// The private key that root logs in with.
    pub(crate) key: PathBuf,
    /// The host keys of all.
    pub(crate) known_hosts: PathBuf,
    /// The only cipher that the servers have.
    pub(crate) cipher: Cipher,
}

impl<'a> Crowd<'a> {
    /// Some of the endpoints, as they are.
    pub(crate) fn of(endpoints: &Endpoints, to: &'a [Endpoint], parallel: usize) -> Self {
        let (key, known_hosts) = (endpoints.key.clone(), endpoints.known_hosts.clone());
        Crowd { to, parallel, port: endpoints.port, key, known_hosts, cipher: endpoints.cipher }
    }

    /// The options that OpenSSH's programs are given.
    pub(crate) fn options(&self) -> String {
        let (key, known) = (self.key.display(), self.known_hosts.display());
        format!(
            "-F none -i {key} -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile={known} \
             -o StrictHostKeyChecking=yes"
        )
    }

    /// `scp` to one device, for [`Peers::xargs`].
    pub(crate) fn scp(&self, file: &Path) -> String {
        format!("scp -q -P $2 {} {} $3@$1:$4", self.options(), file.display())
    }

    /// A command on one device, whose output is dropped.
    pub(crate) fn ssh(&self, command: &str) -> String {
        format!("ssh {} -p $2 $3@$1 \"{command}\" >/dev/null", self.options())
    }

    /// `rsync` to one device: it compares digests by itself.
    pub(crate) fn rsync(&self, file: &Path) -> String {
        format!("rsync -W -e \"ssh -p $2 {}\" {} $3@$1:$4", self.options(), file.display())
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("failed to run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
