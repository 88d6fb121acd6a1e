//! A run as a page: what happened to every device, planned beside actual.

use super::markup::{Html, classed, element, folded, page, table, text, tile, with};
use super::plan::predicted;
use super::timeline::{Band, Row, Span, legend, timeline};
use crate::next::{change, to_do};
use crate::outlook::minute;
use crate::states::{board, cause, ended, label, own_time, progress, site, tally_words};
use crate::summary::remark;
use crate::words::{duration, plain};
use crate::{RunLines, Style};
use jiff::Timestamp;
use migos_events::{DeviceEvent, DeviceState, Event, History, Outcome, Progress, Record};
use migos_inventory::DeviceId;
use migos_payload::size::ByteCount;
use migos_playbooks::estimate::Prediction;
use migos_playbooks::plan::Plan;
use migos_playbooks::step::Action;
use std::collections::BTreeMap;
use std::time::Duration;

/// The lines are not cut.
const STYLE: Style = Style { color: false, width: 200 };

/// What is told of a run.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its records.
    pub records: &'a [Record],
    /// What was predicted when it began, if it could be.
    pub prediction: Option<&'a Prediction>,
    /// The last lines of the transcripts of those that ended badly.
    pub transcripts: &'a BTreeMap<DeviceId, Vec<String>>,
}

/// A run as one HTML file.
pub fn run_html(plan: &Plan, history: &History, told: &Told<'_>) -> String {
    let name = history.run.as_ref().map_or_else(String::new, ToString::to_string);
    let title = format!("Run {name}");
    let begun = told.records.first().map_or(Timestamp::UNIX_EPOCH, |record| record.at);
    let ways = ways(told.records);
    let mut body = vec![
        element("h1", title.clone()),
        element("p", element("b", sentence(plan, history))),
        classed("p", "pale", about(history, told.records, told.prediction)),
        tiles(history),
    ];
    let to_do = to_do(plan, history, history.ended) + &change(history);
    if !to_do.trim().is_empty() {
        body.push(element("pre", to_do));
    }
    body.push(element("h2", "What happened when"));
    body.push(picture(plan, history, told, &ways, begun));
    body.extend(trouble(plan, history, told));
    body.push(element("h2", "The run"));
    body.push(element("pre", lines(plan, told.records, false)));
    body.push(folded(
        "with every step of every device",
        element("pre", lines(plan, told.records, true)),
    ));
    body.push(element("h2", "Every device"));
    body.push(every_device(plan, history, told, &ways));
    page(&title, body)
}

/// How it stands, in one sentence.
fn sentence(plan: &Plan, history: &History) -> String {
    let tally = history.tally();
    let numbers = format!("{} of {}: {}", ended(&tally), plan.devices.len(), tally_words(&tally));
    let how = match history.ended {
        None => "goes on".to_owned(),
        Some(Outcome::Finished) => "is finished".to_owned(),
        Some(Outcome::TakenBack) => "was taken back".to_owned(),
        Some(Outcome::Interrupted) => "was interrupted".to_owned(),
        Some(Outcome::Paused) => {
            format!("is paused: {}", plain(history.paused.as_deref().unwrap_or_default()))
        }
        Some(Outcome::Stopped) => {
            format!("was stopped: {}", plain(history.stopped.as_deref().unwrap_or_default()))
        }
    };
    format!("The run {how}. {numbers}.")
}

fn about(history: &History, records: &[Record], prediction: Option<&Prediction>) -> String {
    let mut parts = Vec::new();
    if let (Some(first), Some(last)) = (records.first(), records.last()) {
        parts.push(format!("{} to {}", minute(first.at), minute(last.at)));
    }
    parts.push(format!("{} at work", duration(history.elapsed)));
    parts.extend(prediction.map(|it| format!("{} predicted", duration(it.whole))));
    let controllers = records.iter().filter(|it| matches!(it.event, Event::RunResumed { .. }));
    match controllers.count() {
        0 => {}
        times => {
            parts.push(format!("resumed {times} times; the picture leaves out the time between"))
        }
    }
    parts.join(" · ")
}

