//! The live area: what goes on right now, below the lines that stay.

use crate::Style;
use crate::states::{ended, label, progress, tally_words};
use crate::words::{Tone, duration, line};
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use migos_events::{DeviceState, Event, History, Record, StageProgress};
use migos_inventory::DeviceId;
use migos_payload::size::ByteCount;
use migos_playbooks::plan::{Plan, Stage};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

/// More rows than a small terminal has lines cannot be drawn over.
const MOST_ROWS: usize = 8;

/// Redraws a second, at most; also what a slow SSH session in between can take.
const REDRAWS: u8 = 4;

/// How often a plain status line is written where nothing can be redrawn.
const STATUS_EVERY: Duration = Duration::from_secs(30);

/// Width of the stage's bar, in columns.
const BAR: usize = 24;

/// A terminal with fewer columns has no room for a bar and for an indent.
const NARROW: u16 = 60;

/// Columns in front of what is told of a stage or a device.
const INDENT: usize = 24;

/// Prints the lines of a run and, on a terminal, keeps a live area below them.
///
/// It reads no clock: [`tick`](Live::tick) tells it the time, and only then is the area drawn anew.
/// What cannot be written is given up: a run never fails for want of a reader.
pub struct Live {
    plan: Plan,
    style: Style,
    out: Out,
    history: History,
    transfers: BTreeMap<DeviceId, Transfer>,
    now: Duration,
    /// When the last record came, by the clock of the ticks.
    last_record: Duration,
    last_status: Duration,
}

enum Out {
    /// One bar whose message is the whole area.
    Terminal(ProgressBar),
    Plain(Box<dyn Write + Send>),
}

/// Bytes on their way to a device, or onto its card.
struct Transfer {
    done: u64,
    total: u64,
    /// Bytes a second, once two moments are known.
    rate: Option<u64>,
    measured: Option<(Duration, u64)>,
}

