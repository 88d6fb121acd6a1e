//! A real sshd in a root that looks like a Pi's.
//!
//! It runs in mount, PID and UTS namespaces of its own, which die with it: nothing is left behind. On a
//! [`Network`] it has a network namespace, too, with an address of its own and SSH's own port.

mod network;

pub use network::Network;

use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const ROOT_SCRIPT: &str = include_str!("sshd/root.sh");

/// The password that sudo asks the user `asks` for.
pub const SUDO_PASSWORD: &str = "it's $HOME";

/// What programs the server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Userland {
    /// Those of the host: dash as `sh`, coreutils, bash as the login shell.
    Debian,
    /// busybox's applets and nothing else.
    Busybox,
}

/// A running server. Its users are `root`, `pi` (sudo does not ask), `asks` (sudo asks for
/// [`SUDO_PASSWORD`]) and `nosudo`; all log in with one key.
#[derive(Debug)]
pub struct Sshd {
    process: Child,
    address: Ipv4Addr,
    port: u16,
    folder: TempDir,
}

/// The port that SSH servers listen on.
const SSH: u16 = 22;

impl Sshd {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// If it cannot be started; the message says what is missing.
    pub fn start(userland: Userland) -> Result<Self> {
        let here = Ipv4Addr::LOCALHOST;
        let port = TcpListener::bind((here, 0))?.local_addr()?.port();
        Self::listening(userland, here, port, &[], "")
    }

    /// Starts a Debian server with these lines before all others in its configuration: there, the first one counts.
    ///
    /// # Errors
    /// If it cannot be started; the message says what is missing.
    pub fn start_with(lines: &str) -> Result<Self> {
        let here = Ipv4Addr::LOCALHOST;
        let port = TcpListener::bind((here, 0))?.local_addr()?.port();
        Self::listening(Userland::Debian, here, port, &[], lines)
    }

    /// Starts a Debian server at this address and port, with these lines before all others in its configuration.
    ///
    /// # Errors
    /// If it cannot be started; the message says what is missing.
    pub fn start_at(address: Ipv4Addr, port: u16, lines: &str) -> Result<Self> {
        Self::listening(Userland::Debian, address, port, &[], lines)
    }

    /// Starts a server that is a computer of its own on a network, and waits until it listens.
    ///
    /// # Errors
    /// If it cannot be started; the message says what is missing.
    pub fn start_on(network: &mut Network, userland: Userland) -> Result<Self> {
        let mut server = Self::listening(userland, Ipv4Addr::UNSPECIFIED, SSH, &["--net"], "")?;
        // unshare itself stands in the new network namespace.
        server.address = network.plug_in(server.process.id())?;
        Ok(server)
    }

    fn listening(
        userland: Userland,
        address: Ipv4Addr,
        port: u16,
        namespaces: &[&str],
        lines: &str,
    ) -> Result<Self> {
        require()?;
        let folder = tempfile::tempdir()?;
        let (root, key) = (folder.path().join("root"), folder.path().join("id"));
        fs::create_dir(&root)?;
        keygen(&key, "ed25519")?;
        let userland = match userland {
            Userland::Debian => "debian",
            Userland::Busybox => "busybox",
        };
        // Should the test be killed, the server is, too.
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare"])
            .args(["--mount", "--pid", "--uts", "--fork", "--kill-child"])
            .args(namespaces)
            .args(["--propagation", "private", "sh", "-c", ROOT_SCRIPT, "root.sh"])
            .args([root.as_os_str(), userland.as_ref()])
            .args([address.to_string(), port.to_string()])
            .arg(key.with_extension("pub"))
            .env("SSHD_FIRST", lines)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to run setpriv (package util-linux)")?;
        let stderr = process.stderr.take().context("no standard error")?;
        let server = Sshd { process, address, port, folder };
        let mut lines = BufReader::new(stderr).lines();
        let mut said = Vec::new();
        loop {
            match lines.next().transpose()? {
                Some(line) if line.contains("Server listening") => break,
                Some(line) => said.push(line),
                None => bail!("sshd did not start: {}", said.join("; ")),
            }
        }
        // Its log is read to the end, or it would block.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(server)
    }

