//! A command of the operator's whose input and output are the connection to a device.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// How much of what the command says is kept for messages.
const KEPT: usize = 2048;

/// The running command; it ends with the connection.
pub(crate) struct Proxy {
    _child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    said: Said,
}

/// What the command has said on standard error.
#[derive(Clone, Default)]
pub(crate) struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    /// The last line of it, for a message.
    pub(crate) fn last_line(&self) -> Option<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(last.chars().filter(|c| !c.is_control()).collect())
    }

    fn add(&self, bytes: &[u8]) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(bytes);
        let over = said.len().saturating_sub(KEPT);
        said.drain(..over);
    }
}

/// Puts host, port and user into a command. They are letters that mean nothing to a shell, or nothing is run.
fn expand(command: &str, host: &str, port: u16, user: &str) -> Result<String, String> {
    let plain = |text: &str| {
        !text.starts_with('-')
            && text.chars().all(|c| c.is_alphanumeric() || "._-:@%+,".contains(c))
    };
    if !plain(host) || !plain(user) {
        return Err("the host or user has letters that a shell would understand".to_owned());
    }
    let mut expanded = String::new();
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            expanded.push(c);
            continue;
        }
        match rest.next() {
            Some('h' | 'n') => expanded.push_str(host),
            Some('p') => expanded.push_str(&port.to_string()),
            Some('r') => expanded.push_str(user),
            Some('%') => expanded.push('%'),
            other => {
                let token: String = other.into_iter().collect();
                return Err(format!("`%{token}` is not known here; use %h, %p and %r"));
            }
        }
    }
    Ok(expanded)
}

impl Proxy {
    /// Starts the command.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub(crate) fn start(command: &str, host: &str, port: u16, user: &str) -> Result<Self, String> {
        let line = expand(command, host, port, user)?;
        // As ssh does: without the shell staying in between, which would outlive a kill.
        let child = Command::new("/bin/sh")
            .args(["-c", &format!("exec {line}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err("it has no input or output".to_owned());
        };
        let stderr = child.stderr.take();
        Ok(Proxy { _child: child, stdin, stdout, stderr, said: Said::default() })
    }

    /// What it says on standard error.
    pub(crate) fn said(&self) -> Said {
        self.said.clone()
    }

    /// Reads its standard error, which would else fill up and stop it.
    fn listen(&mut self, context: &mut Context<'_>) {
        let mut space = [0; 1024];
        while let Some(stderr) = &mut self.stderr {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(stderr).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.said.add(buffer.filled())
                }
                Poll::Ready(_) => self.stderr = None,
                Poll::Pending => break,
            }
        }
    }
}

impl AsyncRead for Proxy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.listen(context);
        Pin::new(&mut self.stdout).poll_read(context, buffer)
    }
}

impl AsyncWrite for Proxy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn host_port_and_user_are_put_in() {
        let expanded = expand("nc -X 5 %h %p # %r%%", "10.0.0.1", 2222, "pi").unwrap();
        assert_eq!(expanded, "nc -X 5 10.0.0.1 2222 # pi%");
    }

    #[test]
    fn nothing_that_a_shell_understands_is_put_in() {
        for (host, user) in [("a;b", "pi"), ("$(x)", "pi"), ("-oX", "pi"), ("a", "p`i`")] {
            assert!(expand("nc %h %p", host, 22, user).is_err(), "{host} {user}");
        }
        assert!(expand("nc %C", "a", 22, "pi").is_err());
    }
}
