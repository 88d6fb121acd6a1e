//! OpenSSH's own client: a second opinion on servers, and on command lines.

use crate::sshd::Sshd;
use crate::verb_runner::Outcome;
use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

/// A connection to a server as root, whose user may have several sessions on it.
#[derive(Debug)]
pub struct OpenSsh {
    socket: PathBuf,
}

impl OpenSsh {
    /// Connects. The connection ends with the server.
    ///
    /// # Errors
    /// If the client is missing or cannot log in.
    pub fn connect(server: &Sshd) -> Result<Self> {
        let socket = server.key().with_extension("socket");
        let status = Command::new("ssh")
            .args(["-F", "none", "-f", "-N", "-M", "-S"])
            .arg(&socket)
            .arg("-i")
            .arg(server.key())
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "BatchMode=yes", "-p", &server.port().to_string()])
            .arg(format!("root@{}", server.address()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("failed to run ssh (package openssh-client)")?;
        ensure!(status.success(), "ssh cannot log in");
        Ok(OpenSsh { socket })
    }

    /// Runs a command line.
    ///
    /// # Errors
    /// If the client cannot be run; an exit code is no error.
    pub fn execute(&self, command: &str, stdin: &[u8]) -> Result<Outcome> {
        let mut client = Command::new("ssh")
            .args(["-F", "none", "-S"])
            .arg(&self.socket)
            .args(["127.0.0.1", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to run ssh")?;
        let mut input = client.stdin.take().context("no standard input")?;
        let stdin = stdin.to_vec();
        // A command that does not read its input is no failure.
        let feed = thread::spawn(move || input.write_all(&stdin).is_ok());
        let output = client.wait_with_output()?;
        let _ = feed.join();
        Ok(Outcome {
            code: output.status.code().context("ssh was killed")?,
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