    /// The address it is reached at.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that all others of the server descend from.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// The private key that all users log in with.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("id")
    }

    /// Where a file of the server is found from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        // unshare itself stands in the new mount namespace, but not in the new root.
        let namespace = format!("/proc/{}/root", self.process.id());
        let root = self.folder.path().join("root");
        PathBuf::from(format!("{namespace}{}{inside}", root.display()))
    }

    /// Mounts a file system of the server anew, e.g. `ro`. The table in its `/proc/mounts` stays as it is.
    ///
    /// # Errors
    /// If that fails.
    pub fn remount(&self, inside: &str, option: &str) -> Result<()> {
        let path = format!("{}{inside}", self.folder.path().join("root").display());
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.process.id());
        let status = Command::new("nsenter")
            .args([&namespace, "mount", "-o", &format!("remount,{option}"), &path])
            .status()
            .context("failed to run nsenter (package util-linux)")?;
        ensure!(status.success(), "{inside} cannot be remounted {option}");
        Ok(())
    }

    /// True if a file system of the server is mounted read-only.
    ///
    /// # Errors
    /// If there is none at this path.
    pub fn is_read_only(&self, inside: &str) -> Result<bool> {
        let path = format!("{}{inside}", self.folder.path().join("root").display());
        let mounts = fs::read_to_string(format!("/proc/{}/mounts", self.process.id()))?;
        let mut words = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mount = words.find(|words| words.get(1) == Some(&path.as_str()));
        let options = mount.as_ref().and_then(|words| words.get(3)).context("no such mount")?;
        Ok(options.split(',').any(|option| option == "ro"))
    }

    /// Lets what a verb left behind for the time after its session go on, and gives the first lines of what
    /// it did: `reboot -f`, or a key of sysrq on each.
    ///
    /// # Errors
    /// If nothing was left behind.
    pub fn let_go_on(&self, lines: usize) -> Result<Vec<String>> {
        let (gate, told) = (self.path("/run/gate"), self.path("/run/told"));
        let (sender, receiver) = mpsc::channel();
        // A thread, since it would wait for ever for a process that has died.
        thread::spawn(move || {
            let go_on = || {
                // Open for both, else there would be an end after each line.
                let told = OpenOptions::new().read(true).write(true).open(told)?;
                writeln!(OpenOptions::new().write(true).open(gate)?)?;
                BufReader::new(told).lines().take(lines).collect::<std::io::Result<_>>()
            };
            let _ = sender.send(go_on());
        });
        let told = receiver.recv_timeout(Duration::from_secs(20));
        Ok(told.context("nothing was left behind")??)
    }

    /// The public half of one of its host keys: `ed25519` or `ecdsa`.
    ///
    /// # Errors
    /// If there is no such key.
    pub fn host_key(&self, kind: &str) -> Result<String> {
        Ok(fs::read_to_string(self.path(&format!("/etc/ssh/host_{kind}.pub")))?)
    }

    /// Lets a further key log in.
    ///
    /// # Errors
    /// If the server's file cannot be written.
    pub fn authorize(&self, public_line: &str) -> Result<()> {
        let path = self.path("/etc/ssh/authorized_keys");
        let mut keys = OpenOptions::new().append(true).open(path)?;
        Ok(writeln!(keys, "{public_line}")?)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // The server is init of its PID namespace: all its processes and mounts go with it. It is unshare's
        // child, and unshare waits for it.
        let unshare = self.process.id();
        let children = format!("/proc/{unshare}/task/{unshare}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        let servers: Vec<&str> = children.split_ascii_whitespace().collect();
        let killed = Command::new("kill").arg("-KILL").args(servers).status();
        if !killed.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// Makes a key pair without a passphrase; the public half goes beside it, into `<path>.pub`.
///
/// # Errors
/// If ssh-keygen fails.
pub fn keygen(path: &Path, kind: &str) -> Result<()> {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-f"])
        .arg(path)
        .status()
        .context("failed to run ssh-keygen (package openssh-client)")?;
    ensure!(status.success(), "ssh-keygen failed");
    Ok(())
}

/// Says which package or right is missing; these tests are never skipped.
fn require() -> Result<()> {
    let own = fs::read_to_string("/proc/self/status")?;
    let root = own.lines().any(|line| line.split_ascii_whitespace().take(3).eq(["Uid:", "0", "0"]));
    ensure!(root, "this test starts a real sshd in namespaces of its own: run it as root");
    for (program, package) in [
        ("/usr/sbin/sshd", "openssh-server"),
        ("/usr/bin/sudo", "sudo"),
        ("/usr/bin/busybox", "busybox-static"),
        ("/usr/bin/dash", "dash"),
    ] {
        let found = Path::new(program).exists();
        ensure!(found, "{program} is missing: apt-get install {package}");
    }
    Ok(())
}