fn tiles(history: &History) -> Html {
    let tally = history.tally();
    let tiles = [
        (tally.migrated, "migrated", "good"),
        (tally.lost, "lost", "bad"),
        (tally.stuck, "stuck", "bad"),
        (tally.failed, "failed", "wait"),
        (tally.refused + tally.refused_at_plan, "refused", "wait"),
        (tally.unreachable + tally.unreachable_at_plan, "unreachable", "wait"),
        (tally.pending, "not started", "plain"),
    ];
    let shown = tiles.iter().filter(|(number, word, _)| *number > 0 || *word == "migrated");
    let tiles = shown.map(|(number, word, look)| tile(*number as usize, word, look));
    classed("div", "tiles", tiles.collect::<Vec<_>>())
}

/// What the records say of one device's way.
#[derive(Debug, Default)]
struct Way {
    spans: Vec<Span>,
    /// Where the last of them begins, and how it looks.
    open: Option<(Duration, &'static str)>,
    retries: usize,
    sent: u64,
    /// How long its image was on its way.
    sending: Duration,
    image_began: Option<Duration>,
}

impl Way {
    fn turn(&mut self, at: Duration, look: Option<&'static str>) {
        if let Some((from, look)) = self.open.take() {
            self.spans.push(Span { from, to: at, look });
        }
        self.open = look.map(|look| (at, look));
    }

    fn take(&mut self, what: &DeviceEvent, at: Duration) {
        match what {
            DeviceEvent::StepStarted { step } => {
                let look = match step.action {
                    Action::Arm | Action::Reboot => "dark",
                    Action::Commit | Action::AwaitCommit => "flash",
                    _ => self.open.map_or("staging", |(_, look)| look),
                };
                if self.open.is_none_or(|(_, open)| open != look) {
                    self.turn(at, Some(look));
                }
                if step.action == Action::SendImage {
                    self.image_began = Some(at);
                }
            }
            DeviceEvent::StepRetried { .. } => self.retries += 1,
            DeviceEvent::StepDone { step, learned } => {
                self.sent += learned.bytes_sent.unwrap_or_default();
                if let (Action::SendImage, Some(began)) = (step.action, self.image_began) {
                    self.sending = at.saturating_sub(began);
                }
            }
            DeviceEvent::StepFailed { .. }
            | DeviceEvent::CameBack { .. }
            | DeviceEvent::UndoStarted { .. }
            | DeviceEvent::Late
                if self.open.is_none_or(|(_, open)| open != "failed") =>
            {
                self.turn(at, Some("failed"));
            }
            DeviceEvent::Migrated { .. }
            | DeviceEvent::Failed { .. }
            | DeviceEvent::Undone
            | DeviceEvent::WentBack
            | DeviceEvent::Stuck { .. }
            | DeviceEvent::Lost { .. } => self.turn(at, None),
            _ => {}
        }
    }

