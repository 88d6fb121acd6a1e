//! Commands of the policy that are run on this computer.

use futures::future::BoxFuture;
use migos_engine::dispatcher::GateCheck;
use migos_events::{CheckVerdict, History};
use migos_playbooks::plan::CheckedPlan;
use migos_report::summary_json;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a check exits with that cannot tell (`EX_TEMPFAIL` of sysexits.h).
const UNSURE: i32 = 75;

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
            match shell(&command, &base, about.into_bytes()).await {
                Ok(output) => verdict(&output),
                Err(error) => (CheckVerdict::Unsure, format!("failed to run {command}: {error}")),
            }
        })
    }
}

fn verdict(output: &Output) -> (CheckVerdict, String) {
    let verdict = match output.status.code() {
        Some(0) => CheckVerdict::Pass,
        Some(UNSURE) | None => CheckVerdict::Unsure,
        Some(_) => CheckVerdict::Fail,
    };
    let said =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    let last = said.iter().flat_map(|text| text.lines()).rfind(|line| !line.trim().is_empty());
    (verdict, last.unwrap_or_default().trim().to_owned())
}

/// Runs a command with this text on its stdin. It is killed when the future is dropped.
async fn shell(command: &str, base: &PathBuf, input: Vec<u8>) -> std::io::Result<Output> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(base)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read what it is told is free not to.
        let _ = stdin.write_all(&input).await;
    }
    child.wait_with_output().await
}
