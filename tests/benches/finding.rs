//! What came out of a contest: words, tables, bars, and the goals that were set before.

use crate::contest::{Entry, Metric, ratio};
use crate::figures::{digits, megabytes, seconds, times};
use crate::svg::Bars;
use crate::table::Table;
use std::fmt::Write;

/// What was wanted, and what is.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    what: String,
    value: f64,
    limit: f64,
    unit: &'static str,
}

impl Goal {
    /// At most so much.
    pub(crate) fn at_most(
        what: impl Into<String>,
        value: f64,
        limit: f64,
        unit: &'static str,
    ) -> Self {
        Goal { what: what.into(), value, limit, unit }
    }

    /// At most such a part.
    pub(crate) fn ratio(what: impl Into<String>, value: f64, limit: f64) -> Self {
        Self::at_most(what, value, limit, "×")
    }

    /// True if it is met.
    pub(crate) fn is_met(&self) -> bool {
        self.value <= self.limit
    }

    fn row(&self) -> Vec<String> {
        let show = |value: f64| match self.unit {
            "×" => format!("{}×", digits(value)),
            unit => format!("{} {unit}", digits(value)),
        };
        let met = match self.is_met() {
            true => "met".to_owned(),
            false => format!("**missed**: {} times as much", digits(self.value / self.limit)),
        };
        vec![self.what.clone(), format!("at most {}", show(self.limit)), show(self.value), met]
    }
}

/// All that is told of one contest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finding {
    /// Its name in markers and file names.
    pub(crate) key: &'static str,
    /// Its heading.
    pub(crate) title: String,
    /// What was done.
    pub(crate) text: String,
    /// The figures.
    pub(crate) tables: Vec<Table>,
    /// The pictures.
    pub(crate) bars: Vec<Bars>,
    /// What was wanted.
    pub(crate) goals: Vec<Goal>,
}

impl Finding {
    /// Of contestants in turns; the first one is ours.
    pub(crate) fn of_contest(
        key: &'static str,
        title: &str,
        text: &str,
        entries: &[Entry],
        goals: Vec<Goal>,
    ) -> Self {
        Finding {
            key,
            title: title.to_owned(),
            text: text.to_owned(),
            tables: vec![costs(entries)],
            bars: [(Metric::Wall, "Wall time, seconds"), (Metric::Client, "Client CPU, seconds")]
                .map(|(metric, name)| Bars::of(name, entries, metric))
                .to_vec(),
            goals,
        }
    }

    /// As Markdown, without the heading; pictures are in this folder.
    pub(crate) fn markdown(&self, pictures: &str) -> String {
        let mut text = format!("{}\n", self.text.trim_end());
        for (at, bars) in self.bars.iter().enumerate() {
            let _ = write!(text, "\n![{}]({pictures}/{})\n", bars.name, self.picture(at));
        }
        for table in &self.tables {
            let _ = write!(text, "\n{}", table.markdown());
        }
        if !self.goals.is_empty() {
            let mut goals = Table::new(&["goal", "wanted", "measured", ""]);
            self.goals.iter().for_each(|goal| goals.row(goal.row()));
            let _ = write!(text, "\n{}", goals.markdown());
        }
        text
    }

    /// The file name of a picture.
    pub(crate) fn picture(&self, at: usize) -> String {
        format!("bench-{}-{}.svg", self.key, at + 1)
    }
}

/// The table of a contest.
fn costs(entries: &[Entry]) -> Table {
    let mut table = Table::new(&[
        "",
        "wall",
        "ours = 1",
        "client CPU",
        "ours = 1",
        "server CPU",
        "ours = 1",
        "client memory",
        "runs",
    ]);
    let Some(ours) = entries.first() else { return table };
    for entry in entries {
        let to_ours = |metric| times(ratio(entry, ours, metric));
        table.row(vec![
            entry.name.to_owned(),
            entry.spread(Metric::Wall).text(seconds),
            to_ours(Metric::Wall),
            entry.spread(Metric::Client).text(seconds),
            to_ours(Metric::Client),
            entry.spread(Metric::Servers).text(seconds),
            to_ours(Metric::Servers),
            megabytes(entry.spread(Metric::Peak).median),
            entry.runs.len().to_string(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_tells_by_how_much_it_is_missed() {
        let finding = Finding {
            key: "x",
            text: "What was done.".into(),
            goals: vec![
                Goal::ratio("client CPU, to scp", 0.13, 0.2),
                Goal::at_most("peak memory", 300.0, 200.0, "MB"),
            ],
            ..Finding::default()
        };
        insta::assert_snapshot!(finding.markdown("pictures"), @r###"
        What was done.

        | goal               | wanted         | measured |                                |
        | ------------------ | -------------- | -------: | ------------------------------ |
        | client CPU, to scp | at most 0.200× |   0.130× | met                            |
        | peak memory        | at most 200 MB |   300 MB | **missed**: 1.50 times as much |
        "###);
    }
}
