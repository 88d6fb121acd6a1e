//! `report`: what a run has come to, for people and for programs.

use super::status::named_or_newest;
use crate::args::{Global, ReportFormat};
use crate::failure::{Failure, Kind, OrFail};
use crate::input;
use crate::printer::Printer;
use migos_engine::run::{RunDir, write_whole};
use migos_engine::simulation::predict;
use migos_events::{History, Record};
use migos_inventory::DeviceId;
use migos_playbooks::plan::CheckedPlan;
use migos_report::{Told, run_html, summary, summary_json};
use std::collections::BTreeMap;
use std::path::Path;

/// Lines of a transcript that a report keeps.
const LAST_LINES: usize = 20;

/// The file that a run's page is written to, in the run's folder.
const PAGE: &str = "report.html";

pub(super) fn run(
    name: Option<&str>,
    format: ReportFormat,
    output: Option<&Path>,
    global: &Global,
    printer: Printer,
) -> Result<u8, Failure> {
    let run = named_or_newest(name, global)?;
    let plan = run.plan().or_fail(Kind::Input)?;
    let records = input::records(&run)?;
    let history = History::replay(&records).or_fail(Kind::Internal)?;
    let text = match format {
        ReportFormat::Table => summary(&plan, &history, history.ended, printer.out_style()),
        ReportFormat::Json => {
            let json = summary_json(&plan, &history, history.ended);
            serde_json::to_string_pretty(&json).or_fail(Kind::Internal)? + "\n"
        }
        ReportFormat::Jsonl => jsonl(&records)?,
        ReportFormat::Html => html(&run, &plan, &records, &history),
    };
    match output {
        Some(path) => {
            write_whole(path, text.as_bytes(), 0o644).or_fail(Kind::Internal)?;
            printer.say(&format!("the report of run {} is in {}", run.id(), path.display()));
        }
        None => printer.out(&text),
    }
    Ok(0)
}

/// The records, after a line that says in which form they are. Readers skip types that they do not know.
fn jsonl(records: &[Record]) -> Result<String, Failure> {
    let mut text = "{\"type\":\"version\",\"format\":\"1.0\"}\n".to_owned();
    for record in records {
        text += &serde_json::to_string(record).or_fail(Kind::Internal)?;
        text.push('\n');
    }
    Ok(text)
}

fn html(run: &RunDir, plan: &CheckedPlan, records: &[Record], history: &History) -> String {
    let prediction = records.first().and_then(|record| predict(plan, record.at).ok());
    let transcripts: BTreeMap<DeviceId, Vec<String>> = history
        .devices
        .iter()
        .filter(|(_, progress)| progress.state.ended_badly())
        .map(|(id, _)| (id.clone(), last_lines(&run.transcript(id))))
        .collect();
    let told = Told { records, prediction: prediction.as_ref(), transcripts: &transcripts };
    run_html(plan, history, &told)
}

/// None if there is no transcript: a device may have ended before anything was said to it.
fn last_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines.iter().skip(from).map(|line| (*line).to_owned()).collect()
}

/// Leaves the page of a run in its folder. That it could not is said, and changes nothing about the run.
pub(super) fn leave(run: &RunDir, plan: &CheckedPlan, printer: Printer) {
    let path = run.path().join(PAGE);
    let written = || -> Option<()> {
        let records = input::records(run).ok()?;
        let history = History::replay(&records).ok()?;
        let page = html(run, plan, &records, &history);
        write_whole(&path, page.as_bytes(), 0o644).ok()
    };
    let path = path.display();
    match written() {
        Some(()) => printer.say(&format!("the report is in {path}")),
        None => printer.say(&format!(
            "the report could not be written to {path}; make it with: migos-fleet report {} --format html -o FILE",
            run.id()
        )),
    }
}