impl Live {
    /// Writes to standard error. `to_terminal` asks for the live area; without a terminal there the
    /// lines come plain, and a status line every 30 seconds.
    pub fn new(plan: &Plan, style: Style, to_terminal: bool) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(REDRAWS);
        if to_terminal && !target.is_hidden() {
            return Live::on(plan, style, terminal(target));
        }
        Live::to_writer(plan, style, Box::new(io::stderr()))
    }

    /// Writes plain lines to this writer.
    pub fn to_writer(plan: &Plan, style: Style, out: Box<dyn Write + Send>) -> Self {
        Live::on(plan, style, Out::Plain(out))
    }

    fn on(plan: &Plan, style: Style, out: Out) -> Self {
        Live {
            plan: plan.clone(),
            style,
            out,
            history: History::default(),
            transfers: BTreeMap::new(),
            now: Duration::ZERO,
            last_record: Duration::ZERO,
            last_status: Duration::ZERO,
        }
    }

    /// Takes a record, and prints its lines above the area. A run that is taken up again gives its earlier
    /// records first, without lines.
    pub fn record(&mut self, record: &Record, lines: &[String]) {
        // A record that cannot be is refused where the journal is read; here it is only told.
        _ = self.history.take(record);
        if let Event::Device { device, .. } = &record.event {
            self.transfers.remove(device);
        }
        self.last_record = self.now;
        for text in lines {
            self.print(text);
        }
    }

    /// So many bytes of a device's present step are done. Nothing is drawn before the next tick.
    pub fn progress(&mut self, device: &DeviceId, done: u64, total: u64) {
        let new = Transfer { done, total, rate: None, measured: None };
        let transfer = self.transfers.entry(device.clone()).or_insert(new);
        if done < transfer.done || total != transfer.total {
            // Another file, or the same once more.
            (transfer.rate, transfer.measured) = (None, None);
        }
        (transfer.done, transfer.total) = (done, total);
    }

    /// Time has gone by: `elapsed` since some fixed moment, the same for all ticks. Call it a few times a
    /// second.
    pub fn tick(&mut self, elapsed: Duration) {
        self.now = elapsed;
        self.transfers.values_mut().for_each(|transfer| transfer.measure(elapsed));
        match &self.out {
            Out::Terminal(bar) => bar.set_message(self.area().join("\n")),
            Out::Plain(_) if elapsed.saturating_sub(self.last_status) >= STATUS_EVERY => {
                self.last_status = elapsed;
                let text = self.status_line();
                self.print(&text);
            }
            Out::Plain(_) => {}
        }
    }

    /// Takes the area away; the lines stay.
    pub fn finish(&mut self) {
        match &mut self.out {
            Out::Terminal(bar) => bar.finish_and_clear(),
            Out::Plain(out) => _ = out.flush(),
        }
    }

    fn print(&mut self, text: &str) {
        match &mut self.out {
            Out::Terminal(bar) => bar.println(text),
            Out::Plain(out) => _ = writeln!(out, "{text}"),
        }
    }

    /// The run's own time now.
    fn run_time(&self) -> Duration {
        self.history.elapsed.saturating_add(self.now.saturating_sub(self.last_record))
    }

    fn stage(&self) -> Option<&Stage> {
        self.plan.stages.get(self.history.stage)
    }

    /// The plain status line.
    fn status_line(&self) -> String {
        let tally = self.history.tally();
        let all = self.plan.devices.len();
        let stage = self.stage().map(|stage| format!("stage {}, ", stage.name)).unwrap_or_default();
        let text = format!("{stage}{}/{all}: {}", ended(&tally), tally_words(&tally));
        line(self.style, Tone::Plain, "Running", Some(self.run_time()), &text)
    }

    /// The lines of the area: the stage's bar, at most eight devices, and how many more there are.
    fn area(&self) -> Vec<String> {
        let mut lines = vec![self.stage_bar()];
        let mut devices: Vec<_> = self
            .history
            .devices
            .iter()
            .filter(|(_, progress)| in_flight(&progress.state))
            .collect();
        devices.sort_by_key(|(id, progress)| (progress.started, *id));
        let more = devices.len().saturating_sub(MOST_ROWS);
        lines.extend(devices.iter().take(MOST_ROWS).map(|(id, _)| self.device_row(id)));
        if more > 0 {
            lines.push(self.row(format!("and {more} more")));
        }
        lines
    }

    fn stage_bar(&self) -> String {
        let Some(stage) = self.stage() else { return self.status_line() };
        let states = stage.devices.iter().map(|id| progress(&self.history, id).state);
        let (done, all) = (states.filter(DeviceState::is_terminal).count(), stage.devices.len());
        let full = (BAR * done).checked_div(all).unwrap_or(BAR);
        let since = |moment: Duration| duration(self.run_time().saturating_sub(moment));
        let mut waits = match self.history.stage_progress {
            StageProgress::Soaking(moment) => {
                format!("  soak {} of {}", since(moment), stage.gate.soak)
            }
            StageProgress::SoakBroken(moment) => format!("  soak broken for {}", since(moment)),
            StageProgress::Waiting
            | StageProgress::Started
            | StageProgress::Checked
            | StageProgress::AtInstructions => String::new(),
        };
        if self.history.balena_away {
            waits += "  balena does not answer";
        }
        let bar = match self.is_narrow() {
            true => String::new(),
            false => format!(" {}{}", "█".repeat(full), "░".repeat(BAR - full)),
        };
        let text = self.cut(INDENT + 1, format!("{}{bar} {done}/{all}{waits}", stage.name));
        line(self.style, Tone::Plain, "Stage", Some(self.run_time()), &text)
    }

    /// `kiosk-003  step 3 send-image  83 MB of 164 MB, 2.1 MB/s, 38.5s left`
    fn device_row(&self, id: &DeviceId) -> String {
        let progress = progress(&self.history, id);
        let what = label(&self.plan, id, &progress.state);
        let how_far = match self.transfers.get(id) {
            Some(transfer) => transfer.words(),
            None => duration(self.run_time().saturating_sub(progress.since)),
        };
        self.row(format!("{id}  {what}  {how_far}"))
    }

    /// A line below the stage's bar.
    fn row(&self, text: String) -> String {
        let indent = if self.is_narrow() { 2 } else { INDENT };
        format!("{:indent$}{}", "", self.cut(indent, text))
    }

    /// No line of the area may be broken by the terminal, or it could not be drawn over: what is too long ends with a
    /// whole word.
    fn cut(&self, indent: usize, text: String) -> String {
        // Some terminals go on to the next line as soon as the last column is full.
        let room = usize::from(self.width()).saturating_sub(indent + 1);
        if text.chars().count() <= room {
            return text;
        }
        let kept: String = text.chars().take(room).collect();
        let whole = kept.rsplit_once(' ').map_or("", |(words, _)| words.trim_end());
        format!("{whole}…")
    }

    fn is_narrow(&self) -> bool {
        self.width() < NARROW
    }

    /// The columns that the terminal has now: people resize it while a run goes on.
    fn width(&self) -> u16 {
        let now = match self.out {
            Out::Terminal(_) => Term::stderr().size_checked().map(|(_, columns)| columns),
            Out::Plain(_) => None,
        };
        now.filter(|columns| *columns > 0).unwrap_or(self.style.width)
    }
}

impl Transfer {
    /// Measures the rate over a second or more, and smooths it a little.
    fn measure(&mut self, now: Duration) {
        let Some((then, before)) = self.measured else {
            self.measured = Some((now, self.done));
            return;
        };
        let millis = now.saturating_sub(then).as_millis();
        if millis < 1000 {
            return;
        }
        let bytes = u128::from(self.done.saturating_sub(before));
        let rate = u64::try_from(bytes * 1000 / millis).unwrap_or(u64::MAX);
        self.rate = Some(self.rate.map_or(rate, |last| last / 2 + rate / 2));
        self.measured = Some((now, self.done));
    }

    fn words(&self) -> String {
        let mut words = format!("{} of {}", ByteCount(self.done), ByteCount(self.total));
        if let Some(rate) = self.rate.filter(|rate| *rate > 0) {
            let left = Duration::from_secs(self.total.saturating_sub(self.done) / rate);
            words += &format!(", {}/s, {} left", ByteCount(rate), duration(left));
        }
        words
    }
}

fn in_flight(state: &DeviceState) -> bool {
    !state.is_terminal() && *state != DeviceState::Pending
}

fn terminal(target: ProgressDrawTarget) -> Out {
    let bar = ProgressBar::with_draw_target(None, target);
    let style = ProgressStyle::with_template("{msg}");
    Out::Terminal(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
}

#[cfg(test)]
mod tests;
