//! The summary of a run for programs.

use crate::states::{cause, own_time, progress, word};
use migos_events::{DeviceState, History, Outcome, exit_code};
use migos_inventory::DeviceId;
use migos_playbooks::plan::{DevicePlan, Handover, Plan};
use serde_json::{Map, Value, json};

/// The version of the form: minor versions add keys, major ones change or remove some.
const FORMAT: &str = "1.2";

/// The summary of a run as one JSON object: `summary.json`, and `--format json`.
///
/// `outcome` is how the run ended; while it has not (`None`), there is no exit code.
pub fn summary_json(plan: &Plan, history: &History, outcome: Option<Outcome>) -> Value {
    let tally = history.tally();
    let device = |(id, device): (&DeviceId, &DevicePlan)| {
        (id.to_string(), device_json(plan, history, id, device))
    };
    let mut summary = json!({
        "type": "version",
        "format": FORMAT,
        "run": history.run,
        "plan": plan.id,
        "outcome": outcome,
        "exit_code": outcome.map(|outcome| exit_code(outcome, &tally)),
        "seconds": history.elapsed.as_secs(),
        "counts": tally,
        "devices": plan.devices.iter().map(device).collect::<Map<_, _>>(),
        "set_aside": plan.set_aside,
    });
    if let (Some(summary), Some(change)) = (summary.as_object_mut(), &history.change) {
        summary.insert("change".into(), json!(change));
    }
    summary
}

fn device_json(plan: &Plan, history: &History, id: &DeviceId, device: &DevicePlan) -> Value {
    let progress = progress(history, id);
    let mut object = Map::new();
    object.insert("state".into(), word(&progress.state).into());
    let handover = match device.handover {
        Handover::Attended => None,
        Handover::CallHome { .. } => Some("call-home"),
        Handover::Unattended => Some("unattended"),
    };
    if let Some(handover) = handover {
        object.insert("handover".into(), handover.into());
    }
    if let Some(time) = own_time(&progress, history.elapsed) {
        object.insert("seconds".into(), time.as_secs().into());
    }
    if let Some(cause) = cause(plan, id, &progress) {
        object.insert("cause".into(), cause.into());
    }
    if let Some(remark) = &progress.remark {
        object.insert("remark".into(), remark.clone().into());
    }
    if let Some(uuid) = &progress.uuid {
        object.insert("uuid".into(), uuid.0.clone().into());
    }
    // A device counts as migrated only once it reports the version of its image.
    if let (DeviceState::Migrated, Some(image)) = (&progress.state, plan.images.get(&device.image))
    {
        object.insert("os_version".into(), image.os_version.clone().into());
    }
    object.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::sample::{self, Story};

    #[test]
    fn a_program_reads_how_it_ended_and_for_whom() {
        let mut plan = sample::plan();
        plan.set_aside.retain(|id, _| id.as_str() == "kiosk-053");
        let value = summary_json(&plan, &Story::stopped().history(), Some(Outcome::Stopped));
        insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap(), @r###"
        {
          "counts": {
            "away": 1,
            "failed": 1,
            "in_flight": 0,
            "lost": 1,
            "migrated": 1,
            "pending": 1,
            "refused": 0,
            "refused_at_plan": 3,
            "set_aside": 0,
            "stuck": 0,
            "undone": 0,
            "unreachable": 0,
            "unreachable_at_plan": 1
          },
          "devices": {
            "kiosk-001": {
              "state": "pending"
            },
            "kiosk-002": {
              "os_version": "balenaOS 6.0.24",
              "seconds": 320,
              "state": "migrated",
              "uuid": "5e91c2a75e91c2a75e91c2a75e91c2a7"
            },
            "kiosk-003": {
              "cause": "step 1 check: connect timeout after 15 s (nothing was changed)",
              "seconds": 3,
              "state": "away"
            },
            "kiosk-061": {
              "cause": "step 5 send-image: no space left on device (undone)",
              "seconds": 83,
              "state": "failed"
            },
            "kiosk-062": {
              "cause": "not seen by balena for 2h",
              "seconds": 7463,
              "state": "lost"
            }
          },
          "exit_code": 8,
          "format": "1.2",
          "outcome": "stopped",
          "plan": "64879f7d6b960a01909762d911a32d4582c20010c5641ee90278b644a9e3b525",
          "run": "7f3a2c-01",
          "seconds": 9711,
          "set_aside": {
            "kiosk-053": {
              "held": "screens being replaced, ask the site"
            }
          },
          "type": "version"
        }
        "###);
    }

    #[test]
    fn a_run_that_goes_on_has_no_exit_code() {
        let value = summary_json(&sample::plan(), &Story::begin().history(), None);
        assert_eq!((&value["outcome"], &value["exit_code"]), (&Value::Null, &Value::Null));
        assert_eq!(value["devices"]["kiosk-001"], json!({ "state": "pending" }));
    }
}
