//! A command of the operator's whose input and output are the connection to a device.

use rustix::process::{Pid, Signal, kill_process_group};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How much of what the command says is kept for messages.
const KEPT: usize = 2048;

/// How long its last words are waited for once the connection has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long the command, and what it has started, may take to end by themselves.
const GRACE: Duration = Duration::from_millis(500);

/// The running command; it ends with the connection.
pub(crate) struct Proxy {
    stdin: ChildStdin,
    stdout: ChildStdout,
    said: Said,
}

/// What the command says on standard error.
#[derive(Clone)]
pub(crate) struct Said(Arc<Mutex<Stderr>>);

struct Stderr {
    /// It is ended when nobody wants its words any more: its output may end before it has said them.
    _group: Group,
    /// Nothing once it has ended.
    pipe: Option<ChildStderr>,
    kept: Vec<u8>,
}

/// A command and all that it has started, in a process group of its own.
struct Group(Option<Child>);

impl Drop for Group {
    /// Ends all of them: first by asking.
    fn drop(&mut self) {
        let Some(child) = self.0.take() else { return };
        let Some(group) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) else {
            return;
        };
        // Fails only if nobody is left in it.
        let _ = kill_process_group(group, Signal::TERM);
        // Nobody waits for the child before that is over: until then its number is no one else's.
        thread::spawn(move || {
            thread::sleep(GRACE);
            let _ = kill_process_group(group, Signal::KILL);
            drop(child);
        });
    }
}

impl Said {
    fn new(child: Child, stderr: ChildStderr) -> Self {
        let stderr = Stderr { _group: Group(Some(child)), pipe: Some(stderr), kept: Vec::new() };
        Said(Arc::new(Mutex::new(stderr)))
    }

    /// The last line of it, for a message; called when the command has ended or is about to.
    pub(crate) async fn last_line(self) -> Option<String> {
        // Whoever else has it open may keep it so: then what was said so far has to do.
        let _ = timeout(LAST_WORDS, poll_fn(|context| self.listen(context))).await;
        let stderr = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&stderr.kept);
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(last.chars().filter(|c| !c.is_control()).collect())
    }

    /// Reads what is there, which would else fill up and stop the command; ready when it has ended.
    fn listen(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut stderr = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Stderr { pipe, kept, .. } = &mut *stderr;
        let mut space = [0; 1024];
        while let Some(open) = pipe {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(open).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    kept.extend_from_slice(buffer.filled());
                    kept.drain(..kept.len().saturating_sub(KEPT));
                }
                Poll::Ready(_) => *pipe = None,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
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
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err("it has no input or output".to_owned());
        };
        Ok(Proxy { stdin, stdout, said: Said::new(child, stderr) })
    }

    /// What it says on standard error.
    pub(crate) fn said(&self) -> Said {
        self.said.clone()
    }
}

impl AsyncRead for Proxy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Its waker is what counts here, not whether there was anything.
        let _ = self.said.listen(context);
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
