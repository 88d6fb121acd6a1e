//! Commands of the policy that are run on this computer.

use futures::future::BoxFuture;
use migos_engine::dispatcher::GateCheck;
use migos_events::{CheckVerdict, History};
use migos_playbooks::plan::CheckedPlan;
use migos_report::summary_json;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// What a check exits with that cannot tell (`EX_TEMPFAIL` of sysexits.h).
const UNSURE: i32 = 75;

/// How long a check may take.
const CHECK: Limit = Limit { span: Duration::from_secs(600), words: "10 min" };

/// What a command says is kept up to so many bytes, from its end; only its last line is told.
const KEPT: usize = 64 * 1024;

/// How long a command may take, also in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) span: Duration,
    pub(crate) words: &'static str,
}

/// Asks the commands that judge stages.
pub(crate) struct Checks {
    pub(crate) plan: Arc<CheckedPlan>,
    /// Where commands are run.
    pub(crate) base: PathBuf,
}

impl GateCheck for Checks {
    fn ask(&self, stage: usize, history: &History) -> BoxFuture<'static, (CheckVerdict, String)> {
        let about = summary_json(&self.plan, history, None).to_string();
        let gate = self.plan.stages.get(stage).map(|stage| stage.gate.check.clone());
        let (command, base) = (gate.flatten().unwrap_or_default(), self.base.clone());
        Box::pin(async move {
            match shell(&command, &base, about.into_bytes(), CHECK).await {
                Ok(output) => verdict(&output),
                Err(error) => (CheckVerdict::Unsure, format!("failed to run {command}: {error}")),
            }
        })
    }
}

/// The shell's own exit codes for a command that it cannot run say nothing about a stage.
fn verdict(output: &Said) -> (CheckVerdict, String) {
    let verdict = match output.status.code() {
        Some(0) => CheckVerdict::Pass,
        Some(UNSURE | 126 | 127) | None => CheckVerdict::Unsure,
        Some(_) => CheckVerdict::Fail,
    };
    (verdict, output.last_line())
}

/// What a command has said and how it ended.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    text: [Vec<u8>; 2],
}

impl Said {
    /// Its last line with anything in it: of stderr, or else of stdout.
    pub(crate) fn last_line(&self) -> String {
        let texts = self.text.iter().map(|text| String::from_utf8_lossy(text));
        let last =
            |text: &str| text.lines().map(str::trim).rfind(|it| !it.is_empty()).map(str::to_owned);
        texts.filter_map(|text| last(&text)).next_back().unwrap_or_default()
    }
}

/// Runs a command with this text on its stdin, for so long at most. It is killed, with all that it has started and
/// that has not left its process group, when that time is over and when the future is dropped.
pub(crate) async fn shell(
    command: &str,
    base: &Path,
    input: Vec<u8>,
    limit: Limit,
) -> io::Result<Said> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(base)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut group = Group::of(&child);
    let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let tell = async move {
        if let Some(mut stdin) = stdin {
            // A command that does not read what it is told is free not to.
            let _ = stdin.write_all(&input).await;
        }
    };
    // Both ways at once: a command may write much before it has read all.
    let work = async { tokio::join!(tell, keep(out), keep(err), child.wait()) };
    let Ok(((), out, err, status)) = timeout(limit.span, work).await else {
        let what = format!("it did not end within {} and was killed", limit.words);
        return Err(io::Error::new(io::ErrorKind::TimedOut, what));
    };
    group.0 = None;
    Ok(Said { status: status?, text: [out, err] })
}

/// Reads to the end, and keeps the last of it.
async fn keep(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return kept };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
    }
    kept
}

/// The process group of a command; killed with this.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails only if all of it has ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SOON: Limit = Limit { span: Duration::from_secs(60), words: "60 s" };

    async fn judged(command: &str) -> (CheckVerdict, String) {
        let folder = tempfile::tempdir().unwrap();
        verdict(&shell(command, folder.path(), b"{}".to_vec(), SOON).await.unwrap())
    }

    #[tokio::test]
    async fn a_check_passes_is_unsure_or_fails() {
        assert_eq!(judged("cat; exit 0").await, (CheckVerdict::Pass, "{}".into()));
        let unsure = "echo working; echo no answer >&2; exit 75";
        assert_eq!(judged(unsure).await, (CheckVerdict::Unsure, "no answer".into()));
        assert_eq!(judged("echo 3 down; exit 2").await, (CheckVerdict::Fail, "3 down".into()));
        let (verdict, said) = judged("./there-is-none").await;
        assert_eq!(verdict, CheckVerdict::Unsure, "{said}");
        assert_eq!(judged("kill -9 $$").await.0, CheckVerdict::Unsure);
    }

    #[tokio::test]
    async fn much_is_told_and_much_is_said_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let told = vec![b'x'; 3 << 20];
        let said = shell("cat; cat", folder.path(), told.clone(), SOON).await.unwrap();
        assert!(said.status.success());
        assert_eq!(said.text[0].len(), KEPT);
        let deaf = shell("exit 0", folder.path(), told, SOON).await.unwrap();
        assert!(deaf.status.success());
    }

    #[tokio::test]
    async fn what_takes_too_long_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        // Whoever reads the pipe comes to its end when no process holds it open any more.
        let command = "exec 3>pipe; sleep 600 & sleep 600";
        let short = Limit { span: Duration::from_secs(1), words: "1 s" };
        let work = shell(command, folder.path(), Vec::new(), short);
        let read = tokio::task::spawn_blocking(move || std::fs::read(pipe));
        let error = work.await.err().unwrap();
        assert_eq!(error.to_string(), "it did not end within 1 s and was killed");
        assert_eq!(timeout(SOON.span, read).await.unwrap().unwrap().unwrap(), b"");
    }
}
