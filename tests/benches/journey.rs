//! Where the time of a migration goes, by the journal.

use crate::figures::{Spread, megabytes, seconds};
use crate::finding::Finding;
use crate::table::Table;
use migos_events::{DeviceEvent, Event, Record};
use migos_playbooks::step::Action;
use std::collections::BTreeMap;
use std::time::Duration;

/// What devices did of one step.
#[derive(Debug, Default)]
struct Step {
    name: String,
    /// How long it took on each device, in seconds.
    times: Vec<f64>,
    sent: u64,
}

/// A table of all steps, in their order.
pub(crate) fn table(records: &[Record]) -> Table {
    let mut begun: BTreeMap<(String, usize), Duration> = BTreeMap::new();
    let mut steps: BTreeMap<usize, Step> = BTreeMap::new();
    for record in records {
        let Event::Device { device, what } = &record.event else { continue };
        match what {
            DeviceEvent::StepStarted { step } => {
                begun.insert((device.to_string(), step.n), record.elapsed);
            }
            DeviceEvent::StepDone { step, learned } => {
                let Some(start) = begun.remove(&(device.to_string(), step.n)) else { continue };
                let entry = steps.entry(step.n).or_default();
                entry.name = name(step.action);
                entry.times.push(record.elapsed.saturating_sub(start).as_secs_f64());
                entry.sent += learned.bytes_sent.unwrap_or_default();
            }
            _ => {}
        }
    }
    let all: f64 = steps.values().flat_map(|step| &step.times).sum();
    let mut table = Table::new(&["step", "devices", "median (least–most)", "of all time", "sent"]);
    for step in steps.into_values() {
        let share = step.times.iter().sum::<f64>() / all.max(f64::MIN_POSITIVE);
        let sent = if step.sent > 0 { megabytes(step.sent as f64) } else { "–".to_owned() };
        table.row(vec![
            step.name,
            step.times.len().to_string(),
            Spread::of(step.times).text(seconds),
            format!("{:.1} %", share * 100.0),
            sent,
        ]);
    }
    table
}

/// A step's name as plans and journals have it.
fn name(action: Action) -> String {
    let name = serde_json::to_value(action).unwrap_or_default();
    format!("`{}`", name.as_str().unwrap_or("?"))
}

/// What is said of it.
pub(crate) fn finding(devices: usize, table: Table) -> Finding {
    Finding {
        key: "journey",
        title: "Where the time goes".to_owned(),
        text: format!(
            "By the journal of the run with {devices} devices: from the permit for a step until it is recorded as done. \
             Boots and flashing are the lab's, a hundred times faster than those of real Pis; what is left is the \
             controller, SSH, and the turn that a device waits for while others have the processors."
        ),
        tables: vec![table],
        ..Finding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_timed_from_its_permit_to_its_end() {
        let record = |seq, millis, what: &str| {
            let line = format!(
                r#"{{"seq":{seq},"at":"2026-11-23T10:00:00Z","elapsed_ms":{millis},"event":{{"type":"device","device":"kiosk-001","what":{what}}}}}"#
            );
            serde_json::from_str::<Record>(&line).unwrap()
        };
        let records = [
            record(0, 100, r#"{"type":"step-started","step":{"n":0,"action":"check"}}"#),
            record(1, 350, r#"{"type":"step-done","step":{"n":0,"action":"check"}}"#),
            record(2, 400, r#"{"type":"step-started","step":{"n":1,"action":"send-image"}}"#),
            record(
                3,
                1150,
                r#"{"type":"step-done","step":{"n":1,"action":"send-image"},"learned":{"bytes_sent":8000000}}"#,
            ),
        ];
        insta::assert_snapshot!(table(&records).markdown(), @r###"
        | step         | devices | median (least–most) | of all time |    sent |
        | ------------ | ------: | ------------------: | ----------: | ------: |
        | `check`      |       1 |             0.250 s |      25.0 % |       – |
        | `send-image` |       1 |             0.750 s |      75.0 % | 8.00 MB |
        "###);
    }
}
