//! Who does what when, drawn: a row for each device, time from left to right.

use super::markup::{Html, classed, element, text, with};
use crate::words::duration;
use jiff::Timestamp;
use std::time::Duration;

/// Up to so many devices have their names beside their rows.
const NAMED: usize = 60;
const LABELS: f64 = 150.0;
const WIDTH: f64 = 1000.0;
/// Room above the rows, for the times.
const TOP: f64 = 34.0;

/// A part of a device's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// A class of the style sheet.
    pub(super) look: &'static str,
}

/// A device's row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    /// What is told where one points at it.
    pub(super) told: String,
    /// What was planned, pale beside the rest; empty in a plan.
    pub(super) planned: Vec<Span>,
    pub(super) spans: Vec<Span>,
}

/// Rows that belong together.
pub(super) struct Band {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

/// The picture; `begun` is the wall clock at its left edge.
pub(super) fn timeline(bands: &[Band], begun: Timestamp) -> Html {
    let rows: usize = bands.iter().map(|band| band.rows.len()).sum();
    let spans = || {
        bands
            .iter()
            .flat_map(|band| &band.rows)
            .flat_map(|row| row.spans.iter().chain(&row.planned))
    };
    let end = spans().map(|span| span.to).max().unwrap_or_default().max(Duration::from_secs(1));
    let named = rows <= NAMED;
    let high = if named { 18.0 } else { 5.0 };
    let x = |moment: Duration| {
        LABELS + (WIDTH - LABELS - 10.0) * moment.as_secs_f64() / end.as_secs_f64()
    };
    let height =
        TOP + bands.iter().map(|band| 22.0 + band.rows.len() as f64 * high).sum::<f64>() + 6.0;
    let mut parts = axis(end, begun, height, &x);
    let mut y = TOP;
    for band in bands {
        parts.push(label(0.0, y + 15.0, "stage", &band.name));
        y += 22.0;
        for row in &band.rows {
            let mut drawn = vec![element("title", format!("{}: {}", row.name, row.told))];
            if named {
                drawn.push(label(8.0, y + high - 5.0, "name", &row.name));
            }
            let bars = |spans: &[Span], y: f64, high: f64| -> Vec<Html> {
                spans
                    .iter()
                    .map(|span| bar(x(span.from), y, x(span.to) - x(span.from), high, span.look))
                    .collect()
            };
            let (above, below) =
                if row.planned.is_empty() { (0.0, high - 2.0) } else { (high * 0.3, high * 0.6) };
            drawn.extend(bars(&row.planned, y, above));
            drawn.extend(bars(&row.spans, y + above, below));
            parts.push(element("g", drawn));
            y += high;
        }
    }
    let view = format!("0 0 {WIDTH} {height:.0}");
    let svg = with("svg", &[("viewBox", view), ("role", "img".to_owned())], parts);
    classed("div", "scroll", svg)
}

/// What the colours mean.
pub(super) fn legend(entries: &[(&'static str, &str)]) -> Html {
    let entry = |(look, words): &(&'static str, &str)| {
        element("span", [classed("i", look, ""), text(words)])
    };
    classed("div", "legend", entries.iter().map(entry).collect::<Vec<_>>())
}

fn axis(end: Duration, begun: Timestamp, height: f64, x: &impl Fn(Duration) -> f64) -> Vec<Html> {
    let step = step(end);
    let mut parts = Vec::new();
    let mut moment = Duration::ZERO;
    while moment <= end {
        let at = format!("{:.1}", x(moment));
        let line = [
            ("class", "axis".to_owned()),
            ("x1", at.clone()),
            ("x2", at),
            ("y1", format!("{}", TOP - 4.0)),
            ("y2", format!("{height:.0}")),
        ];
        parts.push(with("line", &line, ""));
        let clock = begun.checked_add(moment).map(|it| it.strftime("%H:%M:%S").to_string());
        let since = match moment.is_zero() {
            true => "UTC".to_owned(),
            false => format!("+{}", duration(moment)),
        };
        parts.push(label(x(moment) + 2.0, 12.0, "tick", &clock.unwrap_or_default()));
        parts.push(label(x(moment) + 2.0, 25.0, "tick", &since));
        moment += step;
    }
    parts
}

/// The distance of the marks: at most eight of them.
fn step(end: Duration) -> Duration {
    const STEPS: [u64; 15] =
        [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800, 2_592_000];
    let fits = |step: &&u64| end.as_secs() / **step < 8;
    Duration::from_secs(STEPS.iter().find(fits).copied().unwrap_or(31_536_000))
}

fn bar(x: f64, y: f64, width: f64, height: f64, look: &'static str) -> Html {
    let place = [
        ("class", look.to_owned()),
        ("x", format!("{x:.1}")),
        ("y", format!("{y:.1}")),
        ("width", format!("{:.1}", width.max(0.8))),
        ("height", format!("{height:.1}")),
    ];
    with("rect", &place, "")
}

fn label(x: f64, y: f64, look: &'static str, words: &str) -> Html {
    let place = [("class", look.to_owned()), ("x", format!("{x:.1}")), ("y", format!("{y:.1}"))];
    with("text", &place, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_are_few_whatever_the_length() {
        for (seconds, expected) in [(5, 1), (31, 5), (600, 300), (9300, 1800), (200_000, 43_200)] {
            assert_eq!(step(Duration::from_secs(seconds)).as_secs(), expected, "{seconds}");
        }
    }
}