    fn rate(&self, image: ByteCount) -> String {
        let millis = self.sending.as_millis();
        match u64::try_from(u128::from(image.0) * 1000 / millis.max(1)) {
            Ok(rate) if millis > 0 => format!("{}/s", ByteCount(rate)),
            _ => String::new(),
        }
    }
}

fn ways(records: &[Record]) -> BTreeMap<&DeviceId, Way> {
    let mut ways: BTreeMap<&DeviceId, Way> = BTreeMap::new();
    for record in records {
        if let Event::Device { device, what } = &record.event {
            ways.entry(device).or_default().take(what, record.elapsed);
        }
    }
    let end = records.last().map(|record| record.elapsed).unwrap_or_default();
    ways.values_mut().for_each(|way| way.turn(end, None));
    ways
}

fn picture(
    plan: &Plan,
    history: &History,
    told: &Told<'_>,
    ways: &BTreeMap<&DeviceId, Way>,
    begun: Timestamp,
) -> Html {
    let row = |id: &DeviceId| {
        let planned = told.prediction.and_then(|it| it.devices.get(id)).map(predicted);
        let pale = |span: Span| Span { look: "planned", ..span };
        Row {
            name: id.to_string(),
            told: label(plan, id, &progress(history, id).state),
            planned: planned.into_iter().flatten().map(pale).collect(),
            spans: ways.get(id).map(|way| way.spans.clone()).unwrap_or_default(),
        }
    };
    let bands: Vec<Band> = plan
        .stages
        .iter()
        .map(|stage| {
            let mut rows: Vec<Row> = stage.devices.iter().map(row).collect();
            rows.sort_by_key(|row| row.spans.first().map_or(Duration::MAX, |span| span.from));
            Band { name: stage.name.clone(), rows }
        })
        .collect();
    let legend = legend(&[
        ("planned", "planned"),
        ("staging", "in service, while files are sent"),
        ("dark", "in MIGOS, Raspbian returns by itself"),
        ("flash", "past the point of no return, until it is well"),
        ("failed", "failing, or taken back"),
    ]);
    element("div", [legend, timeline(&bands, begun)])
}

/// Those that ended badly, each with its cause and the last that was heard.
fn trouble(plan: &Plan, history: &History, told: &Told<'_>) -> Vec<Html> {
    let mut parts = Vec::new();
    for id in plan.devices.keys() {
        let progress = progress(history, id);
        if !progress.state.ended_badly() {
            continue;
        }
        let cause = cause(plan, id, &progress).unwrap_or_default();
        let state = label(plan, id, &progress.state);
        let mut inner = vec![element("h3", format!("{id}: {state}")), element("p", cause)];
        if let Some(lines) = told.transcripts.get(id).filter(|lines| !lines.is_empty()) {
            inner
                .push(folded("the last lines of its transcript", element("pre", lines.join("\n"))));
        }
        parts.push(element("section", inner));
    }
    if !parts.is_empty() {
        parts.insert(0, element("h2", "What went wrong"));
    }
    parts
}

fn lines(plan: &Plan, records: &[Record], verbose: bool) -> String {
    let mut lines = RunLines::new(plan, STYLE, verbose);
    records.iter().flat_map(|record| lines.record(record)).map(|line| line + "\n").collect()
}

fn every_device(
    plan: &Plan,
    history: &History,
    told: &Told<'_>,
    ways: &BTreeMap<&DeviceId, Way>,
) -> Html {
    let row = |id: &DeviceId| {
        let progress: Progress = progress(history, id);
        let device = plan.devices.get(id);
        let image = device.and_then(|device| plan.images.get(&device.image)).map(|it| it.size);
        let payload = device.and_then(|device| plan.payloads.get(&device.payload));
        let way = ways.get(id);
        // What is on the device already is not sent; then its records tell less.
        let all = image.unwrap_or_default().0 + payload.map_or(0, |payload| payload.size());
        let sent =
            way.map(|way| way.sent).filter(|sent| *sent > 0).map(|sent| ByteCount(sent.max(1)));
        let planned = told.prediction.and_then(|it| it.devices.get(id));
        let planned = planned.map(|it| duration(it.arrives.saturating_sub(it.starts)));
        let look = match &progress.state {
            DeviceState::Migrated => "good",
            state if state.ended_badly() => "bad",
            _ => "pale",
        };
        vec![
            with("span", &[("id", id.to_string())], id.to_string()),
            text(board(plan, id)),
            text(site(plan, id)),
            classed("span", look, label(plan, id, &progress.state)),
            text(own_time(&progress, history.elapsed).map(duration).unwrap_or_default()),
            text(planned.unwrap_or_default()),
            text(sent.map_or_else(String::new, |sent| format!("{sent} of {}", ByteCount(all)))),
            text(way.map(|way| way.rate(image.unwrap_or_default())).unwrap_or_default()),
            text(
                way.map(|way| way.retries)
                    .filter(|tries| *tries > 0)
                    .map_or_else(String::new, |it| it.to_string()),
            ),
            text(
                progress.uuid.as_ref().map(|uuid| plain(uuid.short())).unwrap_or_default()
                    + &remark(&progress),
            ),
        ]
    };
    let header = [
        "device", "board", "site", "result", "took", "planned", "sent", "rate", "retries", "balena",
    ];
    let mut ids: Vec<&DeviceId> = plan.devices.keys().collect();
    ids.sort_by_key(|id| (!progress(history, id).state.ended_badly(), *id));
    table(&header, ids.into_iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, Story};

    #[test]
    fn the_page_tells_every_device_and_the_causes_first() {
        let (plan, story) = (sample::plan(), Story::stopped());
        let said = vec!["$ probe".to_owned(), "<b>no space left</b>".to_owned()];
        let transcripts = BTreeMap::from([(sample::id("kiosk-061"), said)]);
        let told = Told { records: &story.records, prediction: None, transcripts: &transcripts };
        let page = run_html(&plan, &story.history(), &told);
        for id in plan.devices.keys() {
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        for words in [
            "was stopped: 1 lost",
            "not seen by balena for 2h",
            "&lt;b&gt;no space",
            "retries",
            "resume 7f3a2c-01",
        ] {
            assert!(page.contains(words), "{words}");
        }
        assert!(!page.contains("<b>no space") && !page.contains(sample::IDENTITY));
    }
}
