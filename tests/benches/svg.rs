//! Bars, one for each contestant, that can be read on light and on dark ground.

use crate::contest::{Entry, Metric};
use crate::figures::digits;
use std::fmt::Write;

/// Room for the names, in pixels.
const NAMES: f64 = 190.0;
/// The longest bar.
const LONGEST: f64 = 420.0;
/// Room for figures behind the bars.
const FIGURES: f64 = 150.0;
/// From one bar to the next.
const STEP: f64 = 26.0;
/// The height of a bar.
const BAR: f64 = 16.0;
/// Above the first bar.
const TOP: f64 = 40.0;

/// A picture of bars.
#[derive(Debug, Clone)]
pub(crate) struct Bars {
    /// What they show.
    pub(crate) name: String,
    bars: Vec<(String, f64)>,
}

impl Bars {
    /// The medians of all contestants.
    pub(crate) fn of(name: &str, entries: &[Entry], metric: Metric) -> Self {
        let bars = entries.iter().map(|one| (one.name.to_owned(), one.spread(metric).median));
        Self::new(name, bars.collect())
    }

    /// Of these values; the first one is ours.
    pub(crate) fn new(name: &str, bars: Vec<(String, f64)>) -> Self {
        Bars { name: name.to_owned(), bars }
    }

    /// The picture. One that is ten times the second longest is cut, so that the others can be told apart.
    pub(crate) fn svg(&self) -> String {
        let mut values: Vec<f64> = self.bars.iter().map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        let longest = values.last().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
        let second = values.iter().rev().nth(1).copied().unwrap_or(longest);
        let full = if longest > 10.0 * second { 3.0 * second } else { longest };
        let (width, height) = (NAMES + LONGEST + FIGURES, TOP + STEP * self.bars.len() as f64);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" aria-label=\"{name}\">\n<style>\n\
             text {{ font: 13px system-ui, sans-serif; fill: #1f2328; }}\n\
             .title {{ font-weight: 600; }}\n.ours {{ fill: #0969da; }}\n.other {{ fill: #8c959f; }}\n\
             @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3; }} .ours {{ fill: #58a6ff; }} \
             .other {{ fill: #6e7681; }} }}\n</style>\n<text class=\"title\" x=\"0\" y=\"18\">{name}</text>\n",
            name = escaped(&self.name)
        );
        for (at, (name, value)) in self.bars.iter().enumerate() {
            let top = TOP + STEP * at as f64;
            let length = (LONGEST * (value / full).min(1.0)).max(1.0);
            let class = if at == 0 { "ours" } else { "other" };
            let cut = if *value > full { " (cut)" } else { "" };
            let base = top + BAR - 3.0;
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{NAMES}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{BAR}\"/>\
                 <text x=\"{:.1}\" y=\"{base:.1}\">{}{cut}</text>",
                NAMES - 8.0,
                escaped(name),
                NAMES + length + 6.0,
                digits(*value),
            );
        }
        svg + "</svg>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_is_far_longer_is_cut() {
        let bars =
            vec![("ours".to_owned(), 1.0), ("<scp>".to_owned(), 2.0), ("it".to_owned(), 60.0)];
        let svg = Bars::new("Wall & more", bars).svg();
        assert!(svg.contains("aria-label=\"Wall &amp; more\""), "{svg}");
        assert!(svg.contains(">60.0 (cut)</text>") && svg.contains("&lt;scp>"), "{svg}");
        assert!(svg.contains("width=\"70.0\"") && svg.contains("width=\"420.0\""), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 3);
    }
}
