//! Tells the policy's `on_event` command what a person may want to know at once.

use crate::hooks::{Limit, shell};
use migos_engine::executor::Observer;
use migos_events::{DeviceEvent, Event, History, Outcome, Record, exit_code};
use migos_inventory::DeviceId;
use migos_playbooks::plan::{CheckedPlan, Plan};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long the command may take for one event.
const LIMIT: Limit = Limit { span: Duration::from_secs(60), words: "60 s" };

/// How long a run that has ended waits for what is still to be told.
const LAST_WORDS: Duration = Duration::from_secs(120);

/// The version of the documents: minor versions add keys, major ones change or remove some.
const FORMAT: &str = "1.0";

/// Hears what happens, and hands it to the command one by one; nobody waits for that.
pub(crate) struct Announcer {
    plan: Arc<CheckedPlan>,
    history: Mutex<History>,
    to: mpsc::UnboundedSender<Value>,
}

/// The command at its work; ended with this.
pub(crate) struct Teller(JoinSet<()>);

impl Announcer {
    /// Tells this command, in this folder, what happens from now on.
    pub(crate) fn new(
        command: String,
        base: PathBuf,
        plan: Arc<CheckedPlan>,
        history: History,
    ) -> (Announcer, Teller) {
        let (to, mut documents) = mpsc::unbounded_channel::<Value>();
        let mut teller = JoinSet::new();
        teller.spawn(async move {
            while let Some(document) = documents.recv().await {
                let about = document["type"].as_str().unwrap_or_default().to_owned();
                let text = format!("{document}\n").into_bytes();
                match shell(&command, &base, text, LIMIT).await {
                    Ok(output) if output.status.success() => {}
                    Ok(output) => {
                        let (status, said) = (output.status, output.last_line());
                        tracing::warn!(event = about, %status, said, "on_event failed");
                    }
                    Err(error) => tracing::warn!(event = about, %error, "on_event failed"),
                }
            }
        });
        (Announcer { plan, history: Mutex::new(history), to }, Teller(teller))
    }
}

impl Teller {
    /// Waits until everything is told, within reason. Nothing more may be said by then.
    pub(crate) async fn finish(mut self) {
        if timeout(LAST_WORDS, self.0.join_next()).await.is_err() {
            tracing::warn!("on_event is too slow: some events were not told");
        }
    }
}

impl Observer for Announcer {
    fn record(&self, record: &Record) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.take(record).is_ok()
            && let Some(document) = document(&self.plan, &history, record)
        {
            // Fails only when the teller is gone, with the run.
            let _ = self.to.send(document);
        }
    }

    fn progress(&self, _device: &DeviceId, _done: u64, _total: u64) {}
}

/// What is told of a record, if anything is.
fn document(plan: &Plan, history: &History, record: &Record) -> Option<Value> {
    let stage = |index: usize| plan.stages.get(index).map(|stage| &stage.name);
    let (kind, more) = match &record.event {
        Event::Paused { reason, .. } => ("paused", json!({ "reason": reason })),
        Event::Stopped { reason, .. } => ("stopped", json!({ "reason": reason })),
        Event::StagePassed { stage: index } => ("stage-done", json!({ "stage": stage(*index) })),
        Event::Device { device, what: DeviceEvent::Stuck { message } } => {
            ("stuck", json!({ "device": device, "message": message }))
        }
        Event::Device { device, what: DeviceEvent::Lost { message } } => {
            ("lost", json!({ "device": device, "message": message }))
        }
        Event::RunEnded { outcome } => {
            let kind = if *outcome == Outcome::Finished { "finished" } else { "ended" };
            let code = exit_code(*outcome, &history.tally());
            (kind, json!({ "outcome": outcome, "exit_code": code }))
        }
        _ => return None,
    };
    let mut document = json!({
        "type": kind,
        "format": FORMAT,
        "run": history.run,
        "plan": plan.id,
        "change": history.change,
        "at": record.at,
        "seconds": record.elapsed.as_secs(),
        "counts": history.tally(),
    });
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    Some(document)
}
